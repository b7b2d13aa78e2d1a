//! The server: AWS JSON 1.1 over plain HTTP on loopback.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use twinkey_core::SecretId;
use twinkey_testkit::{FakeClock, FakeSecretsManager};

use crate::Trouble;
use crate::ledger::{Entries, Ledger};
use crate::operations::Service;
use crate::refusal::Refusal;
use crate::request::{Request, arn};

/// What is served of CloudWatch Logs.
const LOGS: &str = "FilterLogEvents";

type Answer = hyper::Response<Full<Bytes>>;

/// Secrets Manager on loopback. It ends when it is dropped.
pub struct SecretsManagerServer {
    address: SocketAddr,
    service: Service,
    task: JoinHandle<()>,
}

impl SecretsManagerServer {
    /// Serves a fake on a free port. Each call moves the fake's clock by a millisecond.
    pub async fn start(fake: FakeSecretsManager, clock: FakeClock) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound port");
        let service = Service {
            fake,
            clock,
            ledger: Ledger::default(),
        };
        let task = tokio::spawn(accept(listener, service.clone()));
        Self {
            address,
            service,
            task,
        }
    }

    /// What an SDK takes as its endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The fake behind it.
    #[must_use]
    pub fn fake(&self) -> &FakeSecretsManager {
        &self.service.fake
    }

    /// The ARN that this server gives a secret; it takes names and ARNs.
    #[must_use]
    pub fn arn(&self, name: &str) -> SecretId {
        SecretId::new(arn(&SecretId::new(name)))
    }

    /// How often an operation was called, however it was answered.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.requests(operation).len()
    }

    /// Waits until this holds of the operations that were called since the last look, in order.
    pub async fn until(&self, holds: impl Fn(&[&str]) -> bool) {
        let ledger = &self.service.ledger;
        let on = |entries: &Entries| {
            let calls = entries.calls.iter();
            let operations: Vec<&str> = calls.map(|(operation, _)| operation.as_str()).collect();
            holds(&operations)
        };
        ledger.until(on).await;
    }

    /// Every call since the last look, in order.
    #[must_use]
    pub fn take_calls(&self) -> Vec<String> {
        let calls = std::mem::take(&mut self.service.ledger.entries().calls);
        calls.into_iter().map(|(operation, _)| operation).collect()
    }

    /// The parameters of the calls of an operation, secret values too.
    #[must_use]
    pub fn requests(&self, operation: &str) -> Vec<Value> {
        let entries = self.service.ledger.entries();
        let calls = entries.calls.iter();
        calls
            .filter(|(called, _)| called == operation)
            .map(|(_, parameters)| parameters.clone())
            .collect()
    }

    /// From now on, whoever signs with this access key may call these operations and no other.
    pub fn allow<'a>(&self, access_key: &str, operations: impl IntoIterator<Item = &'a str>) {
        let mut entries = self.service.ledger.entries();
        let rights = operations.into_iter().map(str::to_owned).collect();
        entries.rights.insert(access_key.to_owned(), rights);
    }

    /// The operations that were called by whoever signed with this access key, each once.
    #[must_use]
    pub fn called_by(&self, access_key: &str) -> Vec<String> {
        let entries = self.service.ledger.entries();
        let called = entries.callers.get(access_key);
        called.into_iter().flatten().cloned().collect()
    }

    /// The next call of an operation that has no trouble yet meets this one.
    pub fn next(&self, operation: &str, trouble: Trouble) {
        let mut entries = self.service.ledger.entries();
        let queue = entries.troubles.entry(operation.to_owned()).or_default();
        queue.push_back(trouble);
    }

    /// The call that comes after `others` other calls meets trouble, whatever its operation.
    pub fn after(&self, others: usize, trouble: Trouble) {
        let mut entries = self.service.ledger.entries();
        let number = entries.count + others;
        entries.planned.insert(number, trouble);
    }

    /// A function writes lines to its log group, which CloudWatch Logs serves at the same endpoint.
    pub fn log(&self, group: &str, lines: &[&str]) {
        let mut entries = self.service.ledger.entries();
        entries.logs.make(group);
        for line in lines {
            entries.logs.add(group, line);
        }
    }

    /// Fields that `DescribeSecret` and `ListSecrets` tell of a secret from now on: `OwningService`, say.
    pub fn describe_as(&self, secret: &str, fields: Map<String, Value>) {
        let mut entries = self.service.ledger.entries();
        entries.described.insert(SecretId::new(secret), fields);
    }
}

