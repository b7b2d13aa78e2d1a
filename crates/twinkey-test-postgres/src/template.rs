//! `initdb` takes longer than most tests, so it runs once and its result is copied.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::distr::{Alphanumeric, SampleString};

use crate::ClusterError;
use crate::binaries::Binaries;
use crate::cluster::SUPERUSER;
use crate::error::machine;
use crate::target::target;
use crate::unprivileged::{Account, run};

/// Files of one initialised cluster.
const DATA: &str = "data";
const PASSWORD: &str = "password";

/// Fills `home` with an initialised cluster and returns the superuser's password.
pub(crate) fn initialise(
    home: &Path,
    binaries: &Binaries,
    account: Account,
) -> Result<String, ClusterError> {
    match cache_directory() {
        Some(cache) => copy_template(&cache, home, binaries, account)?,
        None => run_initdb(home, binaries, account)?,
    }
    account.own(home)?;
    let password = home.join(PASSWORD);
    std::fs::read_to_string(&password).map_err(machine("reading", password))
}

/// Cargo's target directory belongs to us alone: a shared /tmp could hold a template that
/// somebody else has prepared. None if it belongs to another user after all.
fn cache_directory() -> Option<PathBuf> {
    let cache = target()?.join("twinkey-test-postgres");
    std::fs::create_dir_all(&cache).ok()?;
    tempfile::tempfile_in(&cache).ok()?;
    Some(cache)
}

fn copy_template(
    cache: &Path,
    home: &Path,
    binaries: &Binaries,
    account: Account,
) -> Result<(), ClusterError> {
    let (major, minor) = binaries.version();
    let template = cache.join(format!("{major}.{minor}"));
    ensure_template(cache, &template, binaries, account)?;
    for part in [DATA, PASSWORD] {
        copy(&template.join(part), home)?;
    }
    Ok(())
}

/// Makes the template unless it is there, one process at a time.
fn ensure_template(
    cache: &Path,
    template: &Path,
    binaries: &Binaries,
    account: Account,
) -> Result<(), ClusterError> {
    let lock = cache.join("lock");
    let file = File::create(&lock).map_err(machine("creating", &lock))?;
    file.lock().map_err(machine("locking", &lock))?;
    if template.is_dir() {
        return Ok(());
    }
    let fresh = tempfile::tempdir().map_err(machine("creating", "a temporary directory"))?;
    run_initdb(fresh.path(), binaries, account)?;
    let unfinished = tempfile::tempdir_in(cache).map_err(machine("creating", cache))?;
    for part in [DATA, PASSWORD] {
        copy(&fresh.path().join(part), unfinished.path())?;
    }
    std::fs::rename(unfinished.keep(), template).map_err(machine("renaming to", template))
}

fn copy(from: &Path, into: &Path) -> Result<(), ClusterError> {
    run(Command::new("cp").arg("-a").arg(from).arg(into)).map(drop)
}

fn run_initdb(home: &Path, binaries: &Binaries, account: Account) -> Result<(), ClusterError> {
    let password = home.join(PASSWORD);
    let secret = Alphanumeric.sample_string(&mut rand::rng(), 24);
    std::fs::write(&password, secret).map_err(machine("writing", &password))?;
    std::fs::set_permissions(&password, PermissionsExt::from_mode(0o600))
        .map_err(machine("protecting", &password))?;
    account.own(home)?;
    let mut initdb = Command::new(binaries.program("initdb"));
    initdb
        .current_dir(home)
        .args(["--pgdata", DATA, "--username", SUPERUSER, "--pwfile"])
        .arg(&password)
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
        .args(["--wal-segsize=1", "--no-sync"]);
    run(account.apply(&mut initdb)).map(drop)
}
