//! Getting a server onto this machine.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::unprivileged::is_root;
use crate::{Binaries, ClusterError, find_binaries};

/// The newest server installed here; installs Debian's if there is none and we may.
pub fn find_or_install_binaries() -> Result<Binaries, ClusterError> {
    find_binaries().or_else(|missing| {
        if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
            return Err(missing);
        }
        keep_the_package_from_starting_a_server();
        apt_get(&["update"])?;
        apt_get(&["install", "--yes", "--no-install-recommends", "postgresql"])?;
        find_binaries()
    })
}

/// Debian's package makes a cluster of its own and starts it, unless it is told not to.
fn keep_the_package_from_starting_a_server() {
    let directory = Path::new("/etc/postgresql-common");
    let file = directory.join("createcluster.conf");
    if !file.exists() {
        // If this fails, the package makes its cluster: unneeded, but no reason to stop.
        let _ = std::fs::create_dir_all(directory);
        let _ = std::fs::write(file, "create_main_cluster = false\n");
    }
}

fn apt_get(arguments: &[&str]) -> Result<(), ClusterError> {
    let output = Command::new("apt-get")
        .args(["--quiet", "--option", "Dpkg::Options::=--force-confold"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(arguments, &String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(failed(arguments, &error.to_string())),
    }
}

fn failed(arguments: &[&str], output: &str) -> ClusterError {
    ClusterError::Program {
        program: format!("apt-get {}", arguments.join(" ")),
        output: output.into(),
    }
}
