#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    reason = "a stand-in for tests fails by panicking; each panic says what was expected"
)]

mod app_key;
mod auth;
mod keys;
mod reply;
mod server;
mod state;
mod tokens;

pub use app_key::AppKey;
pub use server::GithubStub;
pub use state::{DeployKey, Seen, Trouble};
