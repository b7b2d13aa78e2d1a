//! A server whose disk can be full.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::machine;
use crate::unprivileged::run;
use crate::{Cluster, ClusterError};

/// In the server's home: the library that its system calls go through, and the file that it looks for.
const LIBRARY: &str = "full_disk.so";
const FULL: &str = "full-disk";

/// What is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullDisk {
    /// The disk with the data; the write-ahead log has one of its own.
    Data,
    /// The only one there is.
    All,
}

impl Cluster {
    /// Lets no file of the server's grow from now on, as if its disk were full. The cluster must have been
    /// started with [`Options::fillable_disk`](crate::Options).
    pub fn fill_disk(&self, what: FullDisk) -> Result<(), ClusterError> {
        let text = match what {
            FullDisk::Data => "",
            FullDisk::All => "all",
        };
        let path = self.home().join(FULL);
        std::fs::write(&path, text).map_err(machine("writing", &path))
    }

    /// There is room again.
    pub fn free_disk(&self) -> Result<(), ClusterError> {
        let path = self.home().join(FULL);
        std::fs::remove_file(&path).map_err(machine("removing", &path))
    }
}

/// Makes the library that a server in this home is started with.
pub(crate) fn build_library(home: &Path) -> Result<(), ClusterError> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/full_disk.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-shared", "-fPIC", "-o"]);
    run(compiler.arg(home.join(LIBRARY)).arg(source)).map(drop)
}

/// What the server's environment must hold to go through it, if there is one.
pub(crate) fn variables(home: &Path) -> Vec<(&'static str, PathBuf)> {
    let library = home.join(LIBRARY);
    if library.is_file() {
        vec![("LD_PRELOAD", library), ("FULL_DISK", home.join(FULL))]
    } else {
        Vec::new()
    }
}
