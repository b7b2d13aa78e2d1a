//! A store whose data key a key service made: no key file, and no other key.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use twinkey_core::{SecretId, SecretValue, Selector, Stage, Store, StoreError, VersionId};
use twinkey_local::{LocalStore, OpenError, ServiceKey, Wrapping};
use zeroize::Zeroizing;

use crate::world::real_clock;

const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/TEST";

fn service_key(byte: u8) -> ServiceKey {
    ServiceKey {
        plaintext: Zeroizing::new([byte; 32]),
        ciphertext: b"TEST-ciphertext".to_vec(),
        key: KEY.into(),
    }
}

#[tokio::test]
async fn p8_a_store_of_a_key_service_opens_with_that_services_key_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("twinkey.db");
    let (id, key) = (LocalStore::new_id(), service_key(7));
    let store = LocalStore::init_with(&path, &id, &key, real_clock()).expect("made");
    assert_eq!(store.id(), id);
    let (secret, version) = (SecretId::new("one"), VersionId::random(&mut rand::rng()));
    let value = SecretValue::new("TEST-value".into());
    let untagged = BTreeMap::new();
    let put = store.put_value(&secret, &version, &value, &untagged);
    put.await.expect("stored");
    drop(store);

    let files = std::fs::read_dir(directory.path()).expect("a directory");
    let names = files.map(|file| file.expect("a file").file_name());
    let names: Vec<String> = names.map(|it| it.to_string_lossy().into_owned()).collect();
    assert!(
        names.iter().all(|name| name.starts_with("twinkey.db")),
        "{names:?}"
    );
    let mode = std::fs::metadata(&path)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let wrapped = Wrapping::Service {
        store: id,
        key: KEY.into(),
        ciphertext: key.ciphertext.clone(),
    };
    assert_eq!(LocalStore::wrapping(&path).expect("a store"), wrapped);

    let at = Selector::Stage(Stage::Current);
    let own = LocalStore::open_with(&path, &key.plaintext, real_clock()).expect("opens");
    let read = own.read(&secret, &at).await.expect("a value");
    assert_eq!(read.value.expose(), "TEST-value");
    let other = service_key(8).plaintext;
    let other = LocalStore::open_with(&path, &other, real_clock()).expect("opens");
    let error = other.read(&secret, &at).await.expect_err("another key");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn p11_neither_kind_of_store_is_overwritten_or_opened_as_the_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let (store, key) = (path("a.db"), path("a.key"));
    LocalStore::init(&store, &key, real_clock()).expect("made");
    assert_eq!(
        LocalStore::wrapping(&store).expect("a store"),
        Wrapping::KeyFile
    );
    let made = LocalStore::init_with(&store, "id", &service_key(7), real_clock());
    assert!(matches!(made, Err(OpenError::StoreExists(_))));
    let served = path("b.db");
    LocalStore::init_with(&served, "id", &service_key(7), real_clock()).expect("made");
    let error = LocalStore::open(&served, &key, real_clock()).expect_err("no key file fits");
    assert!(
        matches!(error, OpenError::Store(StoreError::Corrupt { .. })),
        "{error}"
    );
    let missing = LocalStore::wrapping(&path("c.db"));
    assert!(matches!(missing, Err(OpenError::NoStore(_))));
}
