//! Sealing: every row is encrypted and bound to its place, so that no row passes for another.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// Length of a key, wrapping or data.
pub(crate) const KEY_LEN: usize = 32;

/// First byte of a sealed row, so that another cipher can follow without guessing.
const FORMAT: u8 = 1;

/// 32 random bytes, wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; KEY_LEN]>;

/// A fresh key from the operating system.
pub(crate) fn random_key() -> Result<Key, SealError> {
    let mut key = Key::default();
    aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| SealError)?;
    Ok(key)
}

/// The cipher refused: a wrong key, a wrong place or changed bytes. It cannot tell which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SealError;

/// The place a row belongs to: which store, which kind of row, which row.
pub(crate) struct Place(Vec<u8>);

impl Place {
    /// A kind of row in a store.
    pub(crate) fn new(store: &str, kind: &str) -> Self {
        Self(Vec::new()).at("twinkey-local").at(store).at(kind)
    }

    /// Narrows the place. Each part goes in with its length, so that no two places are spelt alike.
    pub(crate) fn at(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.extend((part.len() as u64).to_be_bytes());
        self.0.extend(part);
        self
    }
}

/// Seals and opens rows under one key.
pub(crate) struct Sealer(RandomizedNonceKey);

impl Sealer {
    /// Takes a key. The cipher tolerates a repeated nonce, so that no count of writes is too many.
    pub(crate) fn new(key: &Key) -> Result<Self, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM_SIV, key.as_slice())
            .map(Self)
            .map_err(|_| SealError)
    }

    /// Encrypts `plain` for `place`: format, nonce, ciphertext, tag.
    pub(crate) fn seal(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut buffer = Zeroizing::new(plain.to_vec());
        let (nonce, tag) = self
            .0
            .seal_in_place_separate_tag(Aad::from(&place.0), &mut buffer)
            .map_err(|_| SealError)?;
        let parts = [&[FORMAT], nonce.as_ref().as_slice(), &buffer, tag.as_ref()];
        Ok(parts.concat())
    }

    /// Decrypts what was sealed for the same place, and nothing else.
    pub(crate) fn open(
        &self,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (format, rest) = sealed.split_first().ok_or(SealError)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        if *format != FORMAT {
            return Err(SealError);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut buffer = Zeroizing::new(body.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(&place.0), &mut buffer)
            .map_err(|_| SealError)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&random_key().expect("randomness")).expect("a key")
    }

    #[test]
    fn p8_a_sealed_row_opens_in_its_place_only() {
        let (cipher, place) = (sealer(), Place::new("s", "value").at("db"));
        let sealed = cipher.seal(&place, b"TEST-hunter2").expect("sealed");
        assert!(!sealed.windows(7).any(|bytes| bytes == b"hunter2"));
        assert_eq!(
            cipher.open(&place, &sealed).expect("opens").as_slice(),
            b"TEST-hunter2"
        );
        for other in [
            Place::new("t", "value").at("db"),
            Place::new("s", "record").at("db"),
            Place::new("s", "value").at("d").at("b"),
            Place::new("s", "value").at("db").at(""),
        ] {
            assert_eq!(cipher.open(&other, &sealed).err(), Some(SealError));
        }
    }

    #[test]
    fn p8_no_changed_bit_and_no_other_key_opens_a_row() {
        let (one, place) = (sealer(), Place::new("s", "value"));
        let sealed = one.seal(&place, b"TEST").expect("sealed");
        assert!(sealer().open(&place, &sealed).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(one.open(&place, &changed).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(
                one.open(&place, &sealed[..length]).is_err(),
                "cut to {length}"
            );
        }
    }

    #[test]
    fn equal_values_are_sealed_unequal() {
        let (cipher, place) = (sealer(), Place::new("s", "value"));
        assert_ne!(cipher.seal(&place, b"TEST"), cipher.seal(&place, b"TEST"));
    }
}
