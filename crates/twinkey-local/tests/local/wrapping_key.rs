//! The wrapping key: another store's, one that others can read, none at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use twinkey_core::StoreError;
use twinkey_local::{LocalStore, OpenError};

use crate::tampering::{current, filled};
use crate::world::real_clock;

#[tokio::test]
async fn p8_another_stores_key_opens_nothing() {
    let (world, other) = (filled().await, filled().await);
    let error =
        LocalStore::open(&world.file(), &other.key_file(), real_clock()).expect_err("a wrong key");
    assert!(
        matches!(error, OpenError::Store(StoreError::Corrupt { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("wrapping key"), "{error}");
    assert!(error.hint().is_some());
    let missing = world.directory.path().join("missing");
    let error = LocalStore::open(&world.file(), &missing, real_clock()).expect_err("no key");
    assert!(matches!(error, OpenError::NoKeyFile(_)), "{error}");
}

#[tokio::test]
async fn p8_a_key_that_others_can_read_is_refused_with_the_way_out() {
    let world = filled().await;
    fs::set_permissions(world.key_file(), Permissions::from_mode(0o644)).expect("chmod");
    let error =
        LocalStore::open(&world.file(), &world.key_file(), real_clock()).expect_err("exposed");
    assert!(
        matches!(error, OpenError::KeyFileExposed { mode: 0o644, .. }),
        "{error}"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("chmod 600")));
}

#[tokio::test]
async fn p11_init_overwrites_nothing_and_leaves_no_key_behind_that_fits_no_store() {
    let world = filled().await;
    let path = |name: &str| world.directory.path().join(name);
    let init = |file: &str, key: &str| LocalStore::init(&path(file), &path(key), real_clock());
    let error = init("twinkey.db", "new.key").expect_err("a store exists");
    assert!(matches!(error, OpenError::StoreExists(_)), "{error}");
    let error = init("new.db", "twinkey.key").expect_err("a key exists");
    assert!(matches!(error, OpenError::KeyFileExists(_)), "{error}");
    let error = init("no/such/directory", "new.key").expect_err("no directory");
    assert!(matches!(error, OpenError::File { .. }), "{error}");
    for name in ["new.key", "new.db"] {
        assert!(!path(name).exists(), "{name}");
    }
    assert_eq!(
        current(&world, "one").await.expect("unharmed"),
        "TEST-one-b"
    );
    for name in ["twinkey.db", "twinkey.key", "twinkey.db-wal"] {
        let mode = fs::metadata(path(name))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
