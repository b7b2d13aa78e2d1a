//! kill -9 of the function at each call that leaves its process, then the same again in a new process: the whole
//! rotation with the same token, which is what Secrets Manager does when a function dies; and the event of a
//! schedule or a person, which Lambda delivers again, or the next tick brings.

use std::path::Path;

use serde_json::Value;
use twinkey_core::{SCHEDULE_TAG, SecretId, Stage, Step, VersionId};
use twinkey_tests::{Account, Answer, Function, build_library};

use crate::requests::{SCHEDULER, World, abandon_event, only, passed, token};

/// How many rotations a secret sees here: each of its passwords is tried after each of them.
const ROTATIONS: usize = 8;
/// More than one rotation makes: the loop ends by itself long before.
const TOO_MANY: usize = 400;

/// Whether a call of that number was reached.
async fn kill_at(account: &Account, function: &mut Function, name: &str, call: usize) -> bool {
    let arn = account.aws.arn(name);
    let token = account.begin(name);
    function.end().await;
    function.set("KILL_AT_CALL", call.to_string());
    let killed = function.rotate(&arn, &token).await;
    assert!(
        account.current_works(name).await,
        "P1 after a kill at call {call}"
    );
    assert!(
        account.live(name).await <= 2,
        "P2 after a kill at call {call}"
    );
    function.end().await;
    function.unset("KILL_AT_CALL");
    let again = function.rotate(&arn, &token).await;
    assert_eq!(again, Ok(()), "call {call}");
    account
        .assert_two_keys(name, &format!("after a kill at call {call}"))
        .await;
    match killed {
        Ok(()) => false,
        Err(Answer::Exited) => true,
        Err(other) => panic!("call {call}: {other:?}"),
    }
}

fn armed(account: &Account, library: &Path) -> Function {
    let mut function = account.function();
    function.load(library);
    function
}

#[tokio::test]
async fn p5_kill_nine_at_each_call_of_a_later_rotation_is_mended_by_the_same_rotation_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let library = build_library("kill_at_call", directory.path());
    let account = Account::open().await;
    let mut function = armed(&account, &library);
    let mut call = 0;
    loop {
        let name = format!("app{}", call / ROTATIONS);
        if call % ROTATIONS == 0 {
            let arn = account.secret(&name).await;
            let first = account.begin(&name);
            function.rotate(&arn, &first).await.expect("calm");
        }
        if !kill_at(&account, &mut function, &name, call).await {
            break;
        }
        call += 1;
        assert!(call < TOO_MANY, "the rotation never ends");
    }
    eprintln!("killed at each of {call} calls");
    assert!(
        call > 40,
        "only {call} calls leave the process: the library does not see them"
    );
}

#[tokio::test]
async fn p5_kill_nine_at_each_call_of_a_first_rotation_is_mended_by_the_same_rotation_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let library = build_library("kill_at_call", directory.path());
    let account = Account::open().await;
    let mut function = armed(&account, &library);
    let mut call = 0;
    loop {
        let name = format!("app{call}");
        account.secret(&name).await;
        if !kill_at(&account, &mut function, &name, call).await {
            break;
        }
        call += 1;
        assert!(call < TOO_MANY, "the rotation never ends");
    }
    eprintln!("killed at each of {call} calls");
    assert!(
        call > 40,
        "only {call} calls leave the process: the library does not see them"
    );
}

impl World {
    /// A rotation that has made its key live and went no further.
    async fn half_done(&mut self, name: &str) -> VersionId {
        let arn = self.account.aws.arn(name);
        let half = self.account.begin(name);
        for step in [Step::CreateSecret, Step::SetSecret] {
            passed(self.function.step(step, &arn, &half).await);
        }
        half
    }

