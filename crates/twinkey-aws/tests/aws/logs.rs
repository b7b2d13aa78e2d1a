//! What the SDK logs of our calls, at its most talkative.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use twinkey_aws::RotationToken;
use twinkey_core::{Selector, Stage, Store};
use twinkey_test_aws::Trouble;

use crate::world::{VALUE, World};

const ROTATION_TOKEN: &str = "TEST-5c0e8c35-7e0f-4d0b-8a52-5f3a0e9b0d11";
const TROUBLES: [Trouble; 6] = [
    Trouble::Throttle,
    Trouble::Deny,
    Trouble::DenyKms,
    Trouble::Break,
    Trouble::DropBefore,
    Trouble::DropAfter,
];

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen(&self, level: Level) -> DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().expect("no writer has panicked");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.0.lock().expect("no writer has panicked");
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The value, its password and the rotation token: in clear, in base64 at each of the three offsets, and
/// percent-encoded.
fn encodings() -> Vec<String> {
    let mut all = Vec::new();
    for text in [VALUE, "TEST-4711", ROTATION_TOKEN] {
        all.push(text.to_owned());
        all.push(text.replace('"', "\\\""));
        all.push(text.replace('-', "%2D").replace('"', "%22"));
        for offset in 0..3 {
            let shifted = STANDARD_NO_PAD.encode([&b"xx"[..offset], text.as_bytes()].concat());
            // The letters at both ends depend on what surrounds the value.
            all.push(shifted[4..shifted.len() - 4].to_owned());
        }
    }
    all
}

fn found(log: &str) -> Vec<String> {
    let shown = encodings().into_iter();
    shown.filter(|text| log.contains(text)).collect()
}

/// What is logged of a read and a put in each trouble, and of a calm one.
async fn logged(level: Level, troubles: &[Trouble]) -> Log {
    let log = Log::default();
    let world = World::begun().await;
    let token = RotationToken::parse(ROTATION_TOKEN).expect("a token");
    let store = world.store.clone().with_rotation_token(token);
    let world = World { store, ..world };
    let at = Selector::Stage(Stage::Current);
    let listening = log.listen(level);
    for trouble in troubles {
        for operation in ["GetSecretValue", "PutSecretValue"] {
            world.server.next(operation, *trouble);
        }
        // Whether they pass is shown elsewhere.
        let _ = world.store.read(&world.secret, &at).await;
        let _ = world.put().await;
    }
    world.store.read(&world.secret, &at).await.expect("read");
    world.put().await.expect("stored");
    drop(listening);
    log
}

/// The same scan finds what is planted in the same log.
fn shows_nothing(log: &Log) {
    let text = log.text();
    assert!(text.contains("PutSecretValue"), "the SDK logs its calls");
    assert_eq!(found(&text), Vec::<String>::new());
    let listening = log.listen(Level::TRACE);
    for text in encodings() {
        tracing::trace!("{text}");
    }
    drop(listening);
    assert_eq!(found(&log.text()).len(), encodings().len());
}

#[tokio::test]
async fn p8_the_sdk_logs_neither_a_value_nor_a_rotation_token() {
    shows_nothing(&logged(Level::TRACE, &TROUBLES).await);
}

/// At `trace` the SDK shows what came back for a put: whoever turns that on trusts the server not to
/// quote.
#[tokio::test]
async fn p8_at_debug_not_even_a_server_that_quotes_brings_a_value_into_the_log() {
    shows_nothing(&logged(Level::DEBUG, &[Trouble::Quote, Trouble::Garble]).await);
}
