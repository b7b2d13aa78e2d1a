use twinkey_core::{Trigger, VersionId};

/// A token of somebody's choice: within the vendor's bounds, kept as it is, always of the same
/// trigger.
pub fn version_id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let within = (32..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let parsed = VersionId::parse(text);
    assert_eq!(parsed.is_ok(), within);
    let json = serde_json::to_string(text).expect("a string");
    let read = serde_json::from_str::<VersionId>(&json);
    match parsed {
        Ok(id) => {
            assert_eq!(id.as_str(), text);
            assert_eq!(id.to_string(), text);
            let again = read.expect("the same text");
            assert_eq!(
                (again.trigger(), again.is_forced()),
                (id.trigger(), id.is_forced())
            );
            assert_eq!(again, id);
            assert!(!id.is_forced() || id.trigger() == Trigger::Manual);
        }
        Err(error) => {
            super::assert_presentable(&error.to_string(), Some(text));
            let error = read.expect_err("the same text").to_string();
            super::assert_presentable(&error, Some(text));
        }
    }
}
