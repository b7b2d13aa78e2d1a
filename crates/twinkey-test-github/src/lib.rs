#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    reason = "a stand-in for tests fails by panicking; each panic says what was expected"
)]

mod app_key;
mod auth;
mod bodies;
mod keys;
mod reply;
mod server;
mod state;
mod tokens;

/// What GitHub says of the operations that we use, in `OpenAPI`. See `description/README.md`.
pub const DESCRIPTION: &str = include_str!("../description/github-api.json");

pub use app_key::AppKey;
pub use server::GithubStub;
pub use state::{DeployKey, Seen, Trouble};
