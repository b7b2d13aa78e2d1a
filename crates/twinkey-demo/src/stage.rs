//! Setting up: a cluster, a role, a store with its secrets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use async_trait::async_trait;
use serde_json::json;
use tempfile::TempDir;
use twinkey_catalog::Catalog;
use twinkey_core::{
    Clock, Kinds, MIN_OVERLAP_TAG, Record, SCHEDULE_TAG, SecretId, SecretValue, Sign, StoreError,
    VersionId,
};
use twinkey_local::LocalStore;
use twinkey_test_postgres::{Cluster, Options, SUPERUSER};

use crate::FACTOR;
use crate::token::Token;

/// The role whose password is rotated, and its twin.
pub(crate) const ROLES: [&str; 2] = ["app", "app_clone"];
/// How often it rotates, by the demo's clock.
pub(crate) const INTERVAL_MINUTES: u64 = 20;

const ADMIN: &str = "demo/admin";
const DATABASE: &str = "shop";

/// Everything that the demo plays with. Gone when dropped.
pub(crate) struct Stage {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) store: LocalStore,
    pub(crate) kinds: Arc<dyn Kinds>,
    pub(crate) secret: SecretId,
    pub(crate) token: Arc<Token>,
    _home: TempDir,
}

impl Stage {
    /// Makes a store beside a running cluster and a stand-in for GitHub, with what signs in there, and the two secrets that
    /// are rotated: a password and a token.
    pub(crate) async fn set_up(cluster: Cluster, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("twinkey-demo-").tempdir()?;
        let path = |name: &str| home.path().join(name);
        let store = LocalStore::init(&path("store.db"), &path("store.key"), Arc::clone(&clock))?;
        let token = Token::start(Arc::clone(&clock)).await;
        let kinds = catalog(&cluster, &token, &store, clock)?;
        let password = password();
        create_role(&cluster, &password)
            .await
            .context("creating the application's role")?;
        put(
            &store,
            &SecretId::new(ADMIN),
            &document(&cluster, SUPERUSER, cluster.password(), "postgres"),
            &[],
        )
        .await?;
        let secret = SecretId::new("demo/app");
        let tags = [
            (SCHEDULE_TAG, format!("rate({INTERVAL_MINUTES} minutes)")),
            (MIN_OVERLAP_TAG, format!("{INTERVAL_MINUTES}m")),
        ];
        put(
            &store,
            &secret,
            &document(&cluster, ROLES[0], &password, DATABASE),
            &tags,
        )
        .await?;
        put(&store, &token.app_key, &token.pem(), &[]).await?;
        put(&store, &token.secret, &token.document(), &tags).await?;
        Ok(Self {
            cluster: Arc::new(cluster),
            store,
            kinds,
            secret,
            token: Arc::new(token),
            _home: home,
        })
    }
}

impl Stage {
    /// When each rotation began, in seconds since `start`, as its record in the store says.
    pub(crate) async fn rotations(&self, start: Instant) -> anyhow::Result<Vec<f64>> {
        let (now, elapsed) = (self.store.clock().now(), start.elapsed().as_secs_f64());
        let records = self.store.records(&self.secret).await?;
        let since =
            |record: &Record| (now - record.started_at).as_seconds_f64() / f64::from(FACTOR);
        Ok(records
            .iter()
            .map(|record| elapsed - since(record))
            .collect())
    }
}

/// Starts the throwaway cluster.
pub(crate) fn start_cluster() -> anyhow::Result<Cluster> {
    Ok(Cluster::start(&Options::default())?)
}

fn catalog(
    cluster: &Cluster,
    token: &Token,
    store: &LocalStore,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Kinds>> {
    let bundle = cluster.ca_path().to_string_lossy().into_owned();
    let variable = |name: &str| match name {
        "TWINKEY_CA_BUNDLE" => Some(bundle.clone()),
        "TWINKEY_GITHUB_API" => Some(token.api()),
        _ => None,
    };
    let catalog = Catalog::from_variables(variable, Arc::new(store.clone()), Arc::new(NoKms))?;
    Ok(Arc::new(catalog.with_clock(clock)))
}

/// Nothing in the demo is signed by KMS.
struct NoKms;

#[async_trait]
impl Sign for NoKms {
    async fn sign(&self, key: &str, _message: &[u8]) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::Denied {
            action: "kms:Sign".into(),
            reason: format!("there is no {key} here"),
        })
    }
}

async fn create_role(cluster: &Cluster, password: &str) -> anyhow::Result<()> {
    let admin = cluster.superuser("postgres").await?;
    admin
        .batch_execute(&format!(
            "CREATE ROLE {} LOGIN PASSWORD '{password}'",
            ROLES[0]
        ))
        .await?;
    admin
        .batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {}", ROLES[0]))
        .await?;
    Ok(())
}

fn document(cluster: &Cluster, username: &str, password: &str, dbname: &str) -> SecretValue {
    let document = json!({
        "engine": "postgres",
        "host": cluster.host(),
        "port": cluster.port(),
        "username": username,
        "password": password,
        "dbname": dbname,
        "masterarn": ADMIN,
    });
    SecretValue::new(document.to_string())
}

async fn put(
    store: &LocalStore,
    secret: &SecretId,
    value: &SecretValue,
    tags: &[(&str, String)],
) -> anyhow::Result<()> {
    let tags: BTreeMap<String, String> = tags
        .iter()
        .map(|(key, value)| ((*key).into(), value.clone()))
        .collect();
    let id = VersionId::random(&mut rand::rng());
    Ok(store.put_value(secret, &id, value, &tags).await?)
}

/// The first password, made by hand as a person would.
fn password() -> String {
    VersionId::random(&mut rand::rng()).to_string()
}
