//! Octokit, GitHub's own client for JavaScript, at the stub.

use std::sync::Arc;

use tempfile::TempDir;
use twinkey_core::SystemClock;
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_tests::{node, text};

/// Mints as the App, uses the token, revokes it, and finds it refused; each by the means of Octokit.
const OCTOKIT: &str = r#"
import { readFileSync } from "node:fs";
import { deepStrictEqual, rejects } from "node:assert";
import { createAppAuth } from "@octokit/auth-app";
import { request as octokit } from "@octokit/request";

const { APP, BASE, INSTALLATION, PEM } = process.env;
const request = octokit.defaults({ baseUrl: BASE });
const auth = createAppAuth({ appId: APP, privateKey: readFileSync(PEM, "utf8"), request });
const minted = await auth({ type: "installation", installationId: INSTALLATION, permissions: { contents: "read" } });
deepStrictEqual(minted.permissions, { contents: "read", metadata: "read" });
console.log(minted.token);
const authorized = request.defaults({ headers: { authorization: `Bearer ${minted.token}` } });
const reached = await authorized("GET /installation/repositories");
deepStrictEqual(reached.data.repositories.map((it) => it.name), ["gadgets", "widgets"]);
await authorized("DELETE /installation/token");
await rejects(authorized("GET /installation/repositories"), { status: 401 });
"#;

async fn octokit(stub: &GithubStub, app: &str, key: &AppKey) -> std::process::Output {
    let folder = TempDir::new().expect("a folder");
    let pem = folder.path().join("app.pem");
    std::fs::write(&pem, key.pem()).expect("written");
    let mut command = node();
    command
        .args(["--input-type=module", "--eval", OCTOKIT])
        .env("BASE", stub.base())
        .env("INSTALLATION", GithubStub::INSTALLATION)
        .env("APP", app)
        .env("PEM", &pem);
    command.output().await.expect("node starts")
}

#[tokio::test]
async fn octokit_mints_uses_and_revokes_a_token_at_the_stub() {
    let key = AppKey::generate();
    let stub = GithubStub::start(Arc::new(SystemClock), key.public_der()).await;
    for app in [GithubStub::APP_ID, GithubStub::CLIENT_ID] {
        let output = octokit(&stub, app, &key).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let token = text(&output.stdout).trim().to_owned();
        assert!(token.starts_with("ghs_") && !stub.accepts(&token));
    }
    assert_eq!((stub.minted_tokens(), stub.live_tokens()), (2, 0));
    let refused = octokit(&stub, GithubStub::APP_ID, &AppKey::generate()).await;
    let told = text(&refused.stderr);
    assert!(
        !refused.status.success() && told.contains("could not be decoded"),
        "{told}"
    );
    assert_eq!(stub.minted_tokens(), 2);
}
