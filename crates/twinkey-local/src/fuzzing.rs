//! Doors for `tests/fuzz`: what reads files here, as plain functions.

use crate::keyfile;
use crate::sealed::{KEY_LEN, Key, Place, Sealer};

/// The key in the text of a key file, or why there is none.
pub fn key_file(text: &str) -> Result<[u8; KEY_LEN], &'static str> {
    keyfile::parse(text).map(|key| *key)
}

/// Whether bytes pass for a row that was sealed under a key.
pub fn opens(key: [u8; KEY_LEN], sealed: &[u8]) -> bool {
    let sealer = Sealer::new(&Key::new(key)).expect("a key of the right length");
    sealer.open(&Place::new("store", "value"), sealed).is_ok()
}

/// A row sealed under a key.
pub fn seal(key: [u8; KEY_LEN], plain: &[u8]) -> Vec<u8> {
    let sealer = Sealer::new(&Key::new(key)).expect("a key of the right length");
    let sealed = sealer.seal(&Place::new("store", "value"), plain);
    sealed.expect("the system's randomness")
}