impl Drop for SecretsManagerServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connections end with the task.
async fn accept(listener: TcpListener, service: Service) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, service.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, service: Service) {
    let answer = service_fn(|request| answer(request, &service));
    // A connection that ends in an error is a client that went away, or a trouble.
    let _ = http1::Builder::new()
        // The fake goes by a clock of its own, and an SDK would take another date for its own clock's fault.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// An error closes the connection without an answer.
async fn answer(request: hyper::Request<Incoming>, service: &Service) -> io::Result<Answer> {
    let Some(operation) = operation(&request) else {
        return Ok(refused(&Refusal::new("UnknownOperationException", "")));
    };
    let caller = access_key(&request).unwrap_or_default();
    let body = request.into_body().collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    let Ok(parameters) = serde_json::from_slice(&body) else {
        return Ok(refused(&Refusal::new("SerializationException", "")));
    };
    match service.ledger.note(&caller, &operation, &parameters) {
        None => Ok(performed(service, &operation, &parameters).await),
        Some(trouble) => troubled(trouble, service, &operation, &parameters).await,
    }
}

async fn performed(service: &Service, operation: &str, parameters: &Value) -> Answer {
    match service.perform(operation, parameters).await {
        Ok(value) => response(200, &value),
        Err(refusal) => refused(&refusal),
    }
}

async fn troubled(
    trouble: Trouble,
    service: &Service,
    operation: &str,
    parameters: &Value,
) -> io::Result<Answer> {
    let refusal = match trouble {
        Trouble::Throttle => Refusal::throttled(),
        Trouble::Deny if operation == LOGS => Refusal::denied_logs(parameters),
        Trouble::Deny => {
            let secret = Request::new(operation, parameters).secret();
            Refusal::denied(operation, &secret.map_or("*".into(), |it| arn(&it)))
        }
        Trouble::DenyKms => Refusal::denied_by_kms(),
        Trouble::BrokenKms => Refusal::broken_kms(operation),
        Trouble::ExpiredCredentials => Refusal::expired_credentials(),
        Trouble::Break => Refusal::broken(),
        Trouble::Quote => Refusal::quoting(parameters),
        Trouble::Garble => {
            return Ok(hyper::Response::new(Full::from(
                parameters.to_string() + "}",
            )));
        }
        Trouble::Hang => std::future::pending::<Infallible>().await.into(),
        Trouble::DropBefore => return Err(io::ErrorKind::ConnectionReset.into()),
        Trouble::DropAfter => {
            performed(service, operation, parameters).await;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    };
    Ok(refused(&refusal))
}

/// `X-Amz-Target: secretsmanager.GetSecretValue`, or `Logs_20140328.FilterLogEvents`
fn operation(request: &hyper::Request<Incoming>) -> Option<String> {
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    let (service, operation) = target.split_once('.')?;
    let served = match service {
        "secretsmanager" => operation != LOGS,
        "Logs_20140328" => operation == LOGS,
        _ => false,
    };
    served.then(|| operation.to_owned())
}

/// `AWS4-HMAC-SHA256 Credential=AKIA…/20260101/eu-central-1/…`
fn access_key(request: &hyper::Request<Incoming>) -> Option<String> {
    let header = request.headers().get("authorization")?.to_str().ok()?;
    let (_, credential) = header.split_once("Credential=")?;
    Some(credential.split('/').next()?.to_owned())
}

fn refused(refusal: &Refusal) -> Answer {
    response(refusal.status, &refusal.body())
}

fn response(status: u16, body: &Value) -> Answer {
    hyper::Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-requestid", "TEST-request")
        .body(Full::from(body.to_string()))
        .expect("a status and two headers")
}
