#![doc = include_str!("../README.md")]

mod alarms;
mod deployment;
mod finding;
mod function;
mod key;
mod notice;
mod policy;
mod question;
mod rights;
mod schedule;
mod secrets;
mod simulator;
mod trail;

pub use deployment::{Deployment, Report};
pub use finding::{Finding, State};
