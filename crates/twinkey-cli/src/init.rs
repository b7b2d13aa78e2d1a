//! init: makes an embedded store, locked by a key file or by KMS.

use std::path::Path;
use std::sync::Arc;

use twinkey_core::SystemClock;
use twinkey_local::{LocalStore, OpenError, ServiceKey};

use crate::arguments::{Init, Place};
use crate::location::{Files, Location};
use crate::place::kms;
use crate::present::note;
use crate::problem::Problem;

pub(crate) async fn init(location: &Location, place: &Place, init: &Init) -> Result<(), Problem> {
    let Location::Embedded(files) = location else {
        return Err(Problem::no_store_to_make());
    };
    match &init.kms_key {
        None => by_key_file(files),
        Some(_) if place.key_file.is_some() => Err(Problem::two_keys()),
        Some(key) => by_kms(&files.store, key).await,
    }
}

fn by_key_file(Files { store, key_file }: &Files) -> Result<(), Problem> {
    make_parent(store)?;
    make_parent(key_file)?;
    LocalStore::init(store, key_file, Arc::new(SystemClock))?;
    note(&format!("made the store {}", store.display()));
    note(&format!(
        "locked with the key in {}: back it up apart from the store; without it nothing can be read",
        key_file.display()
    ));
    Ok(())
}

async fn by_kms(store: &Path, key: &str) -> Result<(), Problem> {
    if store.exists() {
        return Err(OpenError::StoreExists(store.to_owned()).into());
    }
    let id = LocalStore::new_id();
    let made = kms().await?.data_key(key, &id).await?;
    make_parent(store)?;
    let key = ServiceKey {
        plaintext: made.plaintext,
        ciphertext: made.ciphertext,
        key: made.key,
    };
    LocalStore::init_with(store, &id, &key, Arc::new(SystemClock))?;
    note(&format!("made the store {}", store.display()));
    note(&format!(
        "locked by KMS with {}: whoever may decrypt with it can read the store; without it nobody can",
        key.key
    ));
    Ok(())
}

fn make_parent(file: &Path) -> Result<(), Problem> {
    match file.parent() {
        Some(directory) => Ok(std::fs::create_dir_all(directory)?),
        None => Ok(()),
    }
}
