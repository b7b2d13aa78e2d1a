//! The forms in which a secret value could appear in a stream.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The forms in which a value could appear.
#[must_use]
pub fn forms(value: &str) -> Vec<String> {
    let percent: Vec<String> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let usual: String = value
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-._~".contains(c) {
                c.to_string()
            } else {
                format!("%{:02X}", c as u32)
            }
        })
        .collect();
    let debug = format!("{value:?}").trim_matches('"').to_owned();
    vec![
        value.into(),
        STANDARD.encode(value),
        URL_SAFE_NO_PAD.encode(value),
        percent.concat(),
        usual,
        debug,
    ]
}

/// Whether a stream shows a value in any form.
#[must_use]
pub fn leaks(stream: &str, value: &str) -> bool {
    forms(value)
        .iter()
        .any(|form| stream.contains(form.as_str()))
}
