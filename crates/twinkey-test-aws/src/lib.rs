#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    reason = "a test kit fails by panicking; each panic says what was expected"
)]

mod ledger;
mod moto;
mod operations;
mod refusal;
mod request;
mod server;
mod trouble;

pub use moto::Moto;
pub use server::SecretsManagerServer;
pub use trouble::Trouble;
