//! Doors for `tests/fuzz`: what reads files here, as plain functions.
#![allow(
    clippy::missing_panics_doc,
    reason = "a door for tests fails by panicking"
)]

use crate::keyfile;
use crate::sealed::{KEY_LEN, Key, Place, Sealer};

/// The key in the text of a key file, or why there is none.
pub fn key_file(text: &str) -> Result<[u8; KEY_LEN], &'static str> {
    keyfile::parse(text).map(|key| *key)
}

/// Whether bytes pass for a row that was sealed under a key.
pub fn opens(key: [u8; KEY_LEN], row: &[u8]) -> bool {
    let door = Sealer::new(&Key::new(key)).expect("a key of the right length");
    door.open(&Place::new("store", "value"), row).is_ok()
}

/// A row sealed under a key.
pub fn seal(key: [u8; KEY_LEN], plain: &[u8]) -> Vec<u8> {
    let door = Sealer::new(&Key::new(key)).expect("a key of the right length");
    let row = door.seal(&Place::new("store", "value"), plain);
    row.expect("the system's randomness")
}
