//! The operations, over the fake.

use chrono::TimeDelta;
use serde_json::{Value, json};
use twinkey_core::{SecretId, SecretValue, Selector, Stage, Store};
use twinkey_testkit::{FakeClock, FakeSecretsManager};

use crate::ledger::Ledger;
use crate::refusal::Refusal;
use crate::request::{Request, arn, date};

type Answer = Result<Value, Refusal>;

/// One service: the fake, and what it does not know.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) fake: FakeSecretsManager,
    pub(crate) clock: FakeClock,
    pub(crate) ledger: Ledger,
}

impl Service {
    /// Performs one call. Time passes: a millisecond, the precision of the vendor's dates.
    pub(crate) async fn perform(&self, operation: &str, parameters: &Value) -> Answer {
        self.clock.advance(TimeDelta::milliseconds(1));
        let request = Request::new(operation, parameters);
        match operation {
            "CreateSecret" => self.create(&request).await,
            "DescribeSecret" => self.describe(&request).await,
            "GetSecretValue" => self.read(&request).await,
            "PutSecretValue" => self.put(&request).await,
            "UpdateSecretVersionStage" => self.move_stage(&request).await,
            "ListSecretVersionIds" => self.versions(&request),
            "RotateSecret" => self.rotate(&request),
            "CancelRotateSecret" => self.cancel(&request),
            "TagResource" => self.tag(&request),
            "UntagResource" => self.untag(&request),
            "ListSecrets" => self.list(&request).await,
            "FilterLogEvents" => self.ledger.entries().logs.filter(&request),
            _ => Err(Refusal::new("UnknownOperationException", operation)),
        }
    }

    async fn create(&self, request: &Request<'_>) -> Answer {
        let secret = SecretId::new(request.text("Name")?);
        let (token, value) = (request.token()?, text(request)?);
        if self.knows(&secret) {
            let at = Selector::Version(token.clone());
            let stored = self.fake.read(&secret, &at).await;
            if !stored.is_ok_and(|version| version.value == value) {
                let message =
                    format!("The operation failed because the secret {secret} already exists.");
                return Err(Refusal::new("ResourceExistsException", message));
            }
        } else {
            self.fake.put_by_hand(&secret, &token, &value);
            self.add_tags(&secret, request);
        }
        Ok(named(&secret, json!({"VersionId": token})))
    }

    async fn describe(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        self.described(request.operation, &secret, "VersionIdsToStages")
            .await
    }

    async fn described(&self, operation: &str, secret: &SecretId, versions: &str) -> Answer {
        let description = self.fake.describe(secret).await;
        let description = description.map_err(|error| Refusal::of(operation, secret, error))?;
        let tags = description.tags.iter();
        let tags: Vec<Value> = tags
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        let mut answer = json!({
            "RotationEnabled": description.rotation_enabled,
            "Tags": tags,
            versions: description.versions,
        });
        merge(&mut answer, self.dates(secret));
        let entries = self.ledger.entries();
        let more = entries.described.get(secret).cloned().unwrap_or_default();
        merge(&mut answer, Value::Object(more));
        Ok(named(secret, answer))
    }

    fn dates(&self, secret: &SecretId) -> Value {
        let Some(dates) = self.fake.dates(secret) else {
            return json!({});
        };
        let mut answer = json!({
            "CreatedDate": date(dates.created),
            "LastChangedDate": date(dates.changed),
        });
        if let Some(rotated) = dates.rotated {
            merge(&mut answer, json!({"LastRotatedDate": date(rotated)}));
        }
        answer
    }

    async fn read(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        let stage = request.optional_text("VersionStage");
        let stage = stage.map(|label| Stage::from(label.to_owned()));
        let at = match (request.optional_version("VersionId")?, stage) {
            (Some(id), Some(stage)) => Selector::VersionAt(id, stage),
            (Some(id), None) => Selector::Version(id),
            (None, stage) => Selector::Stage(stage.unwrap_or(Stage::Current)),
        };
        let version = match self.fake.read(&secret, &at).await {
            Ok(version) => version,
            Err(_) if self.has_other_label(&secret, &at) => return Err(Refusal::not_associated()),
            Err(error) => return Err(Refusal::of(request.operation, &secret, error)),
        };
        let answer = json!({
            "VersionId": version.id,
            "SecretString": version.value.expose(),
            "VersionStages": version.stages,
            "CreatedDate": date(version.created_at),
        });
        Ok(named(&secret, answer))
    }

    fn has_other_label(&self, secret: &SecretId, at: &Selector) -> bool {
        let Selector::VersionAt(id, stage) = at else {
            return false;
        };
        let versions = self.fake.versions(secret);
        let stored = versions.iter().find(|version| version.id == *id);
        stored.is_some_and(|version| version.value.is_some() && !version.stages.contains(stage))
    }

    async fn put(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        let (token, value) = (request.token()?, text(request)?);
        let mut stages = request.stages();
        if stages.is_empty() {
            stages.push(Stage::Current);
        }
        let stored = self.fake.put(&secret, &token, &value, &stages).await;
        stored.map_err(|error| Refusal::of(request.operation, &secret, error))?;
        let answer = json!({"VersionId": token, "VersionStages": stages});
        Ok(named(&secret, answer))
    }

