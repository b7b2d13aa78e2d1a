use twinkey_local::fuzzing::{opens, seal};

const KEY: [u8; 32] = *b"TEST-TEST-TEST-TEST-TEST-TEST-32";

/// Bytes in the place of a sealed row: they never open, and what was sealed opens unchanged only.
pub fn sealed_row(bytes: &[u8]) {
    assert!(
        !opens(KEY, bytes),
        "whoever does not know the key seals nothing"
    );
    let sealed = seal(KEY, bytes);
    assert!(opens(KEY, &sealed));
    let at = bytes.iter().fold(bytes.len(), |sum, byte| {
        sum * 31 % 65_521 + usize::from(*byte)
    });
    let mut changed = sealed.clone();
    changed[at % sealed.len()] ^= 1;
    assert!(!opens(KEY, &changed));
    assert!(!opens(KEY, &sealed[..at % sealed.len()]));
}
