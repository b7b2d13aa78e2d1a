//! KMS, as moto plays it: the embedded store without a key file, and settings that lie about as ciphertext.
//!
//! What moto cannot show: a key that is disabled decrypts all the same, and no right is asked for.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use twinkey_core::Step;
use twinkey_test_aws::{Moto, boto3};
use twinkey_tests::{Account, FIRST_PASSWORD, Site, leaks, program, text};

const ALIAS: &str = "alias/TEST-twinkey";

/// A key service with one key, and a directory for stores.
struct Vault {
    moto: Moto,
    home: TempDir,
}

impl Vault {
    fn new() -> Self {
        let moto = Moto::start();
        let script = format!(
            "import boto3, os\n\
             kms = boto3.client('kms', endpoint_url=os.environ['ENDPOINT'])\n\
             key = kms.create_key()['KeyMetadata']['KeyId']\n\
             kms.create_alias(AliasName='{ALIAS}', TargetKeyId=key)"
        );
        drop(boto3(moto.endpoint(), &script));
        let home = TempDir::new().expect("a directory");
        Self { moto, home }
    }

    /// What `aws kms encrypt --encryption-context twinkey:variable=NAME` prints, behind `kms:`.
    fn encrypt(&self, variable: &str, value: &str) -> String {
        let script = format!(
            "import base64, boto3, os\n\
             kms = boto3.client('kms', endpoint_url=os.environ['ENDPOINT'])\n\
             made = kms.encrypt(KeyId='{ALIAS}', Plaintext='{value}'.encode(), \
             EncryptionContext={{'twinkey:variable': '{variable}'}})\n\
             print(base64.b64encode(made['CiphertextBlob']).decode())"
        );
        format!("kms:{}", boto3(self.moto.endpoint(), &script).trim())
    }

    fn store(&self, name: &str) -> PathBuf {
        self.home.path().join(format!("{name}.db"))
    }

    fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL_KMS", self.moto.endpoint().to_owned()),
            ("AWS_REGION", "eu-central-1".into()),
            ("AWS_ACCESS_KEY_ID", "TEST-key".into()),
            ("AWS_SECRET_ACCESS_KEY", "TEST-secret-access-key".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    fn command(&self, store: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("twinkey"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .env("TWINKEY_STORE", self.store(store))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, store: &str, arguments: &[&str]) -> Output {
        let output = self.command(store, arguments).output();
        output.expect("the program starts")
    }

    fn succeed(&self, store: &str, arguments: &[&str]) -> String {
        let output = self.run(store, arguments);
        let said = text(&output.stderr);
        assert!(output.status.success(), "twinkey {arguments:?}: {said}");
        text(&output.stdout)
    }

    fn fail(&self, store: &str, arguments: &[&str]) -> String {
        let output = self.run(store, arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        text(&output.stderr)
    }

    fn put(&self, store: &str, name: &str, document: &str) {
        let file = self.home.path().join("document");
        std::fs::write(&file, document).expect("written");
        let file = file.to_string_lossy();
        self.succeed(store, &["put", name, "--from-file", &file]);
    }

    /// Changes the file of one store with SQLite, `other` attached.
    fn change(&self, store: &str, other: &str, statement: &str) {
        let (store, other) = (self.store(store), self.store(other));
        let script = format!(
            "import sqlite3\n\
             file = sqlite3.connect('{}')\n\
             file.execute(\"ATTACH '{}' AS other\")\n\
             changed = file.execute('''{statement}''').rowcount\n\
             file.commit()\n\
             print(changed)",
            store.display(),
            other.display()
        );
        assert_eq!(boto3(self.moto.endpoint(), &script).trim(), "1");
    }
}

#[test]
fn p8_a_store_locked_by_kms_needs_no_key_file_and_opens_with_no_other_key() {
    let vault = Vault::new();
    for store in ["one", "two"] {
        vault.succeed(store, &["init", "--kms-key", ALIAS]);
        vault.put(store, "plain", &format!("TEST-value-of-{store}"));
        assert!(!vault.store(store).with_extension("key").exists());
    }
    let value = vault.succeed("one", &["get", "plain"]);
    assert_eq!(value, "TEST-value-of-one\n");
    let said = vault.fail("one", &["init", "--kms-key", ALIAS]);
    assert!(said.contains("never overwritten"), "{said}");

    // Another store's key is bound to that one.
    vault.change(
        "one",
        "two",
        "UPDATE main.store SET data_key = (SELECT data_key FROM other.store)",
    );
    let said = vault.fail("one", &["get", "plain"]);
    assert!(said.contains("[StoreCorrupt]"), "{said}");
    // So are its bytes to themselves.
    vault.change(
        "two",
        "one",
        "UPDATE main.store SET data_key = substr(data_key, 1, length(data_key) - 1)",
    );
    let said = vault.fail("two", &["get", "plain"]);
    assert!(
        said.contains("[StoreCorrupt]") && said.contains("hint: "),
        "{said}"
    );
}

#[test]
fn p11_a_kms_key_that_cannot_be_used_is_named_and_leaves_no_store_behind() {
    let vault = Vault::new();
    let said = vault.fail("one", &["init", "--kms-key", "alias/TEST-missing"]);
    assert!(said.contains("alias/TEST-missing"), "{said}");
    let two_keys = ["--key-file", "TEST.key", "init", "--kms-key", ALIAS];
    let said = vault.fail("one", &two_keys);
    assert!(said.contains("leave out --key-file"), "{said}");
    assert!(!vault.store("one").exists());
    vault.succeed("one", &["init", "--kms-key", ALIAS]);
    let mut command = vault.command("one", &["list"]);
    let output = command.env_remove("AWS_ACCESS_KEY_ID").output();
    let said = text(&output.expect("it starts").stderr);
    assert!(said.contains("kms:Decrypt was denied"), "{said}");
    let mut command = vault.command("one", &["list"]);
    let output = command.env_remove("AWS_REGION").output();
    let said = text(&output.expect("it starts").stderr);
    assert!(said.contains("no AWS region"), "{said}");
}

#[tokio::test]
async fn p8_settings_may_lie_in_the_environment_as_ciphertext() {
    let vault = Vault::new();
    let site = Site::default();
    site.create_role("app").await;
    let place = site.place("settings");
    place.put("app", &site.document("app", FIRST_PASSWORD), &[]);
    let bundle = site.cluster.ca_path().to_string_lossy().into_owned();
    let encrypted = vault.encrypt("TWINKEY_CA_BUNDLE", &bundle);
    let run = |arguments: &[&str], value: &str| {
        let mut command = place.command(arguments);
        command
            .envs(vault.environment())
            .env("TWINKEY_CA_BUNDLE", value);
        command.output().expect("the program starts")
    };
    let output = run(&["rotate", "app"], &encrypted);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Bound to another variable, and one that is no path: named, and not shown.
    for value in [
        vault.encrypt("TWINKEY_OTHER", &bundle),
        vault.encrypt("TWINKEY_CA_BUNDLE", "/TEST/hidden"),
        "kms:TEST/hidden!".into(),
    ] {
        let output = run(&["rotate", "app"], &value);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said.contains("[InvalidEnvironment]") && said.contains("TWINKEY_CA_BUNDLE"),
            "{said}"
        );
        assert!(
            !leaks(&said, "/TEST/hidden") && !leaks(&said, &bundle),
            "{said}"
        );
        // Reading a secret needs no settings, and so no KMS.
        assert!(run(&["get", "app"], &value).status.success());
    }
}

#[tokio::test]
async fn p8_the_function_decrypts_its_settings_at_its_start() {
    let vault = Vault::new();
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let bundle = account.site.cluster.ca_path();
    let bundle = bundle.to_string_lossy();
    let mut function = account.function();
    function.set("AWS_ENDPOINT_URL_KMS", vault.moto.endpoint());
    function.set("RUST_LOG", "trace");
    function.set(
        "TWINKEY_CA_BUNDLE",
        vault.encrypt("TWINKEY_CA_BUNDLE", &bundle),
    );
    let token = account.begin("app");
    function
        .rotate(&arn, &token)
        .await
        .expect("a calm rotation");
    account
        .assert_two_keys("app", "with decrypted settings")
        .await;

    let mut function = account.function();
    function.set("AWS_ENDPOINT_URL_KMS", vault.moto.endpoint());
    function.set("RUST_LOG", "trace");
    let hidden = vault.encrypt("TWINKEY_ADMIN_HOSTS", "TEST hidden");
    function.set("TWINKEY_ADMIN_HOSTS", hidden);
    let token = account.begin("app");
    let answer = function.step(Step::CreateSecret, &arn, &token).await;
    let answer = format!("{answer:?}");
    assert!(answer.contains("InvalidEnvironment"), "{answer}");
    assert!(answer.contains("TWINKEY_ADMIN_HOSTS"), "{answer}");
    let streams = function.streams();
    for stream in [answer, streams.stdout(), streams.stderr()] {
        assert!(
            !stream.is_empty() && !leaks(&stream, "TEST hidden"),
            "{stream}"
        );
    }
}
