#![doc = include_str!("../README.md")]

mod connection;
mod denial;
mod description;
mod kms;
mod kms_refusal;
mod limits;
mod patience;
mod refusal;
mod retries;
mod roots;
mod rotation_token;
mod store;

pub use connection::connect;
pub use kms::{DataKey, Kms};
pub use patience::Patience;
pub use rotation_token::{InvalidRotationToken, RotationToken};
pub use store::SecretsManagerStore;