    async fn move_stage(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        let stage = Stage::from(request.text("VersionStage")?.to_owned());
        let from = request.optional_version("RemoveFromVersionId")?;
        let to = request.optional_version("MoveToVersionId")?;
        let (from, to) = (from.as_ref(), to.as_ref());
        let moved = self.fake.move_stage(&secret, &stage, from, to).await;
        moved.map_err(|error| Refusal::of(request.operation, &secret, error))?;
        Ok(named(&secret, json!({})))
    }

    fn versions(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        if !self.knows(&secret) {
            return Err(Refusal::no_secret());
        }
        let deprecated = request.field("IncludeDeprecated") == true;
        let versions = self.fake.versions(&secret).into_iter();
        let versions: Vec<Value> = versions
            .filter(|version| deprecated || !version.stages.is_empty())
            .map(|version| {
                let created = version.value.map(|(_, created)| date(created));
                json!({
                    "VersionId": version.id,
                    "VersionStages": version.stages,
                    "CreatedDate": created,
                })
            })
            .collect();
        Ok(named(&secret, json!({"Versions": versions})))
    }

    fn rotate(&self, request: &Request<'_>) -> Answer {
        let (secret, token) = (request.secret()?, request.token()?);
        if request.field("RotateImmediately") == false {
            return Err(Refusal::invalid_parameter(
                "the fake does not test a configuration over HTTP",
            ));
        }
        let begun = self.fake.rotate_secret(&secret, &token);
        begun.map_err(|error| Refusal::of(request.operation, &secret, error))?;
        Ok(named(&secret, json!({"VersionId": token})))
    }

    fn cancel(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        let left = self.fake.cancel_rotate_secret(&secret);
        let left = left.map_err(|error| Refusal::of(request.operation, &secret, error))?;
        Ok(named(&secret, json!({"VersionId": left})))
    }

    fn tag(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        if !self.knows(&secret) {
            return Err(Refusal::no_secret());
        }
        self.add_tags(&secret, request);
        Ok(json!({}))
    }

    fn untag(&self, request: &Request<'_>) -> Answer {
        let secret = request.secret()?;
        if !self.knows(&secret) {
            return Err(Refusal::no_secret());
        }
        for key in request.field("TagKeys").as_array().into_iter().flatten() {
            self.fake.untag(&secret, key.as_str().unwrap_or_default());
        }
        Ok(json!({}))
    }

    fn add_tags(&self, secret: &SecretId, request: &Request<'_>) {
        for tag in request.field("Tags").as_array().into_iter().flatten() {
            let text = |name: &str| tag[name].as_str().unwrap_or_default();
            self.fake.tag(secret, text("Key"), text("Value"));
        }
    }

    /// One page after the other, by the order of names; of filters only `tag-key`.
    async fn list(&self, request: &Request<'_>) -> Answer {
        let most = request.field("MaxResults").as_u64().unwrap_or(100);
        let most = usize::try_from(most).unwrap_or(100);
        let from = request.optional_text("NextToken").unwrap_or_default();
        let mut entries = Vec::new();
        for secret in self.fake.secrets() {
            let answer = self
                .described("ListSecrets", &secret, "SecretVersionsToStages")
                .await?;
            if secret.as_str() >= from && passes_filters(request, &answer)? {
                entries.push((secret, answer));
            }
        }
        let next = entries.get(most).map(|(secret, _)| secret.to_string());
        let page = entries.into_iter().take(most).map(|(_, answer)| answer);
        Ok(json!({"SecretList": page.collect::<Vec<_>>(), "NextToken": next}))
    }

    fn knows(&self, secret: &SecretId) -> bool {
        self.fake.secrets().contains(secret)
    }
}

fn passes_filters(request: &Request<'_>, answer: &Value) -> Result<bool, Refusal> {
    for filter in request.field("Filters").as_array().into_iter().flatten() {
        if filter["Key"] != "tag-key" {
            return Err(Refusal::invalid_parameter("the fake filters by tag-key"));
        }
        let wanted = filter["Values"].as_array().into_iter().flatten();
        let tags = answer["Tags"].as_array().cloned().unwrap_or_default();
        // "Prefix match, case-sensitive."
        let has = |key: &Value| {
            let key = key.as_str().unwrap_or_default();
            tags.iter()
                .any(|tag| tag["Key"].as_str().is_some_and(|it| it.starts_with(key)))
        };
        if !wanted.into_iter().any(has) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text(request: &Request<'_>) -> Result<SecretValue, Refusal> {
    Ok(SecretValue::new(request.text("SecretString")?.to_owned()))
}

fn named(secret: &SecretId, mut answer: Value) -> Value {
    merge(
        &mut answer,
        json!({"ARN": arn(secret), "Name": secret.as_str()}),
    );
    answer
}

fn merge(answer: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (answer, more) {
        fields.extend(more);
    }
}
