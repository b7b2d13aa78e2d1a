//! Signatures by keys that never leave the service that keeps them.

use async_trait::async_trait;

use crate::StoreError;

/// A service that signs with keys that it keeps, such as KMS.
#[async_trait]
pub trait Sign: Send + Sync {
    /// The signature of a message by the named key: RSASSA-PKCS1-v1_5 with SHA-256. Changes nothing.
    async fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>, StoreError>;
}
