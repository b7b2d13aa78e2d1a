//! What a store takes: Secrets Manager's bounds, so that a secret can move there.

use std::collections::BTreeMap;

use twinkey_core::{Policy, SecretId, SecretValue, Stage, StoreError};

use crate::state::invalid;

const LONGEST_VALUE: usize = 65_536;
const LONGEST_NAME: usize = 512;
const MOST_TAGS: usize = 50;
const LONGEST_TAG: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;

pub(crate) fn check_value(value: &SecretValue) -> Result<(), StoreError> {
    match value.expose().len() {
        0 => Err(invalid("value", "it is empty")),
        length if length > LONGEST_VALUE => Err(invalid(
            "value",
            format!("it has {length} bytes; the limit is {LONGEST_VALUE}"),
        )),
        _ => Ok(()),
    }
}

pub(crate) fn check_stages(stages: &[Stage]) -> Result<(), StoreError> {
    if stages.is_empty() {
        // Secrets Manager would move AWSCURRENT: nobody should mean that by saying nothing.
        return Err(invalid("stages", "name at least one label"));
    }
    Ok(())
}

pub(crate) fn check_name(secret: &SecretId) -> Result<(), StoreError> {
    let name = secret.as_str();
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(invalid(
            "name",
            format!("a name has 1 to {LONGEST_NAME} bytes"),
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid("name", "a name has no control characters"));
    }
    Ok(())
}

/// Checks all tags of a secret, those of policy included: a misspelt one is never stored.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), StoreError> {
    if tags.len() > MOST_TAGS {
        return Err(invalid(
            "tags",
            format!("a secret has at most {MOST_TAGS} tags"),
        ));
    }
    for (key, value) in tags {
        check_tag(key, value).map_err(|reason| invalid(format!("tag {key}"), reason))?;
    }
    Policy::parse(tags)
        .map(|_| ())
        .map_err(|error| invalid(format!("tag {}", error.tag), error.problem))
}

fn check_tag(key: &str, value: &str) -> Result<(), String> {
    if key.is_empty() || key.chars().count() > LONGEST_TAG {
        return Err(format!("a tag's key has 1 to {LONGEST_TAG} characters"));
    }
    if value.chars().count() > LONGEST_TAG_VALUE {
        return Err(format!(
            "a tag's value has at most {LONGEST_TAG_VALUE} characters"
        ));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err("keys that begin with aws: are reserved".into());
    }
    if key.chars().chain(value.chars()).any(char::is_control) {
        return Err("a tag has no control characters".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Result<(), StoreError> {
        check_tags(&BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn p11_tags_keep_the_vendors_bounds_and_policy_is_understood_before_it_is_stored() {
        tag("team", "payments").expect("somebody's own tag");
        tag("twinkey:schedule", "rate(20 minutes)").expect("a policy");
        tag(&"k".repeat(128), &"é".repeat(256)).expect("at the bounds");
        for (key, value, part) in [
            ("", "x", "1 to 128"),
            (&*"k".repeat(129), "x", "1 to 128"),
            ("k", &*"v".repeat(257), "at most 256"),
            ("aws:team", "x", "reserved"),
            ("AWS:team", "x", "reserved"),
            ("a\nb", "x", "control"),
            (
                "twinkey:shedule",
                "rate(1 day)",
                "did you mean twinkey:schedule",
            ),
            ("twinkey:min-overlap", "soon", "no duration"),
        ] {
            let error = tag(key, value).expect_err(part);
            assert!(error.to_string().contains(part), "{error}");
        }
        let many = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert!(check_tags(&many).is_err());
    }

    #[test]
    fn p11_names_and_values_keep_their_bounds() {
        check_name(&SecretId::new("app/db")).expect("a name");
        check_name(&SecretId::new("n".repeat(512))).expect("at the bound");
        for name in [
            String::new(),
            "n".repeat(513),
            "a\0b".into(),
            "a\u{85}b".into(),
        ] {
            assert!(check_name(&SecretId::new(name)).is_err());
        }
        check_value(&SecretValue::new("v".repeat(65_536))).expect("at the bound");
        let error = check_value(&SecretValue::new("v".repeat(65_537))).expect_err("above it");
        assert!(!error.to_string().contains("vv"), "{error}");
        assert!(check_value(&SecretValue::new(String::new())).is_err());
    }
}
