//! P8: no value in what the program writes on AWS, at the most talkative level.

use std::process::Stdio;

use twinkey_core::SecretId;
use twinkey_test_aws::Trouble;
use twinkey_tests::{Account, FIRST_PASSWORD, leaks, text};

use crate::driver::{asked, drive, secret};

async fn everything(account: &Account, arguments: &[&str]) -> String {
    let mut command = account.command(arguments);
    command
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    let output = command.output().await.expect("the program starts");
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

async fn followed(account: &Account, arn: &SecretId) -> String {
    let mut command = account.command(&["rotate", "app", "--json"]);
    command.env("RUST_LOG", "trace");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let token = asked(account, "app").await;
    let driven = drive(account, &mut account.function(), arn, &token).await;
    driven.expect("a calm rotation");
    let output = child.wait_with_output().await.expect("it ends");
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn p8_only_get_shows_a_value() {
    let account = Account::open().await;
    let arn = secret(&account, "app").await;
    account.secret("plain_app").await;
    let plain = SecretId::new("plain_app");
    account.aws.fake().remove_rotation_function(&plain);
    let mut streams = vec![followed(&account, &arn).await];
    let here: &[&str] = &["rotate", "plain_app", "--here"];
    for trouble in [
        None,
        Some(Trouble::Quote),
        Some(Trouble::Garble),
        Some(Trouble::DropAfter),
    ] {
        if let Some(trouble) = trouble {
            account.aws.next("PutSecretValue", trouble);
        }
        streams.push(everything(&account, here).await);
    }
    for arguments in [&["list"][..], &["status"], &["status", "app", "--json"]] {
        streams.push(everything(&account, arguments).await);
    }
    account.aws.next("GetSecretValue", Trouble::Garble);
    streams.push(everything(&account, &["get", "app", "--stage", "AWSPREVIOUS"]).await);

    let mut values = vec![
        account.site.cluster.password().to_owned(),
        FIRST_PASSWORD.to_owned(),
        "TEST-secret-access-key".into(),
        "TEST-session-token".into(),
    ];
    for name in ["app", "plain_app"] {
        let documents = account.documents(name);
        let passwords = documents.iter().filter_map(|it| it["password"].as_str());
        values.extend(passwords.map(str::to_owned));
    }
    assert!(values.len() > 7, "the rotations made no new passwords");
    for (number, stream) in streams.iter().enumerate() {
        assert!(
            stream.contains("app") || stream.contains("GetSecretValue"),
            "{number}: {stream}"
        );
        for value in &values {
            assert!(
                leaks(&format!("{stream}{value}"), value),
                "the scan is blind"
            );
            assert!(!leaks(stream, value), "a value leaks into stream {number}");
        }
    }
    let shown = everything(&account, &["get", "app"]).await;
    assert!(
        values.iter().any(|value| leaks(&shown, value)),
        "get shows the value"
    );
}
