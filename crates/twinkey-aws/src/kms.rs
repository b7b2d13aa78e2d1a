//! KMS: data keys for embedded stores, and configuration values that lie about as ciphertext.

use std::fmt;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, MessageType, SigningAlgorithmSpec};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::OnceCell;
use twinkey_core::{SecretValue, Sign, StoreError};
use zeroize::Zeroizing;

use crate::call::Call;
use crate::kms_call::{KmsCall, unreadable};
use crate::limits::invalid;
use crate::{Patience, connect};

/// The name under which the encryption context holds the store that a data key belongs to.
const STORE: &str = "twinkey:store";
/// The name under which it holds the variable that a configuration value belongs to.
const VARIABLE: &str = "twinkey:variable";
/// What a value that is ciphertext begins with.
pub(crate) const CIPHERTEXT: &str = "kms:";
const KEY_LEN: usize = 32;

/// KMS in one region, by one caller's rights. Clones share their connections.
#[derive(Clone)]
pub struct Kms(Client);

/// A key that opens an embedded store, in clear and as it may be stored. Its `Debug` shows no key.
pub struct DataKey {
    /// The key itself: 32 bytes, wiped when dropped.
    pub plaintext: Zeroizing<[u8; KEY_LEN]>,
    /// The same, encrypted by KMS for one store.
    pub ciphertext: Vec<u8>,
    /// The ARN of the KMS key: it stays the same where an alias moves on.
    pub key: String,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey(redacted, by {})", self.key)
    }
}

impl Kms {
    /// By the credentials, the region and the endpoint of a configuration. No call is made.
    #[must_use]
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        Self(Client::new(&patience.apply(config)))
    }

    /// A new data key by a KMS key (an id, an ARN or an alias), bound to one store by its identity: for
    /// another one, KMS will not decrypt it. One call, `kms:GenerateDataKey`.
    pub async fn data_key(&self, key: &str, store: &str) -> Result<DataKey, StoreError> {
        let call = KmsCall {
            operation: "GenerateDataKey",
            what: "the store's data key",
            key,
        };
        let request = self
            .0
            .generate_data_key()
            .key_id(key)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(STORE, store);
        let output = request.send().await.map_err(|error| call.refused(&error))?;
        let missing = || call.misunderstood();
        let ciphertext = output.ciphertext_blob.ok_or_else(missing)?;
        let key = output.key_id.ok_or_else(missing)?;
        let plaintext = fixed(output.plaintext.ok_or_else(missing)?).ok_or_else(missing)?;
        Ok(DataKey {
            plaintext,
            ciphertext: ciphertext.into_inner(),
            key,
        })
    }

    /// The data key of a store, from what was stored of it. One call, `kms:Decrypt`.
    ///
    /// [`StoreError::Corrupt`] if it is another store's, by another key, or was changed.
    pub async fn unwrap(
        &self,
        key: &str,
        ciphertext: &[u8],
        store: &str,
    ) -> Result<Zeroizing<[u8; KEY_LEN]>, StoreError> {
        let call = KmsCall {
            operation: "Decrypt",
            what: "the store's data key",
            key,
        };
        let plaintext = self.decrypt(&call, ciphertext, (STORE, store)).await?;
        fixed(plaintext).ok_or_else(|| unreadable(call.what, "it has the wrong length"))
    }

    /// A configuration value: what follows `kms:` is base64 of a ciphertext that is bound to the
    /// variable's name, by an encryption context `twinkey:variable=NAME`; anything else is taken as it is. One
    /// call, `kms:Decrypt`, or none.
    pub async fn configuration(
        &self,
        variable: &str,
        value: &str,
    ) -> Result<SecretValue, StoreError> {
        let Some(encoded) = value.strip_prefix(CIPHERTEXT) else {
            return Ok(SecretValue::new(value.into()));
        };
        let ciphertext = STANDARD
            .decode(encoded.trim())
            .map_err(|_| invalid(variable, "what follows kms: is not base64"))?;
        let call = KmsCall {
            operation: "Decrypt",
            what: variable,
            key: "",
        };
        let bound = (VARIABLE, variable);
        let plaintext = Zeroizing::new(self.decrypt(&call, &ciphertext, bound).await?.into_inner());
        let text = std::str::from_utf8(&plaintext)
            .map_err(|_| invalid(variable, "what it decrypts to is not text"))?;
        Ok(SecretValue::new(text.into()))
    }

    /// The signature of a message by a KMS key (an id, an ARN or an alias): RSASSA-PKCS1-v1_5 with SHA-256, by a
    /// key that never leaves KMS. One call, `kms:Sign`.
    ///
    /// [`StoreError::Invalid`] if the message is longer than 4,096 bytes.
    pub async fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        let call = KmsCall {
            operation: "Sign",
            what: "a signature",
            key,
        };
        let request = self
            .0
            .sign()
            .key_id(key)
            .message_type(MessageType::Raw)
            .signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256)
            .message(Blob::new(message));
        let output = request.send().await.map_err(|error| call.refused(&error))?;
        let signature = output.signature.map(Blob::into_inner);
        signature.ok_or_else(|| call.misunderstood())
    }

    async fn decrypt(
        &self,
        call: &KmsCall<'_>,
        ciphertext: &[u8],
        (name, bound_to): (&str, &str),
    ) -> Result<Blob, StoreError> {
        let key = Some(call.key).filter(|key| !key.is_empty());
        let request = self
            .0
            .decrypt()
            // With it, no other key that the caller may use is tried.
            .set_key_id(key.map(str::to_owned))
            .ciphertext_blob(Blob::new(ciphertext))
            .encryption_context(name, bound_to);
        let output = request.send().await.map_err(|error| call.refused(&error))?;
        let plaintext = output.plaintext;
        plaintext.ok_or_else(|| call.misunderstood())
    }
}

#[async_trait]
impl Sign for Kms {
    async fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.sign(key, message).await
    }
}

/// KMS as the process's environment names it, which is read when the first signature is asked for: most secrets need
/// none.
#[derive(Debug, Default)]
pub struct KmsOnDemand(OnceCell<Kms>);

#[async_trait]
impl Sign for KmsOnDemand {
    async fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        let kms = self
            .0
            .get_or_init(async || Kms::new(&connect().await, Patience::default()))
            .await;
        kms.sign(key, message).await
    }
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kms")
    }
}

fn fixed(plaintext: Blob) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let plaintext = Zeroizing::new(plaintext.into_inner());
    let mut key = Zeroizing::new([0; KEY_LEN]);
    if plaintext.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&plaintext);
    Some(key)
}
