//! init, put, tag, untag, get, list: what a person does with secrets.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use twinkey_core::{
    SCHEDULE_TAG, SecretId, SecretValue, Selector, Stage, Store, SystemClock, VersionId,
};
use twinkey_local::LocalStore;

use crate::arguments::{Get, Place, Put, Tag, Untag};
use crate::place::Opened;
use crate::present;
use crate::problem::Problem;

/// The longest document that is read: a little more than a store takes, so that the store says why.
const LONGEST_DOCUMENT: u64 = 70_000;

pub(crate) fn init(place: &Place) -> Result<(), Problem> {
    let (store, key_file) = (place.store()?, place.key_file()?);
    for file in [&store, &key_file] {
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
    }
    LocalStore::init(&store, &key_file, Arc::new(SystemClock))?;
    eprintln!("made the store {}", store.display());
    eprintln!(
        "locked with the key in {}: back it up apart from the store; without it nothing can be read",
        key_file.display()
    );
    Ok(())
}

pub(crate) async fn put(opened: &Opened, put: &Put) -> Result<(), Problem> {
    let value = read_document(&put.from_file)?;
    let secret = SecretId::new(&put.name);
    check_document(opened, &value)?;
    let id = VersionId::random(&mut rand::rng());
    let tags = put.tags.iter().cloned().collect();
    opened.store.put_value(&secret, &id, &value, &tags).await?;
    eprintln!("{secret}: version {id} is AWSCURRENT");
    Ok(())
}

fn read_document(path: &Path) -> Result<SecretValue, Problem> {
    let mut text = String::new();
    let shown = path.display();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(
            std::fs::File::open(path)
                .map_err(|error| Problem::usage(format!("{shown}: {error}")))?,
        )
    };
    source
        .take(LONGEST_DOCUMENT)
        .read_to_string(&mut text)
        .map_err(|error| Problem::usage(format!("{shown}: {error}")))?;
    Ok(SecretValue::new(text))
}

/// A document of a kind that twinkey rotates must be one that it can rotate; anything else is stored as it is.
fn check_document(opened: &Opened, value: &SecretValue) -> Result<(), Problem> {
    match opened.kinds.open(value) {
        Ok(rotator) => rotator.parse(value).map(drop).map_err(Problem::from),
        Err(unknown) => {
            eprintln!("note: {unknown}; it is stored as it is and will not be rotated");
            Ok(())
        }
    }
}

pub(crate) async fn tag(opened: &Opened, tag: &Tag) -> Result<(), Problem> {
    let secret = SecretId::new(&tag.name);
    let tags: BTreeMap<String, String> = tag.tags.iter().cloned().collect();
    Ok(opened.store.tag(&secret, &tags).await?)
}

pub(crate) async fn untag(opened: &Opened, untag: &Untag) -> Result<(), Problem> {
    Ok(opened
        .store
        .untag(&SecretId::new(&untag.name), &untag.keys)
        .await?)
}

pub(crate) async fn get(opened: &Opened, get: &Get) -> Result<(), Problem> {
    let at = match &get.version {
        Some(id) => Selector::Version(VersionId::parse(id)?),
        None => Selector::Stage(Stage::from(get.stage.clone())),
    };
    let version = opened.store.read(&SecretId::new(&get.name), &at).await?;
    let text = match &get.field {
        Some(name) => field(&version.value, name)?,
        None => version.value.expose().to_owned(),
    };
    present::bytes(text.as_bytes());
    if !text.ends_with('\n') {
        present::bytes(b"\n");
    }
    Ok(())
}

fn field(value: &SecretValue, name: &str) -> Result<String, Problem> {
    let document: Value = serde_json::from_str(value.expose()).map_err(|_| {
        Problem::new(
            "InvalidDocument",
            "the document is not JSON, so it has no fields",
        )
    })?;
    match document.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
        None => Err(Problem::new(
            "InvalidDocument",
            format!("the document has no field {name}"),
        )),
    }
}

pub(crate) async fn list(opened: &Opened, json: bool) -> Result<(), Problem> {
    let secrets = opened.store.list().await?;
    if json {
        let listed: Vec<Value> = secrets
            .iter()
            .map(|entry| {
                serde_json::json!({
                    "secret": entry.secret,
                    "tags": entry.description.tags,
                    "current_since": entry.description.current_since,
                })
            })
            .collect();
        present::json(&listed);
        return Ok(());
    }
    let now = opened.clock.now();
    let mut rows = vec![vec![
        "SECRET".into(),
        "SCHEDULE".into(),
        "CURRENT SINCE".into(),
    ]];
    rows.extend(secrets.iter().map(|entry| {
        let schedule = entry
            .description
            .tags
            .get(SCHEDULE_TAG)
            .cloned()
            .unwrap_or_else(|| "-".into());
        let since = entry
            .description
            .current_since
            .map_or_else(|| "-".into(), |since| present::ago(since, now));
        vec![entry.secret.to_string(), schedule, since]
    }));
    present::table(&rows);
    Ok(())
}
