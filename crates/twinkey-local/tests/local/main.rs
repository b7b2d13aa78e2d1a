//! The embedded store and its service, used as other crates use them.

mod company;
mod interruptions;
mod races;
mod scheduler;
mod semantics;
mod service;
mod service_key;
mod tampering;
mod watching;
mod world;
mod wrapping_key;
