//! Prism: it stands in front of the stub and checks each request and each answer by GitHub's own description.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use twinkey_test_github::{DESCRIPTION, GithubStub};
use twinkey_tests::{Server, node};

const READY: &str = "Prism is listening on ";
const RECEIVED: &str = "Request received";
const ANSWERED: &str = " has returned ";
const UNDESCRIBED: &str = "Unable to match the returned status code";
const VIOLATION: &str = "Violation: ";
const REFUSED: &str = "Request terminated with error: ";
/// What is asked last of all, and is in no description.
const END: &str = "/the-end";

/// A running Prism.
pub(crate) struct Prism {
    server: Server,
    address: String,
    _folder: TempDir,
}

/// One request, as Prism tells of it.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// `get /repos/{owner}/{repo}/keys`: as GitHub describes it, or as it came if it does not.
    pub(crate) operation: String,
    /// What the stub answered, if it was asked.
    pub(crate) status: Option<u16>,
    /// That status is none that GitHub describes. Its answer is passed on as it is.
    pub(crate) is_undescribed: bool,
    /// What else is not as it is described.
    pub(crate) violations: Vec<String>,
}

impl Prism {
    /// Starts it in front of a stub.
    pub(crate) async fn before(stub: &GithubStub) -> Self {
        let folder = TempDir::new().expect("a folder");
        let description = folder.path().join("github-api.json");
        std::fs::write(&description, DESCRIPTION).expect("written");
        let mut command = node();
        command
            .args(["node_modules/.bin/prism", "proxy", "--errors"])
            .args(["--host", "127.0.0.1", "--port", "0"])
            .arg(description)
            .arg(stub.base());
        let mut server = Server::start(command);
        let told = server.until(READY).await;
        let last = told.last().and_then(|line| line.split_once("http://"));
        let (_, address) = last.expect("an address");
        Self {
            address: address.trim().to_owned(),
            server,
            _folder: folder,
        }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A request without a token, and the status of its answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> u16 {
        let mut stream = TcpStream::connect(&self.address).await.expect("a server");
        let (length, host) = (body.len(), &self.address);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: TEST\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("sent");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer).await;
        read.expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
        status.expect("a status")
    }

    /// Everything that went through it, in order: nothing may be asked at the same time.
    pub(crate) async fn exchanges(mut self) -> Vec<Exchange> {
        assert_eq!(self.ask("GET", END, "").await, 404);
        let operations = operations();
        let mut exchanges: Vec<Exchange> = Vec::new();
        for line in self.server.until(&format!("get {END}")).await {
            note(&line, &operations, &mut exchanges);
        }
        exchanges.retain(|it| it.operation != format!("get {END}"));
        exchanges
    }
}

fn note(line: &str, operations: &[String], exchanges: &mut Vec<Exchange>) {
    if line.contains(RECEIVED) {
        let asked = line.split_once("[HTTP SERVER] ").map(|(_, asked)| asked);
        let mut words = asked.into_iter().flat_map(|it| it.split(' '));
        let (method, path) = (words.next().expect("a method"), words.next());
        let operation = format!("{method} {}", path.expect("a path"));
        let described = operations.iter().find(|it| is(it, &operation));
        exchanges.push(Exchange {
            operation: described.cloned().unwrap_or(operation),
            ..Exchange::default()
        });
    } else if let Some(exchange) = exchanges.last_mut() {
        if let Some((_, status)) = line.split_once(ANSWERED) {
            exchange.status = status.trim().parse().ok();
        } else if line.contains(UNDESCRIBED) {
            exchange.is_undescribed = true;
        } else if let Some((_, problem)) = line.split_once(VIOLATION).or(line.split_once(REFUSED)) {
            exchange.violations.push(problem.to_owned());
        }
    }
}

/// The operations that the description has.
pub(crate) fn operations() -> Vec<String> {
    let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
    let paths = description["paths"].as_object().expect("paths").iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect()
}

/// Whether a request is for an operation.
fn is(operation: &str, request: &str) -> bool {
    let (described, came) = (operation.split('/'), request.split('/'));
    described.clone().count() == came.clone().count()
        && described
            .zip(came)
            .all(|(described, came)| described.starts_with('{') || described == came)
}

/// How often each operation was answered with each status.
pub(crate) fn counts(exchanges: &[Exchange]) -> BTreeMap<(String, u16), usize> {
    let mut counts = BTreeMap::new();
    for exchange in exchanges {
        let status = exchange.status.unwrap_or_default();
        *counts
            .entry((exchange.operation.clone(), status))
            .or_default() += 1;
    }
    counts
}
