//! What an answer means: its own kinds of refusal are told apart here, once for every request.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use twinkey_core::escape_control;
use twinkey_document::mentions;

use crate::error::GithubError;
use crate::http::Reply;

/// Without any word of GitHub's, a secondary limit is over after a minute at the earliest.
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
const SHORTEST_WAIT: TimeDelta = TimeDelta::minutes(1);
const LONGEST_MESSAGE: usize = 200;

/// An answer that is neither a server's failure nor a limit.
pub(crate) struct Answer {
    pub(crate) status: u16,
    doing: &'static str,
    reply: Reply,
    /// GitHub's own sentence, without what must not be shown.
    message: String,
}

#[derive(Default, Deserialize)]
struct Sentence {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Answer {
    /// Sorts out what is no answer to the question: the server failed, a limit is exceeded, it is elsewhere.
    pub(crate) fn of(
        reply: Reply,
        doing: &'static str,
        bearer: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<Self, GithubError> {
        let message = match reply.status {
            400.. => sentence(&reply.body, bearer),
            _ => String::new(),
        };
        let answer = Self {
            status: reply.status,
            doing,
            reply,
            message,
        };
        match answer.status {
            300..=399 => Err(GithubError::Moved { doing }),
            500.. => Err(GithubError::ServerFailed {
                doing,
                status: answer.status,
            }),
            429 => Err(answer.limited(now)),
            403 if answer.is_limited() => Err(answer.limited(now)),
            _ => Ok(answer),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = &self.reply.headers;
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// When GitHub sent it.
    pub(crate) fn date(&self) -> Option<DateTime<Utc>> {
        let date = DateTime::parse_from_rfc2822(self.header("date")?).ok()?;
        Some(date.to_utc())
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What a success says.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, GithubError> {
        serde_json::from_slice(&self.reply.body).map_err(|_| self.unintelligible())
    }

    pub(crate) fn unintelligible(&self) -> GithubError {
        GithubError::Unintelligible {
            doing: self.doing,
            status: self.status,
        }
    }

    /// The refusal that this is, where it is one that an App gets.
    pub(crate) fn refused_to_app(&self) -> GithubError {
        let (doing, message) = (self.doing, self.message.clone());
        match self.status {
            401 => GithubError::AppRefused { message },
            403 if self.is_suspended() => GithubError::Suspended,
            403 => GithubError::Forbidden { doing, message },
            404 => GithubError::InstallationMissing,
            422 => GithubError::NotGranted { message },
            _ => self.unintelligible(),
        }
    }

    /// The refusal that this is, where it is one that an installation token gets.
    pub(crate) fn refused_to_token(&self) -> GithubError {
        let (doing, message) = (self.doing, self.message.clone());
        match self.status {
            401 => GithubError::TokenRefused { doing, message },
            403 if self.is_suspended() => GithubError::Suspended,
            403 => GithubError::Forbidden { doing, message },
            404 => GithubError::NotFound { doing },
            422 => GithubError::Rejected { doing, message },
            _ => self.unintelligible(),
        }
    }

    /// Whether GitHub may answer so to a token that it does not know yet.
    pub(crate) fn may_be_lag(&self) -> bool {
        self.status == 401 || (self.status == 403 && !self.is_suspended())
    }

    fn is_suspended(&self) -> bool {
        self.message.contains("suspended")
    }

    /// One of 403's meanings, by the headers and, where those are missing, by the words.
    fn is_limited(&self) -> bool {
        self.header("retry-after").is_some()
            || self.header("x-ratelimit-remaining") == Some("0")
            || self.message.contains("rate limit")
            || self.message.contains("abuse detection")
    }

    fn limited(&self, now: DateTime<Utc>) -> GithubError {
        GithubError::RateLimited {
            doing: self.doing,
            wait: self.wait(now),
        }
    }

    /// By GitHub's order: what it says in seconds, then when it says that the hour begins anew.
    fn wait(&self, now: DateTime<Utc>) -> TimeDelta {
        let number = |name| {
            self.header(name)
                .and_then(|value| value.trim().parse::<i64>().ok())
        };
        if let Some(seconds) = number("retry-after").and_then(TimeDelta::try_seconds) {
            return seconds.max(TimeDelta::zero());
        }
        if number("x-ratelimit-remaining") == Some(0)
            && let Some(reset) = number("x-ratelimit-reset")
            && let Some(reset) = DateTime::from_timestamp(reset, 0)
        {
            // By its clock, which the date in the answer is from.
            return (reset - self.date().unwrap_or(now)).max(TimeDelta::zero());
        }
        SHORTEST_WAIT
    }
}

/// GitHub's own sentence for people. One with a secret in it is not passed on. (P8)
fn sentence(body: &[u8], bearer: &SecretString) -> String {
    let said: Sentence = serde_json::from_slice(body).unwrap_or_default();
    let details = said.errors.iter().filter_map(|error| match error {
        Value::String(text) => Some(text.as_str()),
        other => other.get("message")?.as_str(),
    });
    let parts: Vec<&str> = std::iter::once(said.message.as_str())
        .chain(details)
        .collect();
    let sentence = escape_control(&parts.join(": "));
    if mentions(&sentence, bearer.expose_secret()) {
        return "(its words are not shown: the token is among them)".into();
    }
    sentence.chars().take(LONGEST_MESSAGE).collect()
}
