//! One step's dealings with GitHub: requests as the App or with a token, each with the patience that it needs.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::answer::Answer;
use crate::api_base::ApiBase;
use crate::app::App;
use crate::app_token;
use crate::error::GithubError;
use crate::github::Github;
use crate::http::Request;

/// For how long a new token may be unknown in places. GitHub's own client library gives it five seconds.
const YOUTH: TimeDelta = TimeDelta::minutes(1);
/// For how long a signature is used again: it is good for longer.
const SIGNED_FOR: TimeDelta = TimeDelta::minutes(5);
/// A renamed repository is one hop away.
const MOST_HOPS: usize = 3;

/// What a step needs again. Clones are the same session.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) github: Github,
    signed: Arc<Mutex<Option<Signed>>>,
}

/// A signature as an App.
struct Signed {
    app: String,
    at: DateTime<Utc>,
    token: SecretString,
}

/// One request, but for who asks.
pub(crate) struct Call<'a> {
    /// For errors: what this is for, and on what.
    pub(crate) doing: &'static str,
    pub(crate) method: &'static str,
    pub(crate) base: &'a ApiBase,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl Session {
    pub(crate) fn new(github: Github) -> Self {
        Self {
            github,
            signed: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.github.clock.now()
    }

    /// Whether a token is so young that GitHub may not know it everywhere.
    pub(crate) fn is_young(&self, issued_at: DateTime<Utc>) -> bool {
        self.now() - issued_at < YOUTH
    }

    /// A request as the App. Where GitHub's clock differs, it is taken for right, once.
    pub(crate) async fn as_app(&self, app: &App, call: &Call<'_>) -> Result<Answer, GithubError> {
        let signature = self.signature(app).await?;
        let answer = self.send(call, &signature).await?;
        match answer.date() {
            Some(date) if answer.status == 401 && is_of_time(answer.message()) => {
                let signature = self.sign(app, date).await?;
                self.send(call, &signature).await
            }
            _ => Ok(answer),
        }
    }

    /// A request with an installation token. One that is young is tried again for a while.
    pub(crate) async fn with_token(
        &self,
        call: &Call<'_>,
        token: &SecretString,
        is_young: bool,
    ) -> Result<Answer, GithubError> {
        let mut pauses = self.github.settings.pauses.iter();
        loop {
            let answer = self.send(call, token).await?;
            if !is_young || !answer.may_be_lag() {
                return Ok(answer);
            }
            match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Ok(answer),
            }
        }
    }

    /// Signs once for all requests of a step.
    async fn signature(&self, app: &App) -> Result<SecretString, GithubError> {
        // Checked before anybody is asked to sign.
        self.github.settings.allow(&app.base)?;
        let now = self.now();
        if let Some(signed) = self.signed.lock().await.as_ref()
            && signed.app == app.id
            && (now - signed.at).abs() < SIGNED_FOR
        {
            return Ok(signed.token.clone());
        }
        self.sign(app, now).await
    }

    async fn sign(&self, app: &App, now: DateTime<Utc>) -> Result<SecretString, GithubError> {
        let (borrow, signer) = (self.github.borrow.as_ref(), self.github.signer.as_ref());
        let token = app_token::sign(app, now, borrow, signer).await?;
        *self.signed.lock().await = Some(Signed {
            app: app.id.clone(),
            at: self.now(),
            token: token.clone(),
        });
        Ok(token)
    }

    /// Sends it, and follows to where the same server says that it is now: a token goes to no other. (P10)
    async fn send(&self, call: &Call<'_>, bearer: &SecretString) -> Result<Answer, GithubError> {
        self.github.settings.allow(call.base)?;
        let mut request = Request {
            method: call.method,
            url: call.base.at(&call.path),
            bearer: bearer.clone(),
            body: call.body.as_ref().map(Value::to_string),
        };
        for _ in 0..MOST_HOPS {
            let reply = self.github.http.send(&request).await;
            let reply = reply.map_err(|error| GithubError::NoAnswer {
                doing: call.doing,
                base: call.base.to_string(),
                error,
            })?;
            let location = reply.headers.iter().find(|(name, _)| name == "location");
            match location.and_then(|(_, to)| moved_to(&request, reply.status, to)) {
                Some(url) => request.url = url,
                None => return Answer::of(reply, call.doing, bearer, self.now()),
            }
        }
        Err(GithubError::Moved { doing: call.doing })
    }
}

fn is_of_time(message: &str) -> bool {
    message.contains("'Expiration time'") || message.contains("'Issued at'")
}

/// The same request's new URL, where that is at the same server. A POST stays one only if it is told so.
fn moved_to(request: &Request, status: u16, location: &str) -> Option<String> {
    let keeps_method = matches!(status, 307 | 308) || request.method == "GET";
    if !matches!(status, 301 | 302 | 307 | 308) || !keeps_method {
        return None;
    }
    let from = Url::parse(&request.url).ok()?;
    let to = from.join(location).ok()?;
    (to.origin() == from.origin()).then(|| to.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_a_redirect_is_followed_only_at_the_same_server() {
        let request = |method| Request {
            method,
            url: "https://git.example/api/v3/repos/a/b/keys".into(),
            bearer: "ghs_TEST".into(),
            body: None,
        };
        let to = |method, status, location| moved_to(&request(method), status, location);
        let there = Some("https://git.example/api/v3/repositories/1/keys".to_owned());
        for location in [
            "/api/v3/repositories/1/keys",
            "https://git.example/api/v3/repositories/1/keys",
        ] {
            assert_eq!(to("GET", 301, location), there);
            assert_eq!(to("POST", 307, location), there);
            assert_eq!(to("DELETE", 308, location), there);
            assert_eq!(to("POST", 301, location), None, "it would become a GET");
            assert_eq!(to("GET", 200, location), None);
        }
        for elsewhere in [
            "https://git.example.evil/x",
            "http://git.example/x",
            "https://git.example:8443/x",
            "//evil.example/x",
        ] {
            assert_eq!(to("GET", 301, elsewhere), None, "{elsewhere}");
        }
    }
}
