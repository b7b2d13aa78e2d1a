//! A person's wish: the sessions that were opened with a dead key end.

use serde::Serialize;
use twinkey_core::{Credential, DocumentError, KeyId, ProviderError, SecretAddress, SecretValue};

use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::pair::{Pairing, default_twin};
use crate::provider::{PostgresProvider, doing, once_ours};
use crate::rights;
use crate::session::Session;
use crate::sessions;
use crate::snapshot::Snapshot;

/// How many sessions of a role were ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndedSessions {
    /// The role.
    pub role: KeyId,
    /// How many; `None`: since when its key is there is not known before the next rotation into it.
    pub ended: Option<u64>,
}

impl PostgresProvider {
    /// Ends the sessions of both roles of a pair that were opened with a key that is dead: those that began
    /// before their role's password was changed the last time. No other session is touched. Repeatable.
    pub async fn end_sessions(
        &self,
        value: &SecretValue,
        address: &SecretAddress,
    ) -> Result<Vec<EndedSessions>, ProviderError> {
        let secret = PostgresSecret::parse(value).map_err(PostgresError::from)?;
        let session = self.admin(&secret).await?;
        let ended = end_sessions(&session, &secret, address).await;
        session.close().await;
        Ok(ended?)
    }
}

async fn end_sessions(
    session: &Session,
    secret: &PostgresSecret,
    address: &SecretAddress,
) -> Result<Vec<EndedSessions>, PostgresError> {
    let clone = secret.clone_name();
    let names: Vec<&str> = [secret.username(), &clone]
        .into_iter()
        .chain(secret.stripped_name())
        .chain(secret.twin())
        .collect();
    let taken = Snapshot::take(session, secret.username(), &names).await;
    let snapshot = taken.map_err(doing("looking at the roles"))?;
    let twin = match secret.twin() {
        Some(twin) => twin.to_owned(),
        None => default_twin(&snapshot, secret, address),
    };
    let found = Pairing::find(&snapshot, secret.username(), &twin, address);
    let found = found.map_err(|error| once_ours(error, secret, address))?;
    let Pairing::Marked(mark) = found else {
        let problem = "is missing: no key has been retired yet";
        return Err(DocumentError::new("twin", problem).into());
    };
    rights::check_ending(&snapshot)?;
    let mut all = Vec::new();
    for role in [&mark.original, &mark.twin] {
        let ended = match mark.changed_at(role) {
            Some(at) => {
                let ended = sessions::end(session, role, at).await;
                Some(ended.map_err(doing("ending the sessions of retired keys"))?)
            }
            None => None,
        };
        all.push(EndedSessions {
            role: KeyId::new(role),
            ended,
        });
    }
    Ok(all)
}
