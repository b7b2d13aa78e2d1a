//! The admin's own secret: rotated like any other, by a pair of roles, also while a child's rotation is under way; or
//! rotated by others, as RDS does with its master user's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use twinkey_core::{
    Borrow, Choose, ErrorKind, KeyLabel, Provider, SecretId, SecretValue, StoreError, Verdict,
};
use twinkey_postgres::PostgresProvider;
use twinkey_test_postgres::tokio_postgres::Client;
use twinkey_testkit::NothingChanged;

use crate::scene::{
    ADMIN, ADMIN_PASSWORD, Memory, PASSWORD, Scene, Stored, address, path, settings,
};

/// Who changes the admin's roles: itself where the server lets it, else another admin, as RDS's master user is.
const MASTER: &str = "master";

impl Scene {
    /// The admin's document as a secret that rotates.
    async fn rotating_admin(&mut self) -> Stored {
        let mut document = self.admin_document();
        document["masterarn"] = json!("admin");
        if self.cluster.version().0 >= 16 {
            document["masterarn"] = json!(MASTER);
            self.sql(&format!(
                "CREATE ROLE {MASTER} LOGIN CREATEROLE PASSWORD '{PASSWORD}';
                 GRANT {ADMIN} TO {MASTER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;"
            ))
            .await;
            let mut master = self.admin_document();
            master["username"] = json!(MASTER);
            master["password"] = json!(PASSWORD);
            self.memory.put(MASTER, &master);
        }
        self.memory.put("admin", &document);
        self.put(&document)
    }

    /// One rotation of the admin's secret, and its publication.
    async fn rotate_admin(&mut self, current: &Stored) -> Stored {
        let of_child = std::mem::replace(&mut self.address, address("admin"));
        let next = self.rotate(current).await.unwrap();
        self.address = of_child;
        self.memory.put("admin", &next.document());
        next
    }
}

#[tokio::test]
async fn an_admin_is_a_pair_of_roles_and_children_rotate_with_either() {
    let mut scene = Scene::start().await;
    let mut admin = scene.rotating_admin().await;
    let mut child = scene.put_app();
    for round in 0..4 {
        let before = admin.clone();
        admin = scene.rotate_admin(&before).await;
        assert_ne!(admin.user(), before.user(), "{round}");
        assert!(scene.is_live(&admin).await && scene.is_live(&before).await);
        let older = child.clone();
        child = scene.rotate(&older).await.unwrap();
        assert!(scene.is_live(&child).await && scene.is_live(&older).await);
    }
    // What the one admin has made is the other's as well.
    let made =
        "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ 'clone$'";
    assert_eq!(
        scene.ask(made).await.as_deref(),
        Some("app_clone rotator_clone")
    );
}

#[tokio::test]
async fn p11_from_version_16_on_an_admin_that_names_itself_is_told_before_anything_is_changed() {
    let mut scene = Scene::start().await;
    scene.rotating_admin().await;
    let mut document = scene.admin_document();
    document["masterarn"] = json!("admin");
    scene.memory.put("admin", &document);
    let itself = scene.put(&document);
    scene.address = address("admin");
    let before = scene.fingerprint().await;
    let ready = scene.provider.ready(&itself.secret, &scene.address).await;
    if scene.cluster.version().0 < 16 {
        ready.unwrap();
        return;
    }
    let error = ready.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Denied, "AdminOfItself")
    );
    assert!(error.hint.unwrap().contains("masterarn"));
    assert_eq!(scene.fingerprint().await, before);
    // A superuser does not need to be granted anything.
    scene.sql(&format!("ALTER ROLE {ADMIN} SUPERUSER")).await;
    let mut admin = itself;
    for _ in 0..3 {
        admin = scene.rotate_admin(&admin).await;
    }
    assert!(scene.is_live(&admin).await);
}

/// A store in which the admin's secret is rotated right after it has been read for the `at`th time, so that what was
/// read is as old as it gets.
struct Behind {
    memory: Arc<Memory>,
    at: usize,
    reads: AtomicUsize,
    rotated: tokio::sync::Mutex<Option<(Scene, Stored, usize)>>,
}

#[async_trait]
impl Borrow for Behind {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        let read = self.memory.current(secret).await?;
        if self.reads.fetch_add(1, Ordering::Relaxed) == self.at {
            let mut rotated = self.rotated.lock().await;
            if let Some((scene, admin, times)) = rotated.as_mut() {
                for _ in 0..*times {
                    *admin = scene.rotate_admin(admin).await;
                }
            }
        }
        Ok(read)
    }
}

