use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The text of a key file: exactly the key that it spells, or a reason that shows nothing of it.
pub fn key_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match twinkey_local::fuzzing::key_file(text) {
        Ok(key) => {
            let spelt = STANDARD.encode(key);
            let (header, body) = text.split_once('\n').expect("two lines");
            assert_eq!(header.trim_end(), "twinkey wrapping key v1");
            assert_eq!(body.trim(), spelt);
        }
        Err(reason) => super::assert_presentable(reason, Some(text)),
    }
}
