//! The same function under a Runtime API and a Secrets Manager that others wrote: `cargo lambda watch` and moto.
//!
//! Neither shows everything. The runtime's deadline is ten minutes for every invocation, and it ends nothing; moto's
//! known deviations are in `twinkey-aws`'s test of it. Where they differ from AWS, our own stand-ins are the test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use twinkey_core::Step;
use twinkey_test_aws::{Moto, boto3};
use twinkey_test_postgres::SUPERUSER;
use twinkey_tests::{FIRST_PASSWORD, Function, Site, step_event, target};

/// Where `cargo xtask test` installs it, under the target directory.
const PROGRAM: &str = "tools/cargo-lambda-1.9.2/bin/cargo-lambda";
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `cargo lambda watch`. It ends when it is dropped.
pub(crate) struct Runtime {
    address: SocketAddr,
    _child: Child,
    _project: TempDir,
}

impl Runtime {
    pub(crate) async fn start() -> Self {
        let project = project();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = port.local_addr().expect("bound");
        drop(port);
        let mut command = Command::new("/usr/bin/setpriv");
        // A test that was killed leaves no server behind.
        command
            .args(["--pdeathsig", "KILL"])
            .arg(tool())
            .args([
                "lambda",
                "watch",
                "--only-lambda-apis",
                "-A",
                "127.0.0.1",
                "-P",
            ])
            .arg(address.port().to_string())
            .current_dir(project.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("cargo-lambda starts");
        let started = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            assert!(started.elapsed() < PATIENCE, "cargo-lambda does not listen");
            let ended = child.try_wait().expect("a state");
            assert!(ended.is_none(), "cargo-lambda ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            address,
            _child: child,
            _project: project,
        }
    }

    /// What a function of this name finds in `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn runtime_api(&self, name: &str) -> String {
        format!("http://{}/.rt/{name}", self.address)
    }

    /// Where Lambda's own call to invoke a function goes.
    pub(crate) fn invoke_url(&self, name: &str) -> String {
        format!("http://{}{}", self.address, invoke_path(name))
    }

    /// Lambda's own call to invoke a function: its status and its answer.
    async fn invoke(&self, name: &str, event: String) -> (u16, Value) {
        let stream = TcpStream::connect(self.address).await.expect("connected");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP");
        let connection = tokio::spawn(connection);
        let request = hyper::Request::post(invoke_path(name))
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .body(Full::<bytes::Bytes>::from(event))
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        connection.abort();
        (status, serde_json::from_slice(&body).expect("JSON"))
    }
}

fn invoke_path(name: &str) -> String {
    format!("/2015-03-31/functions/{name}/invocations")
}

/// A project with a program of the function's name: without one, no such function is known.
fn project() -> TempDir {
    let project = TempDir::new().expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(project.path().join(name), text).expect("written");
    };
    write(
        "Cargo.toml",
        "[package]\nname = \"bootstrap\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    std::fs::create_dir(project.path().join("src")).expect("made");
    write("src/main.rs", "fn main() {}\n");
    project
}

fn tool() -> PathBuf {
    let tool = target().join(PROGRAM);
    assert!(
        tool.is_file(),
        "{} is missing: cargo xtask test installs it",
        tool.display()
    );
    tool
}

/// Makes the two secrets and begins a rotation, as moto lets it begin: with a function that it does not find.
const BEGIN: &str = r#"
import boto3, json, os
from botocore.exceptions import ClientError
what = json.loads('''DOCUMENTS''')
client = boto3.client("secretsmanager", endpoint_url=os.environ["ENDPOINT"])
if what["admin"]:
    admin = client.create_secret(Name="db/admin", SecretString=json.dumps(what["admin"]))
    what["app"]["masterarn"] = admin["ARN"]
    client.create_secret(Name="db/app", SecretString=json.dumps(what["app"]),
        Tags=[{"Key": "twinkey:min-overlap", "Value": "0s"}])
for version, stages in client.describe_secret(SecretId="db/app")["VersionIdsToStages"].items():
    # Both labels on one version are a rotation that has ended; moto takes them for one in flight.
    if {"AWSCURRENT", "AWSPENDING"} <= set(stages):
        client.update_secret_version_stage(SecretId="db/app", VersionStage="AWSPENDING", RemoveFromVersionId=version)
try:
    client.rotate_secret(SecretId="db/app", ClientRequestToken=what["token"],
        RotationRules={"AutomaticallyAfterDays": 30},
        RotationLambdaARN="arn:aws:lambda:eu-central-1:123456789012:function:TEST-missing")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceNotFoundException", error
print(client.describe_secret(SecretId="db/app")["ARN"])
"#;
pub(crate) const READ: &str = r#"
import boto3, json, os
client = boto3.client("secretsmanager", endpoint_url=os.environ["ENDPOINT"])
read = lambda stage: json.loads(client.get_secret_value(SecretId="db/app", VersionStage=stage)["SecretString"])
print(json.dumps([read("AWSCURRENT"), read("AWSPREVIOUS")]))
"#;

pub(crate) async fn person(moto: &Moto, script: String) -> String {
    let endpoint = moto.endpoint().to_owned();
    let told = tokio::task::spawn_blocking(move || boto3(&endpoint, &script));
    told.await.expect("told").trim().to_owned()
}

async fn begin(moto: &Moto, admin: &Value, app: &Value, token: &str) -> String {
    let what = json!({ "admin": admin, "app": app, "token": token });
    person(moto, BEGIN.replace("DOCUMENTS", &what.to_string())).await
}

pub(crate) fn function(site: &Site, moto: &Moto) -> Function {
    Function::new(&[
        ("AWS_ENDPOINT_URL", moto.endpoint()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "TEST-key"),
        ("AWS_SECRET_ACCESS_KEY", "TEST-secret"),
        (
            "TWINKEY_CA_BUNDLE",
            &site.cluster.ca_path().to_string_lossy(),
        ),
    ])
}

#[tokio::test]
async fn two_rotations_under_cargo_lambda_with_moto_leave_two_keys() {
    let site = Site::default();
    site.create_role("app").await;
    let (moto, runtime) = (Moto::start(), Runtime::start().await);
    let function = function(&site, &moto);
    let mut process = function.start(&runtime.runtime_api("bootstrap"));
    let mut admin = site.document(SUPERUSER, site.cluster.password());
    let app = site.document("app", FIRST_PASSWORD);
    for token in ["a".repeat(32), "b".repeat(32)] {
        let arn = begin(&moto, &admin, &app, &token).await;
        admin = Value::Null;
        for step in Step::ALL {
            // Each of them twice.
            for _ in 0..2 {
                let event = step_event(step, &arn, &token);
                let (status, answer) = runtime.invoke("bootstrap", event).await;
                assert_eq!(
                    status,
                    200,
                    "{step}: {answer} {}",
                    function.streams().stderr()
                );
            }
        }
        let read = person(&moto, READ.into()).await;
        let keys: [Value; 2] = serde_json::from_str(&read).expect("two documents");
        for key in &keys {
            assert!(site.accepts(key).await, "P1 and P3");
        }
        assert_ne!(keys[0]["username"], keys[1]["username"]);
    }
    let (status, answer) = runtime.invoke("bootstrap", "{\"Records\":[]}".into()).await;
    assert_eq!(
        (status, &answer["errorType"]),
        (500, &json!("UnknownEvent")),
        "{answer}"
    );
    process.kill().await.expect("ended");
}
