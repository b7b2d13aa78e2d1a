//! The embedded store and its service, used as other crates use them.

mod races;
mod semantics;
mod tampering;
mod world;
