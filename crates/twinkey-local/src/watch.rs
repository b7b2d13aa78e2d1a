//! Looking on while a rotation runs.

use async_trait::async_trait;
use twinkey_core::{SecretId, Step, StepRecord, VersionId};

/// Is told what a rotation does, and may take its time: the rotation waits for it.
#[async_trait]
pub trait Watch: Send + Sync {
    /// Another process rotates this secret; its outcome is awaited.
    async fn waiting(&self, _secret: &SecretId, _token: &VersionId) {}

    /// A rotation that was interrupted is being finished.
    async fn resuming(&self, _secret: &SecretId, _token: &VersionId) {}

    /// The rotation that was asked for begins.
    async fn beginning(&self, _secret: &SecretId, _token: &VersionId) {}

    /// A step is about to be delivered.
    async fn before(&self, _secret: &SecretId, _step: Step) {}

    /// A step has been delivered and recorded.
    async fn after(&self, _secret: &SecretId, _step: &StepRecord) {}
}

/// Nobody looks on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}
