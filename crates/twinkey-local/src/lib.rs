#![doc = include_str!("../README.md")]

mod agenda;
mod database;
mod errand;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod journal;
mod keyfile;
mod lease;
mod ledger;
mod limits;
mod open_error;
mod rotations;
mod run;
mod scheduler;
mod sealed;
mod secrets;
mod service;
mod service_error;
mod service_key;
mod standing;
mod state;
mod store;
mod vault;
mod watch;

pub use lease::Lease;
pub use open_error::OpenError;
pub use scheduler::{Event, Scheduler};
pub use secrets::{SecretSummary, VersionSummary};
pub use service::{Ask, Due, Rotation, Service};
pub use service_error::ServiceError;
pub use service_key::{ServiceKey, Wrapping};
pub use standing::Standing;
pub use store::LocalStore;
pub use watch::{Unwatched, Watch};
