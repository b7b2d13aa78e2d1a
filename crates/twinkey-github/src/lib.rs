#![doc = include_str!("../README.md")]

mod answer;
mod api_base;
mod app;
mod app_token;
mod deploy_key;
mod deploy_key_document;
mod digest;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod github;
mod http;
mod installation;
mod openssh;
mod permissions;
mod session;
mod settings;
mod token;
mod token_document;

pub use deploy_key::DeployKeyProvider;
pub use deploy_key_document::{DEPLOY_KEY_KIND, DeployKeySecret};
pub use github::Github;
pub use http::{Http, HttpError, Reply, Request, Reqwest};
pub use settings::{API, Settings, SettingsError};
pub use token::TokenProvider;
pub use token_document::{TOKEN_KIND, TokenSecret};
