//! Others judge the stub that we wrote, and the keys that we make.

use std::process::Command;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use tempfile::TempDir;
use twinkey_core::{
    Choose, Credential, KeyLabel, SecretAddress, SecretId, SecretValue, Sign, StoreError,
    SystemClock, VersionId,
};
use twinkey_github::{DeployKeySecret, Github, Settings};
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_tests::reader;

use crate::deploy_key_document;

/// Mints as the App, uses the token, revokes it, and finds it refused; each by the means of `PyGithub`.
const PYGITHUB: &str = r#"
import os
from github import Auth, Github, GithubException, GithubIntegration
base, installation = os.environ["BASE"], int(os.environ["INSTALLATION"])
app = GithubIntegration(auth=Auth.AppAuth(os.environ["APP"], open(os.environ["PEM"]).read()), base_url=base)
minted = app.get_access_token(installation, permissions={"contents": "read"})
assert minted.permissions == {"contents": "read", "metadata": "read"}, minted.permissions
print(minted.token)
client = Github(auth=Auth.Token(minted.token), base_url=base)
_, reached = client.requester.requestJsonAndCheck("GET", "/installation/repositories")
assert [it["name"] for it in reached["repositories"]] == ["gadgets", "widgets"], reached
client.requester.requestJsonAndCheck("DELETE", "/installation/token")
try:
    client.requester.requestJsonAndCheck("GET", "/installation/repositories")
    raise SystemExit("it still works")
except GithubException as refused:
    assert refused.status == 401, refused
"#;

#[tokio::test]
async fn pygithub_mints_uses_and_revokes_a_token_at_the_stub() {
    let key = AppKey::generate();
    let stub = GithubStub::start(Arc::new(SystemClock), key.public_der()).await;
    let folder = TempDir::new().expect("a folder");
    let pem = folder.path().join("app.pem");
    std::fs::write(&pem, key.pem()).expect("written");
    for app in [GithubStub::APP_ID, GithubStub::CLIENT_ID] {
        let output = reader("python")
            .args(["-I", "-c", PYGITHUB])
            .env("BASE", stub.base())
            .env("INSTALLATION", GithubStub::INSTALLATION)
            .env("APP", app)
            .env("PEM", &pem)
            .output()
            .await
            .expect("python starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(token.starts_with("ghs_") && !stub.accepts(&token));
    }
    assert_eq!((stub.minted_tokens(), stub.live_tokens()), (2, 0));
}

/// Nothing is asked of either.
struct Nobody;

#[async_trait::async_trait]
impl Sign for Nobody {
    async fn sign(&self, key: &str, _: &[u8]) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::NoSecret(SecretId::new(key)))
    }
}

#[async_trait::async_trait]
impl twinkey_core::Borrow for Nobody {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        Err(StoreError::NoSecret(secret.clone()))
    }
}

/// What OpenSSH's own program says of a key file.
fn ssh_keygen(arguments: &[&str], file: &std::path::Path) -> String {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .arg("-f")
        .arg(file)
        .output();
    let output = output.expect("ssh-keygen starts: apt-get install openssh-client");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn openssh_takes_the_private_key_as_it_is_and_finds_the_same_public_one() {
    let stub = GithubStub::start(Arc::new(SystemClock), AppKey::generate().public_der()).await;
    let provider =
        Github::new(Settings::default(), Arc::new(Nobody), Arc::new(Nobody)).deploy_keys();
    let document = deploy_key_document(&stub, &json!({"secret": "app/pem"}));
    let secret =
        DeployKeySecret::parse(&SecretValue::new(document.to_string())).expect("a document");
    let label = KeyLabel {
        address: SecretAddress {
            store: "TEST".into(),
            secret: SecretId::new("ci/key"),
        },
        version: VersionId::random(&mut rand::rng()),
    };
    let chosen = provider
        .choose(&secret, &label, &mut StdRng::from_rng(&mut rand::rng()))
        .expect("chosen");
    let rendered: serde_json::Value = serde_json::from_str(chosen.render().expose()).expect("JSON");
    let field = |name: &str| rendered[name].as_str().expect("a text").to_owned();
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("key");
    std::fs::write(&file, field("private_key")).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).expect("made private");
    assert_eq!(ssh_keygen(&["-y"], &file).trim(), field("public_key"));
    let listed = ssh_keygen(&["-l"], &file);
    assert!(listed.contains(&field("fingerprint")), "{listed}");
    // And it signs: what `ssh` proves to a server.
    let message = folder.path().join("message");
    std::fs::write(&message, "TEST").expect("written");
    let signed = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", "TEST", "-f"])
        .arg(&file)
        .arg(&message)
        .output();
    assert!(signed.expect("ssh-keygen starts").status.success());
}
