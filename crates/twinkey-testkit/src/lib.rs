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
mod faulty_provider;
mod faulty_store;
mod injector;
mod judge;
mod matrix;
mod provider_contract;
mod scene;
mod store_contract;
mod told;

pub use clock::FakeClock;
pub use explore::{Invocation, explore};
pub use fake_provider::{FakeKind, FakeProvider, FakeSecret};
pub use fake_secrets_manager::{
    FakeSecretsManager, RotationEnd, RotationService, SecretDates, StoredVersion,
};
pub use fake_server::FakeServer;
pub use fault::{Call, Fault};
pub use faulty_provider::FaultyProvider;
pub use faulty_store::FaultyStore;
pub use injector::{Effect, Injected, Injector, LateCall};
pub use judge::{Allowance, Broken, Judge};
pub use matrix::{CrashPoint, CrashWorld, Ending, Matrix, Outcome, Restart};
pub use provider_contract::{NothingChanged, ProviderUnderTest, provider_contract};
pub use scene::Scene;
pub use store_contract::{Deviation, StoreUnderTest, store_contract, store_contract_but};
pub use told::ToldOnPanic;
