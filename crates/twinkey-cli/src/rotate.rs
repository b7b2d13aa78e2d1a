//! rotate: the four steps as they pass, then which keys are live.

use std::time::Duration;

use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use twinkey_core::{Record, SecretId, Step, StepOutcome, StepRecord, StepResult, VersionId};
use twinkey_local::{Ask, Service, Watch};

use crate::arguments::Rotate;
use crate::keys::{self, KeyView, look};
use crate::place::{At, Opened};
use crate::present::{self, line, note};
use crate::problem::Problem;

#[derive(Serialize)]
struct View {
    record: Record,
    joined: bool,
    resumed: bool,
    keys: Vec<KeyView>,
    live: usize,
}

pub(crate) async fn rotate(opened: &Opened, rotate: &Rotate) -> Result<(), Problem> {
    let secret = SecretId::new(&rotate.name);
    let At::Embedded(store) = &opened.at else {
        return Err(Problem::usage("not yet"));
    };
    let service = Service::new(store.clone(), opened.kinds()?);
    let token = VersionId::manual(&mut rand::rng(), rotate.force);
    let ask = Ask {
        token,
        reason: rotate.reason.clone(),
    };
    let progress = Progress::new();
    let result = service.rotate(&secret, ask, &progress).await;
    progress.bar.finish_and_clear();
    let rotation = result.map_err(|error| Problem::from(error).about(&secret))?;
    // The rotation has come about, whatever can be said of the keys now.
    let keys = look(opened, &secret).await.unwrap_or_else(|problem| {
        problem.show(false);
        Vec::new()
    });
    let live = keys::live(&keys);
    let view = View {
        record: rotation.record,
        joined: rotation.joined,
        resumed: rotation.resumed,
        keys,
        live,
    };
    if rotate.output.json {
        present::json(&view);
    } else {
        show(&secret, &view);
    }
    Ok(())
}

fn show(secret: &SecretId, view: &View) {
    let served = if view.joined {
        " (by a rotation that was already in flight)"
    } else {
        ""
    };
    line(&format!(
        "{secret}: rotated{served}; {} keys live",
        view.live
    ));
    let rows: Vec<Vec<String>> = view
        .keys
        .iter()
        .filter(|key| key.is_live())
        .map(|key| {
            let name = key.key.as_ref().map_or("-", |key| key.as_str());
            vec![
                format!("  {}", key.stage()),
                name.into(),
                key.version.to_string(),
            ]
        })
        .collect();
    present::table(&rows);
}

/// Shows each step on stderr as it passes.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }
}

#[async_trait]
impl Watch for Progress {
    async fn waiting(&self, _: &SecretId, token: &VersionId) {
        self.say(&format!(
            "{token} is in flight: waiting for it, or for its lease to lapse"
        ));
    }

    async fn resuming(&self, _: &SecretId, token: &VersionId) {
        self.say(&format!("{token} was interrupted: finishing it first"));
    }

    async fn before(&self, _: &SecretId, step: Step) {
        self.bar.set_message(step.to_string());
    }

    async fn after(&self, _: &SecretId, step: &StepRecord) {
        let outcome = match &step.outcome {
            StepOutcome::Passed(report) => match report.result {
                StepResult::Done => "done".into(),
                StepResult::AlreadyDone => "already done".into(),
                StepResult::OnlyChecked => "only checked".into(),
            },
            StepOutcome::Failed(failure) => format!("failed [{}]", failure.error_type),
        };
        self.say(&format!(
            "{:<13}{:>6} ms  {outcome}",
            step.step.to_string(),
            step.milliseconds
        ));
    }
}
