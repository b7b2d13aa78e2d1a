//! run: stays in the foreground and rotates whatever is due.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use tokio::signal::unix::{SignalKind, signal};
use twinkey_core::{Record, escape_control};
use twinkey_local::{Event, Scheduler, Service};

use crate::place::{At, Opened};
use crate::present::{line, note};
use crate::problem::Problem;

/// How often it looks what is due.
const TICK: Duration = Duration::from_secs(1);

pub(crate) async fn run(opened: &Opened) -> Result<(), Problem> {
    let At::Embedded(store) = &opened.at else {
        return Err(Problem::no_scheduler_here());
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    note("rotating what is due in this store; stop with Ctrl-C or SIGTERM");
    let service = Service::new(store.clone(), opened.kinds().await?);
    Scheduler::new(service, TICK, show).run(shutdown).await;
    note("stopped");
    Ok(())
}

/// One line an event, whether it is read by people or by a log collector.
fn show(event: &Event) {
    line(&escape_control(&sentence(event)));
}

fn sentence(event: &Event) -> String {
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    match event {
        Event::Rotated(rotation) => format!("{now} {}", rotated(&rotation.record)),
        Event::Failed {
            secret,
            error,
            retry_at,
        } => {
            let retry = retry_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            format!(
                "{now} {secret}: failed [{}]: {error}; next attempt at {retry}",
                error.error_type()
            )
        }
        Event::Problem { secret, error } => {
            let whose = secret
                .as_ref()
                .map(|secret| format!("{secret}: "))
                .unwrap_or_default();
            format!(
                "{now} {whose}not scheduled [{}]: {error}",
                error.error_type()
            )
        }
    }
}

fn rotated(record: &Record) -> String {
    let took: u64 = record.steps.iter().map(|step| step.milliseconds).sum();
    format!(
        "{}: rotated ({}) in {took} ms, token {}",
        record.secret, record.trigger, record.token
    )
}
