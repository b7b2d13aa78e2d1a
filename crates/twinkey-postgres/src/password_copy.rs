//! Further copies of the password in a document: a URL is written anew, anything else is refused,
//! because a rotation would leave a dead password behind in it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use twinkey_core::DocumentError;
use twinkey_document::{Fields, mentions, pointer_part};
use url::Url;

/// Fields with a meaning of their own: what they say is no copy of the password.
const OWN: [&str; 11] = [
    "engine",
    "host",
    "port",
    "username",
    "password",
    "dbname",
    "masterarn",
    "twin",
    "owner",
    "sslmode",
    "ssl",
];

/// What needs no encoding in a URL. The `url` crate's own set for users and passwords lets `%`
/// pass, so that a name with `%41` in it would come out as another name.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A user and its password.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
}

/// Finds a copy that could not be written anew; the error is its JSON pointer.
pub(crate) fn check(fields: &Fields, old: Pair<'_>) -> Result<(), DocumentError> {
    rewrite(&mut fields.clone(), old, old)
}

/// Replaces the old pair by the new one in every URL that holds exactly the old one.
pub(crate) fn rewrite(
    fields: &mut Fields,
    old: Pair<'_>,
    new: Pair<'_>,
) -> Result<(), DocumentError> {
    for (key, value) in fields.iter_mut() {
        if !OWN.contains(&key.as_str()) {
            rewrite_entry("", key, value, old, new)?;
        }
    }
    Ok(())
}

fn rewrite_entry(
    above: &str,
    key: &str,
    value: &mut Value,
    old: Pair<'_>,
    new: Pair<'_>,
) -> Result<(), DocumentError> {
    if mentions(key, old.password) {
        let whose = if above.is_empty() { "document" } else { above };
        return Err(DocumentError::new(
            whose,
            "has a key that contains the password",
        ));
    }
    rewrite_value(&format!("{above}/{}", pointer_part(key)), value, old, new)
}

