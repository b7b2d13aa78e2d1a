#![doc = include_str!("../README.md")]

mod admin;
mod admin_proof;
pub mod adoption;
mod authentication_guard;
mod change;
mod client_certificate;
mod connect_error;
mod connection;
mod difference;
mod document;
mod ending;
mod error;
mod failed_login;
mod field;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod mark;
mod pair;
mod password;
mod password_copy;
mod probe;
mod provider;
mod rights;
mod server_answer;
mod session;
mod sessions;
mod settings;
mod snapshot;
mod sqlstate;
mod statement;
mod tls;
mod turn;
mod verifier;

pub use document::PostgresSecret;
pub use ending::EndedSessions;
pub use provider::PostgresProvider;
pub use settings::{ADMIN_HOSTS, ALLOW_PLAINTEXT, Settings, SettingsError, Timeouts};
