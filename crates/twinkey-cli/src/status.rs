//! status: versions, ages, which keys are live as their server says now, and what is due.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use twinkey_aws::Which;
use twinkey_core::{Description, Failure, InUse, Outcome, Record, SecretId, Stage};

use crate::arguments::Status;
use crate::keys::{self, KeyView, Life, look};
use crate::place::{At, Opened};
use crate::present::{self, ago, line, note, when};
use crate::problem::Problem;
use crate::rotations::Rotations;

#[derive(Serialize)]
struct View {
    secret: SecretId,
    tags: BTreeMap<String, String>,
    keys: Vec<KeyView>,
    live: usize,
    current_since: Option<DateTime<Utc>>,
    overlap_ends: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    in_flight: Option<String>,
    notes: Vec<String>,
    last_rotation: Option<Record>,
    /// Where the store keeps no record.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_at: Option<DateTime<Utc>>,
}

/// A damaged secret does not hide the others.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Seen(Box<View>),
    Unreadable { secret: SecretId, error: Failure },
}

pub(crate) async fn status(opened: &Opened, status: &Status) -> Result<(), Problem> {
    let names = match &status.name {
        Some(name) => vec![SecretId::new(name)],
        None => names(opened).await?,
    };
    let mut entries = Vec::new();
    for secret in names {
        match view(opened, secret.clone()).await {
            Ok(view) => entries.push(Entry::Seen(Box::new(view))),
            Err(problem) if status.name.is_some() => return Err(problem),
            Err(Problem(error)) => entries.push(Entry::Unreadable { secret, error }),
        }
    }
    if status.output.json {
        present::json(&entries);
    } else if entries.is_empty() {
        note("no secrets yet; store one with: twinkey put NAME --from-file FILE");
    } else {
        let now = opened.clock.now();
        for entry in &entries {
            show_entry(entry, now);
        }
    }
    Ok(())
}

/// On AWS, those with a tag of ours: a look at the keys reads values, and others' are none of our business.
async fn names(opened: &Opened) -> Result<Vec<SecretId>, Problem> {
    match &opened.at {
        At::Embedded(store) => Ok(store.names().await?),
        At::Aws(aws) => {
            let listed = aws.store.list(Which::Tagged).await?;
            Ok(listed.into_iter().map(|listed| listed.name).collect())
        }
    }
}

fn show_entry(entry: &Entry, now: DateTime<Utc>) {
    match entry {
        Entry::Seen(view) => show(view, now),
        Entry::Unreadable { secret, error } => {
            line(&console::style(secret).bold().to_string());
            line(&format!(
                "  cannot be read [{}]: {}",
                error.error_type, error.message
            ));
        }
    }
}

async fn view(opened: &Opened, secret: SecretId) -> Result<View, Problem> {
    let description = opened.store().describe(&secret).await?;
    let keys = look(opened, &secret).await?;
    let foreign = keys.iter().any(KeyView::is_foreign);
    let rotations = Rotations::of(opened, &secret, foreign).await?;
    let mut notes = notes(&description, &keys);
    notes.extend(rotations.notes);
    Ok(View {
        live: keys::live(&keys),
        overlap_ends: rotations.overlap_ends,
        due_at: rotations.due_at,
        in_flight: rotations.in_flight,
        notes,
        last_rotation: rotations.last,
        rotated_at: rotations.rotated_at,
        current_since: description.current_since,
        tags: description.tags,
        keys,
        secret,
    })
}

fn notes(description: &Description, keys: &[KeyView]) -> Vec<String> {
    let mut notes = Vec::new();
    let current = description.holder(&Stage::Current);
    let rotated = description.holds_previous();
    if rotated && current.is_some_and(|id| description.slot(id).is_none()) {
        notes.push(
            "AWSCURRENT was put by hand: two keys are promised again after the next rotation"
                .into(),
        );
    }
    let live = keys::live(keys);
    let asked = keys
        .iter()
        .all(|key| !matches!(key.life, Life::Unknown { .. }));
    if rotated && asked && live != 2 {
        notes.push(format!(
            "{live} keys are live instead of two, until the next rotation"
        ));
    }
    let dead = |key: &&KeyView| matches!(key.life, Life::Dead { .. });
    if keys
        .iter()
        .filter(dead)
        .any(|key| key.stages.contains(&Stage::Current))
    {
        notes.push("the server refuses AWSCURRENT: consumers cannot log in".into());
    }
    notes
}

