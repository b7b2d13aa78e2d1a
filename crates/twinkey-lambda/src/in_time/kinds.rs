//! Kinds of keys whose servers must answer in time.

use async_trait::async_trait;
use chrono::TimeDelta;
use twinkey_core::{
    Description, DocumentError, Ended, ErrorKind, Inspection, KeyId, Kinds, Pass, ProviderError,
    Random, RotationFailure, Rotator, SecretValue, StepReport, Version,
};

use crate::deadline::Deadline;

/// Kinds of keys whose servers must answer in time.
pub(crate) struct KindsInTime<'a> {
    pub(crate) kinds: &'a dyn Kinds,
    pub(crate) deadline: &'a Deadline,
}

impl Kinds for KindsInTime<'_> {
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(RotatorInTime {
            rotator: self.kinds.open(value)?,
            deadline: self.deadline.clone(),
        }))
    }
}

struct RotatorInTime {
    rotator: Box<dyn Rotator>,
    deadline: Deadline,
}

impl RotatorInTime {
    async fn keep<T, E: From<ProviderError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let done = self.deadline.keep(work).await;
        done.unwrap_or_else(|| Err(late().into()))
    }
}

/// The calls to the store have said so themselves.
fn late() -> ProviderError {
    ProviderError {
        kind: ErrorKind::Transient,
        code: "DeadlineExceeded",
        message: "a call to the key's server: no answer until then".into(),
        hint: None,
        retry_after: None,
    }
}

#[async_trait]
impl Rotator for RotatorInTime {
    fn min_overlap(&self) -> TimeDelta {
        self.rotator.min_overlap()
    }

    fn parse(&self, value: &SecretValue) -> Result<Option<KeyId>, DocumentError> {
        self.rotator.parse(value)
    }

    async fn create(
        &self,
        pass: &Pass<'_>,
        description: Description,
        current: Version,
        random: &mut Random,
    ) -> Result<StepReport, RotationFailure> {
        let work = self.rotator.create(pass, description, current, random);
        self.keep(work).await
    }

    async fn set(
        &self,
        pass: &Pass<'_>,
        current: Version,
        pending: Version,
    ) -> Result<StepReport, RotationFailure> {
        self.keep(self.rotator.set(pass, current, pending)).await
    }

    async fn test(
        &self,
        pass: &Pass<'_>,
        current: Version,
        pending: Version,
    ) -> Result<StepReport, RotationFailure> {
        self.keep(self.rotator.test(pass, current, pending)).await
    }

    async fn check(
        &self,
        pass: &Pass<'_>,
        current: Version,
    ) -> Result<StepReport, RotationFailure> {
        self.keep(self.rotator.check(pass, current)).await
    }

    async fn abandon(&self, pass: &Pass<'_>, ended: Ended) -> Result<(), RotationFailure> {
        self.keep(self.rotator.abandon(pass, ended)).await
    }

    async fn inspect(
        &self,
        value: &SecretValue,
        current: &SecretValue,
    ) -> Result<Inspection, ProviderError> {
        self.keep(self.rotator.inspect(value, current)).await
    }
}
