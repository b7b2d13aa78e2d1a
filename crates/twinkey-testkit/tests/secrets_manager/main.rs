//! The fake Secrets Manager: its rules, and the service that sends a rotation its steps.

mod rules;
mod secret;
mod service;
