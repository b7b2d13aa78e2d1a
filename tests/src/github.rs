//! GitHub's kinds: documents that were never rotated, and what a rotation asks of others.

use serde_json::{Value, json};
use twinkey_test_github::GithubStub;

use crate::cost::count;
use crate::{Account, Counts, Function};

/// The document of an installation token. The App's key is the PEM in a secret, or a key in KMS.
#[must_use]
pub fn token_document(stub: &GithubStub, app_key: &Value) -> Value {
    json!({
        "kind": "github-installation-token", "api_base": stub.base(), "app_id": GithubStub::CLIENT_ID,
        "installation_id": GithubStub::INSTALLATION, "app_key": app_key,
        "permissions": {"contents": "read"}, "repositories": ["widgets"],
    })
}

/// The document of a deploy key.
#[must_use]
pub fn deploy_key_document(stub: &GithubStub, app_key: &Value) -> Value {
    json!({
        "kind": "github-deploy-key", "api_base": stub.base(), "app_id": GithubStub::APP_ID,
        "installation_id": GithubStub::INSTALLATION, "app_key": app_key,
        "repository": "acme/widgets", "read_only": true,
    })
}

/// The outside calls of one rotation of a key at GitHub, counted by those who were asked.
pub struct GithubCost {
    /// Calls to Secrets Manager, by operation.
    pub calls: Counts,
    /// Requests to GitHub, by method.
    pub requests: Counts,
}

impl GithubCost {
    /// Rotates a secret and counts. Whoever wants a later rotation has rotated before.
    pub async fn of_a_rotation(
        account: &Account,
        stub: &GithubStub,
        function: &mut Function,
        name: &str,
    ) -> Self {
        drop((account.aws.take_calls(), stub.take_calls()));
        let token = account.begin(name);
        let rotated = function.rotate(&account.aws.arn(name), &token).await;
        rotated.expect("nothing disturbs it");
        let requests = stub.take_calls().into_iter();
        let method = |call: String| call.split(' ').next().unwrap_or_default().to_owned();
        Self {
            calls: count(account.aws.take_calls()),
            requests: count(requests.map(method)),
        }
    }
}
