#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    reason = "a test kit fails by panicking; each panic says what was expected"
)]

mod boto3;
mod ledger;
mod log_groups;
mod moto;
mod operations;
mod refusal;
mod request;
mod server;
mod trouble;

pub use boto3::boto3;
pub use moto::Moto;
pub use server::SecretsManagerServer;
pub use trouble::Trouble;
