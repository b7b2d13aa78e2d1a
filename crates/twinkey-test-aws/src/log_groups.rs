//! CloudWatch Logs, as far as a reader of a function's log needs it: `FilterLogEvents`.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>

use std::collections::BTreeMap;

use chrono::Utc;
use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::request::Request;

/// Groups of lines, by name.
#[derive(Default)]
pub(crate) struct LogGroups(BTreeMap<String, Vec<Line>>);

struct Line {
    /// Milliseconds since 1970, by the machine's clock.
    timestamp: i64,
    message: String,
}

impl LogGroups {
    /// Makes a group if need be, and adds a line.
    pub(crate) fn add(&mut self, group: &str, message: &str) {
        let line = Line {
            timestamp: Utc::now().timestamp_millis(),
            message: message.to_owned(),
        };
        self.0.entry(group.to_owned()).or_default().push(line);
    }

    pub(crate) fn make(&mut self, group: &str) {
        self.0.entry(group.to_owned()).or_default();
    }

    /// Of patterns only one term in quotes. "This operation can return empty results while there are more log events
    /// available through the token": so the first page is always empty, and each of the others holds one line.
    pub(crate) fn filter(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        let group = request.text("logGroupName")?;
        let lines = self.0.get(group).ok_or_else(|| {
            let message = "The specified log group does not exist.";
            Refusal::new("ResourceNotFoundException", message)
        })?;
        let pattern = request.text("filterPattern")?;
        let quoted = pattern
            .strip_prefix('"')
            .and_then(|it| it.strip_suffix('"'));
        let Some(term) = quoted.filter(|term| !term.contains('"')) else {
            let message = "the fake filters by one term in quotes";
            return Err(Refusal::invalid_parameter(message));
        };
        let since = request.field("startTime").as_i64().unwrap_or(0);
        let found: Vec<Value> = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.timestamp >= since && line.message.contains(term))
            .map(|(number, line)| {
                json!({
                    "eventId": number.to_string(),
                    "timestamp": line.timestamp,
                    "message": line.message,
                })
            })
            .collect();
        let page = request.optional_text("nextToken");
        let page: Option<usize> = page.and_then(|page| page.parse().ok());
        let next = page.map_or(0, |page| page + 1);
        let events = page.and_then(|page| found.get(page));
        let more = (next < found.len()).then(|| next.to_string());
        Ok(json!({"events": events.into_iter().collect::<Vec<_>>(), "nextToken": more}))
    }
}
