//! KMS as moto plays it: data keys bound to a store, configuration values bound to a variable.

use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use twinkey_aws::{Kms, Patience};
use twinkey_core::StoreError;
use twinkey_test_aws::Moto;

use crate::world::config;

const ALIAS: &str = "alias/TEST-twinkey";
const VARIABLE: &str = "TWINKEY_TEST";

struct Vault {
    kms: Kms,
    client: aws_sdk_kms::Client,
    key: String,
    _moto: Moto,
}

impl Vault {
    async fn new() -> Self {
        let moto = Moto::start();
        let config = config(moto.endpoint());
        let client = aws_sdk_kms::Client::new(&config);
        let key = new_key(&client).await;
        let alias = client.create_alias().alias_name(ALIAS);
        alias.target_key_id(&key).send().await.expect("an alias");
        Self {
            kms: Kms::new(&config, Patience::default()),
            client,
            key,
            _moto: moto,
        }
    }

    /// What `aws kms encrypt --encryption-context twinkey:variable=NAME` prints.
    async fn encrypt(&self, variable: &str, plaintext: &[u8]) -> String {
        let request = self.client.encrypt().key_id(&self.key);
        let output = request
            .plaintext(Blob::new(plaintext))
            .encryption_context("twinkey:variable", variable)
            .send()
            .await
            .expect("encrypted");
        STANDARD.encode(output.ciphertext_blob().expect("a ciphertext"))
    }
}

async fn new_key(client: &aws_sdk_kms::Client) -> String {
    let created = client.create_key().send().await.expect("a key");
    let metadata = created.key_metadata().expect("its metadata");
    metadata.arn().expect("its ARN").to_owned()
}

fn is_corrupt<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    let corrupt = matches!(result, Err(StoreError::Corrupt { .. }));
    assert!(corrupt, "{result:?}");
}

#[tokio::test]
async fn p8_a_data_key_opens_only_its_own_store_and_shows_nothing() {
    let vault = Vault::new().await;
    let made = vault.kms.data_key(ALIAS, "store-1").await.expect("a key");
    assert_eq!(made.key, vault.key, "the alias is resolved");
    assert_ne!(made.plaintext.as_slice(), [0; 32]);
    let opened = vault
        .kms
        .unwrap(&made.key, &made.ciphertext, "store-1")
        .await;
    assert_eq!(opened.expect("the same key"), made.plaintext);
    let other = vault.kms.data_key(ALIAS, "store-1").await.expect("a key");
    assert_ne!(other.plaintext, made.plaintext);
    assert_eq!(
        format!("{made:?}"),
        format!("DataKey(redacted, by {})", vault.key)
    );
    let elsewhere = vault
        .kms
        .unwrap(&made.key, &made.ciphertext, "store-2")
        .await;
    is_corrupt(&elsewhere);
    let mut changed = made.ciphertext.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    is_corrupt(&vault.kms.unwrap(&made.key, &changed, "store-1").await);
}

#[tokio::test]
async fn p11_a_key_that_is_not_there_is_named() {
    let vault = Vault::new().await;
    let error = vault.kms.data_key("alias/TEST-missing", "store-1").await;
    let error = error.expect_err("no such key");
    assert!(error.to_string().contains("alias/TEST-missing"), "{error}");
}

#[tokio::test]
async fn p8_a_configuration_value_is_decrypted_for_its_own_variable_only() {
    let vault = Vault::new().await;
    let plain = vault.kms.configuration(VARIABLE, "TEST-plain").await;
    assert_eq!(plain.expect("as it is").expose(), "TEST-plain");
    let encoded = vault.encrypt(VARIABLE, b"TEST-hidden").await;
    let value = format!("kms:{encoded}");
    let opened = vault.kms.configuration(VARIABLE, &value).await;
    assert_eq!(opened.expect("decrypted").expose(), "TEST-hidden");
    is_corrupt(&vault.kms.configuration("TWINKEY_OTHER", &value).await);
}

#[tokio::test]
async fn p8_a_configuration_value_that_is_wrong_is_named_and_not_shown() {
    let vault = Vault::new().await;
    let binary = vault.encrypt(VARIABLE, &[0xff, 0xfe]).await;
    let wrong = [
        "kms:TEST-marker!".to_owned(),
        format!("kms:{}", STANDARD.encode("TEST-marker")),
        format!("kms:{binary}"),
    ];
    for value in wrong {
        let error = vault.kms.configuration(VARIABLE, &value).await;
        let error = error.expect_err("wrong");
        let told = format!("{error} {error:?}");
        assert!(told.contains(VARIABLE), "{told}");
        assert!(
            !told.contains("marker") && !told.contains(&value[4..]),
            "{told}"
        );
    }
}
