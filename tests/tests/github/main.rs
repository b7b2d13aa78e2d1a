//! GitHub's keys through the programs that people run: on one machine, and in the function with KMS.

mod cost;
mod described;
mod emulate;
mod judges;
mod octokit;
mod one_machine;
mod prism;
mod rotation_function;
mod sshd;

pub(crate) use twinkey_tests::{deploy_key_document, token_document};
