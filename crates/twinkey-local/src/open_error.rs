//! Why a store could not be made or opened.

use std::io;
use std::path::PathBuf;

use twinkey_core::StoreError;

/// A store could not be made or opened. Names paths, never a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no file at the store's path.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// Something is at the path where the new store would go.
    #[error("{} exists already; a store is never overwritten", .0.display())]
    StoreExists(PathBuf),
    /// There is no file at the wrapping key's path.
    #[error("there is no wrapping key at {}", .0.display())]
    NoKeyFile(PathBuf),
    /// Something is at the path where the new wrapping key would go.
    #[error("{} exists already; a wrapping key is never overwritten", .0.display())]
    KeyFileExists(PathBuf),
    /// The wrapping key can be read by others than its owner.
    #[error("the wrapping key {} is open to others than its owner (mode {mode:03o})", .path.display())]
    KeyFileExposed {
        /// The wrapping key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is no wrapping key.
    #[error("{} is no wrapping key: {reason}", .path.display())]
    KeyFileMalformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file is a database, but no store that this version reads.
    #[error("{} is no store of this version: {reason}", .path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("{action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The store itself said so: a wrong wrapping key, a damaged file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    /// What a person should do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStore(_) => Some("make one with: twinkey init".into()),
            Self::StoreExists(_) => Some("use it as it is, or choose another path".into()),
            Self::NoKeyFile(_) => Some(
                "name the wrapping key that this store was made with; without it no value can be read"
                    .into(),
            ),
            Self::KeyFileExists(path) => Some(format!(
                "choose another path, or, if no store was made with it: rm {}",
                path.display()
            )),
            Self::KeyFileExposed { path, .. } => Some(format!(
                "chmod 600 {}; if others could read it, make a new store and rotate every secret",
                path.display()
            )),
            Self::Store(StoreError::Corrupt { .. }) => Some(
                "use the wrapping key this store was made with, or restore the store from a backup"
                    .into(),
            ),
            Self::KeyFileMalformed { .. } => {
                Some("name the file that twinkey init wrote, or restore it from a backup".into())
            }
            Self::NotAStore { .. } | Self::File { .. } | Self::Store(_) => None,
        }
    }
}
