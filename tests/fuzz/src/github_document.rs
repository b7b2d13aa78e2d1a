use serde_json::{Map, Value};
use twinkey_core::{Credential, SecretValue};
use twinkey_github::{DeployKeySecret, TokenSecret};

/// A document of either kind at GitHub: kept as it is, in the order of its fields, or refused by field and without its
/// secret.
pub fn github_document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    check::<TokenSecret>(text, "token");
    check::<DeployKeySecret>(text, "private_key");
}

fn check<S: Credential + std::fmt::Debug>(text: &str, secret: &str) {
    let fields: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let value = fields.get(secret).and_then(Value::as_str);
    let document = match S::parse(&SecretValue::new(text.into())) {
        Ok(document) => document,
        Err(error) => {
            super::assert_presentable(&error.to_string(), None);
            let shows = value.is_some_and(|it| is_marked(it) && error.to_string().contains(it));
            assert!(!shows, "shows the value: {error}");
            return;
        }
    };
    let rendered = document.render();
    let again: Map<String, Value> = serde_json::from_str(rendered.expose()).expect("JSON");
    assert_eq!(again, fields);
    assert!(again.keys().eq(fields.keys()), "in their order");
    let again = S::parse(&rendered).expect("what was written");
    assert_eq!(again.render(), rendered);
    document.same_target(&again).expect("the same");
    // Without a key there is nothing that could be the same.
    assert_eq!(
        document.continues(&again).is_ok(),
        document.key_id().is_none()
    );
    if let Some(value) = value.filter(|it| is_marked(it)) {
        assert!(!format!("{document:?}").contains(value), "shows the value");
    }
}

/// A token that is told from every word of ours.
fn is_marked(value: &str) -> bool {
    value.starts_with("ghs_TEST") && value.len() >= 12
}
