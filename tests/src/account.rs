//! An AWS account on loopback: the strict fake of Secrets Manager, a database server over TLS, and the function.

use std::path::PathBuf;

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use twinkey_core::{Clock, MIN_OVERLAP_TAG, SecretId, SecretValue, Stage, VersionId};
use twinkey_test_aws::SecretsManagerServer;
use twinkey_test_postgres::SUPERUSER;
use twinkey_testkit::{FakeClock, FakeSecretsManager};

use crate::{ClockAhead, FIRST_PASSWORD, Function, Site};

const ADMIN: &str = "db/admin";

/// An account with an admin's secret in it.
pub struct Account {
    /// The database server.
    pub site: Site,
    /// Secrets Manager.
    pub aws: SecretsManagerServer,
    clock: FakeClock,
}

impl Account {
    /// Starts both servers. It is the machine's time there, and stays it until it is moved.
    pub async fn open() -> Self {
        let site = Site::default();
        let clock = FakeClock::default();
        clock.advance(Utc::now() - clock.now());
        let fake = FakeSecretsManager::new(clock.clone());
        let aws = SecretsManagerServer::start(fake, clock.clone()).await;
        let account = Self { site, aws, clock };
        let password = account.site.cluster.password();
        account.put(ADMIN, &account.document(SUPERUSER, password));
        account
    }

    /// Moves the service's clock to the machine's, by which the programs go.
    pub fn set_clock(&self) {
        self.clock.advance(Utc::now() - self.clock.now());
    }

    /// A role that a person has made, and its secret of the same name: nothing has been rotated.
    pub async fn secret(&self, role: &str) -> SecretId {
        self.site.create_role(role).await;
        self.put(role, &self.document(role, FIRST_PASSWORD));
        let name = SecretId::new(role);
        self.aws.fake().tag(&name, MIN_OVERLAP_TAG, "0s");
        self.aws.arn(role)
    }

    /// The document of a role, with the admin's secret by its ARN.
    #[must_use]
    pub fn document(&self, role: &str, password: &str) -> Value {
        let mut document = self.site.document(role, password);
        document["masterarn"] = self.aws.arn(ADMIN).as_str().into();
        document
    }

    /// A person puts a document.
    pub fn put(&self, name: &str, document: &Value) {
        let value = SecretValue::new(document.to_string());
        let id = VersionId::random(&mut rand::rng());
        self.aws
            .fake()
            .put_by_hand(&SecretId::new(name), &id, &value);
    }

    /// A rotation begins: Secrets Manager makes the pending version.
    #[must_use]
    pub fn begin(&self, name: &str) -> VersionId {
        let token = VersionId::random(&mut rand::rng());
        let begun = self.aws.fake().rotate_secret(&SecretId::new(name), &token);
        begun.expect("no other rotation is in flight");
        token
    }

    /// The function, with the rights of a role that may do all it needs.
    #[must_use]
    pub fn function(&self) -> Function {
        let environment = self.environment();
        let texts = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        Function::new(&texts.collect::<Vec<_>>())
    }

    /// The variables of a program that may do all it needs.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        vec![
            ("AWS_ENDPOINT_URL", self.aws.endpoint()),
            ("AWS_REGION", "eu-central-1".into()),
            ("AWS_ACCESS_KEY_ID", "TEST-key".into()),
            ("AWS_SECRET_ACCESS_KEY", "TEST-secret-access-key".into()),
            ("AWS_SESSION_TOKEN", "TEST-session-token".into()),
            // In the place of the system's authorities, which are many to read and none of them concerned.
            ("SSL_CERT_FILE", path(self.site.cluster.foreign_ca_path())),
            ("TWINKEY_CA_BUNDLE", path(self.site.cluster.ca_path())),
        ]
    }

    /// Lets time pass, for Secrets Manager and for functions that go by a clock of their own.
    pub fn pass(&self, minutes: i64, machine: &ClockAhead) {
        let time = TimeDelta::minutes(minutes);
        self.clock.advance(time);
        machine.advance(time.to_std().expect("time goes on"));
    }

    /// The document under a label.
    #[must_use]
    pub fn at(&self, name: &str, stage: &Stage) -> Option<Value> {
        let value = self.aws.fake().value(&SecretId::new(name), stage)?;
        Some(serde_json::from_str(value.expose()).expect("a document"))
    }

    /// Every document that was ever stored for a secret.
    #[must_use]
    pub fn documents(&self, name: &str) -> Vec<Value> {
        let versions = self.aws.fake().versions(&SecretId::new(name));
        let values = versions.iter().filter_map(|version| version.value.as_ref());
        values
            .map(|(value, _)| serde_json::from_str(value.expose()).expect("a document"))
            .collect()
    }

    /// Consumers can log in with what they read. (P1)
    pub async fn current_works(&self, name: &str) -> bool {
        let current = self.at(name, &Stage::Current).expect("AWSCURRENT");
        self.site.accepts(&current).await
    }

    /// How many of all passwords ever stored for a secret are live, by logging in with each.
    pub async fn live(&self, name: &str) -> usize {
        let mut live = 0;
        for document in self.documents(name) {
            live += usize::from(self.site.accepts(&document).await);
        }
        live
    }

    /// P1 to P3 at rest: the current and the previous key are live, and no other.
    pub async fn assert_two_keys(&self, name: &str, when: &str) {
        assert!(self.current_works(name).await, "P1 {when}");
        let previous = self.at(name, &Stage::Previous).expect("AWSPREVIOUS");
        assert!(self.site.accepts(&previous).await, "P3 {when}");
        assert_eq!(self.live(name).await, 2, "P2 and P3 {when}");
    }
}
