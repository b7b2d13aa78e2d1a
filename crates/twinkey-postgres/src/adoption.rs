//! Adoption: a look at what stands at a server before a pair's first rotation, what is in its way, and the
//! SQL that mends it. Only [`Adoption::apply`] changes anything.

mod apply;
mod database_look;
mod default_privileges;
mod grants;
mod look;
mod notes;
mod obstacles;
mod plan;
mod preview;
mod report;
mod script;
mod server_look;
mod standing;
mod summary;

use std::sync::Arc;

use twinkey_core::{Borrow, Credential, DocumentError, ProviderError, SecretAddress, SecretValue};

use crate::connection::Connector;
use crate::document::PostgresSecret;
use crate::error::PostgresError;

use look::Look;
use obstacles::InTheWay;
use plan::Plan;
pub use report::{
    AdoptionReport, Connected, DefaultPrivilege, Granted, Layout, Membership, MendedBy, Obstacle,
    Owned, RoleReport, SettingReport, Statement, TwinState, Unseen,
};

/// Adopts the roles of one secret.
pub struct Adoption {
    connector: Arc<Connector>,
    borrow: Arc<dyn Borrow>,
    secret: PostgresSecret,
    address: SecretAddress,
}

impl Adoption {
    pub(crate) fn new(
        connector: Arc<Connector>,
        borrow: Arc<dyn Borrow>,
        value: &SecretValue,
        address: SecretAddress,
    ) -> Result<Self, DocumentError> {
        Ok(Self {
            connector,
            borrow,
            secret: PostgresSecret::parse(value)?,
            address,
        })
    }

    /// Says what is there and what would be run. Read-only.
    pub async fn look(&self) -> Result<AdoptionReport, ProviderError> {
        let (look, plan, in_the_way) = self.survey().await?;
        Ok(summary::report(&self.secret, look, &plan, &in_the_way)?)
    }

    /// The same SQL as a script for psql, for somebody with more rights than the admin. Read-only, and
    /// without a secret. Fails where it is not certain whose roles these are.
    pub async fn script(&self) -> Result<String, ProviderError> {
        let (look, plan, in_the_way) = self.survey().await?;
        if let Some(stopped) = apply::undecided(&plan, &in_the_way) {
            return Err(stopped);
        }
        Ok(script::render(&look, &plan, &in_the_way)?)
    }

    /// Runs the statements as the admin, those of a database all or none of them, and returns them. Nothing
    /// is run where something is in the way that they do not mend. Repeatable: what is done is not done again.
    pub async fn apply(&self) -> Result<Vec<Statement>, ProviderError> {
        let (look, plan, in_the_way) = self.survey().await?;
        if let Some(stopped) = apply::stopped(&in_the_way) {
            return Err(stopped);
        }
        let connector = &self.connector;
        apply::run(connector, self.borrow.as_ref(), &self.secret, &look, &plan).await
    }

    async fn survey(&self) -> Result<(Look, Plan, Vec<InTheWay>), PostgresError> {
        let borrow = self.borrow.as_ref();
        let look = Look::take(&self.connector, borrow, &self.secret, &self.address).await?;
        let plan = Plan::of(&look);
        let in_the_way = InTheWay::find(&look, &plan);
        Ok((look, plan, in_the_way))
    }
}
