//! list, get, status, put, tag and untag: the same on both stores.

use serde_json::{Value, json};
use twinkey_core::{SecretId, SecretValue, VersionId};
use twinkey_test_aws::Trouble;
use twinkey_tests::{Account, text};

use crate::driver::secret;

async fn rotated(account: &Account, name: &str) -> SecretId {
    let arn = secret(account, name).await;
    let token = account.begin(name);
    let rotated = account.function().rotate(&arn, &token).await;
    rotated.expect("a calm rotation");
    arn
}

#[tokio::test]
async fn list_get_and_status_tell_of_secrets_manager_what_they_tell_of_a_file() {
    let account = Account::open().await;
    let arn = rotated(&account, "app").await;
    let list = account.json(&["list"]).await;
    assert_eq!(list[0]["secret"], "app");
    assert_eq!(list[0]["tags"]["twinkey:min-overlap"], "0s");
    assert_eq!(list[1]["secret"], "db/admin");
    assert!(account.succeed(&["list"]).await.contains("db/admin"));
    for name in ["app", arn.as_str()] {
        let username = account.succeed(&["get", name, "--field", "username"]).await;
        assert_eq!(username, "app_clone\n");
    }
    let previous = account
        .succeed(&[
            "get",
            "app",
            "--stage",
            "AWSPREVIOUS",
            "--field",
            "username",
        ])
        .await;
    assert_eq!(previous, "app\n");
    let status = account.json(&["status", "app"]).await;
    let status = &status[0];
    assert_eq!(
        (&status["live"], &status["in_flight"], &status["notes"]),
        (&json!(2), &Value::Null, &json!([])),
        "{status}"
    );
    assert_eq!(status["keys"][0]["life"], "live");
    assert!(status["rotated_at"].is_string(), "{status}");
    let shown = account.succeed(&["status", "app"]).await;
    assert!(shown.contains("keys live: 2"), "{shown}");
}

#[tokio::test]
async fn policy_is_tagged_and_a_document_is_put_with_the_commands_that_hints_name() {
    let account = Account::open().await;
    rotated(&account, "app").await;
    account
        .succeed(&["tag", "app", "twinkey:schedule=rate 20 minutes"])
        .await;
    let due = account.json(&["status", "app"]).await[0]["due_at"].clone();
    assert!(due.is_string(), "{due}");
    account.succeed(&["untag", "app", "twinkey:schedule"]).await;
    let status = account.json(&["status", "app"]).await;
    assert_eq!(status[0]["due_at"], Value::Null);
    let misspelt = account.fail(&["tag", "app", "twinkey:shedule=1d"]).await;
    assert!(misspelt.contains("twinkey:schedule"), "{misspelt}");

    let file = tempfile::NamedTempFile::new().expect("a file");
    let current = account.succeed(&["get", "app"]).await;
    std::fs::write(file.path(), &current).expect("written");
    let put = account.put_file("app", file.path()).await;
    assert!(put.status.success(), "{}", text(&put.stderr));
    let notes = account.json(&["status", "app"]).await[0]["notes"].to_string();
    assert!(notes.contains("by hand"), "{notes}");
    // Who may read a new secret, a person decides.
    let put = account.put_file("new", file.path()).await;
    let said = text(&put.stderr);
    assert_eq!(put.status.code(), Some(1));
    assert!(said.contains("create-secret --name new"), "{said}");
    std::fs::write(file.path(), "{}").expect("written");
    let put = account.put_file("app", file.path()).await;
    let said = text(&put.stderr);
    assert!(said.contains("[InvalidDocument]"), "{said}");
    assert_eq!(account.succeed(&["get", "app"]).await, current);
}

#[tokio::test]
async fn every_page_of_the_list_is_read() {
    let account = Account::open().await;
    for number in 0..230 {
        let (name, id) = (
            SecretId::new(format!("many/{number:03}")),
            VersionId::random(&mut rand::rng()),
        );
        let value = SecretValue::new("TEST".into());
        account.aws.fake().put_by_hand(&name, &id, &value);
    }
    let list = account.json(&["list"]).await;
    assert_eq!(list.as_array().map(Vec::len), Some(231));
    assert_eq!(account.aws.count("ListSecrets"), 3);
    assert_eq!(account.aws.count("DescribeSecret"), 0);
}

#[tokio::test]
async fn p5_a_put_that_was_not_heard_of_is_repeated_as_the_same_version() {
    let account = Account::open().await;
    account.secret("app").await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let document = account.document("app", "TEST-put");
    std::fs::write(file.path(), document.to_string()).expect("written");
    let before = account.documents("app").len();
    account.aws.next("PutSecretValue", Trouble::DropAfter);
    let put = account.put_file("app", file.path()).await;
    assert!(put.status.success(), "{}", text(&put.stderr));
    assert_eq!(account.aws.count("PutSecretValue"), 2);
    assert_eq!(account.documents("app").len(), before + 1);
}

#[tokio::test]
async fn status_of_all_reads_no_value_that_is_none_of_our_business() {
    let account = Account::open().await;
    rotated(&account, "app").await;
    account.put("theirs", &json!({"note": "TEST"}));
    drop(account.aws.take_calls());
    let status = account.json(&["status"]).await;
    assert_eq!(status.as_array().map(Vec::len), Some(1), "{status}");
    for read in account.aws.requests("GetSecretValue") {
        assert_ne!(read["SecretId"], "theirs");
    }
    // By its name, a person asks for it.
    let status = account.succeed(&["status", "theirs"]).await;
    assert!(status.contains("not rotated"), "{status}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_does_not_hide_the_others() {
    let account = Account::open().await;
    rotated(&account, "app").await;
    account.secret("other").await;
    account.aws.next("DescribeSecret", Trouble::Deny);
    let status = account.json(&["status"]).await;
    assert_eq!(status[0]["secret"], "app");
    assert_eq!(status[0]["error"]["error_type"], "StoreDenied");
    assert_eq!(status[1]["live"], 1, "{status}");
}
