//! GitHub's keys through the programs that people run: on one machine, and in the function with KMS.

mod judges;
mod one_machine;
mod rotation_function;

use serde_json::{Value, json};
use twinkey_test_github::GithubStub;

/// A document that was never rotated. The App's key is the PEM in a secret, or a key in KMS.
fn token_document(stub: &GithubStub, app_key: &Value) -> Value {
    json!({
        "kind": "github-installation-token", "api_base": stub.base(), "app_id": GithubStub::CLIENT_ID,
        "installation_id": GithubStub::INSTALLATION, "app_key": app_key,
        "permissions": {"contents": "read"}, "repositories": ["widgets"],
    })
}

fn deploy_key_document(stub: &GithubStub, app_key: &Value) -> Value {
    json!({
        "kind": "github-deploy-key", "api_base": stub.base(), "app_id": GithubStub::APP_ID,
        "installation_id": GithubStub::INSTALLATION, "app_key": app_key,
        "repository": "acme/widgets", "read_only": true,
    })
}
