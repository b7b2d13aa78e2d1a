//! One look: the roles, and every database in which they hold something. Read-only.

use std::collections::BTreeSet;

use twinkey_core::{Borrow, SecretAddress};

use crate::admin;
use crate::adoption::database_look::Database;
use crate::adoption::report::{Connected, Membership, Unseen};
use crate::adoption::server_look::{self, Held, Holding};
use crate::adoption::standing::Standing;
use crate::connection::Connector;
use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::provider::doing;
use crate::session::Session;
use crate::snapshot::{Role, Snapshot};

/// Everything that adoption goes by.
pub(crate) struct Look {
    /// Where consumers log in.
    pub(crate) database: String,
    /// Where the admin's own sessions are.
    pub(crate) home: String,
    pub(crate) username: String,
    pub(crate) address: SecretAddress,
    pub(crate) snapshot: Snapshot,
    pub(crate) standing: Standing,
    pub(crate) held: Vec<Held>,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) holdings: Vec<Holding>,
    pub(crate) connected: Vec<Connected>,
    pub(crate) databases: Vec<Database>,
    pub(crate) unseen: Vec<Unseen>,
}

impl Look {
    pub(crate) async fn take(
        connector: &Connector,
        borrow: &dyn Borrow,
        secret: &PostgresSecret,
        address: &SecretAddress,
    ) -> Result<Self, PostgresError> {
        let session = admin::open(connector, borrow, secret).await?;
        let (snapshot, standing) = stand(&session, secret, address).await?;
        let roles = roles(&standing);
        let wrong = || doing("looking at what the roles hold");
        let mut look = Self {
            database: secret.database().into(),
            home: server_look::database(&session).await.map_err(wrong())?,
            username: secret.username().into(),
            address: address.clone(),
            held: server_look::held(&session, &roles).await.map_err(wrong())?,
            memberships: server_look::memberships(&session, &roles)
                .await
                .map_err(wrong())?,
            holdings: server_look::holdings(&session, &roles)
                .await
                .map_err(wrong())?,
            connected: server_look::connected(&session, &roles)
                .await
                .map_err(wrong())?,
            databases: vec![Database::look(&session, &roles).await.map_err(wrong())?],
            unseen: Vec::new(),
            snapshot,
            standing,
        };
        session.close().await;
        look.look_elsewhere(connector, borrow, secret).await?;
        Ok(look)
    }

    /// A role of the pair or its owner, if it exists.
    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.snapshot.role(name)
    }

    /// The name of the admin, as which we look.
    pub(crate) fn admin(&self) -> &str {
        self.snapshot.admin().map_or("", |admin| &admin.name)
    }

    pub(crate) fn held(&self, name: &str) -> Option<&Held> {
        self.held.iter().find(|held| held.name == name)
    }

    /// The roles of the pair and its owner, each once, whether they exist or not.
    pub(crate) fn roles(&self) -> Vec<&str> {
        roles(&self.standing)
    }

    /// The logins whose things belong to the owner instead.
    pub(crate) fn givers(&self) -> Vec<&str> {
        let mut logins = self.standing.logins();
        logins.retain(|login| *login != self.standing.owner);
        logins
    }

    /// Nobody may connect to some databases, and we not to all the others. A server that is gone is
    /// none of these.
    async fn look_elsewhere(
        &mut self,
        connector: &Connector,
        borrow: &dyn Borrow,
        secret: &PostgresSecret,
    ) -> Result<(), PostgresError> {
        let others: BTreeSet<String> = self
            .holdings
            .iter()
            .filter_map(|holding| holding.database.clone())
            .filter(|database| *database != self.home)
            .collect();
        for name in others {
            match admin::open_in(connector, borrow, secret, Some(&name)).await {
                Ok(session) => {
                    let seen = Database::look(&session, &self.roles()).await;
                    session.close().await;
                    let seen = seen.map_err(doing("looking into another database"))?;
                    self.databases.push(seen);
                }
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => self.unseen.push(Unseen {
                    database: name,
                    reason: error.to_string(),
                }),
            }
        }
        Ok(())
    }
}

fn roles(standing: &Standing) -> Vec<&str> {
    let mut roles = vec![standing.original.as_str(), &standing.twin];
    if standing.has_third_owner() {
        roles.push(&standing.owner);
    }
    roles
}

/// The snapshot is taken again where the document's own role is not the original: some of it is said
/// from the original's side.
pub(crate) async fn stand(
    session: &Session,
    secret: &PostgresSecret,
    address: &SecretAddress,
) -> Result<(Snapshot, Standing), PostgresError> {
    let clone = secret.clone_name();
    let names: Vec<&str> = [secret.username(), &clone]
        .into_iter()
        .chain(secret.stripped_name())
        .chain(secret.twin())
        .chain(secret.owner())
        .collect();
    let taken = Snapshot::take(session, secret.username(), &names).await;
    let snapshot = taken.map_err(doing("looking at the roles"))?;
    let standing = Standing::find(&snapshot, secret, address)?;
    let names = [&names[..], &roles(&standing)].concat();
    let again = Snapshot::take(session, &standing.original, &names).await;
    Ok((again.map_err(doing("looking at the roles"))?, standing))
}
