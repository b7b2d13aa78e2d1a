//! The provider against real servers, over TLS, each test with its own.

#![allow(clippy::unwrap_used)]

mod mishap;
mod pooled;
mod psql;
mod scene;
mod vault;

mod admin_rotation;
mod adopt_clone;
mod adopt_original;
mod adopt_owner;
mod adopt_refusals;
mod adopt_script;
mod adopting;
mod behind_our_back;
mod broken_servers;
mod client_certificate;
mod concurrency;
mod contract;
mod document_fields;
mod ending;
mod failures;
mod fake_server;
mod fence;
mod guard;
mod hba;
mod iam;
mod in_use;
mod injection;
mod interruptions;
mod md5;
mod names;
mod pending_fields;
mod pooled_clients;
mod pooled_roles;
mod pooler;
mod probe;
mod proxy;
mod retire;
mod rotations;
mod same_script;
mod secrecy;
mod tls;
mod turns;
mod twin;
