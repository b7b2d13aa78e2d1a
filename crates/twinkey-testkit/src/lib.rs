#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    reason = "a test kit fails by panicking; each panic says what was expected"
)]

mod clock;
mod explore;
mod fake_provider;
mod fake_secrets_manager;
mod fake_server;
mod fault;
mod matrix;
mod provider_contract;
mod scene;
mod store_contract;

pub use clock::FakeClock;
pub use explore::{Invocation, explore};
pub use fake_provider::{FakeKind, FakeProvider, FakeSecret};
pub use fake_secrets_manager::{FakeSecretsManager, StoredVersion};
pub use fake_server::FakeServer;
pub use fault::{Fault, FaultyProvider, FaultyStore, Injector};
pub use matrix::{CrashPoint, CrashWorld, crash_matrix, double_crash_matrix};
pub use provider_contract::{NothingChanged, ProviderUnderTest, provider_contract};
pub use scene::Scene;
pub use store_contract::{StoreUnderTest, store_contract};
