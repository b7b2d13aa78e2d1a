//! The provider against real servers, over TLS, each test with its own.

#![allow(clippy::unwrap_used)]

mod pooled;
mod scene;

mod adopt_clone;
mod adopt_original;
mod adopt_owner;
mod adopt_refusals;
mod adopt_script;
mod adopting;
mod client_certificate;
mod contract;
mod document_fields;
mod ending;
mod failures;
mod fake_server;
mod fence;
mod guard;
mod iam;
mod in_use;
mod interruptions;
mod names;
mod pooled_clients;
mod pooled_roles;
mod pooler;
mod probe;
mod proxy;
mod retire;
mod rotations;
mod secrecy;
mod tls;
mod twin;
