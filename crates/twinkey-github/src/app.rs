//! Which App, installed where, and who signs for it: what both kinds of documents have in common.

use serde_json::Value;
use twinkey_core::{DocumentError, SecretId};
use twinkey_document::{Fields, optional_text, text};

use crate::api_base::ApiBase;

/// An App's installation.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) base: ApiBase,
    /// A client id or a numeric id.
    pub(crate) id: String,
    pub(crate) installation: String,
    pub(crate) key: AppKey,
}

/// Who signs as the App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppKey {
    /// A KMS key: an id, an ARN or an alias.
    Kms(String),
    /// The PEM in another secret.
    Secret(SecretId),
}

impl App {
    pub(crate) fn parse(fields: &Fields) -> Result<Self, DocumentError> {
        let base = match optional_text(fields, "api_base")? {
            Some(base) => {
                ApiBase::parse(&base).map_err(|problem| DocumentError::new("api_base", problem))?
            }
            None => ApiBase::default(),
        };
        Ok(Self {
            base,
            id: plain(fields, "app_id", |c| {
                c.is_ascii_alphanumeric() || "._-".contains(c)
            })?,
            installation: plain(fields, "installation_id", |c| c.is_ascii_digit())?,
            key: app_key(fields)?,
        })
    }

    /// The fields that must not differ between two keys of one secret. (P10)
    pub(crate) fn same_target(&self, other: &Self) -> [(&'static str, bool); 3] {
        [
            ("api_base", self.base == other.base),
            ("app_id", self.id == other.id),
            ("installation_id", self.installation == other.installation),
        ]
    }
}

/// The first field that does not hold.
pub(crate) fn all_hold(fields: &[(&str, bool)]) -> Result<(), DocumentError> {
    match fields.iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(DocumentError::new(
            *field,
            "is not what follows from the current document",
        )),
        None => Ok(()),
    }
}

fn plain(
    fields: &Fields,
    field: &str,
    fits: impl Fn(char) -> bool,
) -> Result<String, DocumentError> {
    let text = text(fields, field)?;
    if text.chars().all(fits) {
        Ok(text)
    } else {
        Err(DocumentError::new(field, "is none that GitHub gives"))
    }
}

fn app_key(fields: &Fields) -> Result<AppKey, DocumentError> {
    let wrong = || {
        let problem =
            r#"must be {"kms":"alias/…"} or {"secret":"name of the secret with the PEM"}"#;
        DocumentError::new("app_key", problem)
    };
    let Some(Value::Object(forms)) = fields.get("app_key") else {
        return Err(wrong());
    };
    let mut forms = forms.iter();
    let (Some((form, Value::String(name))), None) = (forms.next(), forms.next()) else {
        return Err(wrong());
    };
    match form.as_str() {
        _ if name.is_empty() => Err(wrong()),
        "kms" => Ok(AppKey::Kms(name.clone())),
        "secret" => Ok(AppKey::Secret(SecretId::new(name.clone()))),
        _ => Err(wrong()),
    }
}
