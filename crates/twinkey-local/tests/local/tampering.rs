//! Whoever changes the file is found out: a clear error, and never another value.

use std::collections::BTreeMap;
use std::fs::{self};

use rusqlite::{Connection, params};
use twinkey_core::{SecretId, Selector, Slot, Stage, Store, StoreError};
use twinkey_local::{LocalStore, OpenError};
use twinkey_testkit::FakeKind;

use crate::world::{World, id, real_clock, value};

/// Two secrets, `one` and `two`; of each the versions `a` and `b`, AWSCURRENT on `b`; and a
/// rotation of `one` in flight.
pub(crate) async fn filled() -> World {
    let world = World::empty(FakeKind::Password);
    for name in ["one", "two"] {
        for version in ['a', 'b'] {
            let text = value(&format!("{name}-{version}"));
            world
                .store
                .put_value(&SecretId::new(name), &id(version), &text, &BTreeMap::new())
                .await
                .expect("stored");
        }
    }
    let stages = [Stage::Pending, Stage::Slot(Slot::A)];
    let one = SecretId::new("one");
    world
        .store
        .begin_rotation(&one, &id('c'), Some("TEST-reason"), &world.lease())
        .await
        .expect("begun");
    world
        .store
        .put(&one, &id('c'), &value("one-c"), &stages)
        .await
        .expect("stored");
    world
}

fn tamper(world: &World, sql: &str) {
    let file = Connection::open(world.file()).expect("opens");
    let changed = file.execute(sql, []).expect("changed");
    assert!(changed > 0, "{sql} changed nothing");
}

