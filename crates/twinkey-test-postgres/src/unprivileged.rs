//! Postgres refuses to run as root, so root runs it as `nobody`.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::ClusterError;
use crate::error::machine;

/// As whom the server runs: as ourselves, or as another account if we are root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account(Option<(u32, u32)>);

impl Account {
    /// Finds out who we are.
    pub(crate) fn find() -> Result<Self, ClusterError> {
        if id(&["-u"])? != 0 {
            return Ok(Self(None));
        }
        Ok(Self(Some((id(&["-u", "nobody"])?, id(&["-g", "nobody"])?))))
    }

    /// Runs a command as this account, without any of our groups.
    pub(crate) fn apply(self, command: &mut Command) -> &mut Command {
        match self.0 {
            // The standard library drops root's supplementary groups together with the uid.
            Some((uid, gid)) => command.uid(uid).gid(gid),
            None => command,
        }
    }

    /// Gives a file or a whole directory to this account.
    pub(crate) fn own(self, path: &Path) -> Result<(), ClusterError> {
        match self.0 {
            Some((uid, gid)) => hand_over(path, uid, gid),
            None => Ok(()),
        }
    }
}

/// Whether we may install packages.
pub(crate) fn is_root() -> bool {
    id(&["-u"]).is_ok_and(|uid| uid == 0)
}

fn hand_over(path: &Path, uid: u32, gid: u32) -> Result<(), ClusterError> {
    std::os::unix::fs::lchown(path, Some(uid), Some(gid)).map_err(machine("chown", path))?;
    let metadata = path.symlink_metadata().map_err(machine("stat", path))?;
    debug_assert_eq!(metadata.uid(), uid);
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).map_err(machine("read", path))? {
            hand_over(&entry.map_err(machine("read", path))?.path(), uid, gid)?;
        }
    }
    Ok(())
}

fn id(arguments: &[&str]) -> Result<u32, ClusterError> {
    run(Command::new("id").args(arguments))?
        .trim()
        .parse()
        .map_err(|_| ClusterError::Program {
            program: "id".into(),
            output: "no number".into(),
        })
}

/// Runs a program to its end and returns what it wrote to stdout.
pub(crate) fn run(command: &mut Command) -> Result<String, ClusterError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(machine("running", &program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ClusterError::Program {
        program,
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