fn rewrite_value(
    pointer: &str,
    value: &mut Value,
    old: Pair<'_>,
    new: Pair<'_>,
) -> Result<(), DocumentError> {
    match value {
        Value::String(text) => {
            if let Some(anew) = rewrite_url(text, old, new) {
                *text = anew;
            } else if mentions(text, old.password) {
                return Err(DocumentError::new(
                    pointer,
                    "contains the password, and is no URL with exactly this user and password",
                ));
            }
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(at, item)| rewrite_value(&format!("{pointer}/{at}"), item, old, new)),
        Value::Object(entries) => entries
            .iter_mut()
            .try_for_each(|(key, item)| rewrite_entry(pointer, key, item, old, new)),
        Value::Number(number) if number.to_string() == old.password => {
            Err(DocumentError::new(pointer, "is the password, as a number"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// The URL with the new pair, if it holds exactly the old one, and holds it once.
fn rewrite_url(text: &str, old: Pair<'_>, new: Pair<'_>) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    let is = |part: &str, wanted: &str| percent_decode_str(part).eq(wanted.bytes());
    if !is(url.username(), old.user) || !is(url.password()?, old.password) {
        return None;
    }
    // Scheme, host and path may well have the same word in them as a poor password.
    let again = |part: Option<&str>| part.is_some_and(|part| mentions(part, old.password));
    if again(url.query()) || again(url.fragment()) {
        return None;
    }
    let encode = |text| utf8_percent_encode(text, ENCODED).to_string();
    url.set_username(&encode(new.user)).ok()?;
    url.set_password(Some(&encode(new.password))).ok()?;
    Some(url.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use serde_json::json;

    use super::*;

    const OLD: Pair<'_> = Pair {
        user: "app user",
        password: "p@ss/word",
    };
    const NEW: Pair<'_> = Pair {
        user: "app user_clone",
        password: "fresh",
    };

    fn rewritten(document: Value) -> Result<Value, DocumentError> {
        let Value::Object(mut fields) = document else {
            panic!("an object")
        };
        check(&fields, OLD)?;
        rewrite(&mut fields, OLD, NEW)?;
        Ok(fields.into())
    }

    #[test]
    fn a_url_with_exactly_this_user_and_password_is_written_anew_wherever_it_is() {
        let document = json!({
            "password": "p@ss/word",
            "nested": {"urls": ["postgres://app%20user:p%40ss%2Fword@db.internal:5432/app?x=1"]},
            "note": "kept",
        });
        assert_eq!(
            rewritten(document).unwrap()["nested"]["urls"][0],
            "postgres://app%20user_clone:fresh@db.internal:5432/app?x=1"
        );
    }

    #[test]
    fn any_other_copy_is_refused_by_its_pointer() {
        for (document, pointer) in [
            (json!({"dsn": "host=h password=p@ss/word"}), "/dsn"),
            (json!({"a/b": [{"c": "p@ss/word"}]}), "/a~1b/0/c"),
            (
                json!({"jdbc": "jdbc:postgresql://h/db?password=p%40ss%2Fword"}),
                "/jdbc",
            ),
            (json!({"url": "postgres://else:p%40ss%2Fword@h/db"}), "/url"),
            (
                json!({"url": "postgres://app%20user:p%40ss%2Fword@h/db?also=p%40ss%2Fword"}),
                "/url",
            ),
            (json!({"p@ss/word": 1}), "document"),
        ] {
            assert_eq!(rewritten(document).unwrap_err().field, pointer);
        }
    }

    #[test]
    fn a_copy_as_a_number_or_as_a_form_sends_it_is_refused_by_its_pointer() {
        for (document, password, pointer) in [
            (json!({"pins": [7, 4711]}), "4711", "/pins/1"),
            (json!({"form": "user=u&password=a+b%2B"}), "a b+", "/form"),
            (json!({"form": "a%20b%2B"}), "a b+", "/form"),
        ] {
            let Value::Object(fields) = document else {
                panic!("an object")
            };
            let user = "u";
            let error = check(&fields, Pair { user, password }).unwrap_err();
            assert_eq!(error.field, pointer);
        }
        let others = json!({"port": 4711, "pins": [47110, "a-b"], "form": "c+d"});
        let Value::Object(others) = others else {
            panic!("an object")
        };
        for password in ["4711", "a b"] {
            let user = "u";
            check(&others, Pair { user, password }).unwrap();
        }
    }

    #[test]
    fn a_name_that_looks_percent_encoded_comes_out_as_it_is() {
        let url = "postgres://u:postgres@h/db";
        let (old, new) = (
            Pair {
                user: "u",
                password: "postgres",
            },
            Pair {
                user: "a%41 b",
                password: "x%y",
            },
        );
        assert_eq!(
            rewrite_url(url, old, new).unwrap(),
            "postgres://a%2541%20b:x%25y@h/db"
        );
    }

    fn cases() -> ProptestConfig {
        ProptestConfig {
            cases: 200,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn whatever_a_user_and_a_password_consist_of_the_url_holds_the_new_ones_afterwards(
            old in ("[^\0]{1,20}", "[^\0]{1,30}"), new in ("[^\0]{1,20}", "[^\0]{1,30}"),
        ) {
            let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
            let url = |(user, password): &(String, String)| {
                format!("postgres://{}:{}@db.internal:5432/", encode(user), encode(password))
            };
            let pair = |(user, password)| Pair { user, password };
            let old_pair = pair((old.0.as_str(), old.1.as_str()));
            let new_pair = pair((new.0.as_str(), new.1.as_str()));
            prop_assert_eq!(rewrite_url(&url(&old), old_pair, new_pair), Some(url(&new)));
            // And nobody else's.
            if old != new {
                prop_assert_eq!(rewrite_url(&url(&new), old_pair, new_pair), None);
            }
        }

        #[test]
        fn p1_a_copy_is_found_wherever_it_stands_and_however_it_is_encoded(
            before in "[a-z =&?:/]{0,10}", password in "[^\0]{4,20}", after in "[a-z =&]{0,10}",
        ) {
            let escaped: Vec<String> = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let percent = escaped.concat();
            for copy in [password.as_str(), &percent] {
                let document = json!({"other": [{"text": format!("{before}{copy}{after}")}]});
                let Value::Object(fields) = document else {
                    panic!("an object")
                };
                let error = check(&fields, Pair { user: "u", password: &password });
                prop_assert_eq!(error.unwrap_err().field, "/other/0/text");
            }
        }
    }

    #[test]
    fn a_url_of_another_user_and_fields_with_a_meaning_are_left_alone() {
        let document = json!({
            "username": "p@ss/word",
            "url": "postgres://else:else@h/db",
        });
        assert_eq!(rewritten(document.clone()).unwrap(), document);
    }
}
