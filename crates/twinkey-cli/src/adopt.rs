//! adopt: what stands at the server before the first rotation, what is in its way, and the SQL that mends it.

use serde::Serialize;
use twinkey_catalog::adoption::{Adoption, AdoptionReport, Statement};
use twinkey_core::{SecretId, Selector, Stage, escape_control};

use crate::adopt_report;
use crate::arguments::Adopt;
use crate::place::Opened;
use crate::present::{self, bytes, line};
use crate::problem::Problem;

#[derive(Serialize)]
struct View {
    secret: SecretId,
    /// What was run just now, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    ran: Option<Vec<Statement>>,
    #[serde(flatten)]
    report: AdoptionReport,
}

pub(crate) async fn adopt(opened: &Opened, adopt: &Adopt) -> Result<(), Problem> {
    let secret = SecretId::new(&adopt.name);
    let done = attempt(opened, adopt, &secret).await;
    done.map_err(|problem| problem.about(&secret))
}

async fn attempt(opened: &Opened, adopt: &Adopt, secret: &SecretId) -> Result<(), Problem> {
    let store = opened.store();
    let named = opened.marked_as(secret).await?;
    let current = Selector::Stage(Stage::Current);
    let document = store.read(&named, &current).await?.value;
    let catalog = opened.catalog().await?;
    let adoption = catalog.adoption(&document, store.address(&named))?;
    if adopt.sql {
        bytes(adoption.script().await?.as_bytes());
        return Ok(());
    }
    let ran = if adopt.apply {
        Some(apply(&adoption, adopt.output.json).await?)
    } else {
        None
    };
    let report = adoption.look().await?;
    let applied = ran.is_some();
    let view = View {
        secret: secret.clone(),
        ran,
        report,
    };
    if adopt.output.json {
        present::json(&view);
    } else if applied {
        adopt_report::outcome(secret, &view.report);
    } else {
        adopt_report::show(secret, &view.report);
    }
    Ok(())
}

/// What was run is told before anything else can fail.
async fn apply(adoption: &Adoption, json: bool) -> Result<Vec<Statement>, Problem> {
    let ran = adoption.apply().await?;
    if json {
        return Ok(ran);
    }
    if ran.is_empty() {
        line("nothing had to be run");
    }
    for part in ran.chunk_by(|one, next| one.database == next.database) {
        let database = escape_control(&part[0].database);
        line(&format!("ran in database {database}, and committed:"));
        adopt_report::statements(part);
    }
    Ok(ran)
}
