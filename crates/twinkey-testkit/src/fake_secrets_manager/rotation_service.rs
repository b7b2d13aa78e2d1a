//! The service side of a rotation: what `RotateSecret` sets going.

use twinkey_core::{Clock, SecretId, Stage, Step, StepRequest, StoreError, VersionId};

use crate::FakeSecretsManager;

/// Secrets Manager's rotation service: it sends a rotation function its steps and retries.
///
/// The function is a closure; it is sent one step at a time. It is the only party here that
/// knows a server.
#[derive(Clone, Debug)]
pub struct RotationService {
    store: FakeSecretsManager,
    attempts: usize,
}

/// How a rotation ended, as the service's events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RotationEnd<E> {
    /// `RotationSucceeded`: AWSCURRENT is on the token's version.
    Succeeded,
    /// `RotationAbandoned`: AWSPENDING was taken off the token's version, by a person or by a new
    /// version.
    Abandoned,
    /// Rotation was turned off in the middle. AWSPENDING is where it was.
    Cancelled,
    /// `RotationFailed` at every attempt: AWSPENDING is where it was.
    Failed {
        /// The step of the last attempt that did not pass.
        step: Step,
        /// What the function said to it.
        error: E,
    },
    /// Every step passed and none moved AWSCURRENT.
    NotPublished,
}

impl RotationService {
    pub(super) fn new(store: FakeSecretsManager) -> Self {
        Self { store, attempts: 3 }
    }

    /// Sends the whole rotation at most this often, at least once. The vendor says "multiple
    /// times" and no number; here it is three unless said otherwise.
    #[must_use]
    pub fn attempts(self, attempts: usize) -> Self {
        Self { attempts, ..self }
    }

    /// `RotateSecret`: begins a rotation, or takes up the one of the same token, and sends the four
    /// steps in order, each after the one before has passed. After a failure the whole rotation is
    /// sent again from createSecret with the same token.
    ///
    /// An error of the store means that no rotation began: see [`FakeSecretsManager::rotate_secret`].
    pub async fn rotate<T, E>(
        &self,
        secret: &SecretId,
        token: &VersionId,
        mut function: impl AsyncFnMut(StepRequest) -> Result<T, E>,
    ) -> Result<RotationEnd<E>, StoreError> {
        self.store.rotate_secret(secret, token)?;
        let mut attempt = 1;
        loop {
            let end = self.send_all(secret, token, &mut function).await;
            if !matches!(end, RotationEnd::Failed { .. }) || attempt >= self.attempts {
                return Ok(end);
            }
            attempt += 1;
        }
    }

    /// `RotateSecret` with `RotateImmediately=false`: "tests the rotation configuration by running the
    /// testSecret step", on a version with AWSPENDING and no value, which is removed afterwards
    /// whatever the function answered. The inner result is that answer.
    ///
    /// An error of the store means that nothing was sent: see [`FakeSecretsManager::rotate_secret`];
    /// a token that has a version already is refused too.
    pub async fn test_configuration<T, E>(
        &self,
        secret: &SecretId,
        token: &VersionId,
        mut function: impl AsyncFnMut(StepRequest) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        let now = self.store.clock.now();
        self.store.write(secret, |it| it.begin_test(token, now))?;
        let answer = function(request(Step::TestSecret, secret, token)).await;
        self.store.write(secret, |it| {
            it.end_test(token);
            Ok(())
        })?;
        Ok(answer)
    }

    async fn send_all<T, E>(
        &self,
        secret: &SecretId,
        token: &VersionId,
        function: &mut impl AsyncFnMut(StepRequest) -> Result<T, E>,
    ) -> RotationEnd<E> {
        for step in Step::ALL {
            if let Some(end) = self.ended(secret, token) {
                return end;
            }
            if let Err(error) = function(request(step, secret, token)).await {
                // What ended the rotation says more than what the function said to it.
                return self
                    .ended(secret, token)
                    .unwrap_or(RotationEnd::Failed { step, error });
            }
        }
        self.ended(secret, token)
            .unwrap_or(RotationEnd::NotPublished)
    }

    fn ended<E>(&self, secret: &SecretId, token: &VersionId) -> Option<RotationEnd<E>> {
        let state = self.store.lock();
        let it = &state.secrets.get(secret)?.truth;
        let on_token = |stage| it.holder(&stage).as_ref() == Some(token);
        if on_token(Stage::Current) {
            Some(RotationEnd::Succeeded)
        } else if !on_token(Stage::Pending) {
            Some(RotationEnd::Abandoned)
        } else if !it.rotation_enabled {
            Some(RotationEnd::Cancelled)
        } else {
            None
        }
    }
}

fn request(step: Step, secret: &SecretId, token: &VersionId) -> StepRequest {
    StepRequest {
        step,
        secret: secret.clone(),
        token: token.clone(),
    }
}
