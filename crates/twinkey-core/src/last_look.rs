//! The last look at the store before a change at the server.

use async_trait::async_trait;

use crate::{
    ErrorKind, LastLook, Pass, ProviderError, RotationFailure, Selector, Stage, StoreError,
    VersionStamp,
};

/// Looks whether the rotation is still what it was when its step began.
pub(crate) struct StoreLook<'a> {
    pub(crate) pass: &'a Pass<'a>,
    pub(crate) current: VersionStamp,
}

#[async_trait]
impl LastLook for StoreLook<'_> {
    async fn take(&self, replaced: Option<&VersionStamp>) -> Result<(), ProviderError> {
        let description = self.pass.store.describe(self.pass.secret).await?;
        if let Err(failure) = crate::guard::position(&description, self.pass.token) {
            return Err(passed_by(&failure));
        }
        if description.holder(&Stage::Current) != Some(&self.current.id) {
            let moved = RotationFailure::OutOfOrder("AWSCURRENT has moved during this step".into());
            return Err(passed_by(&moved));
        }
        match replaced.filter(|replaced| replaced.created_at > self.current.created_at) {
            Some(later) => self.know(later).await,
            None => Ok(()),
        }
    }
}

impl StoreLook<'_> {
    /// A key later than AWSCURRENT is known if AWSCURRENT was moved back by hand. If it is not, this
    /// store is an old copy, and that key may be what consumers of the other one read.
    async fn know(&self, later: &VersionStamp) -> Result<(), ProviderError> {
        let at = Selector::Version(later.id.clone());
        match self.pass.store.read(self.pass.secret, &at).await {
            Ok(_) => Ok(()),
            Err(StoreError::NoVersion { .. }) => Err(ProviderError {
                kind: ErrorKind::Conflict,
                code: "StaleStore",
                message: format!(
                    "the server holds the key of version {}, which is later than any in this store: it is an old copy",
                    later.id
                ),
                hint: Some(
                    "rotate from the newer store; if that is lost, put a document that works into this one: \
                     twinkey put NAME --from-file -"
                        .into(),
                ),
                retry_after: None,
            }),
            Err(error) => Err(error.into()),
        }
    }
}

fn passed_by(failure: &RotationFailure) -> ProviderError {
    ProviderError {
        kind: ErrorKind::Conflict,
        code: failure.error_type(),
        message: failure.to_string(),
        hint: failure.hint(),
        retry_after: None,
    }
}
