//! What a token may do: permissions of an App, by name and level.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinkey_core::DocumentError;

/// What GitHub adds to every token by itself.
const ALWAYS_GRANTED: &str = "metadata";

/// How much of one permission. Each level holds the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Read,
    Write,
    Admin,
}

/// Permissions by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Permissions(BTreeMap<String, Level>);

impl Permissions {
    pub(crate) fn of<const N: usize>(permissions: [(&str, Level); N]) -> Self {
        let permissions = permissions.into_iter();
        Self(
            permissions
                .map(|(name, level)| (name.into(), level))
                .collect(),
        )
    }

    /// The field of a document.
    pub(crate) fn parse(field: &str, value: &Value) -> Result<Self, DocumentError> {
        let permissions = Self::deserialize(value).ok();
        permissions.filter(|it| !it.0.is_empty()).ok_or_else(|| {
            let problem = r#"must be an object of permissions, as in {"contents":"read"}: each read, write or admin"#;
            DocumentError::new(field, problem)
        })
    }

    /// What of an answer is known here: GitHub may have permissions of other levels.
    pub(crate) fn known(value: &Value) -> Self {
        let entries = value.as_object().into_iter().flatten();
        let known = entries
            .filter_map(|(name, level)| Some((name.clone(), Level::deserialize(level).ok()?)));
        Self(known.collect())
    }

    /// The first of these that `granted` does not hold.
    pub(crate) fn missing_from(&self, granted: &Self) -> Option<String> {
        let missing = |(name, level): &(&String, &Level)| granted.0.get(*name) < Some(level);
        self.0
            .iter()
            .find(missing)
            .map(|(name, level)| format!("{name}: {level}"))
    }

    /// How `granted` differs from these, which were asked for.
    pub(crate) fn differ_from(&self, granted: &Self) -> bool {
        let mut granted = granted.0.clone();
        if !self.0.contains_key(ALWAYS_GRANTED) {
            granted.remove(ALWAYS_GRANTED);
        }
        granted != self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        })
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self
            .0
            .iter()
            .map(|(n, level)| format!("{n}: {level}"))
            .collect();
        f.write_str(&shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(value: &Value) -> Permissions {
        Permissions::parse("permissions", value).expect("permissions")
    }

    #[test]
    fn a_higher_level_holds_the_lower_ones() {
        let asked = parsed(&json!({"contents": "read", "issues": "write"}));
        let missing = |granted: Value| asked.missing_from(&parsed(&granted));
        assert_eq!(
            missing(json!({"contents": "admin", "issues": "write"})),
            None
        );
        assert_eq!(
            missing(json!({"contents": "read", "issues": "read"})),
            Some("issues: write".into())
        );
        assert_eq!(
            missing(json!({"issues": "write"})),
            Some("contents: read".into())
        );
    }

    #[test]
    fn what_is_granted_must_be_what_was_asked_but_for_what_github_adds() {
        let asked = parsed(&json!({"contents": "read"}));
        let differs = |granted: Value| asked.differ_from(&parsed(&granted));
        assert!(!differs(json!({"contents": "read"})));
        assert!(!differs(json!({"contents": "read", "metadata": "read"})));
        assert!(differs(json!({"contents": "write"})));
        assert!(differs(json!({"contents": "read", "issues": "read"})));
        assert!(differs(json!({"metadata": "read"})));
        assert!(parsed(&json!({"metadata": "read"})).differ_from(&asked));
    }

    #[test]
    fn p11_what_is_no_permission_is_refused() {
        for wrong in [
            json!({}),
            json!([]),
            json!({"contents": "own"}),
            json!("contents"),
            json!({"contents": 1}),
        ] {
            let error = Permissions::parse("permissions", &wrong).expect_err("none");
            assert_eq!(error.field, "permissions");
        }
    }
}
