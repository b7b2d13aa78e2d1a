//! One server, one admin, one application role, and a hand-driven engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use postgres_protocol::escape::escape_identifier;
use rand::SeedableRng;
use rand::rngs::StdRng;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use twinkey_core::{
    Borrow, Choose, Credential, Fence, KeyLabel, Provider, ProviderError, SecretAddress, SecretId,
    SecretValue, StoreError, Verdict, VersionId, VersionStamp,
};
use twinkey_postgres::{PostgresProvider, PostgresSecret, Settings, Timeouts};
use twinkey_test_postgres::tokio_postgres::Client;
use twinkey_test_postgres::{Cluster, Options};
use twinkey_testkit::NothingChanged;

/// The role of the admin secret: as few rights as suffice.
pub(crate) const ADMIN: &str = "rotator";
pub(crate) const ADMIN_PASSWORD: &str = "TEST-admin-password";
pub(crate) const PASSWORD: &str = "TEST-first-password";

/// Secrets in memory.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, String>>);

impl Memory {
    pub(crate) fn put(&self, name: &str, document: &Value) {
        let mut documents = self.0.lock().unwrap();
        documents.insert(name.into(), document.to_string());
    }
}

#[async_trait]
impl Borrow for Memory {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        let documents = self.0.lock().unwrap();
        let found = documents.get(secret.as_str()).cloned();
        found
            .map(SecretValue::new)
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))
    }
}

/// A stored version, as the engine would know it.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) stamp: VersionStamp,
    pub(crate) secret: PostgresSecret,
}

impl Stored {
    pub(crate) fn user(&self) -> &str {
        self.secret.username()
    }

    pub(crate) fn password(&self) -> &str {
        self.secret.password().expose_secret()
    }

    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(self.secret.render().expose()).unwrap()
    }
}

pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    pub(crate) memory: Arc<Memory>,
    pub(crate) provider: Arc<PostgresProvider>,
    pub(crate) address: SecretAddress,
    random: StdRng,
    versions: i64,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::start_with(&Options::default()).await
    }

    pub(crate) async fn start_with(options: &Options) -> Self {
        let cluster = Cluster::start(options).unwrap();
        let memory = Arc::new(Memory::default());
        let settings = settings(&[("TWINKEY_CA_BUNDLE", &path(cluster.ca_path()))]);
        let scene = Self {
            provider: Arc::new(PostgresProvider::new(settings, memory.clone())),
            memory,
            address: address("app/db"),
            random: StdRng::seed_from_u64(7),
            versions: 0,
            cluster,
        };
        scene.memory.put("admin", &scene.admin_document());
        scene
            .sql(&format!(
                "CREATE ROLE {ADMIN} LOGIN CREATEROLE PASSWORD '{ADMIN_PASSWORD}';
                 CREATE ROLE app LOGIN PASSWORD '{PASSWORD}';
                 GRANT CREATE ON SCHEMA public TO app;"
            ))
            .await;
        scene.administer("app").await;
        scene
    }

    /// Lets the admin change a role. Since version 16 CREATEROLE alone does not; what is granted is
    /// the least that suffices, without the right to act as the role.
    pub(crate) async fn administer(&self, role: &str) {
        if self.cluster.version().0 >= 16 {
            let options = "ADMIN TRUE, INHERIT FALSE, SET FALSE";
            self.sql(&format!("GRANT {role} TO {ADMIN} WITH {options}"))
                .await;
        }
    }

    /// An application's login role, as the superuser makes it, which the admin may change.
    pub(crate) async fn application(&self, name: &str) {
        let role = escape_identifier(name);
        self.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"))
            .await;
        self.administer(&role).await;
    }

    /// The same server through another provider.
    pub(crate) fn provider(&self, variables: &[(&str, &str)]) -> PostgresProvider {
        PostgresProvider::new(settings(variables), self.memory.clone())
    }

    pub(crate) fn admin_document(&self) -> Value {
        json!({
            "engine": "postgres", "host": self.cluster.host(), "port": self.cluster.port(),
            "username": ADMIN, "password": ADMIN_PASSWORD,
        })
    }

    pub(crate) fn document(&self, username: &str) -> Value {
        json!({
            "engine": "postgres", "host": self.cluster.host(), "port": self.cluster.port(),
            "username": username, "password": PASSWORD, "dbname": "postgres",
            "masterarn": "admin",
        })
    }

    /// Runs statements as superuser.
    pub(crate) async fn sql(&self, statements: &str) {
        self.root().await.batch_execute(statements).await.unwrap();
    }

    pub(crate) async fn root(&self) -> Client {
        self.cluster.superuser("postgres").await.unwrap()
    }

    /// One text as superuser.
    pub(crate) async fn ask(&self, query: &str) -> Option<String> {
        self.root()
            .await
            .query_one(query, &[])
            .await
            .unwrap()
            .get(0)
    }

    pub(crate) fn store(&mut self, secret: PostgresSecret) -> Stored {
        self.versions += 1;
        Stored {
            stamp: VersionStamp {
                id: VersionId::random(&mut self.random),
                created_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(self.versions),
            },
            secret,
        }
    }

    /// Puts a document by hand.
    pub(crate) fn put(&mut self, document: &Value) -> Stored {
        let secret = PostgresSecret::parse(&SecretValue::new(document.to_string())).unwrap();
        self.store(secret)
    }

    pub(crate) fn put_app(&mut self) -> Stored {
        let document = self.document("app");
        self.put(&document)
    }

    /// createSecret.
    pub(crate) async fn create(&mut self, current: &Stored) -> Result<Stored, ProviderError> {
        let ready = self.provider.ready(&current.secret, &self.address).await?;
        let ready = ready.secret;
        assert_eq!(
            self.provider.verify(&ready).await?,
            Verdict::Accepted,
            "the current password must work (P1)"
        );
        let label = KeyLabel {
            address: self.address.clone(),
            version: current.stamp.id.clone(),
        };
        let pending = self.provider.choose(&ready, &label, &mut self.random)?;
        pending.continues(&current.secret)?;
        Ok(self.store(pending))
    }

    pub(crate) fn fence(&self, current: &Stored, pending: &Stored) -> Fence {
        Fence {
            address: self.address.clone(),
            pending: pending.stamp.clone(),
            current: current.stamp.clone(),
        }
    }

    /// setSecret.
    pub(crate) async fn apply(
        &self,
        current: &Stored,
        pending: &Stored,
    ) -> Result<(), ProviderError> {
        let fence = self.fence(current, pending);
        let applied = self
            .provider
            .apply(&pending.secret, &fence, &NothingChanged)
            .await;
        applied.map(drop)
    }

    /// All four steps; the result is current.
    pub(crate) async fn rotate(&mut self, current: &Stored) -> Result<Stored, ProviderError> {
        let pending = self.create(current).await?;
        self.apply(current, &pending).await?;
        let verdict = self.provider.verify(&pending.secret).await?;
        assert_eq!(verdict, Verdict::Accepted);
        Ok(pending)
    }

    /// Tries a key as a client of its own making would.
    pub(crate) async fn is_live(&self, key: &Stored) -> bool {
        let login = self
            .cluster
            .can_log_in(key.user(), key.password(), "postgres");
        login.await.unwrap()
    }

    /// A consumer's connection.
    pub(crate) async fn consumer(&self, key: &Stored) -> Client {
        let login = self.cluster.connect(key.user(), key.password(), "postgres");
        login.await.unwrap()
    }

    pub(crate) async fn ready_error(&self, current: &Stored) -> ProviderError {
        let ready = self.provider.ready(&current.secret, &self.address).await;
        ready.unwrap_err()
    }

    /// Everything that a rotation could change at the server.
    pub(crate) async fn fingerprint(&self) -> String {
        self.ask(
            "SELECT concat_ws(E'\\n',
                 (SELECT string_agg(a::text, E'\\n' ORDER BY a.oid) FROM pg_authid a
                   WHERE rolname !~ '^pg_'),
                 (SELECT string_agg(m::text, E'\\n' ORDER BY m::text) FROM pg_auth_members m),
                 (SELECT string_agg(s::text, E'\\n' ORDER BY s::text) FROM pg_db_role_setting s),
                 (SELECT string_agg(d::text, E'\\n' ORDER BY d::text) FROM pg_shdescription d))",
        )
        .await
        .unwrap()
    }
}

/// Short enough for a test, long enough for a busy machine.
pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let find = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::from_env(find).unwrap()
}

/// Whatever happens, it happens in time.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(8);
    let outcome = tokio::time::timeout(patience, work).await;
    outcome.expect("an answer or an error in time")
}

/// Limits for tests in which a server never answers.
pub(crate) fn impatient() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(2),
        handshake: Duration::from_millis(1500),
        statement: Duration::from_secs(2),
        lock: Duration::from_millis(300),
    }
}

pub(crate) fn address(secret: &str) -> SecretAddress {
    SecretAddress {
        store: "test-store".into(),
        secret: SecretId::new(secret),
    }
}

pub(crate) fn path(path: impl AsRef<std::path::Path>) -> String {
    path.as_ref().to_str().unwrap().into()
}
