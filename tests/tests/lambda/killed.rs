//! kill -9 of the function at each call that leaves its process, then the whole rotation again with the same
//! token, in a new process: what Secrets Manager does when a function dies.

use std::path::Path;
use std::process::Command;

use twinkey_core::Step;
use twinkey_tests::{Account, Answer, Function};

/// How many rotations a secret sees here: each of its passwords is tried after each of them.
const ROTATIONS: usize = 8;
/// More than one rotation makes: the loop ends by itself long before.
const TOO_MANY: usize = 400;

fn build_library(directory: &Path) -> String {
    let library = directory.join("kill_at_call.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/kill_at_call.c");
    let built = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    assert!(built.expect("a C compiler").success());
    library.to_str().expect("a path").to_owned()
}

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

fn armed(account: &Account, library: &str) -> Function {
    let mut function = account.function();
    function.set("LD_PRELOAD", library);
    function
}

#[tokio::test]
async fn p5_kill_nine_at_each_call_of_a_later_rotation_is_mended_by_the_same_rotation_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let library = build_library(directory.path());
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
    let library = build_library(directory.path());
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

/// A delivery on its way when the process dies is answered by its end, not by silence.
#[tokio::test]
async fn a_killed_function_is_seen_at_once_and_the_next_event_starts_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let token = account.begin("app");
    let mut function = armed(&account, &build_library(directory.path()));
    function.set("KILL_AT_CALL", "0");
    let answer = function.step(Step::CreateSecret, &arn, &token).await;
    assert_eq!(answer, Answer::Exited);
    function.unset("KILL_AT_CALL");
    function
        .rotate(&arn, &token)
        .await
        .expect("another process");
}
