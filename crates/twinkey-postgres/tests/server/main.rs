//! The provider against real servers, over TLS, each test with its own.

#![allow(clippy::unwrap_used)]

mod scene;

mod contract;
mod document_fields;
mod failures;
mod fake_server;
mod fence;
mod guard;
mod interruptions;
mod names;
mod proxy;
mod retire;
mod rotations;
mod secrecy;
mod twin;
