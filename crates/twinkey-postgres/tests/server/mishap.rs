//! A rotation that is under way when something breaks.

use twinkey_core::{ErrorKind, Provider, ProviderError, Verdict};

use crate::scene::{Scene, Stored};

/// A pair that has rotated, and a next rotation whose value is stored.
pub(crate) struct Underway {
    pub(crate) previous: Stored,
    pub(crate) current: Stored,
    pub(crate) pending: Stored,
    fingerprint: String,
}

impl Underway {
    /// Current is the original, and pending the twin, which exists.
    pub(crate) async fn begin(scene: &mut Scene) -> Self {
        let first = scene.put_app();
        Self::after(scene, &first, 2).await
    }

    pub(crate) async fn after(scene: &mut Scene, first: &Stored, rotations: usize) -> Self {
        let (mut previous, mut current) = (first.clone(), first.clone());
        for _ in 0..rotations {
            previous = current;
            current = scene.rotate(&previous).await.unwrap();
        }
        let pending = scene.create(&current).await.unwrap();
        Self {
            previous,
            current,
            pending,
            fingerprint: scene.fingerprint().await,
        }
    }

    /// What was meant to be there from now on.
    pub(crate) async fn look_again(&mut self, scene: &Scene) {
        self.fingerprint = scene.fingerprint().await;
    }

    /// createSecret and setSecret fail.
    pub(crate) async fn fails(&self, scene: &Scene) -> [ProviderError; 2] {
        [
            scene.ready_error(&self.current).await,
            scene.apply(&self.current, &self.pending).await.unwrap_err(),
        ]
    }

    /// So do they, and whoever logs in.
    pub(crate) async fn all_fails(&self, scene: &Scene) -> [ProviderError; 3] {
        let [ready, apply] = self.fails(scene).await;
        let verify = scene.provider.verify(&self.current.secret).await;
        [ready, apply, verify.unwrap_err()]
    }

    /// What was live still is, and nothing else has changed. (P11)
    pub(crate) async fn assert_untouched(&self, scene: &Scene) {
        assert_eq!(scene.fingerprint().await, self.fingerprint);
        self.assert_live(scene).await;
    }

    pub(crate) async fn assert_live(&self, scene: &Scene) {
        assert!(scene.is_live(&self.current).await, "current (P1)");
        assert!(scene.is_live(&self.previous).await, "previous (P3)");
    }

    /// The same rotation goes on to its end: the value that was stored is the one that is published.
    pub(crate) async fn finish(&self, scene: &Scene) {
        scene.apply(&self.current, &self.pending).await.unwrap();
        let verdict = scene.provider.verify(&self.pending.secret).await.unwrap();
        assert_eq!(verdict, Verdict::Accepted);
        assert!(scene.is_live(&self.current).await && scene.is_live(&self.pending).await);
        assert!(!scene.is_live(&self.previous).await, "never three (P2)");
    }
}

/// The error is typed, says what and what to do, and shows no value.
pub(crate) fn assert_told(
    error: &ProviderError,
    expected: (ErrorKind, &str),
    what: &str,
    to_do: &str,
) {
    assert_eq!((error.kind, error.code), expected, "{error}");
    assert!(error.message.contains(what), "{error}");
    let hint = error.hint.as_deref().unwrap_or_default();
    assert!(hint.contains(to_do), "{}: {hint:?}", error.code);
    assert_clean(&error.message);
    assert_clean(hint);
}

/// No value of ours, and on one line. (P8)
pub(crate) fn assert_clean(shown: &str) {
    for value in ["TEST-", "SCRAM-SHA-256$", "md5"] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert!(!shown.contains(char::is_control), "{shown:?}");
}
