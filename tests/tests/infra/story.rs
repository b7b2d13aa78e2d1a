//! An account in which each function has a role of its own, with the rights of infra/rights.json.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use twinkey_core::{MIN_OVERLAP_TAG, SCHEDULE_TAG, SecretId, SecretValue, SystemClock, VersionId};
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_tests::{Account, Answer, ClockAhead, Function};

/// What the operations of Secrets Manager are called in a policy.
const SERVICE: &str = "secretsmanager:";

pub(crate) struct Story {
    pub(crate) account: Account,
    pub(crate) machine: ClockAhead,
}

impl Story {
    pub(crate) async fn open() -> Self {
        Self {
            account: Account::open().await,
            machine: ClockAhead::default(),
        }
    }

    /// A function with these rights and no other.
    pub(crate) fn function(&self, role: &str, rights: &[String]) -> Function {
        let access_key = format!("TEST-{role}");
        let operations = rights.iter().filter_map(|it| it.strip_prefix(SERVICE));
        self.account.aws.allow(&access_key, operations);
        let mut function = self.account.function();
        function.set("AWS_ACCESS_KEY_ID", access_key);
        function.go_by(&self.machine);
        function
    }

    /// What a function has called, whether it might or not, as a policy says it.
    pub(crate) fn called(&self, role: &str) -> Vec<String> {
        let called = self.account.aws.called_by(&format!("TEST-{role}"));
        called.iter().map(|it| format!("{SERVICE}{it}")).collect()
    }

    /// A secret of a password that is due an hour after each rotation.
    pub(crate) async fn hourly(&self, name: &str) -> SecretId {
        let arn = self.account.secret(name).await;
        self.tag(name, SCHEDULE_TAG, "rate 1 hour");
        arn
    }

    pub(crate) fn tag(&self, name: &str, tag: &str, value: &str) {
        let fake = self.account.aws.fake();
        fake.tag(&SecretId::new(name), tag, value);
    }

    pub(crate) fn pass(&self, minutes: i64) {
        self.account.pass(minutes, &self.machine);
    }

    /// Begins a rotation and delivers its steps.
    pub(crate) async fn rotate(&self, function: &mut Function, name: &str) -> Result<(), Answer> {
        let token = self.account.begin(name);
        function.rotate(&self.account.aws.arn(name), &token).await
    }

    /// GitHub, which knows an App whose key is a PEM in a secret; and what a document says of that key.
    pub(crate) async fn github(&self) -> (GithubStub, Value) {
        let key = AppKey::generate();
        let stub = GithubStub::start(Arc::new(SystemClock), key.public_der()).await;
        let pem = SecretValue::new(key.pem());
        let version = VersionId::random(&mut rand::rng());
        let fake = self.account.aws.fake();
        fake.put_by_hand(&SecretId::new("app/pem"), &version, &pem);
        (
            stub,
            json!({"secret": self.account.aws.arn("app/pem").as_str()}),
        )
    }

    pub(crate) fn put(&self, name: &str, document: &Value) {
        self.account.put(name, document);
        self.tag(name, MIN_OVERLAP_TAG, "0s");
    }
}

/// What the end-to-end tests saw a role call, as infra/rights.json has it.
pub(crate) fn rights(role: &str) -> Vec<String> {
    texts(&all_rights()[role]["called"])
}

/// And what depends on that.
pub(crate) fn dependent(role: &str) -> Vec<String> {
    let rights = all_rights();
    let dependent = rights[role]["dependent"].as_object().expect("an object");
    dependent.keys().cloned().collect()
}

fn all_rights() -> Value {
    let text = std::fs::read_to_string(infra().join("rights.json")).expect("it is there");
    serde_json::from_str(&text).expect("JSON")
}

pub(crate) fn infra() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra")
}

/// Those of Secrets Manager.
pub(crate) fn of_secrets_manager(rights: &[String]) -> Vec<String> {
    let ours = rights.iter().filter(|it| it.starts_with(SERVICE));
    ours.cloned().collect()
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().expect("a list");
    let text = |it: &Value| it.as_str().expect("a text").to_owned();
    list.iter().map(text).collect()
}

/// The type of an error, and its message.
pub(crate) fn failed(answer: Answer) -> (String, String) {
    match answer {
        Answer::Failed(error_type, error) => {
            let message = error["errorMessage"].as_str().expect("a message");
            (error_type, message.to_owned())
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn passed(answer: Answer) -> Value {
    match answer {
        Answer::Passed(value) => value,
        other => panic!("{other:?}"),
    }
}
