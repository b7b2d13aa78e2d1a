//! Reading single fields of a document. Errors name the field and never show a value.

use serde_json::Value;
use tokio_postgres::config::ChannelBinding;
use twinkey_core::{DocumentError, SecretValue};
use twinkey_document::{Fields, optional_text, text};

use crate::connection::{TlsMode, is_host, port_number};

/// Postgres cuts longer names, silently, onto whatever role has the shorter one.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
pub(crate) const NAME_BYTES: usize = 63;
const DEFAULT_PORT: u16 = 5432;

/// The fields of a document with a password.
pub(crate) fn object(value: &SecretValue) -> Result<Fields, DocumentError> {
    twinkey_document::object(value, &["password"])
}

/// The name of a role or database that may be absent.
pub(crate) fn optional_name(fields: &Fields, field: &str) -> Result<Option<String>, DocumentError> {
    let name = optional_text(fields, field)?;
    name.map(|name| fitting(field, name)).transpose()
}

/// The name of a role or database that must be there.
pub(crate) fn name(fields: &Fields, field: &str) -> Result<String, DocumentError> {
    fitting(field, text(fields, field)?)
}

/// The name of a role that may be absent.
pub(crate) fn optional_role(fields: &Fields, field: &str) -> Result<Option<String>, DocumentError> {
    let name = optional_name(fields, field)?;
    name.map(|name| possible(field, name)).transpose()
}

/// The name of a role that must be there.
pub(crate) fn role(fields: &Fields, field: &str) -> Result<String, DocumentError> {
    possible(field, name(fields, field)?)
}

/// No login can have these names. Keywords like `current_user` it can: quoted, they are names.
/// <https://www.postgresql.org/docs/current/sql-createrole.html>
fn possible(field: &str, name: String) -> Result<String, DocumentError> {
    if name.starts_with("pg_") || ["public", "none"].contains(&name.as_str()) {
        let problem = "is a name that Postgres keeps for itself";
        return Err(DocumentError::new(field, problem));
    }
    Ok(name)
}

fn fitting(field: &str, name: String) -> Result<String, DocumentError> {
    if name.len() <= NAME_BYTES {
        return Ok(name);
    }
    let problem = format!(
        "has {} bytes; Postgres names have at most {NAME_BYTES}",
        name.len()
    );
    Err(DocumentError::new(field, problem))
}

/// The server.
pub(crate) fn host(fields: &Fields) -> Result<String, DocumentError> {
    let host = text(fields, "host")?;
    if is_host(&host) {
        return Ok(host);
    }
    let problem = "is neither a host name nor an IP address";
    Err(DocumentError::new("host", problem))
}

/// A port, as a number or a string; the vendor's structure allows both, and neither.
pub(crate) fn port(fields: &Fields) -> Result<u16, DocumentError> {
    let number = match fields.get("port") {
        None | Some(Value::Null) => return Ok(DEFAULT_PORT),
        Some(Value::Number(number)) => number.as_u64().and_then(|port| port.try_into().ok()),
        Some(Value::String(text)) => port_number(text),
        Some(_) => None,
    };
    number
        .filter(|port| *port != 0)
        .ok_or_else(|| DocumentError::new("port", "is no port number"))
}

/// The engine must be ours.
pub(crate) fn engine(fields: &Fields) -> Result<(), DocumentError> {
    match text(fields, "engine")?.as_str() {
        "postgres" => Ok(()),
        _ => Err(DocumentError::new("engine", "must be postgres")),
    }
}

/// TLS with verification, unless the document plainly says otherwise. A mode that falls back to
/// plaintext is refused: whoever breaks the handshake would get the password.
pub(crate) fn tls(fields: &Fields) -> Result<TlsMode, DocumentError> {
    let by_mode = match optional_text(fields, "sslmode")?.as_deref() {
        None => None,
        Some("disable") => Some(TlsMode::Plaintext),
        Some("require" | "verify-ca" | "verify-full") => Some(TlsMode::Verified),
        Some("prefer" | "allow") => {
            return Err(DocumentError::new(
                "sslmode",
                "may fall back to plaintext; use verify-full, or disable on loopback",
            ));
        }
        Some(_) => {
            return Err(DocumentError::new(
                "sslmode",
                "must be verify-full or disable",
            ));
        }
    };
    match (by_mode, ssl(fields)?) {
        (Some(one), Some(other)) if one != other => {
            Err(DocumentError::new("ssl", "contradicts sslmode"))
        }
        (one, other) => Ok(one.or(other).unwrap_or(TlsMode::Verified)),
    }
}

/// libpq's values, without `disable`: nobody is better off for it.
pub(crate) fn channel_binding(
    fields: &Fields,
    tls: TlsMode,
) -> Result<ChannelBinding, DocumentError> {
    match optional_text(fields, "channel_binding")?.as_deref() {
        None | Some("prefer") => Ok(ChannelBinding::Prefer),
        Some("require") if tls == TlsMode::Plaintext => Err(DocumentError::new(
            "channel_binding",
            "binds to TLS; remove it, or \"sslmode\":\"disable\" and \"ssl\":false",
        )),
        Some("require") => Ok(ChannelBinding::Require),
        Some(_) => Err(DocumentError::new(
            "channel_binding",
            "must be prefer or require",
        )),
    }
}

/// The vendor's templates take a boolean or its spelling.
fn ssl(fields: &Fields) -> Result<Option<TlsMode>, DocumentError> {
    let ssl = match fields.get("ssl") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Bool(ssl)) => *ssl,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(DocumentError::new("ssl", "must be true or false")),
    };
    Ok(Some(if ssl {
        TlsMode::Verified
    } else {
        TlsMode::Plaintext
    }))
}
/// A field that is true, or not.
pub(crate) fn yes(fields: &Fields, field: &str) -> Result<bool, DocumentError> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(yes)) => Ok(*yes),
        Some(_) => Err(DocumentError::new(field, "must be true or false")),
    }
}
