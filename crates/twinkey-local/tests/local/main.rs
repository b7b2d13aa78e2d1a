//! The embedded store and its service, used as other crates use them.

mod races;
mod scheduler;
mod semantics;
mod service;
mod tampering;
mod world;
