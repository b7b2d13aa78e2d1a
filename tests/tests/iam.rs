//! On one machine, an admin that logs in by IAM.

use serde_json::json;
use twinkey_test_postgres::Options;
use twinkey_tests::{FIRST_PASSWORD, Site, text};

/// The server wants the token in clear, as RDS does; unlike RDS it does not know what a token is.
#[tokio::test]
async fn a_token_takes_credentials_and_then_goes_to_the_server() {
    let site = Site::new(&Options {
        hba: vec![
            "hostssl all rotator 127.0.0.1/32 password".into(),
            "hostssl all all 127.0.0.1/32 scram-sha-256".into(),
        ],
        ..Options::default()
    });
    site.create_role("app").await;
    site.create_role("rotator").await;
    let place = site.place("iam");
    let mut admin = site.document("rotator", FIRST_PASSWORD);
    admin["password"] = json!(null);
    admin["authentication"] = json!("iam");
    admin["region"] = json!("eu-central-1");
    let over = place.try_put("admin", &admin.to_string(), &[]);
    let told = text(&over.stderr);
    assert!(
        !over.status.success() && told.contains("another name"),
        "{told}"
    );
    place.put("by-iam", &admin, &[]);
    let mut document = site.document("app", FIRST_PASSWORD);
    document["masterarn"] = json!("by-iam");
    place.put("app", &document, &[]);
    let rotate = |credentials: &[(&str, &str)]| {
        let mut command = place.command(&["rotate", "app"]);
        command
            // Nobody is asked over the network.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(credentials.iter().copied());
        let output = command.output().expect("the program starts");
        assert!(!output.status.success());
        text(&output.stderr)
    };
    let told = rotate(&[]);
    assert!(told.contains("[IamTokenUnavailable]"), "{told}");
    assert!(told.contains("no AWS credentials were found"), "{told}");
    let told = rotate(&[
        ("AWS_ACCESS_KEY_ID", "TEST-key"),
        ("AWS_SECRET_ACCESS_KEY", "TEST-secret"),
        ("AWS_SESSION_TOKEN", "TEST-session"),
    ]);
    assert!(told.contains("[AdminRefused]"), "{told}");
    assert!(told.contains("GRANT rds_iam"), "{told}");
    assert!(!told.contains("TEST-") && !told.contains("X-Amz"), "{told}");
    let log = site.cluster.log();
    let refused = "password authentication failed for user \"rotator\"";
    assert_eq!(log.matches(refused).count(), 1, "{log}");
    assert!(!log.contains("X-Amz"));
    let current = place.get("app", "AWSCURRENT");
    assert_eq!(current["password"], json!(FIRST_PASSWORD));
}
