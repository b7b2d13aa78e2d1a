//! Metrics inside log lines: CloudWatch's embedded metric format.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! Every metric has the dimension `function`. A secret is a property of its line and no dimension: each
//! further value of a dimension is a metric that is paid for.

use chrono::{DateTime, Utc};
use serde::Serialize;

const NAMESPACE: &str = "twinkey";
/// Once over all, and once for each value of a second field of the line.
type Dimensions = &'static [&'static [&'static str]];

/// The `_aws` field of a line: which of the line's other fields are metrics.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Metrics {
    timestamp: i64,
    cloud_watch_metrics: [Directive; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: Dimensions,
    metrics: Vec<Metric>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Metrics {
    /// How long a step took, by `step`; and how many sessions the key has whose place the new one takes.
    pub(crate) fn of_a_step(at: DateTime<Utc>, tells_sessions: bool) -> Self {
        let metric = |name, unit| Metric { name, unit };
        let mut metrics = vec![metric("StepMilliseconds", "Milliseconds")];
        if tells_sessions {
            metrics.push(metric("ReplacedKeySessions", "Count"));
        }
        Self::new(at, &[&["function", "step"]], metrics)
    }

    /// That these happened once.
    pub(crate) fn counts(at: DateTime<Utc>, by_error: bool, names: &[&'static str]) -> Self {
        let count = |name: &&'static str| Metric {
            name,
            unit: "Count",
        };
        let dimensions: Dimensions = if by_error {
            &[&["function"], &["function", "error_type"]]
        } else {
            &[&["function"]]
        };
        Self::new(at, dimensions, names.iter().map(count).collect())
    }

    /// What a tick has found, over all managed secrets.
    pub(crate) fn of_a_tick(at: DateTime<Utc>) -> Self {
        let metric = |name, unit| Metric { name, unit };
        let metrics = vec![
            metric("SecretsOverdue", "Count"),
            metric("OldestKeyAgeSeconds", "Seconds"),
            metric("StuckPending", "Count"),
        ];
        Self::new(at, &[&["function"]], metrics)
    }

    fn new(at: DateTime<Utc>, dimensions: Dimensions, metrics: Vec<Metric>) -> Self {
        let directive = Directive {
            namespace: NAMESPACE,
            dimensions,
            metrics,
        };
        Self {
            timestamp: at.timestamp_millis(),
            cloud_watch_metrics: [directive],
        }
    }
}
