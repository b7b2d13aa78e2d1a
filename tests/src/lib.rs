#![doc = include_str!("../README.md")]
#![allow(clippy::missing_panics_doc, reason = "test support fails by panicking")]

mod account;
mod caller;
mod cost;
mod forms;
mod function;
mod github;
mod preload;
mod readers;
mod runtime_api;
mod server;

pub use account::Account;
pub use cost::{Cost, Counts, count};
pub use forms::{forms, leaks};
pub use function::{Function, Streams, step_event};
pub use github::{GithubCost, deploy_key_document, token_document};
pub use preload::{ClockAhead, build_library};
pub use readers::{baseline, node, reader};
pub use runtime_api::{Answer, RuntimeApi};
pub use server::Server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use twinkey_core::{SecretId, Selector, Store, SystemClock};
use twinkey_local::LocalStore;
use twinkey_test_postgres::{Cluster, Options, SUPERUSER};

/// The password that a person gave the application's role.
pub const FIRST_PASSWORD: &str = "TEST-first-password";

/// A cluster, a home directory for stores, and the program.
pub struct Site {
    /// The database server.
    pub cluster: Cluster,
    home: TempDir,
}

/// One embedded store at a site.
pub struct Place<'a> {
    site: &'a Site,
    /// The store's file.
    pub store: PathBuf,
}

impl Default for Site {
    fn default() -> Self {
        Self::new(&Options::default())
    }
}

impl Site {
    /// Starts a cluster.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let cluster = Cluster::start(options).expect("a cluster");
        Self {
            cluster,
            home: TempDir::new().expect("a directory"),
        }
    }

    /// A store with the admin's secret in it, which nobody has made before.
    #[must_use]
    pub fn place(&self, name: &str) -> Place<'_> {
        let place = Place {
            site: self,
            store: self.home.path().join(format!("{name}.db")),
        };
        place.succeed(&["init"]);
        place.put(
            "admin",
            &self.document(SUPERUSER, self.cluster.password()),
            &[],
        );
        place
    }

    /// A role that can log in, made by hand.
    pub async fn create_role(&self, name: &str) {
        let admin = self
            .cluster
            .superuser("postgres")
            .await
            .expect("the superuser");
        let sql = format!("CREATE ROLE {name} LOGIN PASSWORD '{FIRST_PASSWORD}'");
        admin.batch_execute(&sql).await.expect("created");
    }

    /// The document of a role.
    #[must_use]
    pub fn document(&self, username: &str, password: &str) -> Value {
        json!({
            "engine": "postgres",
            "host": self.cluster.host(),
            "port": self.cluster.port(),
            "username": username,
            "password": password,
            "dbname": "postgres",
            "masterarn": "admin",
        })
    }

    /// Whether the server accepts the username and password of a document.
    pub async fn accepts(&self, document: &Value) -> bool {
        let text = |name: &str| document[name].as_str().expect("a text");
        let login = self
            .cluster
            .can_log_in(text("username"), text("password"), "postgres");
        login.await.expect("an answer")
    }
}

impl Place<'_> {
    /// The program, set up for this store and nothing else of our environment.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("twinkey"));
        command
            .args(arguments)
            .env_clear()
            .env("TWINKEY_STORE", &self.store)
            .env("TWINKEY_CA_BUNDLE", self.site.cluster.ca_path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("the program starts")
    }

    /// Runs the program, which must succeed, and returns what it wrote to stdout.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "twinkey {arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs the program, which must fail, and returns what it wrote to stderr.
    #[must_use]
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "twinkey {arguments:?} did not fail: {}",
            text(&output.stdout)
        );
        text(&output.stderr)
    }

    /// Runs the program with `--json`, which must succeed.
    #[must_use]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.succeed(&arguments)).expect("JSON")
    }

    /// Puts a document through standard input.
    pub fn put(&self, name: &str, document: &Value, options: &[&str]) {
        let output = self.try_put(name, &document.to_string(), options);
        assert!(
            output.status.success(),
            "twinkey put: {}",
            text(&output.stderr)
        );
    }

    /// Tries to put any text through standard input.
    #[must_use]
    pub fn try_put(&self, name: &str, document: &str, options: &[&str]) -> Output {
        let file = self.store.with_extension("document");
        std::fs::write(&file, document).expect("written");
        let stdin = std::fs::File::open(&file).expect("opened");
        let arguments = [&["put", name, "--from-file", "-"], options].concat();
        self.command(&arguments)
            .stdin(stdin)
            .output()
            .expect("the program starts")
    }

    /// How many of all passwords ever stored for a secret are live, by logging in with each.
    pub async fn live(&self, name: &str) -> usize {
        let key = self.store.with_extension("key");
        let store = LocalStore::open(&self.store, &key, Arc::new(SystemClock)).expect("opened");
        let secret = SecretId::new(name);
        let mut live = 0;
        for version in store.versions(&secret).await.expect("versions") {
            if version.has_value {
                let read = store
                    .read(&secret, &Selector::Version(version.id))
                    .await
                    .expect("a value");
                let document: Value =
                    serde_json::from_str(read.value.expose()).expect("a document");
                live += usize::from(self.site.accepts(&document).await);
            }
        }
        live
    }

    /// The document under a label.
    #[must_use]
    pub fn get(&self, name: &str, stage: &str) -> Value {
        serde_json::from_str(&self.succeed(&["get", name, "--stage", stage])).expect("a document")
    }
}

/// What a program wrote.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The target directory, which Cargo marks.
#[must_use]
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let marked = |directory: &&Path| directory.join("CACHEDIR.TAG").is_file();
    let target = test.ancestors().find(marked);
    target.expect("a target directory").to_owned()
}

/// A program of ours, beside the test that runs.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("target/debug/deps/test");
    let program = profile.join(name);
    assert!(
        program.is_file(),
        "no {}; run the tests with: cargo xtask test",
        program.display()
    );
    program
}
