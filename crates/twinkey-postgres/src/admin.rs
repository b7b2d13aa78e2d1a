//! The admin: the role whose secret the document names, and that may change the pair.

use tokio_postgres::config::ChannelBinding;
use twinkey_core::{Borrow, DocumentError, IamLogin, SecretId, SecretValue};

use crate::admin_proof::AdminProof;
use crate::connection::{Address, Connector, Login, Proof, TlsMode};
use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::failed_login::{FailedLogin, Whose};
use crate::field;
use crate::session::Session;
use crate::settings::Timeouts;

const DEFAULT_DATABASE: &str = "postgres";

/// The admin's own document. It alone says where what the admin logs in with may go. (P10)
pub(crate) struct AdminSecret {
    address: Address,
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
            address: Address::new(&field::host(&fields)?, field::port(&fields)?),
            tls,
            channel_binding,
            username: field::role(&fields, "username")?,
            proof: AdminProof::from_fields(&fields, tls, channel_binding)?,
            database: field::optional_name(&fields, "dbname")?
                .unwrap_or_else(|| DEFAULT_DATABASE.into()),
        })
    }
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
    let admin = read(borrow, name).await?;
    let settings = connector.settings();
    let child = secret.address();
    if admin.address != *child && !settings.admin_hosts.contains(child) {
        return Err(PostgresError::AdminHostMismatch {
            admin: admin.address,
            child: child.clone(),
        });
    }
    let options = options(&settings.timeouts);
    let login = Login {
        address: &admin.address,
        tls: admin.tls,
        channel_binding: admin.channel_binding,
        user: &admin.username,
        proof: proof(connector, &admin).await?,
        database: database.unwrap_or(&admin.database),
        options: Some(&options),
    };
    let opened = connector.open(&login).await;
    opened.map_err(|cause| {
        FailedLogin {
            whose: whose(&admin.proof),
            address: admin.address.clone(),
            user: admin.username.clone(),
            cause,
        }
        .into()
    })
}

async fn proof<'a>(
    connector: &Connector,
    admin: &'a AdminSecret,
) -> Result<Proof<'a>, PostgresError> {
    Ok(match &admin.proof {
        AdminProof::Password(password) => Proof::Password(password),
        AdminProof::Certificate(certificate, password) => {
            Proof::Certificate(certificate, password.as_ref())
        }
        AdminProof::Iam { region } => {
            let login = IamLogin {
                host: &admin.address.host,
                port: admin.address.port,
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

async fn read(borrow: &dyn Borrow, name: &SecretId) -> Result<AdminSecret, PostgresError> {
    AdminSecret::parse(&borrow.current(name).await?).map_err(|error| PostgresError::AdminDocument {
        secret: name.clone(),
        error,
    })
}

/// Limits that hold at the server even if we are gone, and names that mean what they say. What the
/// admin's sessions do by default is no reason to call the server read-only.
fn options(timeouts: &Timeouts) -> String {
    // A little before we stop waiting, so that the reason still reaches us.
    let statement = timeouts.statement.as_millis() * 9 / 10;
    let lock = timeouts.lock.as_millis();
    // In `retire` a login of the consumer's happens within the transaction.
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
    use super::*;

    #[test]
    fn an_admin_document_must_say_where_its_password_may_go() {
        let value = r#"{"username": "postgres", "password": "TEST-admin"}"#;
        let Err(error) = AdminSecret::parse(&SecretValue::new(value.into())) else {
            panic!("a host is missing")
        };
        assert_eq!(error.field, "host");
    }

    #[test]
    fn the_server_gives_up_before_we_do() {
        let options = options(&Timeouts::default());
        assert!(options.starts_with("-c statement_timeout=9000 -c lock_timeout=5000 "));
    }
}
