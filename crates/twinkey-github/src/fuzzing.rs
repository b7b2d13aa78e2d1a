//! A door for `tests/fuzz`: what an answer of GitHub's is taken for, as a plain function.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;
use twinkey_core::ProviderError;

use crate::answer::Answer;
use crate::error::GithubError;
use crate::http::Reply;

/// Every error that the answer to a request with this token is told as.
pub fn errors(reply: Reply, bearer: &str, now: DateTime<Utc>) -> Vec<ProviderError> {
    let bearer = SecretString::from(bearer);
    let errors = match Answer::of(reply, "asking", &bearer, now) {
        Err(error) => vec![error],
        Ok(answer) => {
            let read: Result<Value, GithubError> = answer.json();
            let refused = [answer.refused_to_app(), answer.refused_to_token()];
            refused.into_iter().chain(read.err()).collect()
        }
    };
    errors.into_iter().map(ProviderError::from).collect()
}