    /// Sends an event to a new process that dies at that call, and then to another one. The last answer, and
    /// whether that call was reached.
    async fn kill_at(&mut self, call: usize, name: &str, event: &str) -> (Value, bool) {
        self.function.end().await;
        self.function.set("KILL_AT_CALL", call.to_string());
        let first = self.function.invoke(event.as_bytes()).await;
        let when = format!("after a kill at call {call}");
        assert!(self.account.current_works(name).await, "P1 {when}");
        assert!(self.account.live(name).await <= 2, "P2 {when}");
        self.function.end().await;
        self.function.unset("KILL_AT_CALL");
        let killed = match first {
            Answer::Passed(_) => false,
            Answer::Exited => true,
            other => panic!("{when}: {other:?}"),
        };
        (passed(self.function.invoke(event.as_bytes()).await), killed)
    }

    /// A secret for this call, rotated once, its function armed.
    async fn armed_for(&mut self, call: usize) -> (String, SecretId) {
        let name = format!("app{}", call / ROTATIONS);
        if call.is_multiple_of(ROTATIONS) {
            self.hourly(&name).await;
        }
        let arn = self.account.aws.arn(&name);
        (name, arn)
    }

    /// The rotation after all is as any other.
    async fn assert_mended(&mut self, name: &str, arn: &SecretId, token: &VersionId, call: usize) {
        self.rotate(arn, token).await;
        let when = format!("after a kill at call {call}");
        self.account.assert_two_keys(name, &when).await;
        assert!(call < TOO_MANY, "it never ends");
    }
}

#[tokio::test]
async fn p5_kill_nine_at_each_call_of_an_abandoning_is_mended_by_the_same_event_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut world = World::open().await;
    world
        .function
        .load(&build_library("kill_at_call", directory.path()));
    for call in 0.. {
        let (name, arn) = world.armed_for(call).await;
        let half = world.half_done(&name).await;
        let key = world.account.at(&name, &Stage::Pending).expect("a key");
        let event = abandon_event(&arn, &half);
        let (_, killed) = world.kill_at(call, &name, &event).await;
        assert!(!world.account.site.accepts(&key).await, "P4 at call {call}");
        assert_eq!(
            world.account.at(&name, &Stage::Pending),
            None,
            "call {call}"
        );
        let anew = world.account.begin(&name);
        world.assert_mended(&name, &arn, &anew, call).await;
        if !killed {
            eprintln!("killed at each of {call} calls");
            assert!(call > 10, "only {call} calls leave the process");
            break;
        }
    }
}

#[tokio::test]
async fn p5_kill_nine_at_each_call_of_a_tick_that_abandons_and_asks_is_mended_by_the_next_tick() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut world = World::open().await;
    world
        .function
        .load(&build_library("kill_at_call", directory.path()));
    for call in 0.. {
        let (name, arn) = world.armed_for(call).await;
        let half = world.half_done(&name).await;
        let key = world.account.at(&name, &Stage::Pending).expect("a key");
        world.pass(61);
        let (report, killed) = world.kill_at(call, &name, SCHEDULER).await;
        let asked = token(only(&report));
        assert_ne!(asked, half, "call {call}");
        world.assert_mended(&name, &arn, &asked, call).await;
        // Killed after AWSPENDING came off, the tick leaves the key to the rotation that it asks for next.
        assert!(!world.account.site.accepts(&key).await, "P4 at call {call}");
        // So that the next report has one secret again.
        if (call + 1).is_multiple_of(ROTATIONS) {
            let fake = world.account.aws.fake();
            fake.untag(&SecretId::new(&name), SCHEDULE_TAG);
        }
        if !killed {
            eprintln!("killed at each of {call} calls");
            assert!(call > 10, "only {call} calls leave the process");
            break;
        }
    }
}

/// A delivery on its way when the process dies is answered by its end, not by silence.
#[tokio::test]
async fn a_killed_function_is_seen_at_once_and_the_next_event_starts_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let token = account.begin("app");
    let mut function = armed(&account, &build_library("kill_at_call", directory.path()));
    function.set("KILL_AT_CALL", "0");
    let answer = function.step(Step::CreateSecret, &arn, &token).await;
    assert_eq!(answer, Answer::Exited);
    function.unset("KILL_AT_CALL");
    function
        .rotate(&arn, &token)
        .await
        .expect("another process");
}
