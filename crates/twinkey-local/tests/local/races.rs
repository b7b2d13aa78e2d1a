//! Several handles and several processes on one file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tokio::sync::Barrier;
use twinkey_core::{SecretId, SecretValue, Stage, Store, VersionId};
use twinkey_local::{LocalStore, Standing};
use twinkey_testkit::FakeKind;

use crate::world::{World, real_clock, real_lease};

const RACERS: u32 = 10;

fn token(number: u32) -> VersionId {
    VersionId::parse(format!("{number:032}")).expect("32 digits")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p2_of_ten_handles_that_begin_a_rotation_at_once_one_wins() {
    let world = World::new(FakeKind::Password).await;
    let barrier = Arc::new(Barrier::new(RACERS as usize));
    let racers: Vec<_> = (0..RACERS)
        .map(|number| {
            let (store, secret, lease) = (world.reopen(), world.secret.clone(), world.lease());
            let barrier = barrier.clone();
            tokio::spawn(async move {
                barrier.wait().await;
                store
                    .begin_rotation(&secret, &token(number), None, &lease)
                    .await
            })
        })
        .collect();
    let mut won = Vec::new();
    for (number, racer) in (0..).zip(racers) {
        if racer.await.expect("no panic").is_ok() {
            won.push(token(number));
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(world.holder(&Stage::Pending).await, won.pop());
    let records = world.store.records(&world.secret).await.expect("listed");
    assert_eq!(records.len(), 1, "who lost has left nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p5_of_ten_that_take_up_an_interrupted_rotation_one_gets_it() {
    let world = World::new(FakeKind::Password).await;
    let lease = world.lease();
    world
        .store
        .begin_rotation(&world.secret, &token(0), None, &lease)
        .await
        .expect("begun");
    let early = world
        .store
        .take_up(&world.secret, &token(0), &world.lease())
        .await;
    assert!(!early.expect("answered"), "the lease still binds");
    world.outlive_leases();
    let racers: Vec<_> = (0..RACERS)
        .map(|_| {
            let (store, secret, lease) = (world.reopen(), world.secret.clone(), world.lease());
            tokio::spawn(async move { store.take_up(&secret, &token(0), &lease).await })
        })
        .collect();
    let mut got = 0;
    for racer in racers {
        got += u32::from(racer.await.expect("no panic").expect("answered"));
    }
    assert_eq!(got, 1);
    let renewed = world.store.renew(&world.secret, &token(0), &lease).await;
    assert!(!renewed.expect("answered"), "the first holder finds out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p5_writers_wait_for_each_other_and_nothing_is_lost() {
    let world = World::new(FakeKind::Password).await;
    let writers: Vec<_> = (0..RACERS)
        .map(|number| {
            let store = world.reopen();
            tokio::spawn(async move {
                let secret = SecretId::new(format!("secret-{number}"));
                for round in 0..5 {
                    let value = SecretValue::new(format!("TEST-{round}"));
                    store
                        .put_value(&secret, &token(round), &value, &BTreeMap::new())
                        .await?;
                }
                Ok::<(), twinkey_core::StoreError>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic").expect("stored");
    }
    let list = world.store.list().await.expect("whole");
    assert_eq!(list.len(), 11);
    for summary in list.iter().filter(|summary| summary.secret != world.secret) {
        assert_eq!(summary.description.holder(&Stage::Current), Some(&token(4)));
    }
}

const CHILD: &str = "TWINKEY_LOCAL_TEST_CHILD";

#[tokio::test]
async fn p2_of_ten_processes_that_begin_a_rotation_at_once_one_wins() {
    let world = World::new(FakeKind::Password).await;
    let mut children: Vec<Child> = (0..RACERS).map(|number| spawn(&world, number)).collect();
    let won = children
        .iter_mut()
        .map(|child| child.wait().expect("a child ends").code())
        .filter(|code| *code == Some(WON))
        .count();
    assert_eq!(won, 1);
    let standing = world
        .store
        .standing(&world.secret, chrono::Utc::now())
        .await;
    assert!(
        matches!(
            standing,
            Ok(Standing::Running(_) | Standing::Interrupted { .. })
        ),
        "{standing:?}"
    );
}

const WON: i32 = 42;

fn spawn(world: &World, number: u32) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "races::child", "--nocapture"])
        .env(CHILD, world.directory.path())
        .env("TWINKEY_LOCAL_TEST_TOKEN", number.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("a child")
}

/// What each of the ten processes does; nothing when run as a test.
#[tokio::test]
async fn child() {
    let Ok(directory) = std::env::var(CHILD) else {
        return;
    };
    let number = std::env::var("TWINKEY_LOCAL_TEST_TOKEN").expect("a number");
    let directory = Path::new(&directory);
    let (file, key) = (directory.join("twinkey.db"), directory.join("twinkey.key"));
    let store = LocalStore::open(&file, &key, real_clock()).expect("opens");
    let secret = SecretId::new("app/db");
    store.describe(&secret).await.expect("there");
    let token = token(number.parse().expect("a number"));
    if store
        .begin_rotation(&secret, &token, None, &real_lease())
        .await
        .is_ok()
    {
        std::process::exit(WON);
    }
}
