//! Short names for what must not be shown: the first bytes of a SHA-256.

use sha2::{Digest, Sha256};

/// The first `bytes` bytes of the parts' SHA-256, in hexadecimal; a NUL byte is between the parts.
pub(crate) fn beginning(parts: &[&str], bytes: usize) -> String {
    let digest = Sha256::digest(parts.join("\0"));
    let digits = digest
        .iter()
        .take(bytes)
        .flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_beginning_of_the_digest_in_hexadecimal() {
        assert_eq!(beginning(&["abc"], 4), "ba7816bf");
        assert_ne!(beginning(&["a", "bc"], 4), beginning(&["ab", "c"], 4));
    }
}
