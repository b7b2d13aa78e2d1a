//! The admin: the role whose secret the document names, and that may change the pair.

use tokio_postgres::config::ChannelBinding;
use twinkey_core::{Borrow, DocumentError, IamLogin, SecretValue};
use twinkey_document::Fields;

use crate::admin_proof::AdminProof;
use crate::connection::{Address, Connector, Login, Proof, TlsMode};
use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::failed_login::{FailedLogin, Whose};
use crate::field;
use crate::session::Session;
use crate::settings::Timeouts;

const DEFAULT_DATABASE: &str = "postgres";

/// The admin's own document. It says where what the admin logs in with may go; where it does not, as one that RDS manages,
/// the operator's list alone does. (P10)
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>
pub(crate) struct AdminSecret {
    address: Option<Address>,
    tls: TlsMode,
    channel_binding: ChannelBinding,
    username: String,
    proof: AdminProof,
    database: String,
}

impl AdminSecret {
    pub(crate) fn parse(value: &SecretValue) -> Result<Self, DocumentError> {
        let fields = twinkey_document::object(value, &["password", "sslkey"])?;
        if fields.contains_key("engine") {
            field::engine(&fields)?;
        }
        let tls = field::tls(&fields)?;
        let channel_binding = field::channel_binding(&fields, tls)?;
        Ok(Self {
            address: address(&fields)?,
            tls,
            channel_binding,
            username: field::role(&fields, "username")?,
            proof: AdminProof::from_fields(&fields, tls, channel_binding)?,
            database: field::optional_name(&fields, "dbname")?
                .unwrap_or_else(|| DEFAULT_DATABASE.into()),
        })
    }
}

/// A port without a host is somebody's slip.
fn address(fields: &Fields) -> Result<Option<Address>, DocumentError> {
    let is_there = |field| fields.get(field).is_some_and(|value| !value.is_null());
    if !is_there("host") && !is_there("port") {
        return Ok(None);
    }
    let address = Address::new(&field::host(fields)?, field::port(fields)?);
    Ok(Some(address))
}

/// Opens a session of the admin that may change `secret`'s roles.
pub(crate) async fn open(
    connector: &Connector,
    borrow: &dyn Borrow,
    secret: &PostgresSecret,
) -> Result<Session, PostgresError> {
    open_in(connector, borrow, secret, None).await
}

/// The same in another database than the admin's own.
pub(crate) async fn open_in(
    connector: &Connector,
    borrow: &dyn Borrow,
    secret: &PostgresSecret,
    database: Option<&str>,
) -> Result<Session, PostgresError> {
    let name = secret.admin()?;
    let read = borrow.current(name).await?;
    let refused = match log_in(connector, &read, secret, database).await {
        Err(PostgresError::Login(login)) if login.is_wrong_password() => login,
        outcome => return outcome,
    };
    // The admin may have been rotated since we read.
    let again = borrow.current(name).await?;
    if again == read {
        return Err(PostgresError::Login(refused));
    }
    log_in(connector, &again, secret, database).await
}

async fn log_in(
    connector: &Connector,
    document: &SecretValue,
    secret: &PostgresSecret,
    database: Option<&str>,
) -> Result<Session, PostgresError> {
    let admin = match AdminSecret::parse(document) {
        Ok(admin) => admin,
        Err(error) => {
            let secret = secret.admin()?.clone();
            return Err(PostgresError::AdminDocument { secret, error });
        }
    };
    let address = allowed(&connector.settings().admin_hosts, &admin, secret)?;
    let options = options(&connector.settings().timeouts);
    let login = Login {
        address,
        tls: admin.tls,
        channel_binding: admin.channel_binding,
        user: &admin.username,
        proof: proof(connector, &admin, address).await?,
        database: database.unwrap_or(&admin.database),
        options: Some(&options),
    };
    let opened = connector.open(&login).await;
    opened.map_err(|cause| {
        FailedLogin {
            whose: whose(&admin.proof),
            address: address.clone(),
            user: admin.username.clone(),
            cause,
        }
        .into()
    })
}

