//! rotate: the four steps as they pass, then which keys are live.

use serde::Serialize;
use twinkey_core::{Record, SecretId, VersionId};
use twinkey_local::{Ask, LocalStore, Service};

use crate::arguments::Rotate;
use crate::keys::{self, KeyView, look};
use crate::place::{At, Opened};
use crate::present::{self, line};
use crate::problem::Problem;
use crate::progress::Progress;
use crate::{follow, here};

/// A rotation that came about.
pub(crate) struct Done {
    pub(crate) record: Record,
    /// It was in flight before it was asked for.
    pub(crate) joined: bool,
    /// It had been interrupted.
    pub(crate) resumed: bool,
}

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
    let progress = Progress::new();
    let result = match &opened.at {
        At::Embedded(store) => embedded(opened, store, rotate, &progress).await,
        At::Aws(aws) if rotate.here => here::rotate(opened, aws, rotate, &progress).await,
        At::Aws(aws) => follow::rotate(aws, rotate, &progress).await,
    };
    progress.end();
    let done = result.map_err(|problem| problem.about(&secret))?;
    // The rotation has come about, whatever can be said of the keys now.
    let keys = look(opened, &secret).await.unwrap_or_else(|problem| {
        problem.show(false);
        Vec::new()
    });
    let live = keys::live(&keys);
    let view = View {
        record: done.record,
        joined: done.joined,
        resumed: done.resumed,
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

/// On the embedded store every rotation runs here, to its end.
async fn embedded(
    opened: &Opened,
    store: &LocalStore,
    rotate: &Rotate,
    progress: &Progress,
) -> Result<Done, Problem> {
    if rotate.timeout.is_some() {
        return Err(Problem::usage(
            "--timeout is for Secrets Manager; here each step ends by itself",
        ));
    }
    let service = Service::new(store.clone(), opened.kinds().await?);
    let ask = Ask {
        token: VersionId::manual(&mut rand::rng(), rotate.force),
        reason: rotate.reason.clone(),
    };
    let secret = SecretId::new(&rotate.name);
    let rotation = service.rotate(&secret, ask, progress).await?;
    Ok(Done {
        record: rotation.record,
        joined: rotation.joined,
        resumed: rotation.resumed,
    })
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
