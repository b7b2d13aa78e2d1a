//! The client that persons use.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use twinkey_test_postgres::find_binaries;

use crate::scene::{Scene, path};

/// Debian's server comes with the client of its version, beside it or in PATH.
fn psql() -> PathBuf {
    let beside = find_binaries().unwrap().program("psql");
    let packaged = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let packaged = packaged.flatten().map(|it| it.path().join("bin/psql"));
    let known = [beside].into_iter().chain(packaged);
    let mut known = known.filter(|it| it.is_file());
    known.next().unwrap_or_else(|| "psql".into())
}

/// What psql says to a script.
pub(crate) fn run(scene: &Scene, user: &str, password: &str, script: &str) -> Output {
    let mut child = Command::new(psql())
        .args([
            "--no-psqlrc",
            "--quiet",
            "--no-password",
            "--file=-",
            "postgres",
        ])
        .env_clear()
        .env("PGHOST", scene.cluster.host())
        .env("PGPORT", scene.cluster.port().to_string())
        .env("PGUSER", user)
        .env("PGPASSWORD", password)
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", path(scene.cluster.ca_path()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql: install postgresql-client");
    let mut input = child.stdin.take().unwrap();
    let script = script.to_owned();
    // Read while it is written: an answer may be longer than a pipe.
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    output
}
