//! put, tag, untag, get: what a person does with secrets.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use twinkey_aws::SecretsManagerStore;
use twinkey_core::{
    Description, MIN_OVERLAP_TAG, Policy, Rotator, SCHEDULE_TAG, SecretId, SecretValue, Selector,
    Stage, Store, StoreError, VersionId,
};

use crate::arguments::{Get, Put, Tag, Untag};
use crate::place::{At, Opened};
use crate::present::{self, note};
use crate::problem::Problem;

/// The longest document that is read: a little more than a store takes, so that the store says why.
const LONGEST_DOCUMENT: u64 = 70_000;

/// How often a put is repeated that was not heard of: it is the same version again, and not a second one.
const REPEATS: u32 = 2;

pub(crate) async fn put(opened: &Opened, put: &Put) -> Result<(), Problem> {
    let value = read_document(&put.from_file)?;
    let secret = SecretId::new(&put.name);
    let mut tags: BTreeMap<String, String> = put.tags.iter().cloned().collect();
    let rotator = check_document(opened, &secret, &value, &tags).await?;
    let schedule = default_schedule(opened, &secret, rotator, &tags).await?;
    if let Some(schedule) = &schedule {
        tags.insert(SCHEDULE_TAG.to_owned(), schedule.clone());
    }
    check_schedule(opened, &secret, Some(&value), &tags).await?;
    let id = VersionId::random(&mut rand::rng());
    match &opened.at {
        At::Embedded(store) => store.put_value(&secret, &id, &value, &tags).await?,
        At::Aws(aws) => put_on_aws(&aws.store, &secret, (&id, &value), &tags).await?,
    }
    note(&format!("{secret}: version {id} is AWSCURRENT"));
    if let Some(schedule) = schedule {
        note(&format!(
            "{secret}: its keys expire, so it has {SCHEDULE_TAG}={schedule} now"
        ));
    }
    Ok(())
}

/// Into a secret that is there, and is ours: who may read a new one, and by which KMS key, is for a person to
/// decide. The tags come first, so that one that is wrong leaves no value behind.
async fn put_on_aws(
    store: &SecretsManagerStore,
    secret: &SecretId,
    (id, value): (&VersionId, &SecretValue),
    tags: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    match store.describe(secret).await {
        Err(error @ StoreError::NoSecret(_)) => {
            return Err(Problem::from(error).with_hint(format!(
                "make it, then put the document again: aws secretsmanager create-secret --name {secret}"
            )));
        }
        other => other?,
    };
    if !tags.is_empty() {
        store.tag(secret, tags).await?;
    }
    for _ in 0..REPEATS {
        let stored = store.put(secret, id, value, &[Stage::Current]).await;
        if !matches!(stored, Err(StoreError::Transient { .. })) {
            return Ok(stored?);
        }
    }
    Ok(store.put(secret, id, value, &[Stage::Current]).await?)
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

/// A document of a kind that twinkey rotates must be one that it can rotate, by what is returned. Anything else is
/// stored as it is, but not where a key that rotates would be lost.
async fn check_document(
    opened: &Opened,
    secret: &SecretId,
    value: &SecretValue,
    tags: &BTreeMap<String, String>,
) -> Result<Option<Box<dyn Rotator>>, Problem> {
    let unknown = match opened.kinds().await?.open(value) {
        Ok(rotator) => {
            rotator.parse(value)?;
            return Ok(Some(rotator));
        }
        Err(unknown) => unknown,
    };
    if tags.contains_key(SCHEDULE_TAG) || rotates(opened, secret).await? {
        return Err(Problem::from(unknown).with_hint(format!(
            "{secret} rotates: correct the document, or store this one under another name"
        )));
    }
    note(&format!(
        "note: {unknown}; it is stored as it is and will not be rotated"
    ));
    Ok(None)
}

/// Where nobody has said how often, a key that expires is replaced three times in its life: two are unexpired at
/// every moment, even if a rotation fails once. Without the parentheses, which AWS does not take in a tag.
async fn default_schedule(
    opened: &Opened,
    secret: &SecretId,
    rotator: Option<Box<dyn Rotator>>,
    tags: &BTreeMap<String, String>,
) -> Result<Option<String>, Problem> {
    let Some(lifetime) = rotator.and_then(|it| it.lifetime()) else {
        return Ok(None);
    };
    if tags.contains_key(SCHEDULE_TAG) {
        return Ok(None);
    }
    // What cannot be looked at may have a schedule.
    let description = match opened.store().describe(secret).await {
        Err(StoreError::NoSecret(_)) => Description::default(),
        other => other?,
    };
    let is_said = description.tags.contains_key(SCHEDULE_TAG);
    Ok((!is_said).then(|| format!("rate {} minutes", (lifetime / 3).num_minutes())))
}

/// Where these tags change when a secret rotates, two of its keys must be unexpired at every moment. `value`: the
/// document that it will have, if not the one that it has. What is wrong beyond that, the store says.
async fn check_schedule(
    opened: &Opened,
    secret: &SecretId,
    value: Option<&SecretValue>,
    tags: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    if !tags.contains_key(SCHEDULE_TAG) && !tags.contains_key(MIN_OVERLAP_TAG) {
        return Ok(());
    }
    let store = opened.store();
    let mut all = store.describe(secret).await.unwrap_or_default().tags;
    all.extend(tags.clone());
    let current = Selector::Stage(Stage::Current);
    let value = match value {
        Some(value) => Some(value.clone()),
        None => store.read(secret, &current).await.ok().map(|it| it.value),
    };
    // Tags can be set where the operator's settings for servers are wrong.
    let (Ok(policy), Some(value), Ok(kinds)) = (Policy::parse(&all), value, opened.kinds().await)
    else {
        return Ok(());
    };
    let rotator = kinds.open(&value).ok();
    match rotator.and_then(|it| Some((it.min_overlap(), it.lifetime()?))) {
        Some((overlap, lifetime)) => Ok(policy.keeps_two(overlap, lifetime)?),
        None => Ok(()),
    }
}

async fn rotates(opened: &Opened, secret: &SecretId) -> Result<bool, Problem> {
    let current = Selector::Stage(Stage::Current);
    match opened.store().read(secret, &current).await {
        Ok(version) => Ok(opened.kinds().await?.open(&version.value).is_ok()),
        Err(StoreError::NoSecret(_) | StoreError::NoVersion { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn tag(opened: &Opened, tag: &Tag) -> Result<(), Problem> {
    let secret = SecretId::new(&tag.name);
    let tags: BTreeMap<String, String> = tag.tags.iter().cloned().collect();
    check_schedule(opened, &secret, None, &tags).await?;
    match &opened.at {
        At::Embedded(store) => Ok(store.tag(&secret, &tags).await?),
        At::Aws(aws) => Ok(aws.store.tag(&secret, &tags).await?),
    }
}

pub(crate) async fn untag(opened: &Opened, untag: &Untag) -> Result<(), Problem> {
    let secret = SecretId::new(&untag.name);
    match &opened.at {
        At::Embedded(store) => Ok(store.untag(&secret, &untag.keys).await?),
        At::Aws(aws) => Ok(aws.store.untag(&secret, &untag.keys).await?),
    }
}

pub(crate) async fn get(opened: &Opened, get: &Get) -> Result<(), Problem> {
    let at = match &get.version {
        Some(id) => Selector::Version(VersionId::parse(id)?),
        None => Selector::Stage(Stage::from(get.stage.clone())),
    };
    let version = opened.store().read(&SecretId::new(&get.name), &at).await?;
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
