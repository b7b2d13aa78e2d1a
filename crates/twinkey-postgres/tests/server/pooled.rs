//! A scene whose document names a pooler, and whose admin secret the server itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use twinkey_core::{InUse, Provider};
use twinkey_test_postgres::tokio_postgres::{Client, SimpleQueryMessage};
use twinkey_test_postgres::{POOLER_ROLE, PoolMode, Pooler};

use crate::scene::{Scene, Stored, path, soon};

pub(crate) const MODES: [PoolMode; 2] = [PoolMode::Session, PoolMode::Transaction];

const DOCUMENTATION: &str = include_str!("../../../../docs/providers/postgres.md");
/// What is this pooler's own in the documented settings.
const OWN: [&str; 5] = ["[", "*", "listen_addr", "listen_port", "pool_mode"];

/// What the documentation says to set up.
fn documented(language: &str) -> &'static str {
    let (_, section) = DOCUMENTATION.split_once("## Poolers").unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0
}

/// Whose session it is, as whom it acts, and which server connection it has.
const SELF: &str = "SELECT concat_ws(' ', session_user, current_user, pg_backend_pid())";

pub(crate) struct Pooled {
    pub(crate) scene: Scene,
    pub(crate) pooler: Pooler,
}

impl Pooled {
    pub(crate) async fn start(mode: PoolMode) -> Self {
        Self::start_with(mode, &[]).await
    }

    /// With a pooler that does not wait as long as it does by default.
    pub(crate) async fn start_impatient(mode: PoolMode) -> Self {
        Self::start_with(mode, &["query_wait_timeout = 1"]).await
    }

    pub(crate) async fn start_with(mode: PoolMode, settings: &[&str]) -> Self {
        let mut scene = Scene::start().await;
        let is_own = |line: &str| OWN.iter().any(|own| line.starts_with(own));
        let documented_lines = documented("ini").lines().filter(|line| !is_own(line));
        let lines: Vec<&str> = documented_lines.chain(settings.iter().copied()).collect();
        let pooler = Pooler::start(&scene.cluster, mode, &lines).unwrap();
        let set_up = documented("sql");
        assert!(set_up.contains(&format!("CREATE ROLE {POOLER_ROLE} LOGIN PASSWORD '…'")));
        scene.sql(&set_up.replace('…', pooler.password())).await;
        let bundle = path(scene.cluster.ca_path());
        let address = format!("{}:{}", pooler.host(), pooler.port());
        let provider = scene.provider(&[
            ("TWINKEY_CA_BUNDLE", &bundle),
            ("TWINKEY_ADMIN_HOSTS", &address),
        ]);
        scene.provider = Arc::new(provider);
        Self { scene, pooler }
    }

    pub(crate) fn document(&self) -> Value {
        let mut document = self.scene.document("app");
        document["port"] = json!(self.pooler.port());
        document
    }

    pub(crate) fn put_app(&mut self) -> Stored {
        let document = self.document();
        self.scene.put(&document)
    }

    /// A consumer's connection through the pooler.
    pub(crate) async fn consumer(&self, key: &Stored) -> Client {
        let login = self.pooler.connect(key.user(), key.password(), "postgres");
        login.await.unwrap()
    }

    /// Whether a key opens the pooler.
    pub(crate) async fn is_let_in(&self, key: &Stored) -> bool {
        let login = self
            .pooler
            .can_log_in(key.user(), key.password(), "postgres");
        login.await.unwrap()
    }

    pub(crate) async fn in_use(&self, key: &Stored) -> InUse {
        let seen = self.scene.provider.in_use(&key.secret).await;
        seen.unwrap().unwrap()
    }

    /// Closes the cached server connections, and those in use once they are released.
    pub(crate) async fn reconnect(&self) {
        self.pooler.console("RECONNECT").await.unwrap();
    }

    /// Waits until so many clients of the pair are connected, and what others have left is ready for the next.
    pub(crate) async fn until_clients(&self, clients: u64) {
        let busy = ["cl_waiting", "sv_tested", "sv_login"];
        soon(async {
            loop {
                let pools = self.pooler.console("SHOW POOLS").await.unwrap();
                let of_pair = || pools.iter().filter(|pool| pool["user"].starts_with("app"));
                let sum = |name: &str| of_pair().map(|pool| number(pool, name)).sum::<u64>();
                let is_quiet = busy.iter().all(|name| sum(name) == 0);
                if is_quiet && sum("cl_active") == clients && sum("sv_active") <= clients {
                    return;
                }
            }
        })
        .await;
    }

    /// Waits until the pooler has so many server connections of a role.
    pub(crate) async fn until_servers(&self, role: &str, count: usize) {
        soon(async {
            loop {
                let servers = self.pooler.console("SHOW SERVERS").await.unwrap();
                let of_role = servers.iter().filter(|server| server["user"] == role);
                if of_role.count() == count {
                    return;
                }
            }
        })
        .await;
    }
}

fn number(pool: &BTreeMap<String, String>, name: &str) -> u64 {
    pool.get(name).map_or(0, |number| number.parse().unwrap())
}

/// Whose session it is and as whom it acts, and the server connection.
pub(crate) async fn who(client: &Client) -> (String, String) {
    let told = ask(client, SELF).await.unwrap();
    let (who, connection) = told.rsplit_once(' ').unwrap();
    (who.into(), connection.into())
}

pub(crate) async fn is_open(client: &Client) -> bool {
    ask(client, SELF).await.is_ok()
}

/// One text, in the simple protocol: a pooler in transaction mode keeps no prepared statements.
pub(crate) async fn ask(client: &Client, query: &str) -> Result<String, String> {
    let messages = client.simple_query(query).await.map_err(|error| {
        let answer = error.as_db_error();
        answer.map_or_else(|| error.to_string(), |answer| answer.message().to_owned())
    })?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(row.unwrap_or_default())
}
