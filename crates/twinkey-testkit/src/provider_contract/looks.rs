//! Last looks at a store that there is none of.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use twinkey_core::{ErrorKind, LastLook, ProviderError, VersionStamp};

/// A last look for tests of a provider without a store: nothing has changed.
#[derive(Clone, Copy, Debug)]
pub struct NothingChanged;

#[async_trait]
impl LastLook for NothingChanged {
    async fn take(&self, _: Option<&VersionStamp>) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// The same, and counts how often it is taken.
#[derive(Debug, Default)]
pub(super) struct Counted(AtomicUsize);

impl Counted {
    pub(super) fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl LastLook for Counted {
    async fn take(&self, _: Option<&VersionStamp>) -> Result<(), ProviderError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A person has moved a label at the last moment.
#[derive(Debug)]
pub(super) struct LabelMoved;

#[async_trait]
impl LastLook for LabelMoved {
    async fn take(&self, _: Option<&VersionStamp>) -> Result<(), ProviderError> {
        Err(ProviderError {
            kind: ErrorKind::Conflict,
            code: "OutOfOrder",
            message: "AWSCURRENT has moved".into(),
            hint: None,
            retry_after: None,
        })
    }
}
