//! end-sessions: whoever is still connected by a key that is dead.

use serde::Serialize;
use twinkey_catalog::EndedSessions;
use twinkey_core::{SecretId, Selector, Stage};

use crate::arguments::EndSessions;
use crate::place::Opened;
use crate::present::{self, line};
use crate::problem::Problem;

#[derive(Serialize)]
struct View {
    secret: SecretId,
    roles: Vec<EndedSessions>,
}

pub(crate) async fn end_sessions(opened: &Opened, end: &EndSessions) -> Result<(), Problem> {
    let secret = SecretId::new(&end.name);
    let ended = attempt(opened, &secret).await;
    let roles = ended.map_err(|problem| problem.about(&secret))?;
    if end.output.json {
        present::json(&View { secret, roles });
        return Ok(());
    }
    for EndedSessions { role, ended } in &roles {
        line(&match ended {
            None => format!(
                "{role}: left alone; since when its key is there is known after its next rotation"
            ),
            Some(0) => format!("{role}: no session of a dead key"),
            Some(1) => format!("{role}: 1 session of a dead key ended"),
            Some(count) => format!("{role}: {count} sessions of dead keys ended"),
        });
    }
    Ok(())
}

async fn attempt(opened: &Opened, secret: &SecretId) -> Result<Vec<EndedSessions>, Problem> {
    let named = opened.marked_as(secret).await?;
    let store = opened.store();
    let current = Selector::Stage(Stage::Current);
    let document = store.read(&named, &current).await?.value;
    let catalog = opened.catalog().await?;
    Ok(catalog
        .end_sessions(&document, &store.address(&named))
        .await?)
}
