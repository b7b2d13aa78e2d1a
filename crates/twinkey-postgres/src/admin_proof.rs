//! How the admin's document says that the admin proves who it is.

use secrecy::SecretString;
use tokio_postgres::config::ChannelBinding;
use twinkey_core::DocumentError;
use twinkey_document::{Fields, optional_text, text};

use crate::client_certificate::ClientCertificate;
use crate::connection::TlsMode;

/// What the admin has to show.
pub(crate) enum AdminProof {
    Password(SecretString),
    /// The password is for servers that want both.
    Certificate(ClientCertificate, Option<SecretString>),
    /// A token by IAM, made anew for each login. The region is the environment's if absent.
    Iam {
        region: Option<String>,
    },
}

impl AdminProof {
    pub(crate) fn from_fields(
        fields: &Fields,
        tls: TlsMode,
        binding: ChannelBinding,
    ) -> Result<Self, DocumentError> {
        match optional_text(fields, "authentication")?.as_deref() {
            None | Some("password") => by_password_or_certificate(fields, tls, binding),
            Some("iam") => by_iam(fields, tls, binding),
            Some(_) => Err(DocumentError::new(
                "authentication",
                "must be password or iam",
            )),
        }
    }
}

fn by_password_or_certificate(
    fields: &Fields,
    tls: TlsMode,
    binding: ChannelBinding,
) -> Result<AdminProof, DocumentError> {
    let Some(certificate) = ClientCertificate::from_fields(fields)? else {
        return Ok(AdminProof::Password(text(fields, "password")?.into()));
    };
    if tls == TlsMode::Plaintext {
        let problem = "is shown over TLS only; remove \"sslmode\":\"disable\" or \"ssl\":false";
        return Err(DocumentError::new("sslcert", problem));
    }
    let password: Option<SecretString> = optional_text(fields, "password")?.map(Into::into);
    if password.is_none() && binding == ChannelBinding::Require {
        let problem = "binds a password to the connection, and the document has none; \
             remove it, or add password";
        return Err(DocumentError::new("channel_binding", problem));
    }
    Ok(AdminProof::Certificate(certificate, password))
}

fn by_iam(
    fields: &Fields,
    tls: TlsMode,
    binding: ChannelBinding,
) -> Result<AdminProof, DocumentError> {
    for field in ["password", "sslcert", "sslkey"] {
        if optional_text(fields, field)?.is_some() {
            let problem = "is of no use where authentication is iam; remove one of them";
            return Err(DocumentError::new(field, problem));
        }
    }
    if tls == TlsMode::Plaintext {
        let problem = "iam takes TLS; remove \"sslmode\":\"disable\" or \"ssl\":false";
        return Err(DocumentError::new("authentication", problem));
    }
    if binding == ChannelBinding::Require {
        let problem = "cannot be had where authentication is iam: the token is not bound to the \
             connection; remove it";
        return Err(DocumentError::new("channel_binding", problem));
    }
    let region = optional_text(fields, "region")?;
    match &region {
        Some(region) if !is_region(region) => Err(DocumentError::new(
            "region",
            "is no AWS region, such as eu-central-1",
        )),
        _ => Ok(AdminProof::Iam { region }),
    }
}

/// It becomes a part of what is signed.
fn is_region(text: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.bytes().all(part)
}
