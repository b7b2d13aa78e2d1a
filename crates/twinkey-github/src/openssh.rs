//! Ed25519 key pairs in OpenSSH's own form.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey};
use twinkey_core::{DocumentError, Random};
use zeroize::Zeroizing;

/// A key pair as it is in a document.
pub(crate) struct Pair {
    pub(crate) private: Zeroizing<String>,
    /// `ssh-ed25519 AAAA…`, without a comment: GitHub drops it.
    pub(crate) public: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub(crate) fingerprint: String,
}

/// A fresh pair.
pub(crate) fn fresh(random: &mut Random) -> Result<Pair, DocumentError> {
    let mut seed = Zeroizing::new([0; 32]);
    random.fill_bytes(seed.as_mut());
    let unmade = || DocumentError::new("private_key", "could not be made");
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| unmade())?;
    let public = pair
        .public_key()
        .as_ref()
        .try_into()
        .map_err(|_| unmade())?;
    let pair = Ed25519Keypair {
        public: Ed25519PublicKey(public),
        private: Ed25519PrivateKey::from_bytes(&seed),
    };
    let private = PrivateKey::new(KeypairData::Ed25519(pair), "").map_err(|_| unmade())?;
    let text = private.to_openssh(LineEnding::LF).map_err(|_| unmade())?;
    Ok(Pair {
        public: one_line(private.public_key()),
        fingerprint: fingerprint(private.public_key()),
        private: text,
    })
}

/// The public half of a private key that is in clear.
pub(crate) fn public_of(private: &str) -> Result<PublicKey, DocumentError> {
    let wrong = |problem| DocumentError::new("private_key", problem);
    let private = PrivateKey::from_openssh(private)
        .map_err(|_| wrong("is no private key in OpenSSH's form"))?;
    if private.is_encrypted() {
        return Err(wrong("is encrypted: nobody could use it unattended"));
    }
    Ok(private.public_key().clone())
}

pub(crate) fn one_line(public: &PublicKey) -> String {
    let mut public = public.clone();
    public.set_comment("");
    public.to_openssh().unwrap_or_default()
}

pub(crate) fn fingerprint(public: &PublicKey) -> String {
    public.fingerprint(HashAlg::Sha256).to_string()
}

/// A public key without its comment, if it is one: `type base64`.
pub(crate) fn without_comment(public: &str) -> Option<&str> {
    let base64 = public.split(' ').nth(1)?;
    let end = public.find(base64)? + base64.len();
    public.get(..end)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_pair_is_made_of_the_random_bytes_and_read_back() {
        let pair = |seed| fresh(&mut StdRng::seed_from_u64(seed)).expect("made");
        let (first, again, other) = (pair(1), pair(1), pair(2));
        assert_eq!(*first.private, *again.private, "pure but for random");
        assert_ne!(first.public, other.public);
        let public = public_of(&first.private).expect("a key");
        assert_eq!(one_line(&public), first.public);
        assert_eq!(fingerprint(&public), first.fingerprint);
        assert!(first.public.starts_with("ssh-ed25519 AAAA"));
        assert!(first.fingerprint.starts_with("SHA256:"));
        assert!(
            first
                .private
                .starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n")
        );
    }

    #[test]
    fn p11_what_is_no_key_is_refused_and_not_shown() {
        let error = public_of("TEST-no-key").expect_err("none");
        assert_eq!(error.field, "private_key");
        assert!(!error.to_string().contains("TEST"));
    }

    #[test]
    fn a_comment_is_no_part_of_a_key() {
        assert_eq!(
            without_comment("ssh-ed25519 AAAA me@host"),
            Some("ssh-ed25519 AAAA")
        );
        assert_eq!(
            without_comment("ssh-ed25519 AAAA"),
            Some("ssh-ed25519 AAAA")
        );
        assert_eq!(without_comment("ssh-ed25519"), None);
    }
}
