//! P8: no value in what the function writes or answers, on any path, at the most talkative level.

mod requests;

use std::time::Duration;

use twinkey_core::{SecretId, Step};
use twinkey_test_aws::Trouble;
use twinkey_test_postgres::SUPERUSER;
use twinkey_tests::{Account, Answer, FIRST_PASSWORD, Function, leaks};

/// Everything that can go wrong around one step.
#[derive(Clone, Copy, Debug)]
enum Path {
    Calm,
    Trouble(&'static str, Trouble),
    WrongCurrent,
    WrongAdmin,
    WrongAuthority,
    ServerDown(Step),
    SecretsManagerHangs,
}

const PATHS: [Path; 16] = [
    Path::Calm,
    Path::Trouble("GetSecretValue", Trouble::Deny),
    Path::Trouble("PutSecretValue", Trouble::Deny),
    Path::Trouble("PutSecretValue", Trouble::Quote),
    Path::Trouble("PutSecretValue", Trouble::Garble),
    Path::Trouble("PutSecretValue", Trouble::DenyKms),
    Path::Trouble("PutSecretValue", Trouble::Break),
    Path::Trouble("PutSecretValue", Trouble::DropAfter),
    Path::Trouble("UpdateSecretVersionStage", Trouble::DropBefore),
    Path::WrongCurrent,
    Path::WrongAdmin,
    Path::WrongAuthority,
    Path::ServerDown(Step::CreateSecret),
    Path::ServerDown(Step::SetSecret),
    Path::ServerDown(Step::TestSecret),
    Path::SecretsManagerHangs,
];

fn talkative(account: &Account) -> Function {
    let mut function = account.function();
    function.set("RUST_LOG", "trace");
    function.set("RUST_BACKTRACE", "full");
    function
}

/// Prepares a path, delivers a rotation on it, and gives what was answered.
async fn walk(account: &Account, path: Path, number: usize) -> (Function, String) {
    let name = format!("app{number}");
    let arn = account.secret(&name).await;
    let mut function = talkative(account);
    prepare(account, path, &name, &mut function);
    let token = account.begin(&name);
    let mut answers = String::new();
    for step in Step::ALL {
        if matches!(path, Path::ServerDown(at) if at == step) {
            account.site.cluster.stop().expect("stopped");
        }
        let answer = function.step(step, &arn, &token).await;
        answers = format!("{answers}{step}: {answer:?}\n");
        if !matches!(answer, Answer::Passed(_)) {
            break;
        }
    }
    restore(account, path);
    (function, answers)
}

fn prepare(account: &Account, path: Path, name: &str, function: &mut Function) {
    match path {
        Path::Calm | Path::ServerDown(_) => {}
        Path::Trouble(operation, trouble) => account.aws.next(operation, trouble),
        Path::WrongCurrent => account.put(name, &account.document(name, "TEST-wrong-current")),
        Path::WrongAdmin => {
            account.put("db/admin", &account.document(SUPERUSER, "TEST-wrong-admin"));
        }
        Path::WrongAuthority => {
            let foreign = account.site.cluster.foreign_ca_path();
            function.set("TWINKEY_CA_BUNDLE", foreign.to_string_lossy());
        }
        Path::SecretsManagerHangs => {
            function.time = Duration::from_secs(2);
            account.aws.next("PutSecretValue", Trouble::Hang);
        }
    }
}

fn restore(account: &Account, path: Path) {
    match path {
        Path::WrongAdmin => {
            let password = account.site.cluster.password();
            account.put("db/admin", &account.document(SUPERUSER, password));
        }
        Path::ServerDown(_) => account.site.cluster.resume().expect("resumed"),
        _ => {}
    }
}

/// Every value that must not be seen: each password ever stored, and the caller's own credentials.
fn values(account: &Account) -> Vec<String> {
    let mut values = vec![
        FIRST_PASSWORD.to_owned(),
        account.site.cluster.password().to_owned(),
        "TEST-wrong-current".into(),
        "TEST-wrong-admin".into(),
        "TEST-secret-access-key".into(),
        "TEST-session-token".into(),
    ];
    for name in account.aws.fake().secrets() {
        let documents = account.documents(name.as_str());
        let passwords = documents.iter().filter_map(|it| it["password"].as_str());
        values.extend(passwords.map(str::to_owned));
    }
    values
}

#[tokio::test]
async fn p8_no_value_in_any_stream_or_answer_on_any_path() {
    let account = Account::open().await;
    let mut walks = Vec::new();
    for (number, path) in PATHS.into_iter().enumerate() {
        walks.push((path, number, walk(&account, path, number).await));
    }
    let values = values(&account);
    assert!(made(&values) > 5, "the rotations made no new passwords");
    let failed = walks
        .iter()
        .filter(|(.., (_, answers))| answers.contains("Failed("));
    let failed = failed.count();
    assert!(
        failed >= 11 && failed < walks.len(),
        "{failed} paths failed"
    );
    for (path, number, (function, answers)) in &walks {
        let arn = account.aws.arn(&format!("app{number}"));
        let (stdout, stderr) = (function.streams().stdout(), function.streams().stderr());
        assert!(stdout.contains(arn.as_str()), "{path:?}: {stdout}");
        assert!(
            stderr.contains("\"TRACE\""),
            "{path:?}: nothing is listened to"
        );
        assert!(answers.contains("createSecret: "), "{path:?}: {answers}");
        assert_silent(&[&stdout, &stderr, answers], &values, &format!("{path:?}"));
    }
}

/// No stream shows a value. Each scan first finds a planted one in the same stream.
fn assert_silent(streams: &[&String], values: &[String], path: &str) {
    for stream in streams {
        for value in values {
            assert!(
                leaks(&format!("{stream}{value}"), value),
                "the scan is blind"
            );
            assert!(
                !leaks(stream, value),
                "{path}: a value leaks: {}",
                around(stream, value)
            );
        }
    }
}

/// Passwords that no person has chosen: rotations have made them.
fn made(values: &[String]) -> usize {
    let made = values.iter().filter(|value| !value.starts_with("TEST-"));
    made.collect::<std::collections::BTreeSet<_>>().len()
}

/// Where a value was found, for whoever must mend it.
fn around(stream: &str, value: &str) -> String {
    let line = stream.lines().find(|line| leaks(line, value));
    line.unwrap_or_default().chars().take(1500).collect()
}

#[tokio::test]
async fn p8_the_database_drivers_statements_are_not_listened_to() {
    let account = Account::open().await;
    let arn: SecretId = account.secret("app").await;
    let mut function = talkative(&account);
    let token = account.begin("app");
    function.rotate(&arn, &token).await.expect("calm");
    let stderr = function.streams().stderr();
    assert!(stderr.contains("\"TRACE\""), "nothing is listened to");
    let log = account.site.cluster.log();
    for statement in [
        "CREATE ROLE",
        "advisory_xact_lock",
        "pg_roles",
        "SCRAM-SHA-256$",
    ] {
        assert!(
            log.contains(statement),
            "the server did not get {statement}"
        );
        assert!(!stderr.contains(statement), "{statement} is shown");
    }
    assert!(
        !stderr.contains("tokio_postgres"),
        "the driver is listened to"
    );
}
