#![doc = include_str!("../README.md")]

mod binaries;
mod certificate;
mod cluster;
mod error;
mod full_disk;
mod install;
mod login;
mod pooler;
mod process;
mod server;
mod standby;
mod target;
mod template;
mod unprivileged;

pub use binaries::{Binaries, find_binaries};
pub use certificate::{Certificate, CertificateAuthority, Signatures};
pub use cluster::{Cluster, Options, SUPERUSER};
pub use error::ClusterError;
pub use full_disk::FullDisk;
pub use install::find_or_install_binaries;
pub use pooler::{POOLER_ROLE, PoolMode, Pooler};
pub use tokio_postgres;
