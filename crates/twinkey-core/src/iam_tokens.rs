//! Tokens by which a database lets a user in who has no password there.

use async_trait::async_trait;

use crate::{SecretValue, StoreError};

/// As whom a token logs in, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IamLogin<'a> {
    /// The server's name, as the client calls it.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The database user.
    pub user: &'a str,
    /// The AWS region that the server is in; that of the environment if `None`.
    pub region: Option<&'a str>,
}

/// A service that makes authentication tokens for databases, such as IAM for RDS.
#[async_trait]
pub trait IamTokens: Send + Sync {
    /// A token for one login that begins within 15 minutes. May be asked for again; changes nothing, and tells
    /// nothing about whether the database will take it.
    ///
    /// [`StoreError::Invalid`] if no region is known, [`StoreError::Denied`] if there are no credentials.
    async fn token(&self, login: IamLogin<'_>) -> Result<SecretValue, StoreError>;
}
