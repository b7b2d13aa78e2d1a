//! Others at the same pair while a change is prepared: nobody holds anything while the store is asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use twinkey_core::{Choose, ErrorKind, Fence, LastLook, ProviderError, VersionStamp};
use twinkey_postgres::PostgresProvider;
use twinkey_test_postgres::tokio_postgres::Client;
use twinkey_testkit::NothingChanged;

use crate::scene::{Scene, Stored, impatient, path, settings};

/// A store that takes its time: others' changes pass while it is asked for the first time.
struct Meanwhile<'a> {
    scene: &'a Scene,
    changes: Vec<(&'a Stored, Fence)>,
    looks: AtomicUsize,
}

impl<'a> Meanwhile<'a> {
    fn new(scene: &'a Scene, changes: Vec<(&'a Stored, Fence)>) -> Self {
        let looks = AtomicUsize::new(0);
        Self {
            scene,
            changes,
            looks,
        }
    }
}

#[async_trait]
impl LastLook for Meanwhile<'_> {
    async fn take(&self, _: Option<&VersionStamp>) -> Result<(), ProviderError> {
        if self.looks.fetch_add(1, Ordering::Relaxed) == 0 {
            for (pending, fence) in &self.changes {
                let provider = &self.scene.provider;
                provider
                    .apply(&pending.secret, fence, &NothingChanged)
                    .await?;
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn p5_a_rotation_that_passes_during_the_last_look_is_not_overwritten() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let frozen = scene.create(&second).await.unwrap();
    // Its rotation was abandoned, and another one made a key for the same place.
    let later = scene.create(&second).await.unwrap();
    let meanwhile = Meanwhile::new(&scene, vec![(&later, scene.fence(&second, &later))]);
    let fence = scene.fence(&second, &frozen);
    let late = scene.provider.apply(&frozen.secret, &fence, &meanwhile);
    let error = late.await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Conflict, "Superseded")
    );
    assert!(scene.is_live(&second).await && scene.is_live(&later).await);
    assert!(!scene.is_live(&frozen).await);
    // The server was asked to change and refused, by what it found in the mark.
    assert!(
        scene
            .cluster
            .log()
            .contains("twinkey: another change of these roles came first")
    );
}

#[tokio::test]
async fn p5_the_same_change_by_another_delivery_during_the_last_look_is_no_error() {
    let mut scene = Scene::start().await;
    let mut current = scene.put_app();
    for _ in 0..3 {
        let pending = scene.create(&current).await.unwrap();
        let fence = scene.fence(&current, &pending);
        let meanwhile = Meanwhile::new(&scene, vec![(&pending, fence.clone())]);
        let again = scene.provider.apply(&pending.secret, &fence, &meanwhile);
        again.await.unwrap();
        assert!(scene.is_live(&current).await && scene.is_live(&pending).await);
        current = pending;
    }
}

/// A store that an invocation asked before it was frozen, and a person's hand on its labels meanwhile.
struct Frozen {
    root: Client,
    until: &'static str,
    looks: AtomicUsize,
}

#[async_trait]
impl LastLook for Frozen {
    async fn take(&self, _: Option<&VersionStamp>) -> Result<(), ProviderError> {
        if self.looks.fetch_add(1, Ordering::Relaxed) > 0 {
            return Err(ProviderError {
                kind: ErrorKind::Conflict,
                code: "OutOfOrder",
                message: "AWSCURRENT has moved".into(),
                hint: None,
                retry_after: None,
            });
        }
        self.root.query(self.until, &[]).await.unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn p1_an_invocation_that_was_frozen_after_its_last_look_takes_another() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let pending = scene.create(&second).await.unwrap();
    let bundle = path(scene.cluster.ca_path());
    let impatient = settings(&[("TWINKEY_CA_BUNDLE", &bundle)]).with_timeouts(impatient());
    let provider = PostgresProvider::new(impatient, scene.memory.clone());
    let frozen = Frozen {
        root: scene.root().await,
        until: "SELECT pg_sleep(7)",
        looks: AtomicUsize::new(0),
    };
    let fence = scene.fence(&second, &pending);
    let late = provider.apply(&pending.secret, &fence, &frozen).await;
    assert_eq!(late.unwrap_err().code, "OutOfOrder");
    // The key that the person has published again.
    assert!(scene.is_live(&first).await && scene.is_live(&second).await);
    assert!(!scene.is_live(&pending).await);
}

/// What the server knows of the admin's session while the store is asked.
struct Watching {
    root: Client,
    seen: AtomicUsize,
}

#[async_trait]
impl LastLook for Watching {
    async fn take(&self, _: Option<&VersionStamp>) -> Result<(), ProviderError> {
        let sessions = "SELECT state || ', locks: ' ||
                (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid)
              FROM pg_stat_activity a WHERE usename = 'rotator'";
        let rows = self.root.query(sessions, &[]).await.unwrap();
        let seen: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(seen, ["idle, locks: 0"]);
        self.seen.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn no_lock_and_no_transaction_is_open_while_the_store_is_asked() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.create(&first).await.unwrap();
    let watching = Watching {
        root: scene.root().await,
        seen: AtomicUsize::new(0),
    };
    let fence = scene.fence(&first, &second);
    let applied = scene.provider.apply(&second.secret, &fence, &watching);
    applied.await.unwrap();
    let third = scene.create(&second).await.unwrap();
    let fence = scene.fence(&second, &third);
    let applied = scene.provider.apply(&third.secret, &fence, &watching);
    applied.await.unwrap();
    assert_eq!(watching.seen.into_inner(), 2);
}