/// Changes one bit of a column in every row.
fn flip(world: &World, table: &str, column: &str) {
    let file = Connection::open(world.file()).expect("opens");
    let rows: Vec<(i64, Vec<u8>)> = file
        .prepare(&format!("SELECT rowid, {column} FROM {table}"))
        .and_then(|mut query| {
            query
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .expect("read");
    for (row, mut blob) in rows {
        let middle = blob.len() / 2;
        blob[middle] ^= 0x04;
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
        file.execute(&sql, params![blob, row]).expect("changed");
    }
}

async fn read(world: &World, name: &str, stage: Stage) -> Result<String, StoreError> {
    let secret = SecretId::new(name);
    let version = world.store.read(&secret, &Selector::Stage(stage)).await?;
    Ok(version.value.expose().to_owned())
}

pub(crate) async fn current(world: &World, name: &str) -> Result<String, StoreError> {
    read(world, name, Stage::Current).await
}

fn assert_corrupt<T: std::fmt::Debug>(result: &Result<T, StoreError>, what: &str) {
    let Err(StoreError::Corrupt { .. }) = result else {
        panic!("{what}: {result:?}");
    };
    let text = format!("{result:?}");
    assert!(!text.contains("TEST-"), "{what} shows a value: {text}");
}

#[tokio::test]
async fn p8_every_changed_byte_of_a_value_is_found_out() {
    let world = filled().await;
    let file = Connection::open(world.file()).expect("opens");
    let row = "WHERE name = 'one' AND id GLOB 'b*'";
    let query = format!("SELECT value FROM version {row}");
    let whole: Vec<u8> = file.query_row(&query, [], |row| row.get(0)).expect("there");
    let update = format!("UPDATE version SET value = ?1 {row}");
    for position in 0..whole.len() {
        let mut changed = whole.clone();
        changed[position] ^= 0x01;
        file.execute(&update, params![changed]).expect("changed");
        assert_corrupt(&current(&world, "one").await, &format!("byte {position}"));
    }
    file.execute(&update, params![whole]).expect("changed back");
    assert_eq!(
        current(&world, "one").await.expect("whole again"),
        "TEST-one-b"
    );
}

#[tokio::test]
async fn p8_a_changed_bit_in_any_sealed_column_is_found_out() {
    for (table, column) in [("store", "root"), ("secret", "state"), ("version", "value")] {
        let world = filled().await;
        flip(&world, table, column);
        assert_corrupt(&current(&world, "one").await, &format!("{table}.{column}"));
    }
    let world = filled().await;
    flip(&world, "record", "record");
    assert_corrupt(&world.store.records(&SecretId::new("one")).await, "record");
}

#[tokio::test]
async fn p8_a_changed_data_key_or_store_id_is_found_out() {
    for column in ["data_key", "id", "wrapping"] {
        let world = filled().await;
        if column == "data_key" {
            flip(&world, "store", column);
        } else {
            tamper(&world, &format!("UPDATE store SET {column} = 'other'"));
        }
        let error = LocalStore::open(&world.file(), &world.key_file(), real_clock());
        let Err(OpenError::Store(error)) = error else {
            panic!("{column}: {error:?}");
        };
        assert_corrupt::<()>(&Err(error), column);
    }
}

#[tokio::test]
async fn p8_a_value_moved_to_another_name_or_version_is_found_out() {
    for swap in [
        "UPDATE version SET value = (SELECT value FROM version v WHERE v.name = 'two' AND v.id = version.id)
         WHERE name = 'one' AND id IN (SELECT id FROM version WHERE name = 'two')",
        "UPDATE version SET value = (SELECT value FROM version v WHERE v.name = 'one' AND v.id GLOB 'a*')
         WHERE name = 'one' AND id GLOB 'b*'",
    ] {
        let world = filled().await;
        tamper(&world, swap);
        assert_corrupt(&current(&world, "one").await, swap);
        assert_eq!(current(&world, "two").await.expect("untouched"), "TEST-two-b");
    }
}

#[tokio::test]
async fn p8_a_state_row_moved_to_another_name_is_found_out() {
    let world = filled().await;
    tamper(
        &world,
        "UPDATE secret SET state = (SELECT state FROM secret s WHERE s.name = 'two') WHERE name = 'one'",
    );
    assert_corrupt(&current(&world, "one").await, "a state of another secret");
    assert_corrupt(&world.store.list().await.map(|list| list.len()), "listed");
    assert_eq!(
        world.store.names().await.expect("the root is whole").len(),
        2
    );
    assert_eq!(
        current(&world, "two").await.expect("untouched"),
        "TEST-two-b"
    );
}

#[tokio::test]
async fn p8_labels_rolled_back_are_found_out() {
    let world = filled().await;
    let file = Connection::open(world.file()).expect("opens");
    file.execute_batch("CREATE TABLE kept AS SELECT name, state FROM secret")
        .expect("kept");
    let one = SecretId::new("one");
    let (b, c) = (id('b'), id('c'));
    world
        .store
        .move_stage(&one, &Stage::Current, Some(&b), Some(&c))
        .await
        .expect("promoted");
    tamper(
        &world,
        "UPDATE secret SET state = (SELECT state FROM kept WHERE kept.name = secret.name) WHERE name = 'one'",
    );
    assert_corrupt(&current(&world, "one").await, "an older state");
    assert_corrupt(
        &world.store.describe(&one).await,
        "an older state, described",
    );
    let write = world
        .store
        .tag(&one, &BTreeMap::from([("k".into(), "v".into())]))
        .await;
    assert_corrupt(&write, "an older state, written to");
    assert_eq!(
        current(&world, "two").await.expect("untouched"),
        "TEST-two-b"
    );
}

#[tokio::test]
async fn p8_a_list_of_secrets_rolled_back_is_found_out() {
    let world = filled().await;
    let file = Connection::open(world.file()).expect("opens");
    file.execute_batch("CREATE TABLE kept AS SELECT root FROM store")
        .expect("kept");
    let tags = BTreeMap::from([("k".into(), "v".into())]);
    world
        .store
        .tag(&SecretId::new("one"), &tags)
        .await
        .expect("tagged");
    tamper(&world, "UPDATE store SET root = (SELECT root FROM kept)");
    assert_corrupt(&current(&world, "one").await, "an older list");
}

#[tokio::test]
async fn p8_deleted_and_planted_rows_are_found_out() {
    for sql in [
        "DELETE FROM secret WHERE name = 'one'",
        "DELETE FROM version WHERE name = 'one'",
        "DELETE FROM store",
        "DROP TABLE version",
        "UPDATE secret SET name = 'three' WHERE name = 'one'",
    ] {
        let world = filled().await;
        Connection::open(world.file())
            .and_then(|file| file.execute(sql, []))
            .expect("changed");
        assert_corrupt(&current(&world, "one").await, sql);
    }
    let world = filled().await;
    tamper(
        &world,
        "INSERT INTO secret SELECT 'planted', state FROM secret WHERE name = 'one'",
    );
    assert_corrupt(&current(&world, "planted").await, "planted");
}

#[tokio::test]
async fn a_deleted_record_does_not_keep_a_person_from_putting_what_works() {
    let world = filled().await;
    tamper(&world, "DELETE FROM record");
    let (one, none) = (SecretId::new("one"), BTreeMap::new());
    world
        .store
        .put_value(&one, &id('d'), &value("one-d"), &none)
        .await
        .expect("a person can always put what works");
    assert_eq!(current(&world, "one").await.expect("stored"), "TEST-one-d");
}

#[tokio::test]
async fn p8_any_byte_of_the_file_may_be_changed_and_no_wrong_value_is_read() {
    let world = filled().await;
    Connection::open(world.file())
        .and_then(|file| file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
        .expect("all in one file");
    let whole = fs::read(world.file()).expect("read");
    let copy = World::empty(FakeKind::Password);
    let (file, key) = (copy.directory.path().join("copy"), world.key_file());
    let (mut refused, mut unharmed) = (0, 0);
    for position in (0..whole.len()).step_by(41) {
        let mut changed = whole.clone();
        changed[position] ^= 0x10;
        fs::write(&file, changed).expect("written");
        for leftover in ["copy-wal", "copy-shm"] {
            let _ = fs::remove_file(copy.directory.path().join(leftover));
        }
        match read_all(&file, &key).await {
            Ok(read) => {
                assert_eq!(
                    read,
                    ["TEST-one-b", "TEST-one-c", "TEST-two-b"],
                    "byte {position}"
                );
                unharmed += 1;
            }
            Err(text) => {
                assert!(
                    !text.contains("TEST-"),
                    "byte {position} shows a value: {text}"
                );
                refused += 1;
            }
        }
    }
    assert!(
        refused > 20 && unharmed > 20,
        "{refused} refused, {unharmed} unharmed"
    );
}

async fn read_all(file: &std::path::Path, key: &std::path::Path) -> Result<Vec<String>, String> {
    let store =
        LocalStore::open(file, key, real_clock()).map_err(|error| format!("{error} {error:?}"))?;
    let mut values = Vec::new();
    for (name, stage) in [
        ("one", Stage::Current),
        ("one", Stage::Pending),
        ("two", Stage::Current),
    ] {
        let at = Selector::Stage(stage);
        let version = store.read(&SecretId::new(name), &at).await;
        let version = version.map_err(|error| format!("{error} {error:?}"))?;
        values.push(version.value.expose().to_owned());
    }
    Ok(values)
}

#[tokio::test]
async fn p8_no_value_label_tag_or_reason_is_readable_in_the_files() {
    let world = filled().await;
    let tags = BTreeMap::from([("TEST-tag".into(), "TEST-tag-value".into())]);
    world
        .store
        .tag(&SecretId::new("one"), &tags)
        .await
        .expect("tagged");
    let mut bytes = fs::read(world.file()).expect("the database");
    bytes.extend(fs::read(world.directory.path().join("twinkey.db-wal")).expect("the log"));
    let finds = |marker: &str| {
        bytes
            .windows(marker.len())
            .any(|window| window == marker.as_bytes())
    };
    for planted in ["one", "two", id('b').as_str()] {
        assert!(
            finds(planted),
            "names are readable, so this search can find {planted}"
        );
    }
    for hidden in [
        "TEST-",
        "one-b",
        "AWSCURRENT",
        "AWSPENDING",
        "T0VTVC",
        "544553542d",
    ] {
        assert!(!finds(hidden), "{hidden} is readable");
    }
    assert_eq!(
        format!("{:?}", world.store),
        format!("LocalStore({})", world.store.id())
    );
}
