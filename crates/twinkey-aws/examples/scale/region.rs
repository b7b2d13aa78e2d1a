//! A region of many secrets: who is rotated when, and what that takes of the quotas.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use twinkey_core::{Clock, Schedule};
use twinkey_testkit::FakeClock;

/// Assumed: no account has been measured.
const A_PAGE_TAKES: TimeDelta = TimeDelta::milliseconds(50);
const A_CALL_TAKES: TimeDelta = TimeDelta::milliseconds(20);
const A_ROTATION_TAKES: TimeDelta = TimeDelta::seconds(2);
const PAGE: usize = 100;

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>; that of the lists by an older text of the page.
const LIST: (&str, usize) = ("list", 50);
const ROTATE: (&str, usize) = ("rotate", 50);
const PUT: (&str, usize) = ("put", 50);

/// Clones are the same region.
#[derive(Clone)]
pub(crate) struct Region(Arc<Mutex<State>>);

struct State {
    clock: FakeClock,
    tag: String,
    schedule: Schedule,
    secrets: Vec<Secret>,
    /// When each execution of the rotation function is free again.
    free: BinaryHeap<Reverse<DateTime<Utc>>>,
    /// When which rotation ends.
    running: BinaryHeap<Reverse<(DateTime<Utc>, usize)>>,
    /// Calls by quota and second.
    calls: BTreeMap<(&'static str, i64), usize>,
    lateness: Vec<i64>,
    most_waiting: usize,
}

struct Secret {
    current: String,
    previous: Option<String>,
    pending: Option<String>,
    moved: DateTime<Utc>,
    /// Also by a rotation that begins.
    changed: DateTime<Utc>,
    is_rotated: bool,
}

/// What a run has shown.
pub(crate) struct Told {
    pub(crate) rotations: usize,
    pub(crate) late_median: i64,
    pub(crate) late_most: i64,
    pub(crate) most_waiting: usize,
    pub(crate) quotas: Vec<(&'static str, usize, usize)>,
}

impl Region {
    /// All secrets are made at the same moment, which is the worst.
    pub(crate) fn new(clock: &FakeClock, secrets: usize, schedule: &str, at_once: usize) -> Self {
        let now = clock.now();
        let made = |number: usize| Secret {
            current: format!("TEST-first-version-of-secret-{number:07}"),
            previous: None,
            pending: None,
            moved: now,
            changed: now,
            is_rotated: false,
        };
        Self(Arc::new(Mutex::new(State {
            clock: clock.clone(),
            tag: schedule.to_owned(),
            schedule: schedule.parse().expect("a schedule"),
            secrets: (0..secrets).map(made).collect(),
            free: (0..at_once).map(|_| Reverse(now)).collect(),
            running: BinaryHeap::new(),
            calls: BTreeMap::new(),
            lateness: Vec::new(),
            most_waiting: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what is running go on until this moment.
    pub(crate) fn until(&self, moment: DateTime<Utc>) {
        self.state().until(moment);
    }

    /// Answers a call, which takes its time.
    pub(crate) fn answer(&self, operation: &str, parameters: &Value) -> Value {
        self.state().answer(operation, parameters)
    }

    pub(crate) fn told(&self) -> Told {
        let mut state = self.state();
        state.lateness.sort_unstable();
        let most = |name: &str| {
            let of_it = state.calls.iter().filter(|((quota, _), _)| *quota == name);
            of_it.map(|(_, count)| *count).max().unwrap_or(0)
        };
        let quotas = [LIST, ROTATE, PUT];
        Told {
            rotations: state.lateness.len(),
            late_median: state
                .lateness
                .get(state.lateness.len() / 2)
                .copied()
                .unwrap_or(0),
            late_most: state.lateness.last().copied().unwrap_or(0),
            most_waiting: state.most_waiting,
            quotas: quotas.map(|(name, limit)| (name, most(name), limit)).into(),
        }
    }
}

impl State {
    fn answer(&mut self, operation: &str, parameters: &Value) -> Value {
        let takes = if operation == "ListSecrets" {
            A_PAGE_TAKES
        } else {
            A_CALL_TAKES
        };
        self.clock.advance(takes);
        let now = self.clock.now();
        self.until(now);
        match operation {
            "ListSecrets" => {
                self.count(LIST.0, now);
                self.page(parameters)
            }
            "ListSecretVersionIds" => {
                self.count(LIST.0, now);
                self.versions(number(parameters))
            }
            "RotateSecret" => {
                self.count(ROTATE.0, now);
                self.rotate(number(parameters), parameters, now)
            }
            other => panic!("the tick has no right to {other}"),
        }
    }

    fn count(&mut self, quota: &'static str, at: DateTime<Utc>) {
        *self.calls.entry((quota, at.timestamp())).or_default() += 1;
    }

    fn until(&mut self, moment: DateTime<Utc>) {
        while let Some(Reverse((end, number))) = self.running.peek().copied() {
            if end > moment {
                return;
            }
            self.running.pop();
            let secret = &mut self.secrets[number];
            let pending = secret.pending.take().expect("it is in flight");
            secret.previous = Some(std::mem::replace(&mut secret.current, pending));
            let due = self
                .schedule
                .next_after(secret.moved)
                .expect("it comes again");
            self.lateness.push((end - due).num_seconds());
            (secret.moved, secret.is_rotated) = (end, true);
        }
    }

    fn rotate(&mut self, number: usize, parameters: &Value, now: DateTime<Utc>) -> Value {
        let token = parameters["ClientRequestToken"].as_str().expect("a token");
        let secret = &mut self.secrets[number];
        assert!(secret.pending.is_none(), "it is in flight already");
        (secret.pending, secret.changed) = (Some(token.to_owned()), now);
        let Reverse(free) = self.free.pop().expect("an execution");
        let start = free.max(now);
        let end = start + A_ROTATION_TAKES;
        self.free.push(Reverse(end));
        self.running.push(Reverse((end, number)));
        let waiting = self.running.len().saturating_sub(self.free.len());
        self.most_waiting = self.most_waiting.max(waiting);
        // PutSecretValue at first, UpdateSecretVersionStage at last.
        self.count(PUT.0, start);
        self.count(PUT.0, end);
        json!({"ARN": arn(number), "Name": name(number), "VersionId": token})
    }

    fn page(&self, parameters: &Value) -> Value {
        let from: usize = match parameters["NextToken"].as_str() {
            Some(token) => token.parse().expect("a token of ours"),
            None => 0,
        };
        let to = (from + PAGE).min(self.secrets.len());
        let entries: Vec<Value> = (from..to).map(|number| self.entry(number)).collect();
        let next = (to < self.secrets.len()).then(|| to.to_string());
        json!({"SecretList": entries, "NextToken": next})
    }

    fn entry(&self, number: usize) -> Value {
        let secret = &self.secrets[number];
        let labels: BTreeMap<&str, Vec<&str>> = secret.labelled().collect();
        let mut entry = json!({
            "ARN": arn(number), "Name": name(number), "RotationEnabled": true, "CreatedDate": date(secret.moved),
            "LastChangedDate": date(secret.changed), "SecretVersionsToStages": labels,
            "Tags": [{"Key": "twinkey:schedule", "Value": self.tag}],
        });
        if secret.is_rotated {
            entry["LastRotatedDate"] = date(secret.moved);
        }
        entry
    }

    fn versions(&self, number: usize) -> Value {
        let secret = &self.secrets[number];
        let version = |(id, stages): (&str, Vec<&str>)| {
            let made = if stages == ["AWSPENDING"] {
                secret.changed
            } else {
                secret.moved
            };
            json!({"VersionId": id, "VersionStages": stages, "CreatedDate": date(made)})
        };
        let versions: Vec<Value> = secret.labelled().map(version).collect();
        json!({"ARN": arn(number), "Name": name(number), "Versions": versions})
    }
}

impl Secret {
    fn labelled(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        let current = std::iter::once((self.current.as_str(), vec!["AWSCURRENT", "twinkey-a"]));
        let previous = self
            .previous
            .iter()
            .map(|id| (id.as_str(), vec!["AWSPREVIOUS", "twinkey-b"]));
        let pending = self
            .pending
            .iter()
            .map(|id| (id.as_str(), vec!["AWSPENDING"]));
        current.chain(previous).chain(pending)
    }
}

fn name(number: usize) -> String {
    format!("twinkey/postgres/{number:07}")
}

fn arn(number: usize) -> String {
    format!(
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:{}-TESTab",
        name(number)
    )
}

fn number(parameters: &Value) -> usize {
    let id = parameters["SecretId"].as_str().expect("a secret");
    let name = id.rsplit('/').next().and_then(|it| it.split('-').next());
    name.and_then(|it| it.parse().ok())
        .expect("a secret of ours")
}

#[allow(
    clippy::cast_precision_loss,
    reason = "dates of this century, to the millisecond"
)]
fn date(at: DateTime<Utc>) -> Value {
    json!(at.timestamp_millis() as f64 / 1000.0)
}
