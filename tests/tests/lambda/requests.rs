//! The events of schedules and persons, and what the function answers to them.

use serde_json::{Value, json};
use twinkey_core::{SCHEDULE_TAG, SecretId, VersionId};
use twinkey_tests::{Account, Answer, ClockAhead, Function};

pub(crate) const SCHEDULER: &str =
    include_str!("../../../crates/twinkey-lambda/events/scheduler.json");

/// An account, and a function whose clock goes with the account's.
pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) machine: ClockAhead,
    pub(crate) function: Function,
}

impl World {
    pub(crate) async fn open() -> Self {
        let account = Account::open().await;
        let machine = ClockAhead::default();
        let mut function = account.function();
        function.go_by(&machine);
        Self {
            account,
            machine,
            function,
        }
    }

    /// A secret that is due an hour after each rotation, and has been rotated just now.
    pub(crate) async fn hourly(&mut self, name: &str) -> SecretId {
        let arn = self.account.secret(name).await;
        let fake = self.account.aws.fake();
        fake.tag(&SecretId::new(name), SCHEDULE_TAG, "rate 1 hour");
        let first = self.account.begin(name);
        self.rotate(&arn, &first).await;
        arn
    }

    pub(crate) fn pass(&self, minutes: i64) {
        self.account.pass(minutes, &self.machine);
    }

    /// The four steps, which must pass.
    pub(crate) async fn rotate(&mut self, arn: &SecretId, token: &VersionId) {
        let rotated = self.function.rotate(arn, token).await;
        rotated.expect("every step passes");
    }

    /// A tick, which must be answered.
    pub(crate) async fn tick(&mut self) -> Value {
        passed(self.function.invoke(SCHEDULER.as_bytes()).await)
    }
}

/// What a tick tells of its only secret.
pub(crate) fn only(report: &Value) -> &Value {
    let secrets = report["secrets"].as_array().expect("a list");
    assert_eq!(secrets.len(), 1, "{report}");
    &secrets[0]
}

/// The token of the rotation that an answer, or its part, tells of.
pub(crate) fn token(told: &Value) -> VersionId {
    let text = told["token"].as_str();
    VersionId::parse(text.expect("a token")).expect("32 to 64 characters")
}

pub(crate) fn rotate_event(arn: &SecretId, reason: Option<&str>, force: bool) -> String {
    json!({"rotate": {"secretId": arn, "reason": reason, "force": force}}).to_string()
}

pub(crate) fn abandon_event(arn: &SecretId, token: &VersionId) -> String {
    json!({"abandon": {"secretId": arn, "token": token}}).to_string()
}

pub(crate) fn passed(answer: Answer) -> Value {
    match answer {
        Answer::Passed(value) => value,
        other => panic!("{other:?}"),
    }
}

/// The type and the message of an error.
pub(crate) fn failed(answer: Answer) -> (String, String) {
    match answer {
        Answer::Failed(error_type, error) => {
            let message = error["errorMessage"].as_str().expect("a message");
            (error_type, message.to_owned())
        }
        other => panic!("{other:?}"),
    }
}
