//! The stub at a port of loopback, and what a test does to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use twinkey_core::Clock;

use crate::reply::Reply;
use crate::state::{App, DeployKey, Installation, Seen, State, Trouble};

/// A GitHub with one App that is installed once. It stops when dropped.
pub struct GithubStub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for GithubStub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl GithubStub {
    /// The numeric id of its App.
    pub const APP_ID: &str = "12345";
    /// The client id of its App.
    pub const CLIENT_ID: &str = "Iv23TEST";
    /// The id of the App's installation.
    pub const INSTALLATION: &str = "678";
    /// Whose account it is installed in.
    pub const OWNER: &str = "acme";

    /// Starts it, with the public half of the App's key in DER of PKCS#1 or SPKI. The installation has `contents:
    /// write` and `administration: write`, and reaches `widgets` and `gadgets`.
    pub async fn start(clock: Arc<dyn Clock>, public_key: Vec<u8>) -> Self {
        let state = Arc::new(Mutex::new(State {
            clock,
            app: App {
                id: Self::APP_ID.into(),
                client_id: Self::CLIENT_ID.into(),
                public: public_key,
            },
            installation: Installation {
                id: Self::INSTALLATION.parse().expect("a number"),
                login: Self::OWNER.into(),
                suspended_at: None,
                permissions: json!({"contents": "write", "administration": "write", "metadata": "read"}),
                repositories: ["widgets", "gadgets"].map(str::to_owned).into(),
            },
            tokens: Vec::new(),
            keys: Vec::new(),
            next_id: 1000,
            seen: Vec::new(),
            troubles: BTreeMap::new(),
            lag: 0,
            stateless: false,
            keys_allowed: true,
            also_granted: None,
            ahead: TimeDelta::zero(),
            most_live: 0,
            moved: BTreeMap::new(),
        }));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let served = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    /// Where its API begins.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many tokens of consumers are live: all but those that may write deploy keys.
    pub fn live_tokens(&self) -> usize {
        self.state().live().len()
    }

    /// The most tokens of consumers that were ever live at once: counted whenever one is minted.
    pub fn most_live_tokens(&self) -> usize {
        self.state().most_live
    }

    /// How many tokens are live that may write deploy keys.
    pub fn live_work_tokens(&self) -> usize {
        self.state().live_for_work()
    }

    /// Whether a token works.
    pub fn accepts(&self, token: &str) -> bool {
        let state = self.state();
        state
            .tokens
            .iter()
            .any(|it| it.value == token && state.is_live(it))
    }

    /// How many tokens were ever minted.
    pub fn minted_tokens(&self) -> usize {
        self.state().tokens.len()
    }

    /// The values of all live tokens of consumers.
    pub fn live_values(&self) -> Vec<String> {
        self.state()
            .live()
            .iter()
            .map(|token| token.value.clone())
            .collect()
    }

    /// A person revokes a token.
    pub fn revoke_by_hand(&self, token: &str) {
        for it in self
            .state()
            .tokens
            .iter_mut()
            .filter(|it| it.value == token)
        {
            it.revoked = true;
        }
    }

    /// The deploy keys of a repository.
    pub fn keys(&self, repository: &str) -> Vec<DeployKey> {
        let keys = self.state().keys.clone();
        keys.into_iter()
            .filter(|key| key.repository == repository)
            .collect()
    }

    /// A person registers a deploy key.
    pub fn add_key_by_hand(&self, repository: &str, title: &str, key: &str) {
        let mut state = self.state();
        let key = DeployKey {
            id: state.id(),
            repository: repository.into(),
            key: key.into(),
            title: title.into(),
            read_only: true,
            enabled: true,
            last_used: None,
            created_at: state.now(),
        };
        state.keys.push(key);
    }

    /// A person removes a deploy key, by its key.
    pub fn remove_key_by_hand(&self, key: &str) {
        self.state().keys.retain(|it| it.key != key);
    }

    /// Changes every deploy key, as a policy or a consumer does.
    pub fn change_keys(&self, change: impl Fn(&mut DeployKey)) {
        self.state().keys.iter_mut().for_each(change);
    }

    /// Whether the policies of the organization let keys be registered.
    pub fn allow_deploy_keys(&self, allowed: bool) {
        self.state().keys_allowed = allowed;
    }

    /// Suspends the installation, or lifts that.
    pub fn suspend(&self, suspended: bool) {
        let mut state = self.state();
        state.installation.suspended_at = suspended.then(|| state.now());
    }

    /// What the installation may do.
    pub fn set_permissions(&self, permissions: Value) {
        self.state().installation.permissions = permissions;
    }

    /// Which repositories the installation reaches, by name.
    pub fn set_repositories(&self, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned());
        self.state().installation.repositories = names.collect();
    }

    /// Every token is granted this too, asked or not.
    pub fn also_grant(&self, name: &'static str, level: &'static str) {
        self.state().also_granted = Some((name, level));
    }

    /// So many requests with a fresh token are refused, as where it is not known everywhere yet.
    pub fn lag(&self, requests: u32) {
        self.state().lag = requests;
    }

    /// Mints tokens in the form that is new in 2026: long, with dots, hyphens and underscores.
    pub fn mint_stateless_tokens(&self) {
        self.state().stateless = true;
    }

