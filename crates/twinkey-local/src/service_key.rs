//! A data key that a key service has made: there is no key file, the service unwraps it.

use std::path::Path;
use std::sync::Arc;

use twinkey_core::Clock;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::vault::{Vault, WrappedKey};
use crate::{LocalStore, OpenError, database};

/// A data key for one store, in clear and as it may be stored.
pub struct ServiceKey {
    /// The key itself: wiped when dropped.
    pub plaintext: Zeroizing<[u8; 32]>,
    /// The same, as the service encrypted it for this store.
    pub ciphertext: Vec<u8>,
    /// The service's own name for the key that encrypted it.
    pub key: String,
}

/// How a store's data key is wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// By the key in a file: [`LocalStore::open`].
    KeyFile,
    /// By a key service, which is asked with these: [`LocalStore::open_with`].
    Service {
        /// The store's identity, to which the ciphertext is bound.
        store: String,
        /// The service's own name for its key.
        key: String,
        /// The data key, encrypted.
        ciphertext: Vec<u8>,
    },
}

impl LocalStore {
    /// An identity for a store that is about to be made: its data key is bound to it.
    #[must_use]
    pub fn new_id() -> String {
        Uuid::new_v4().to_string()
    }

    /// Makes a new store, readable by its owner alone, with a data key of a key service. Nothing that
    /// exists is overwritten. Blocks for some milliseconds.
    pub fn init_with(
        path: &Path,
        store: &str,
        key: &ServiceKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let vault = Vault::new(store, &key.plaintext)?;
        let wrapped = WrappedKey::by_service(store, key);
        let connection = database::create(path, &wrapped, &vault.empty_root()?)?;
        Ok(Self::new(connection, vault, clock))
    }

    /// How the data key of the store at `path` is wrapped. Read-only.
    pub fn wrapping(path: &Path) -> Result<Wrapping, OpenError> {
        let wrapped = database::wrapped_key(&database::open(path)?)?;
        Ok(wrapped.into())
    }

    /// Opens a store with its data key, unwrapped. Blocks for some milliseconds.
    ///
    /// A key that is not this store's opens no row: each is `StoreError::Corrupt`.
    pub fn open_with(
        path: &Path,
        plaintext: &Zeroizing<[u8; 32]>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let connection = database::open(path)?;
        let store = database::wrapped_key(&connection)?.store;
        let vault = Vault::new(&store, plaintext)?;
        Ok(Self::new(connection, vault, clock))
    }
}
