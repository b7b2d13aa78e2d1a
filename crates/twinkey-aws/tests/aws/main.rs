//! The store over Secrets Manager, against the strict fake over HTTP and against moto.

mod contract;
mod kms;
mod logs;
mod moto;
mod person;
mod refusals;
mod repeated;
mod rotation;
mod world;
