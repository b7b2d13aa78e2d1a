//! The same for the events of schedules and persons.

use twinkey_core::{SCHEDULE_TAG, SecretId, Step};
use twinkey_test_aws::Trouble;
use twinkey_test_postgres::SUPERUSER;
use twinkey_tests::{ClockAhead, Function};

use super::{Account, assert_silent, made, talkative, values};
use crate::requests::{SCHEDULER, abandon_event, passed, rotate_event};

/// Which event, and whether a rotation is half done then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Request {
    Tick,
    TickAbandons,
    Rotate { force: bool },
    RotateWhileHalfDone,
    Abandon,
}

use Request::{Abandon, Rotate, RotateWhileHalfDone, Tick, TickAbandons};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Trouble(&'static str, Trouble),
    ServerDown,
    WrongAdmin,
    WrongAuthority,
}

const PATHS: [(Request, Fault); 22] = [
    (Tick, Fault::None),
    (Tick, Fault::Trouble("ListSecrets", Trouble::Deny)),
    (Tick, Fault::Trouble("ListSecretVersionIds", Trouble::Break)),
    (Tick, Fault::Trouble("RotateSecret", Trouble::Quote)),
    (Tick, Fault::Trouble("RotateSecret", Trouble::DropAfter)),
    (TickAbandons, Fault::None),
    (TickAbandons, Fault::ServerDown),
    (TickAbandons, Fault::WrongAdmin),
    (TickAbandons, Fault::WrongAuthority),
    (
        TickAbandons,
        Fault::Trouble("GetSecretValue", Trouble::Garble),
    ),
    (
        TickAbandons,
        Fault::Trouble("UpdateSecretVersionStage", Trouble::Quote),
    ),
    (Rotate { force: false }, Fault::None),
    (Rotate { force: true }, Fault::None),
    (
        Rotate { force: false },
        Fault::Trouble("RotateSecret", Trouble::Deny),
    ),
    (
        Rotate { force: false },
        Fault::Trouble("DescribeSecret", Trouble::Garble),
    ),
    (RotateWhileHalfDone, Fault::None),
    (Abandon, Fault::None),
    (Abandon, Fault::ServerDown),
    (Abandon, Fault::WrongAdmin),
    (Abandon, Fault::WrongAuthority),
    (Abandon, Fault::Trouble("GetSecretValue", Trouble::DenyKms)),
    (
        Abandon,
        Fault::Trouble("UpdateSecretVersionStage", Trouble::DropBefore),
    ),
];

/// Prepares a path, sends its event, and gives what was answered.
async fn walk(
    account: &Account,
    machine: &ClockAhead,
    (request, fault): (Request, Fault),
    number: usize,
) -> (Function, String) {
    let name = format!("app{number}");
    let arn = account.secret(&name).await;
    let mut function = talkative(account);
    function.go_by(machine);
    let first = account.begin(&name);
    function.rotate(&arn, &first).await.expect("calm");
    let is_half_done = matches!(request, TickAbandons | RotateWhileHalfDone | Abandon);
    let half = is_half_done.then(|| account.begin(&name));
    if let Some(half) = &half {
        for step in [Step::CreateSecret, Step::SetSecret] {
            passed(function.step(step, &arn, half).await);
        }
    }
    account.pass(61, machine);
    let secret = SecretId::new(&name);
    if matches!(request, Tick | TickAbandons) {
        account.aws.fake().tag(&secret, SCHEDULE_TAG, "rate 1 hour");
    }
    let event = match request {
        Tick | TickAbandons => SCHEDULER.to_owned(),
        Rotate { force } => rotate_event(&arn, Some("a reason"), force),
        RotateWhileHalfDone => rotate_event(&arn, Some("a reason"), true),
        Abandon => abandon_event(&arn, half.as_ref().expect("half done")),
    };
    strike(account, fault, &mut function).await;
    let answer = function.invoke(event.as_bytes()).await;
    mend(account, fault);
    account.aws.fake().untag(&secret, SCHEDULE_TAG);
    (function, format!("{answer:?}"))
}

async fn strike(account: &Account, fault: Fault, function: &mut Function) {
    match fault {
        Fault::None => {}
        Fault::Trouble(operation, trouble) => account.aws.next(operation, trouble),
        Fault::ServerDown => account.site.cluster.stop().expect("stopped"),
        Fault::WrongAdmin => {
            account.put("db/admin", &account.document(SUPERUSER, "TEST-wrong-admin"));
        }
        Fault::WrongAuthority => {
            let foreign = account.site.cluster.foreign_ca_path();
            function.set("TWINKEY_CA_BUNDLE", foreign.to_string_lossy());
            function.end().await;
        }
    }
}

fn mend(account: &Account, fault: Fault) {
    match fault {
        Fault::ServerDown => account.site.cluster.resume().expect("resumed"),
        Fault::WrongAdmin => {
            let password = account.site.cluster.password();
            account.put("db/admin", &account.document(SUPERUSER, password));
        }
        _ => {}
    }
}

#[tokio::test]
async fn p8_no_value_in_any_stream_or_answer_of_a_tick_or_a_persons_request() {
    let account = Account::open().await;
    let machine = ClockAhead::default();
    let mut walks = Vec::new();
    for (number, path) in PATHS.into_iter().enumerate() {
        walks.push((path, walk(&account, &machine, path, number).await));
    }
    let values = values(&account);
    assert!(made(&values) > PATHS.len(), "too few new passwords");
    for ((request, fault), (function, answer)) in &walks {
        let path = format!("{request:?} {fault:?}");
        let (stdout, stderr) = (function.streams().stdout(), function.streams().stderr());
        let record = match request {
            Tick | TickAbandons => "tick",
            Rotate { .. } | RotateWhileHalfDone => "request",
            Abandon => "abandon",
        };
        let lines = function.streams().records(record);
        assert_eq!(lines.len(), 1, "{path}: {stdout}");
        assert!(
            stderr.contains("\"TRACE\""),
            "{path}: nothing is listened to"
        );
        let is_refused = *fault != Fault::None || *request == RotateWhileHalfDone;
        // What may be repeated is, and passes then.
        let is_mended = matches!(
            fault,
            Fault::Trouble(_, Trouble::Break | Trouble::DropAfter)
        );
        let told = lines[0].to_string();
        let is_told = told.contains("\"failed\"");
        assert_eq!(is_told, is_refused && !is_mended, "{path}: {told}");
        assert_silent(&[&stdout, &stderr, answer], &values, &path);
    }
}