    /// Its clock is so far ahead of the injected one.
    pub fn set_clock_ahead(&self, by: TimeDelta) {
        self.state().ahead = by;
    }

    /// What it takes for now.
    pub fn now(&self) -> DateTime<Utc> {
        self.state().now()
    }

    /// A repository has another name now: `owner/name` to `owner/name`.
    pub fn move_repository(&self, from: &str, to: &str) {
        self.state().moved.insert(from.into(), to.into());
    }

    /// Lets something happen to the `request`th request from now on, counted from zero.
    pub fn trouble(&self, request: usize, trouble: Trouble) {
        let mut state = self.state();
        let at = state.seen.len() + request;
        state.troubles.insert(at, trouble);
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// The requests so far as `METHOD /path`, without queries and ids; and forgets them.
    pub fn take_calls(&self) -> Vec<String> {
        let seen = std::mem::take(&mut self.state().seen);
        let calls = seen.into_iter();
        calls
            .map(|it| {
                let path = it.path.split('?').next().unwrap_or_default();
                format!("{} {path}", it.method)
            })
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    // A client may go at any moment.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection is to break.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lost")
    }
}

impl std::error::Error for Lost {}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Lost> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
    let mut state = lock(&state);
    let header = |name: &str| head.headers.get(name).and_then(|it| it.to_str().ok());
    let number = state.seen.len();
    let headers = head
        .headers
        .iter()
        .filter(|(name, _)| *name != "authorization");
    let headers = headers.map(|(name, value)| {
        (
            name.to_string(),
            value.to_str().unwrap_or_default().to_owned(),
        )
    });
    state.seen.push(Seen {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: headers.collect(),
        status: None,
    });
    let trouble = state.troubles.remove(&number);
    let bearer = header("authorization").and_then(|it| {
        it.strip_prefix("Bearer ")
            .or_else(|| it.strip_prefix("bearer "))
            .or_else(|| it.strip_prefix("token "))
    });
    let target = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut reply = match &trouble {
        Some(Trouble::Answers {
            status,
            headers,
            message,
        }) => Reply {
            headers: headers.clone(),
            ..Reply::message(*status, message)
        },
        _ if header("user-agent").is_none() => Reply::message(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        ),
        _ => {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            state.route(&head.method, target, bearer.unwrap_or_default(), &body)
        }
    };
    match trouble {
        Some(Trouble::LosesReply) => return Err(Lost),
        Some(Trouble::Babbles) => reply.body = Some("<html>".into()),
        _ => {}
    }
    if let Some(seen) = state.seen.get_mut(number) {
        seen.status = Some(reply.status);
    }
    Ok(response(&reply, state.now()))
}

fn response(reply: &Reply, now: DateTime<Utc>) -> Response<Full<Bytes>> {
    let mut builder = Response::builder()
        .status(reply.status)
        .header("date", now.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .header("x-github-request-id", "TEST");
    if !reply
        .headers
        .iter()
        .any(|(name, _)| *name == "x-ratelimit-remaining")
    {
        builder = builder
            .header("x-ratelimit-limit", "5000")
            .header("x-ratelimit-remaining", "4999");
    }
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    let body = match &reply.body {
        Some(body) => {
            builder = builder.header("content-type", "application/json; charset=utf-8");
            body.to_string()
        }
        None => String::new(),
    };
    let built: Result<_, hyper::http::Error> = builder.body(Full::new(Bytes::from(body)));
    built.expect("a response")
}

impl State {
    fn route(&mut self, method: &Method, target: &str, bearer: &str, body: &Value) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let number = |name: &str, default: usize| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(key, _)| *key == name);
            values
                .find_map(|(_, value)| value.parse().ok())
                .unwrap_or(default)
        };
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (get, post, delete) = (
            *method == Method::GET,
            *method == Method::POST,
            *method == Method::DELETE,
        );
        let answer = match parts.as_slice() {
            ["app", "installations", id] if get => self.installation(bearer, id),
            ["app", "installations", id, "access_tokens"] if post => self.mint(bearer, id, body),
            ["installation", "repositories"] if get => {
                self.list_repositories(bearer, number("per_page", 30))
            }
            ["installation", "token"] if delete => self.revoke(bearer),
            ["repos", owner, name, rest @ ..] => {
                let repository = format!("{owner}/{name}");
                if let Some(to) = self.moved.get(&repository) {
                    let location = target.replacen(&repository, to, 1);
                    let status = if get { 301 } else { 307 };
                    return Reply {
                        headers: vec![("location", location)],
                        ..Reply::message(status, "Moved Permanently")
                    };
                }
                match rest {
                    ["installation"] if get => self.installation_of(bearer, &repository),
                    ["keys"] if get => {
                        let page = (number("per_page", 30), number("page", 1));
                        self.list_keys(bearer, &repository, page)
                    }
                    ["keys"] if post => self.add_key(bearer, &repository, body),
                    ["keys", id] if get => self.show_key(bearer, &repository, id),
                    ["keys", id] if delete => self.remove_key(bearer, &repository, id),
                    _ => Err(Reply::not_found()),
                }
            }
            _ => Err(Reply::not_found()),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }
}
