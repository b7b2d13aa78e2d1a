//! P11: what a person gets wrong is named, with what to do next.

use twinkey_test_aws::Trouble;
use twinkey_tests::{Account, text};

#[tokio::test]
async fn a_region_that_is_missing_and_credentials_that_are_wrong_are_named() {
    let account = Account::open().await;
    let mut command = account.command(&["list"]);
    let output = command.env_remove("AWS_REGION").output().await;
    let said = text(&output.expect("it starts").stderr);
    assert!(
        said.contains("no AWS region") && said.contains("hint: "),
        "{said}"
    );
    let mut command = account.command(&["get", "app"]);
    let output = command.env_remove("AWS_ACCESS_KEY_ID").output().await;
    let said = text(&output.expect("it starts").stderr);
    assert!(said.contains("no AWS credentials were found"), "{said}");
    account.aws.next("ListSecrets", Trouble::ExpiredCredentials);
    let said = account.fail(&["list"]).await;
    assert!(
        said.contains("[StoreDenied]") && said.contains("get-caller-identity"),
        "{said}"
    );
    account.aws.next("GetSecretValue", Trouble::Deny);
    let said = account.fail(&["get", "db/admin"]).await;
    assert!(
        said.contains("secretsmanager:GetSecretValue was denied"),
        "{said}"
    );
}

#[tokio::test]
async fn a_hint_can_be_pasted_where_the_store_was_a_flag() {
    let account = Account::open().await;
    let mut command = account.command(&["--store", "aws", "get", "nothing"]);
    let output = command.env_remove("TWINKEY_STORE").output().await;
    let said = text(&output.expect("it starts").stderr);
    assert!(
        said.contains("[SecretNotFound]") && said.contains("twinkey --store aws list"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_of_one_machine_says_so() {
    let account = Account::open().await;
    for (command, instead) in [("init", "create-secret"), ("run", "twinkey deploy-check")] {
        let said = account.fail(&[command]).await;
        assert!(
            said.contains("[InvalidRequest]") && said.contains(instead),
            "{said}"
        );
    }
    assert_eq!(account.aws.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn the_configuration_file_names_the_store_and_a_variable_comes_before_it() {
    let account = Account::open().await;
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("twinkey/config.toml");
    std::fs::create_dir(home.path().join("twinkey")).expect("made");
    let run = async |store: Option<&str>| {
        let mut command = account.command(&["list"]);
        command.env("XDG_CONFIG_HOME", home.path());
        match store {
            Some(store) => command.env("TWINKEY_STORE", store),
            None => command.env_remove("TWINKEY_STORE"),
        };
        let output = command.output().await.expect("it starts");
        (text(&output.stdout), text(&output.stderr))
    };
    std::fs::write(&file, "store = \"aws\"\n").expect("written");
    assert!(run(None).await.0.contains("db/admin"));
    let (_, said) = run(Some("./aws")).await;
    assert!(said.contains("there is no store at ./aws"), "{said}");
    std::fs::write(&file, "stor = \"aws\"\n").expect("written");
    let (_, said) = run(None).await;
    assert!(said.contains("unknown key stor"), "{said}");
}