fn show(view: &View, now: DateTime<Utc>) {
    line(&console::style(&view.secret).bold().to_string());
    let rows: Vec<Vec<String>> = view.keys.iter().map(|key| row(key, now)).collect();
    present::table(&rows);
    for in_use in view.keys.iter().filter_map(|key| key.in_use.as_ref()) {
        show_use(in_use, now);
    }
    if view.keys.iter().any(KeyView::is_foreign) {
        return line("  not rotated: a document of no kind that twinkey knows");
    }
    let asked = view
        .keys
        .iter()
        .all(|key| !matches!(key.life, Life::Unknown { .. }));
    let all = if asked {
        ""
    } else {
        " at least: not every key could be tried"
    };
    line(&format!("  keys live: {}{all}", view.live));
    if let Some(record) = &view.last_rotation {
        line(&format!("  last rotation: {}", summary(record, now)));
    } else if let Some(rotated) = view.rotated_at {
        line(&format!("  last rotation: finished {}", ago(rotated, now)));
    }
    if let Some(flight) = &view.in_flight {
        line(&format!("  in flight: {flight}"));
    }
    line(&format!("  due: {}", due(view, now)));
    for note in &view.notes {
        line(&format!("  note: {note}"));
    }
}

/// Who has not read the newer key yet, so that a person can find the consumer.
fn show_use(in_use: &InUse, now: DateTime<Utc>) {
    if in_use.is_over() {
        return line(&format!("  {}: nobody is connected with it", in_use.key));
    }
    let newest = in_use
        .newest_at
        .map(|at| format!(", the newest since {}", ago(at, now)))
        .unwrap_or_default();
    line(&format!("  {} is still used: {in_use}{newest}", in_use.key));
}

fn due(view: &View, now: DateTime<Utc>) -> String {
    match view.due_at {
        Some(due) if due <= now => "now".into(),
        Some(due) => format!(
            "{}, at {}",
            when(due, now),
            due.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        None => "only when asked".into(),
    }
}

fn row(key: &KeyView, now: DateTime<Utc>) -> Vec<String> {
    let name = key.key.as_ref().map_or("-", |key| key.as_str());
    let life = match &key.life {
        Life::Live => live(key, now),
        Life::Dead { reason } => format!("dead: {reason}"),
        Life::NoKey => "no key yet".into(),
        Life::Unknown { .. } if key.is_foreign() => String::new(),
        Life::Unknown { error } => format!("unknown: {} [{}]", error.message, error.error_type),
    };
    vec![
        format!("  {}", key.stage()),
        name.into(),
        ago(key.created_at, now),
        key.version.to_string(),
        life,
    ]
}

fn live(key: &KeyView, now: DateTime<Utc>) -> String {
    let dies = key
        .expires_at
        .map(|at| format!(", dies by itself {}", when(at, now)));
    let used = key
        .last_used
        .map(|at| format!(", last used {}", ago(at, now)));
    let details = [dies, used].map(Option::unwrap_or_default).concat();
    format!("live{details}")
}

fn summary(record: &Record, now: DateTime<Utc>) -> String {
    let when = ago(record.finished_at.unwrap_or(record.started_at), now);
    let outcome = match &record.outcome {
        Outcome::InProgress => "in progress".into(),
        Outcome::Succeeded => "succeeded".into(),
        Outcome::Failed(failure) => format!("failed [{}]: {}", failure.error_type, failure.message),
    };
    let reason = record
        .reason
        .as_ref()
        .map(|reason| format!(", \"{reason}\""))
        .unwrap_or_default();
    format!("{when}, {}{reason}: {outcome}", record.trigger)
}
