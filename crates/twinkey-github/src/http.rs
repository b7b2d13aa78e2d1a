//! The transport: one request, one answer. A trait, so that tests can let each request fail; it is [`Reqwest`]
//! everywhere else.

use std::error::Error;
use std::io;
use std::sync::OnceLock;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use crate::Settings;

/// The most that is read of one answer: a token's for 500 repositories describes each of them.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// One request to GitHub's REST API. Clones are the same request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Where it goes.
    pub url: String,
    /// Who asks: the App's JSON web token, or an installation token.
    pub bearer: SecretString,
    /// JSON, if it has a body.
    pub body: Option<String>,
}

/// An answer, whatever it says.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers by their names in lower case.
    pub headers: Vec<(String, String)>,
    /// What it says. It may be a token.
    pub body: Vec<u8>,
}

/// Why there is no answer. Whether the request took effect is unknown, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The host proves not to be who it should be: nothing was sent.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// No answer, or none that ended.
    #[error("{0}")]
    NoAnswer(String),
    /// The request cannot be sent: nothing was.
    #[error("{0}")]
    Unusable(String),
}

/// Sends requests.
#[async_trait]
pub trait Http: Send + Sync {
    /// One request and its answer. Follows no redirect: a token goes to no other host.
    async fn send(&self, request: &Request) -> Result<Reply, HttpError>;
}

/// The transport by reqwest, over the one TLS stack. It keeps connections between two requests.
pub struct Reqwest {
    settings: Settings,
    // Reading the system's authorities takes a while: once, and only if needed.
    client: OnceLock<Result<reqwest::Client, HttpError>>,
}

impl Reqwest {
    /// By the operator's authorities and limits. Connects to nobody yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            client: OnceLock::new(),
        }
    }

    fn build(&self) -> Result<reqwest::Client, HttpError> {
        let unusable = |error: &dyn Error| HttpError::Unusable(error.to_string());
        let tls = self
            .settings
            .authorities
            .client()
            .map_err(|error| unusable(&error))?;
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.settings.timeout)
            .user_agent(concat!("twinkey/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unusable(&error))
    }
}

#[async_trait]
impl Http for Reqwest {
    async fn send(&self, request: &Request) -> Result<Reply, HttpError> {
        let client = self.client.get_or_init(|| self.build()).as_ref();
        let client = client.map_err(HttpError::clone)?;
        let method = match request.method {
            "POST" => reqwest::Method::POST,
            "DELETE" => reqwest::Method::DELETE,
            _ => reqwest::Method::GET,
        };
        let mut builder = client
            .request(method, &request.url)
            .bearer_auth(request.bearer.expose_secret())
            // GitHub's description of its API knows only the second.
            .header(
                "accept",
                "application/vnd.github+json, application/json;q=0.9",
            )
            .header("x-github-api-version", "2022-11-28");
        if let Some(body) = &request.body {
            builder = builder
                .header("content-type", "application/json")
                .body(body.clone());
        }
        let mut answer = builder.send().await.map_err(|error| no_answer(&error))?;
        let headers = answer.headers().iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        let mut reply = Reply {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: Vec::new(),
        };
        while let Some(chunk) = answer.chunk().await.map_err(|error| no_answer(&error))? {
            if reply.body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(HttpError::NoAnswer("the answer does not end".into()));
            }
            reply.body.extend_from_slice(&chunk);
        }
        Ok(reply)
    }
}

/// The innermost reason, without the URL: the outer ones only say that there was none.
fn no_answer(error: &reqwest::Error) -> HttpError {
    let mut reason: &(dyn Error + 'static) = error;
    while let Some(inner) = inside(reason) {
        reason = inner;
    }
    if error.is_timeout() {
        return HttpError::NoAnswer("it did not answer in time".into());
    }
    if error.is_builder() {
        return HttpError::Unusable(reason.to_string());
    }
    match reason.downcast_ref::<rustls::Error>() {
        Some(refused) if error.is_connect() => HttpError::Tls(refused.to_string()),
        _ => HttpError::NoAnswer(reason.to_string()),
    }
}

/// What an error wraps. An `io::Error` skips what it wraps itself.
fn inside<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    wrapped.map_or_else(|| error.source(), |inner| Some(inner))
}
