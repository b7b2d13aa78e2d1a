//! Who ends a rotation that is stuck: whoever knows the server of its key.

use async_trait::async_trait;
use twinkey_core::{Engine, RetiredKey, RotationFailure, SecretId, VersionId};

/// Ends a rotation that is half done: the key that its pending version holds dies, then AWSPENDING comes
/// off, in that order.
#[async_trait]
pub trait Abandon: Send + Sync {
    /// Repeatable; a rotation that has ended already is left as it is. Returns the keys that are dead now.
    async fn abandon(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Vec<RetiredKey>, RotationFailure>;
}

#[async_trait]
impl Abandon for Engine<'_> {
    async fn abandon(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        Engine::abandon(self, secret, token).await
    }
}
