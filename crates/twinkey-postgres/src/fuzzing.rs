//! Doors for `tests/fuzz`: what reads others' texts here, as plain functions.
#![allow(
    clippy::missing_panics_doc,
    reason = "a door for tests fails by panicking"
)]

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::NoTls;
use tokio_postgres::config::ChannelBinding;
use twinkey_core::{DocumentError, ProviderError, Random, SecretAddress, SecretId, SecretValue};

use crate::PostgresSecret;
use crate::admin::AdminSecret;
use crate::authentication_guard::{Guard, Screening, Terms};
use crate::connect_error::ConnectError;
use crate::connection::{Address, Login, Proof, TlsMode, config};
use crate::error::PostgresError;
use crate::failed_login::{FailedLogin, Whose};
use crate::mark::Mark;
use crate::snapshot::{Setting, plain_role};
use crate::statement;
use crate::verifier::Verifier;

/// Reads the admin's own document.
pub fn admin_document(value: &SecretValue) -> Result<(), DocumentError> {
    AdminSecret::parse(value).map(|_| ())
}

/// The document after `current`, with a twin by AWS's convention if it names none.
pub fn successor(
    current: &PostgresSecret,
    random: &mut Random,
) -> Result<PostgresSecret, DocumentError> {
    if current.twin().is_some() {
        return current.successor(random);
    }
    let (twin, owner) = (current.clone_name(), current.username());
    current.completed(&twin, owner)?.successor(random)
}

/// What the guard makes of a server's messages: whether the login is complete, or why it ends.
pub fn screen<'a>(
    over_tls: bool,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<bool, String> {
    let mut screening = Screening::new(terms(over_tls));
    for chunk in chunks {
        if screening
            .feed(chunk)
            .map_err(|refusal| refusal.to_string())?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn terms(over_tls: bool) -> Terms {
    if over_tls { Terms::Tls } else { Terms::Plain }
}

/// Logs in at a server that says `answer`, whatever it is told. Returns what it was told, and how
/// the login ended.
pub fn log_in(
    password: &str,
    over_tls: bool,
    answer: &[u8],
) -> (Vec<u8>, Result<(), ProviderError>) {
    let address = Address::new("db.internal", 5432);
    let told = Arc::new(Mutex::new(Vec::new()));
    let script = Script {
        answer: answer.to_vec(),
        told: Arc::clone(&told),
    };
    let config = config(&Login {
        address: &address,
        // The script has no TLS; the guard is told what it has to believe.
        tls: TlsMode::Plaintext,
        channel_binding: ChannelBinding::Prefer,
        user: "app",
        proof: Proof::Password(&password.to_owned().into()),
        database: "shop",
        options: None,
    });
    let ended = at_once(config.connect_raw(Guard::new(script, terms(over_tls)), NoTls));
    let outcome = ended.map(|_| ()).map_err(|error| {
        let login = FailedLogin {
            whose: Whose::Admin,
            address,
            user: "app".into(),
            cause: ConnectError::of(&error, false),
        };
        PostgresError::from(login).into()
    });
    let told = told.lock().expect("nobody panicked").clone();
    (told, outcome)
}

/// The comment that a mark would be written as again, if the comment is one.
pub fn mark(comment: &str) -> Option<String> {
    Mark::parse(comment).map(|mark| mark.render())
}

/// Whether a comment is meant as a mark, readable or not.
pub fn is_mark(comment: &str) -> bool {
    Mark::is_one(comment)
}

/// The statements that create the twin of a role with these settings, as the server lists them.
pub fn twin_of(role: &str, settings: &str) -> Option<String> {
    // Thousands of rounds of hashing: once.
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    let settings: Vec<Setting> = serde_json::from_str(settings).ok()?;
    let mut original = plain_role(role);
    original.settings = settings;
    let address = SecretAddress {
        store: "store".into(),
        secret: SecretId::new("db"),
    };
    let mark = Mark::new(address, role, &format!("{role}_clone"), role);
    let verifier = VERIFIER
        .get_or_init(|| Verifier::of(&"TEST-password".to_owned().into()).expect("a verifier"));
    let admin = plain_role("admin");
    Some(statement::create_twin(
        &original, &admin, 15, verifier, &mark,
    ))
}

/// An address as it is written, if the text is one.
pub fn address(text: &str) -> Option<String> {
    Address::parse(text).map(|address| address.to_string())
}

/// A server with one answer to everything.
struct Script {
    answer: Vec<u8>,
    told: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.answer.len().min(buffer.remaining());
        buffer.put_slice(&self.answer[..length]);
        self.answer.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.told.lock().expect("nobody panicked").extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whoever talks to a script has nothing to wait for.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(work).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the login waits for a server that has said everything"),
    }
}
