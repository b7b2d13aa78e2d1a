//! The store over Secrets Manager, against the strict fake over HTTP and against moto.

mod contract;
mod fleet;
mod function_log;
mod kms;
mod logs;
mod manual;
mod moto;
mod person;
mod refusals;
mod repeated;
mod rotation;
mod self_driven;
mod world;
