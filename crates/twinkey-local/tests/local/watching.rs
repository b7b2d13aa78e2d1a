//! Looking on: writing down what one is told, and stopping at it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;
use twinkey_core::{SecretId, Step, StepRecord, VersionId};
use twinkey_local::Watch;

/// Writes down what it is told.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.lock().expect("no panic").push(note.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Watch for Notes {
    async fn waiting(&self, _: &SecretId, _: &VersionId) {
        self.add("waiting");
    }

    async fn resuming(&self, _: &SecretId, _: &VersionId) {
        self.add("resuming");
    }

    async fn beginning(&self, _: &SecretId, _: &VersionId) {
        self.add("beginning");
    }

    async fn before(&self, _: &SecretId, step: Step) {
        self.add(format!("before {step}"));
    }

    async fn after(&self, _: &SecretId, step: &StepRecord) {
        self.add(format!("after {}", step.step));
    }
}

/// Never comes back from the `n`th thing it is told.
pub(crate) struct StopAt {
    left: AtomicUsize,
    pub(crate) reached: Notify,
}

impl StopAt {
    pub(crate) fn new(left: usize) -> Self {
        let (left, reached) = (AtomicUsize::new(left), Notify::new());
        Self { left, reached }
    }

    async fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Watch for StopAt {
    async fn beginning(&self, _: &SecretId, _: &VersionId) {
        self.pass().await;
    }

    async fn before(&self, _: &SecretId, _: Step) {
        self.pass().await;
    }

    async fn after(&self, _: &SecretId, _: &StepRecord) {
        self.pass().await;
    }
}
