//! Which secrets are not ours to rotate.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html>
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/managed-external-secrets.html>
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/create-manage-multi-region-secrets.html>

use std::fmt;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::SecretListEntry;
use twinkey_core::escape_control;

/// Who rotates a secret instead of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// The service that owns it.
    Service(String),
    /// Secrets Manager itself, without a function: a managed external secret of this type.
    External(String),
    /// Its primary, in this region.
    Replica(String),
}

/// What both `DescribeSecret` and `ListSecrets` tell of whose a secret is.
pub(crate) struct Owner<'a> {
    arn: Option<&'a str>,
    service: Option<&'a str>,
    kind: Option<&'a str>,
    primary: Option<&'a str>,
}

impl<'a> From<&'a DescribeSecretOutput> for Owner<'a> {
    fn from(output: &'a DescribeSecretOutput) -> Self {
        Self {
            arn: output.arn(),
            service: output.owning_service(),
            kind: output.r#type(),
            primary: output.primary_region(),
        }
    }
}

impl<'a> From<&'a SecretListEntry> for Owner<'a> {
    fn from(entry: &'a SecretListEntry) -> Self {
        Self {
            arn: entry.arn(),
            service: entry.owning_service(),
            kind: entry.r#type(),
            primary: entry.primary_region(),
        }
    }
}

impl Owner<'_> {
    /// Whose the secret is, if it is not ours.
    pub(crate) fn foreign(&self) -> Option<Foreign> {
        if let Some(service) = present(self.service) {
            return Some(Foreign::Service(escape_control(service)));
        }
        if let Some(kind) = present(self.kind) {
            return Some(Foreign::External(escape_control(kind)));
        }
        let primary = present(self.primary)?;
        let elsewhere = region(self.arn).is_some_and(|here| here != primary);
        elsewhere.then(|| Foreign::Replica(escape_control(primary)))
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => {
                write!(f, "it is owned by the service {service}, which rotates it")
            }
            Self::External(kind) => write!(
                f,
                "it is a managed external secret of type {kind}, which Secrets Manager rotates without a function"
            ),
            Self::Replica(primary) => write!(
                f,
                "it is a replica; rotate it in its primary region, {primary}, or promote it"
            ),
        }
    }
}

fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The region of `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
fn region(arn: Option<&str>) -> Option<&str> {
    arn?.split(':').nth(3)
}
