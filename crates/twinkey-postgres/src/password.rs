//! Fresh passwords.

use rand::distr::{Distribution, Uniform};
use secrecy::SecretString;
use twinkey_core::Random;

/// Letters and digits that survive URLs, shells, DSNs and being read aloud: no `0Oo1lI`.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const LENGTH: usize = 32;

/// A password of 32 characters.
pub(crate) fn fresh(random: &mut Random) -> SecretString {
    let any = Uniform::new(0, ALPHABET.len()).expect("the alphabet is not empty");
    let mut password = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        password.push(char::from(ALPHABET[any.sample(random)]));
    }
    password.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_password_has_32_characters_that_need_no_quoting_anywhere() {
        let mut random = rand::rngs::StdRng::seed_from_u64(1);
        let passwords: BTreeSet<String> = (0..200)
            .map(|_| fresh(&mut random).expose_secret().to_owned())
            .collect();
        assert_eq!(passwords.len(), 200);
        let used: BTreeSet<u8> = passwords.iter().flat_map(|text| text.bytes()).collect();
        assert_eq!(used, ALPHABET.iter().copied().collect());
        assert!(passwords.iter().all(|text| text.len() == LENGTH));
        assert!(used.iter().all(u8::is_ascii_alphanumeric));
    }
}
