//! What opens the rows of one store: its identity and its data key.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use twinkey_core::{SecretId, StoreError, VersionId};
use zeroize::Zeroizing;

use crate::sealed::{Key, Place, SealError, Sealer, random_key};
use crate::{LocalStore, ServiceKey, Wrapping};

/// How the data key is wrapped: by a key in a file. Other ways can follow under other names.
const BY_KEY_FILE: &str = "file";
/// By AWS KMS; the ARN of its key follows.
const BY_KMS: &str = "kms:";

/// What opens the rows of one store.
pub(crate) struct Vault {
    pub(crate) store: String,
    pub(crate) sealer: Sealer,
}

/// The data key as it lies in the file.
pub(crate) struct WrappedKey {
    pub(crate) store: String,
    pub(crate) wrapping: String,
    pub(crate) data_key: Vec<u8>,
}

impl WrappedKey {
    pub(crate) fn by_service(store: &str, key: &ServiceKey) -> Self {
        Self {
            store: store.into(),
            wrapping: format!("{BY_KMS}{}", key.key),
            data_key: key.ciphertext.clone(),
        }
    }
}

impl From<WrappedKey> for Wrapping {
    fn from(wrapped: WrappedKey) -> Self {
        match wrapped.wrapping.strip_prefix(BY_KMS) {
            Some(key) => Self::Service {
                key: key.into(),
                store: wrapped.store,
                ciphertext: wrapped.data_key,
            },
            None => Self::KeyFile,
        }
    }
}

/// Which state of which secret is the latest. It makes an older state, put back, a stranger.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Root {
    pub(crate) generations: BTreeMap<SecretId, u64>,
}

impl Vault {
    /// A new identity and a new data key, and how both go into the file.
    pub(crate) fn create(wrapping: &Key) -> Result<(Self, WrappedKey), StoreError> {
        let store = LocalStore::new_id();
        let data_key = random_key().map_err(no_randomness)?;
        let wrapped = Sealer::new(wrapping)
            .and_then(|sealer| sealer.seal(&data_key_place(&store), data_key.as_slice()))
            .map_err(no_randomness)?;
        let vault = Self::new(&store, &data_key)?;
        let wrapped = WrappedKey {
            store,
            wrapping: BY_KEY_FILE.into(),
            data_key: wrapped,
        };
        Ok((vault, wrapped))
    }

    /// A store's identity, and its data key as it is.
    pub(crate) fn new(store: &str, data_key: &Key) -> Result<Self, StoreError> {
        let sealer = Sealer::new(data_key).map_err(no_randomness)?;
        let store = store.into();
        Ok(Self { store, sealer })
    }

    /// Unwraps the data key of an existing store.
    pub(crate) fn unwrap(wrapped: &WrappedKey, wrapping: &Key) -> Result<Self, StoreError> {
        let wrong = |reason: &str| corrupt("the store's data key".into(), reason);
        if wrapped.wrapping != BY_KEY_FILE {
            return Err(wrong(
                "it is wrapped in a way that this version does not know",
            ));
        }
        let plain = Sealer::new(wrapping)
            .and_then(|sealer| sealer.open(&data_key_place(&wrapped.store), &wrapped.data_key))
            .map_err(|_| wrong("the wrapping key is another store's, or the file was changed"))?;
        let mut data_key = Key::default();
        if plain.len() != data_key.len() {
            return Err(wrong("it has the wrong length"));
        }
        data_key.copy_from_slice(&plain);
        Self::new(&wrapped.store, &data_key)
    }

    /// The root of a store without secrets.
    pub(crate) fn empty_root(&self) -> Result<Vec<u8>, StoreError> {
        self.seal_json(&self.root_place(), &Root::default())
    }

    pub(crate) fn root_place(&self) -> Place {
        Place::new(&self.store, "root")
    }

    pub(crate) fn state_place(&self, secret: &SecretId, generation: u64) -> Place {
        Place::new(&self.store, "state")
            .at(secret.as_str())
            .at(generation.to_be_bytes())
    }

    pub(crate) fn row_place(&self, kind: &str, secret: &SecretId, id: &VersionId) -> Place {
        Place::new(&self.store, kind)
            .at(secret.as_str())
            .at(id.as_str())
    }

    pub(crate) fn seal(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.sealer
            .seal(place, plain)
            .map_err(|_| StoreError::Transient {
                doing: "sealing a row".into(),
                reason: "the system gave no randomness".into(),
            })
    }

    pub(crate) fn open(
        &self,
        place: &Place,
        sealed: &[u8],
        what: impl Fn() -> String,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.sealer.open(place, sealed).map_err(|_| {
            corrupt(
                what(),
                "its bytes were changed, moved here from elsewhere, or are an older copy",
            )
        })
    }

    pub(crate) fn seal_json<T: Serialize>(
        &self,
        place: &Place,
        row: &T,
    ) -> Result<Vec<u8>, StoreError> {
        let text =
            serde_json::to_vec(row).map_err(|_| corrupt("a row".into(), "it cannot be written"))?;
        self.seal(place, &Zeroizing::new(text))
    }

    pub(crate) fn open_json<T: DeserializeOwned>(
        &self,
        place: &Place,
        sealed: &[u8],
        what: impl Fn() -> String,
    ) -> Result<T, StoreError> {
        let plain = self.open(place, sealed, &what)?;
        serde_json::from_slice(&plain)
            .map_err(|_| corrupt(what(), "another version of twinkey wrote it; use that one"))
    }
}

pub(crate) fn corrupt(what: String, reason: &str) -> StoreError {
    StoreError::Corrupt {
        what,
        reason: reason.into(),
    }
}

fn data_key_place(store: &str) -> Place {
    Place::new(store, "data key").at(BY_KEY_FILE)
}

#[allow(clippy::needless_pass_by_value)] // so that it fits `map_err`
fn no_randomness(_: SealError) -> StoreError {
    StoreError::Transient {
        doing: "making keys".into(),
        reason: "the cipher or the system's randomness is not available".into(),
    }
}