/// Where the admin may log in to change this secret's roles. (P10)
fn allowed<'a>(
    listed: &[Address],
    admin: &'a AdminSecret,
    secret: &'a PostgresSecret,
) -> Result<&'a Address, PostgresError> {
    let child = secret.address();
    let is_listed = listed.contains(child);
    match &admin.address {
        Some(address) if address == child || is_listed => Ok(address),
        None if is_listed => Ok(child),
        Some(address) => Err(PostgresError::AdminHostMismatch {
            admin: address.clone(),
            child: child.clone(),
        }),
        None => Err(PostgresError::AdminHostMissing(child.clone())),
    }
}

async fn proof<'a>(
    connector: &Connector,
    admin: &'a AdminSecret,
    address: &Address,
) -> Result<Proof<'a>, PostgresError> {
    Ok(match &admin.proof {
        AdminProof::Password(password) => Proof::Password(password),
        AdminProof::Certificate(certificate, password) => {
            Proof::Certificate(certificate, password.as_ref())
        }
        AdminProof::Iam { region } => {
            let login = IamLogin {
                host: &address.host,
                port: address.port,
                user: &admin.username,
                region: region.as_deref(),
            };
            Proof::Token(connector.iam_token(login).await?)
        }
    })
}

fn whose(proof: &AdminProof) -> Whose {
    match proof {
        AdminProof::Password(_) => Whose::Admin,
        AdminProof::Certificate(..) => Whose::AdminByCertificate,
        AdminProof::Iam { .. } => Whose::AdminByIam,
    }
}

/// Limits that hold at the server even if we are gone, and names that mean what they say. What the
/// admin's sessions do by default is no reason to call the server read-only.
fn options(timeouts: &Timeouts) -> String {
    // A little before we stop waiting, so that the reason still reaches us.
    let statement = timeouts.statement.as_millis() * 9 / 10;
    let lock = timeouts.lock.as_millis();
    // Longer than we leave any transaction open, adoption's included.
    let idle = (timeouts.connect + timeouts.handshake + timeouts.statement).as_millis();
    format!(
        "-c statement_timeout={statement} -c lock_timeout={lock} \
         -c idle_in_transaction_session_timeout={idle} -c search_path=pg_catalog \
         -c DateStyle=ISO -c default_transaction_read_only=off"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use twinkey_core::Credential;

    use super::*;

    fn parsed(value: &str) -> Result<AdminSecret, DocumentError> {
        AdminSecret::parse(&SecretValue::new(value.into()))
    }

    fn child() -> PostgresSecret {
        let value = r#"{"engine": "postgres", "host": "DB", "username": "app", "password": "TEST-app",
            "masterarn": "admin"}"#;
        PostgresSecret::parse(&SecretValue::new(value.into())).unwrap()
    }

    #[test]
    fn p10_an_admins_document_without_a_host_goes_where_the_operator_lists_and_nowhere_else() {
        let admin = parsed(r#"{"username": "postgres", "password": "TEST-admin"}"#).unwrap();
        let child = child();
        assert_eq!(
            allowed(&[Address::new("db", 5432)], &admin, &child).unwrap(),
            child.address()
        );
        for listed in [
            vec![],
            vec![Address::new("db", 5433)],
            vec![Address::new("other", 5432)],
        ] {
            let refused = allowed(&listed, &admin, &child);
            assert!(matches!(refused, Err(PostgresError::AdminHostMissing(_))));
        }
    }

    #[test]
    fn a_host_that_is_no_host_is_not_taken_for_an_absent_one() {
        for (document, field) in [
            (
                r#"{"username": "postgres", "password": "TEST-admin", "host": ""}"#,
                "host",
            ),
            (
                r#"{"username": "postgres", "password": "TEST-admin", "host": 5}"#,
                "host",
            ),
            (
                r#"{"username": "postgres", "password": "TEST-admin", "port": 5432}"#,
                "host",
            ),
        ] {
            let Err(error) = parsed(document) else {
                panic!("{document}")
            };
            assert_eq!(error.field, field);
        }
    }

    #[test]
    fn the_server_gives_up_before_we_do() {
        let options = options(&Timeouts::default());
        assert!(options.starts_with("-c statement_timeout=9000 -c lock_timeout=5000 "));
    }
}
