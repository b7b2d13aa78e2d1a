#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    reason = "a simulation fails by panicking; each panic says what was expected"
)]

mod account;
pub mod figures;
mod github;
mod load;
mod meter;
mod page;
mod panel;
mod plot;
mod quota;
mod secrets;
mod server;
mod time;
mod world;

pub use github::{POSTS_PER_HOUR, REQUESTS_PER_HOUR, Requests};
pub use load::{Kind, Phase, Scenario};
pub use meter::{BIN_SECONDS, Meter};
pub use page::page;
pub use plot::plot;
pub use quota::Quota;
pub use world::{run, run_beside_others};
