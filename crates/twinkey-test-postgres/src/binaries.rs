//! Where a server is installed on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ClusterError;

/// A directory that holds a server's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    version: (u32, u32),
}

impl Binaries {
    /// The programs in a directory, if a server is among them.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Option<Self> {
        if !directory.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(directory.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        Some(Self {
            directory: directory.to_owned(),
            version: parse_version(&String::from_utf8_lossy(&output.stdout))?,
        })
    }

    /// Major and minor version of the server.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// The path of one of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The directory of the programs of the server to test with, if it shall not be the newest installed one.
const CHOSEN: &str = "TWINKEY_TEST_POSTGRES";

/// The server that `TWINKEY_TEST_POSTGRES` names by the directory of its programs; else the newest
/// installed here, or what to install.
pub fn find_binaries() -> Result<Binaries, ClusterError> {
    if let Some(chosen) = std::env::var_os(CHOSEN) {
        let directory = PathBuf::from(chosen);
        return Binaries::in_directory(&directory).ok_or(ClusterError::NotThere { directory });
    }
    candidates()
        .iter()
        .filter_map(|directory| Binaries::in_directory(directory))
        .max_by_key(Binaries::version)
        .ok_or(ClusterError::NoServer)
}

fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.extend(configured());
    directories.extend(packaged());
    directories.sort();
    directories.dedup();
    directories
}

fn configured() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(directory.trim()))
}

/// Debian's packages keep server programs out of PATH.
fn packaged() -> Vec<PathBuf> {
    std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect()
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_whitespace().nth(2)?;
    let mut parts = number.split('.');
    let digits = |part: &str| part.trim_end_matches(char::is_alphabetic).parse().ok();
    let major = digits(parts.next()?.split(|c: char| !c.is_ascii_digit()).next()?)?;
    Some((major, parts.next().and_then(digits).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_and_unreleased_servers_tell_their_version() {
        let debian = "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)";
        assert_eq!(parse_version(debian), Some((15, 20)));
        assert_eq!(
            parse_version("postgres (PostgreSQL) 18beta1"),
            Some((18, 0))
        );
        assert_eq!(parse_version("bash: no such program"), None);
    }

    #[test]
    fn a_directory_without_a_server_is_none() {
        assert_eq!(Binaries::in_directory(Path::new("/nonexistent")), None);
    }
}
