//! Who ends a rotation that is stuck: whoever knows the server of its key.

use async_trait::async_trait;
use twinkey_core::{Engine, RetiredKey, RotationFailure, SecretId, VersionId};

/// Ends a rotation that is half done: AWSPENDING comes off its version, then the key that it holds dies.
#[async_trait]
pub trait Abandon: Send + Sync {
    /// Repeatable; a rotation that has left nothing is left as it is. Returns the keys that are dead now.
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
