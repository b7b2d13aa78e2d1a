//! The key that signs for the GitHub App.

use aws_sdk_kms::types::{KeyMetadata, KeyState, SigningAlgorithmSpec};
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::deployment::Account;
use crate::finding::Finding;
use crate::question::Question;

/// The finding, and the ARN of the key that has the alias now.
pub(crate) struct SigningKey {
    pub(crate) finding: Finding,
    pub(crate) arn: Option<String>,
}

/// One call, read-only.
pub(crate) async fn look(config: &SdkConfig, alias: &str) -> SigningKey {
    let subject = format!("key {alias}");
    let client = aws_sdk_kms::Client::new(config);
    let question = Question::new("KMS", "kms:DescribeKey", alias);
    let request = client.describe_key().key_id(alias);
    let (finding, arn) = match question.answer(request.send().await) {
        Ok(Some(found)) => match found.key_metadata {
            Some(key) => (signs(subject, alias, &key), key.arn),
            None => (none(subject), None),
        },
        Ok(None) => (none(subject), None),
        Err(error) => (Finding::unknown(subject, &error), None),
    };
    SigningKey { finding, arn }
}

/// The ARN of the key that a name stands for; none if there is no such key. One call, for an alias only.
pub(crate) async fn arn(
    config: &SdkConfig,
    account: &Account,
    name: &str,
) -> Result<Option<String>, StoreError> {
    if let Some(arn) = account.key_arn(name) {
        return Ok(Some(arn));
    }
    let question = Question::new("KMS", "kms:DescribeKey", name);
    let request = aws_sdk_kms::Client::new(config).describe_key().key_id(name);
    let found = question.answer(request.send().await)?;
    Ok(found.and_then(|it| it.key_metadata?.arn))
}

fn none(subject: String) -> Finding {
    let detail = "no key has this alias: no GitHub token or deploy key can be made";
    let hint = "deploy with MakeSigningKey=true (make_signing_key); --signing-alias names another one, and '' none, \
        where a secret holds the App's key";
    Finding::missing(subject, detail, hint)
}

fn signs(subject: String, alias: &str, key: &KeyMetadata) -> Finding {
    let wanted = SigningAlgorithmSpec::RsassaPkcs1V15Sha256;
    if !key.signing_algorithms().contains(&wanted) {
        let detail = format!("its key cannot sign by {}", wanted.as_str());
        let hint = "move the alias to an RSA key for signing: docs/providers/github.md";
        return Finding::wrong(subject, detail, hint);
    }
    match key.key_state() {
        Some(KeyState::Enabled) => Finding::ok(subject, format!("key {}", key.key_id())),
        Some(KeyState::PendingImport) => Finding::wrong(
            subject,
            "its key is empty",
            format!(
                "import the App's private key into {}: docs/providers/github.md",
                key.key_id()
            ),
        ),
        state => {
            let id = key.key_id();
            let state = state.map_or("in no state", KeyState::as_str);
            let hint = format!(
                "aws kms cancel-key-deletion --key-id {id} if it is to be deleted, then aws kms enable-key --key-id {id}; \
                 or move {alias} to another key"
            );
            Finding::wrong(subject, format!("its key is {state}"), hint)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::finding::State;

    fn of(state: KeyState, algorithm: SigningAlgorithmSpec) -> Finding {
        let key = KeyMetadata::builder()
            .key_id("TEST-key")
            .key_state(state)
            .signing_algorithms(algorithm)
            .build();
        signs("key alias/TEST".into(), "alias/TEST", &key.unwrap())
    }

    #[test]
    fn a_key_that_cannot_sign_says_why_and_what_to_do() {
        let ours = SigningAlgorithmSpec::RsassaPkcs1V15Sha256;
        assert_eq!(of(KeyState::Enabled, ours.clone()).state, State::Ok);
        for (state, detail, hint) in [
            (
                KeyState::PendingImport,
                "empty",
                "import the App's private key into TEST-key",
            ),
            (
                KeyState::Disabled,
                "Disabled",
                "enable-key --key-id TEST-key",
            ),
            (
                KeyState::PendingDeletion,
                "PendingDeletion",
                "cancel-key-deletion --key-id TEST-key",
            ),
        ] {
            let found = of(state, ours.clone());
            assert_eq!(found.state, State::Wrong);
            assert!(found.detail.contains(detail), "{found:?}");
            assert!(found.hint.is_some_and(|it| it.contains(hint)), "{detail}");
        }
        let other = of(KeyState::Enabled, SigningAlgorithmSpec::EcdsaSha256);
        assert_eq!(other.state, State::Wrong);
    }
}
