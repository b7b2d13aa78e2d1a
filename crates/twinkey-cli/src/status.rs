//! status: versions, ages, which keys are live as their server says now, and what is due.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use twinkey_core::{Description, Outcome, Record, SecretId, Stage, Store};
use twinkey_local::{Due, Service, Standing};

use crate::arguments::Status;
use crate::keys::{KeyView, Life, look};
use crate::place::Opened;
use crate::present::{self, ago, line, when};
use crate::problem::Problem;

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
}

pub(crate) async fn status(opened: &Opened, status: &Status) -> Result<(), Problem> {
    let names = match &status.name {
        Some(name) => vec![SecretId::new(name)],
        None => opened.store.names().await?,
    };
    let mut views = Vec::new();
    for name in names {
        views.push(view(opened, name).await?);
    }
    if status.output.json {
        present::json(&views);
        return Ok(());
    }
    if views.is_empty() {
        eprintln!("no secrets yet; store one with: twinkey put NAME --from-file FILE");
    }
    for view in &views {
        show(view, opened.clock.now());
    }
    Ok(())
}

async fn view(opened: &Opened, secret: SecretId) -> Result<View, Problem> {
    let description = opened.store.describe(&secret).await?;
    let keys = look(opened, &secret).await?;
    let mut notes = notes(&description, &keys);
    let service = Service::new(opened.store.clone(), opened.kinds.clone());
    let due = service.due(&secret).await.unwrap_or_else(|error| {
        notes.push(format!("it cannot be scheduled: {error}"));
        Due::default()
    });
    Ok(View {
        live: keys.iter().filter(|key| key.is_live()).count(),
        overlap_ends: due.overlap_ends,
        due_at: due.at,
        in_flight: in_flight(&service, &secret).await?,
        notes,
        last_rotation: opened.store.records(&secret).await?.pop(),
        current_since: description.current_since,
        tags: description.tags,
        keys,
        secret,
    })
}

async fn in_flight(service: &Service, secret: &SecretId) -> Result<Option<String>, Problem> {
    Ok(match service.standing(secret).await? {
        Standing::Idle => None,
        Standing::Running(token) => Some(format!("{token} is running")),
        Standing::Interrupted { token, .. } => Some(format!(
            "{token} was interrupted; the next rotation finishes it first"
        )),
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
    line(&format!("  keys live: {}", view.live));
    if let Some(record) = &view.last_rotation {
        line(&format!("  last rotation: {}", summary(record, now)));
    }
    if let Some(flight) = &view.in_flight {
        line(&format!("  in flight: {flight}"));
    }
    match view.due_at {
        Some(due) if due <= now => line("  due: now"),
        Some(due) => line(&format!("  due: {} ({due:.0})", when(due, now))),
        None => line("  due: only when asked (no twinkey:schedule)"),
    }
    for note in &view.notes {
        line(&format!("  note: {note}"));
    }
}

fn row(key: &KeyView, now: DateTime<Utc>) -> Vec<String> {
    let name = key.key.as_ref().map_or("-", |key| key.as_str());
    let life = match &key.life {
        Life::Live => "live".into(),
        Life::Dead { reason } => format!("dead: {reason}"),
        Life::NoKey => "no key yet".into(),
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
