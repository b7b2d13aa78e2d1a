//! The steps of a rotation, on stderr as they pass.

use std::time::Duration;

use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressStyle};
use twinkey_core::{
    SecretId, Step, StepOutcome, StepRecord, StepResult, VersionId, escape_control,
};
use twinkey_local::Watch;

use crate::present::note;

/// Shows each step on stderr as it passes.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Nothing more happens.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }

    /// A step has been delivered.
    pub(crate) fn step(&self, step: &StepRecord) {
        let outcome = match &step.outcome {
            StepOutcome::Passed(report) => match report.result {
                StepResult::Done => "done".into(),
                StepResult::AlreadyDone => "already done".into(),
                StepResult::OnlyChecked => "only checked".into(),
            },
            StepOutcome::Failed(failure) => {
                format!("failed [{}]", escape_control(&failure.error_type))
            }
        };
        let (name, took) = (step.step.to_string(), step.milliseconds);
        self.say(&format!("{name:<13}{took:>6} ms  {outcome}"));
    }

    /// A step has passed, as its effect shows; how long it took is unknown.
    pub(crate) fn seen(&self, step: Step) {
        let name = step.to_string();
        self.say(&format!("{name:<13}           done"));
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
        self.step(step);
    }
}
