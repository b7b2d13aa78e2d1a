//! A Runtime API of our own, for one process at a time. Unlike the one that others wrote, it sends the
//! deadline that it means; who starts it decides what happens when that has passed.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The function returned this.
    Passed(Value),
    /// The function returned an error: `errorType`, and all that it sent.
    Failed(String, Value),
    /// The process ended before it answered.
    Exited,
    /// The deadline passed before it answered.
    TimedOut,
}

/// How long a function may take to ask for its first event.
const START: Duration = Duration::from_mins(1);

/// One event on its way to the function.
struct Invocation {
    id: String,
    body: Bytes,
    time: Duration,
    ahead: Duration,
    taken: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Shared {
    waiting: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>>,
    asked: Arc<Mutex<HashMap<String, oneshot::Sender<Answer>>>>,
    /// Whether the function waits for an event.
    rests: Arc<watch::Sender<bool>>,
}

/// The server. It ends when it is dropped.
pub struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::UnboundedSender<Invocation>,
    shared: Shared,
    task: JoinHandle<()>,
}

impl RuntimeApi {
    /// Serves on a free port of loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port on loopback");
        let (events, waiting) = mpsc::unbounded_channel();
        let shared = Shared {
            waiting: Arc::new(tokio::sync::Mutex::new(waiting)),
            asked: Arc::default(),
            rests: Arc::new(watch::Sender::new(false)),
        };
        Self {
            address: listener.local_addr().expect("a bound port"),
            events,
            task: tokio::spawn(accept(listener, shared.clone())),
            shared,
        }
    }

    /// What the function finds in `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Sends an event and waits for the answer. The function has its time from when it takes the event, as
    /// Lambda counts neither its start nor its rest. Its clock is `ahead` of ours, and so is its deadline.
    pub async fn invoke(&self, body: &[u8], time: Duration, ahead: Duration) -> Answer {
        let ((told, answer), (taken, is_taken)) = (oneshot::channel(), oneshot::channel());
        let invocation = Invocation {
            id: format!("TEST-{:032x}", rand::random::<u128>()),
            body: Bytes::copy_from_slice(body),
            time,
            ahead,
            taken,
        };
        self.shared.asked().insert(invocation.id.clone(), told);
        let sent = self.events.send(invocation);
        assert!(sent.is_ok(), "the server runs as long as we do");
        let started = tokio::time::timeout(START, is_taken).await;
        assert!(started.is_ok(), "the function does not ask for events");
        match tokio::time::timeout(time, answer).await {
            Ok(answer) => answer.expect("one answer for each event"),
            Err(_) => Answer::TimedOut,
        }
    }

    /// Until the function has asked for its next event.
    pub async fn until_it_rests(&self) {
        let mut rests = self.shared.rests.subscribe();
        let asked = tokio::time::timeout(START, rests.wait_for(|rests| *rests)).await;
        assert!(asked.is_ok(), "the function does not ask for events");
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn asked(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Answer>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = request.into_body().collect().await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let path = path
            .strip_prefix("/2018-06-01/runtime/")
            .unwrap_or_default();
        Ok(
            match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
                (Method::GET, ["invocation", "next"]) => self.next().await,
                (Method::POST, ["invocation", id, "response"]) => {
                    self.answered(id, Answer::Passed(json(&body)))
                }
                (Method::POST, ["invocation", id, "error"]) => {
                    self.answered(id, failed(json(&body)))
                }
                _ => response(404),
            },
        )
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.rests.send_replace(true);
        let invocation = self.waiting.lock().await.recv().await;
        self.rests.send_replace(false);
        let Some(invocation) = invocation else {
            return response(410);
        };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let deadline = since.expect("a time after 1970") + invocation.time + invocation.ahead;
        // Who asked may have gone.
        let _ = invocation.taken.send(());
        Response::builder()
            .header("lambda-runtime-aws-request-id", invocation.id)
            .header(
                "lambda-runtime-deadline-ms",
                deadline.as_millis().to_string(),
            )
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:TEST")
            .header("lambda-runtime-trace-id", "Root=TEST")
            .body(Full::from(invocation.body))
            .expect("four headers")
    }

    fn answered(&self, id: &str, answer: Answer) -> Response<Full<Bytes>> {
        match self.asked().remove(id) {
            // Who asked may have gone.
            Some(told) => drop(told.send(answer)),
            None => return response(400),
        }
        response(202)
    }
}

async fn accept(listener: TcpListener, shared: Shared) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(|request| shared.respond(request));
            // An error is a function that went away.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn failed(error: Value) -> Answer {
    let error_type = error["errorType"].as_str().unwrap_or_default();
    Answer::Failed(error_type.to_owned(), error)
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("the function answers in JSON")
}

fn response(status: u16) -> Response<Full<Bytes>> {
    let body = Full::from("{\"status\":\"OK\"}");
    let response = Response::builder().status(status).body(body);
    response.expect("a status")
}
