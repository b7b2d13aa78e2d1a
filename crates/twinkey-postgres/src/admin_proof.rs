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
}

impl AdminProof {
    pub(crate) fn from_fields(
        fields: &Fields,
        tls: TlsMode,
        binding: ChannelBinding,
    ) -> Result<Self, DocumentError> {
        by_password_or_certificate(fields, tls, binding)
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
