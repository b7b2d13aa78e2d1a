//! The parameters of a call, and the names and dates of the wire.

use chrono::{DateTime, Utc};
use serde_json::{Number, Value};
use twinkey_core::{SecretId, Stage, VersionId};

use crate::refusal::Refusal;

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
const SUFFIX: &str = "-TESTab";

/// The parameters of one call.
pub(crate) struct Request<'a> {
    pub(crate) operation: &'a str,
    parameters: &'a Value,
}

impl<'a> Request<'a> {
    pub(crate) fn new(operation: &'a str, parameters: &'a Value) -> Self {
        Self {
            operation,
            parameters,
        }
    }

    pub(crate) fn field(&self, name: &str) -> &'a Value {
        &self.parameters[name]
    }

    pub(crate) fn optional_text(&self, name: &str) -> Option<&'a str> {
        self.field(name).as_str()
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        self.optional_text(name)
            .ok_or_else(|| Refusal::invalid_parameter(format!("{name} is missing")))
    }

    /// A name or an ARN.
    pub(crate) fn secret(&self) -> Result<SecretId, Refusal> {
        let id = self.text("SecretId")?;
        let name = id.strip_prefix(ARN).map(|rest| {
            let name = rest.strip_suffix(SUFFIX);
            name.unwrap_or(rest)
        });
        Ok(SecretId::new(name.unwrap_or(id)))
    }

    pub(crate) fn optional_version(&self, name: &str) -> Result<Option<VersionId>, Refusal> {
        let Some(text) = self.optional_text(name) else {
            return Ok(None);
        };
        VersionId::parse(text)
            .map(Some)
            .map_err(|_| Refusal::invalid_parameter(format!("{name} has 32 to 64 characters")))
    }

    /// The vendor says: an SDK adds it, whoever writes the request by hand must.
    pub(crate) fn token(&self) -> Result<VersionId, Refusal> {
        let missing = || Refusal::invalid_parameter("You must provide a ClientRequestToken value.");
        self.optional_version("ClientRequestToken")?
            .ok_or_else(missing)
    }

    /// None if they were not sent, or are an empty list.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let labels = self.field("VersionStages").as_array();
        labels
            .into_iter()
            .flatten()
            .filter_map(|label| Some(Stage::from(label.as_str()?.to_owned())))
            .collect()
    }
}

pub(crate) fn arn(secret: &SecretId) -> String {
    format!("{ARN}{secret}{SUFFIX}")
}

/// Seconds since 1970, with milliseconds.
pub(crate) fn date(date: DateTime<Utc>) -> Value {
    let milliseconds = date.timestamp_millis();
    let text = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    let number: Option<Number> = text.parse().ok();
    number.map_or(Value::Null, Value::Number)
}
