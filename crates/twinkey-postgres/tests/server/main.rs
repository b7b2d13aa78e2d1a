//! The provider against real servers, over TLS, each test with its own.

#![allow(clippy::unwrap_used)]

mod scene;

mod document_fields;
mod failures;
mod fake_server;
mod fence;
mod guard;
mod names;
mod retire;
mod rotations;
mod secrecy;
mod twin;