/// A child's whole rotation; how often the admin's secret was read.
async fn rotate_behind(at: usize, times: usize) -> usize {
    let mut scene = Scene::start().await;
    let admin = scene.rotating_admin().await;
    let admin = scene.rotate_admin(&admin).await;
    let first = scene.put_app();
    let child = scene.rotate(&first).await.unwrap();
    let bundle = path(scene.cluster.ca_path());
    let memory = scene.memory.clone();
    // For its place in time; the key is chosen later.
    let pending = scene.store(child.secret.clone());
    let fence = scene.fence(&child, &pending);
    let of_child = scene.address.clone();
    let behind = Arc::new(Behind {
        memory,
        at,
        reads: AtomicUsize::new(0),
        rotated: tokio::sync::Mutex::new(Some((scene, admin, times))),
    });
    let settings = settings(&[("TWINKEY_CA_BUNDLE", &bundle)]);
    let provider = PostgresProvider::new(settings, behind.clone());
    let ready = provider.ready(&child.secret, &of_child).await.unwrap();
    let mut random = StdRng::seed_from_u64(9);
    let label = KeyLabel {
        address: of_child,
        version: pending.stamp.id.clone(),
    };
    let pending = provider.choose(&ready.secret, &label, &mut random).unwrap();
    provider
        .apply(&pending, &fence, &NothingChanged)
        .await
        .unwrap();
    for secret in [&pending, &child.secret] {
        assert_eq!(provider.verify(secret).await.unwrap(), Verdict::Accepted);
    }
    behind.reads.load(Ordering::Relaxed)
}

#[tokio::test]
async fn p5_a_childs_rotation_survives_rotations_of_the_admin_at_any_read_of_its_secret() {
    let calm = rotate_behind(usize::MAX, 0).await;
    assert_eq!(calm, 2, "ready, apply");
    for at in 0..calm {
        // What was read is still the older of two live keys.
        assert_eq!(rotate_behind(at, 1).await, calm);
        // It is dead: read once more, and no oftener.
        assert_eq!(rotate_behind(at, 2).await, calm + 1);
    }
}

/// The master user's secret as RDS keeps it: a user, a password, and one role that RDS gives a new one, now and then.
struct Managed {
    root: Client,
    memory: Arc<Memory>,
    changes: AtomicUsize,
    reads: AtomicUsize,
    asked: Mutex<Vec<String>>,
}

fn managed_document(password: &str) -> Value {
    json!({"username": ADMIN, "password": password})
}

#[async_trait]
impl Borrow for Managed {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        self.asked.lock().unwrap().push(secret.as_str().into());
        let read = self.memory.current(secret).await?;
        if self.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            let number = self.changes.fetch_add(1, Ordering::Relaxed);
            let password = format!("TEST-by-rds-{number}");
            let sql = format!("ALTER ROLE {ADMIN} PASSWORD '{password}'");
            self.root.batch_execute(&sql).await.unwrap();
            self.memory
                .put(secret.as_str(), &managed_document(&password));
        }
        Ok(read)
    }
}

#[tokio::test]
async fn a_master_users_secret_that_rds_manages_is_read_and_read_again_when_rds_has_changed_it() {
    const NAME: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-TEST-AbCdEf";
    let mut scene = Scene::start().await;
    scene.memory.put(NAME, &managed_document(ADMIN_PASSWORD));
    let mut document = scene.document("app");
    document["masterarn"] = json!(NAME);
    let first = scene.put(&document);
    let child = format!("{}:{}", scene.cluster.host(), scene.cluster.port());
    let bundle = path(scene.cluster.ca_path());
    let variables = [
        ("TWINKEY_CA_BUNDLE", bundle.as_str()),
        ("TWINKEY_ADMIN_HOSTS", child.as_str()),
    ];
    // Without the operator's word, the password goes nowhere. (P10)
    let before = scene.cluster.log();
    let unlisted = scene.ready_error(&first).await;
    assert_eq!(
        (unlisted.kind, unlisted.code),
        (ErrorKind::Unusable, "AdminHostMissing")
    );
    assert_eq!(unlisted.hint.unwrap().matches(&child).count(), 1);
    assert_eq!(scene.cluster.log(), before);
    let managed = Arc::new(Managed {
        root: scene.root().await,
        memory: scene.memory.clone(),
        changes: AtomicUsize::new(0),
        reads: AtomicUsize::new(0),
        asked: Mutex::default(),
    });
    scene.provider = Arc::new(PostgresProvider::new(settings(&variables), managed.clone()));
    let mut current = first;
    for _ in 0..2 {
        let next = scene.rotate(&current).await.unwrap();
        assert!(scene.is_live(&current).await && scene.is_live(&next).await);
        current = next;
    }
    // Each time RDS was faster, and each time one more look sufficed.
    let asked = managed.asked.lock().unwrap().clone();
    assert_eq!(asked, vec![NAME; 8]);
    assert_eq!(managed.changes.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn p11_an_admin_whose_password_is_wrong_is_not_tried_twice_with_the_same() {
    let mut scene = Scene::start().await;
    let current = scene.put_app();
    let mut admin = scene.admin_document();
    admin["password"] = json!("TEST-wrong");
    scene.memory.put("admin", &admin);
    let error = scene.ready_error(&current).await;
    assert_eq!(error.code, "AdminRefused");
    let refused = "password authentication failed for user \"rotator\"";
    assert_eq!(
        scene
            .cluster
            .log()
            .matches(&format!("FATAL:  {refused}"))
            .count(),
        1
    );
}
