//! Documents: parsed, rendered, compared, and shown to nobody. Pure.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde_json::Value;
use twinkey_core::{Credential, DocumentError, Provider, SecretValue};

use super::ProviderUnderTest;

pub(super) fn check<P: Provider>(test: &ProviderUnderTest<P>) {
    let (current, wrong) = (&test.current, &test.wrong);
    for document in test.elsewhere.iter().chain([current, wrong]) {
        survives_its_own_rendering(document);
    }
    shows_nothing(&format!("{wrong:?} {wrong:#?}"), wrong, current);
    what_is_no_document_is_refused(wrong, current);
    is_at(wrong, current);
    if current.key_id().is_some() {
        is_error(
            &current.continues(current),
            "a key is not its own successor",
        );
    }
    assert!(
        !test.elsewhere.is_empty(),
        "name a document for each field of the target"
    );
    for elsewhere in &test.elsewhere {
        is_elsewhere(elsewhere, current);
        let error = elsewhere.same_target(wrong).expect_err("another target");
        shows_nothing(&error.to_string(), wrong, current);
    }
}

pub(super) fn survives_its_own_rendering<S: Credential>(secret: &S) {
    let again = S::parse(&secret.render()).expect("our own document");
    assert_eq!(again.render(), secret.render());
    assert_eq!(again.key_id(), secret.key_id());
    assert_eq!(again.expires_at(), secret.expires_at());
}

/// The successor of `current`, and of no document for another target.
pub(super) fn follows<S: Credential>(new: &S, current: &S, elsewhere: &[S]) {
    survives_its_own_rendering(new);
    new.continues(current).expect("the successor");
    is_at(new, current);
    is_error(&new.continues(new), "a key is not its own successor");
    for elsewhere in elsewhere {
        is_elsewhere(elsewhere, new);
    }
}

fn is_at<S: Credential>(one: &S, other: &S) {
    one.same_target(one).expect("its own target");
    one.same_target(other).expect("the same target");
    other.same_target(one).expect("the same target");
}

fn is_elsewhere<S: Credential>(elsewhere: &S, here: &S) {
    is_error(&elsewhere.same_target(here), "another target");
    is_error(&here.same_target(elsewhere), "another target");
    is_error(&elsewhere.continues(here), "another target");
    is_error(&here.continues(elsewhere), "another target");
}

fn is_error(result: &Result<(), DocumentError>, why: &str) {
    match result {
        Ok(()) => panic!("it was taken, although: {why}"),
        Err(error) => assert!(!error.field.is_empty(), "an error names the field: {error}"),
    }
}

fn what_is_no_document_is_refused<S: Credential + Debug>(wrong: &S, current: &S) {
    let rendered = wrong.render();
    let whole = rendered.expose();
    let middle = whole.floor_char_boundary(whole.len() - 1);
    for text in ["", "TEST-no-document", "[]", "null", &whole[..middle]] {
        let refused = S::parse(&SecretValue::new(text.into()));
        let error = refused.expect_err("no document of ours");
        assert!(!error.field.is_empty(), "an error names the field: {error}");
        shows_nothing(&error.to_string(), wrong, current);
        assert!(!error.to_string().contains("TEST-no-document"), "{error}");
    }
}

/// What differs between a document and one with another key is the key: it is not in `told`.
pub(super) fn shows_nothing<S: Credential>(told: &str, wrong: &S, current: &S) {
    let known = texts(&current.render());
    let keys = texts(&wrong.render());
    let mut keys = keys.difference(&known).peekable();
    assert!(
        keys.peek().is_some(),
        "the wrong document holds no other key than the current one"
    );
    for key in keys {
        assert!(!told.contains(key.as_str()), "a value is shown: {told}");
    }
}

/// Every text in a document; the whole of it if it is no JSON.
fn texts(document: &SecretValue) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    match serde_json::from_str(document.expose()) {
        Ok(value) => gather(value, &mut texts),
        Err(_) => {
            texts.insert(document.expose().into());
        }
    }
    texts
}

fn gather(value: Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            texts.insert(text);
        }
        Value::Array(values) => values.into_iter().for_each(|value| gather(value, texts)),
        Value::Object(fields) => fields
            .into_iter()
            .for_each(|(_, value)| gather(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
