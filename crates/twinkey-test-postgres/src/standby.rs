//! A second server that the first one follows.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use crate::cluster::{SUPERUSER, free_port, private_directory};
use crate::error::machine;
use crate::unprivileged::run;
use crate::{Cluster, ClusterError};

/// As `postmaster.pid` has it.
const LETS_NOBODY_IN: &str = "standby";
const REPLICATION: &str = "hostssl replication all 127.0.0.1/32 scram-sha-256\n";

impl Cluster {
    /// Hands everything over to a new server, which takes changes from now on, and follows it as a hot standby
    /// by streaming: a failover, as seen from the address that is left behind.
    pub fn follow_a_new_primary(&self) -> Result<Self, ClusterError> {
        self.stop()?;
        append(self.home(), "pg_hba.conf", REPLICATION)?;
        let home = private_directory("twinkey-postgres-")?;
        for entry in std::fs::read_dir(self.home()).map_err(machine("reading", self.home()))? {
            let entry = entry.map_err(machine("reading", self.home()))?;
            run(Command::new("cp")
                .arg("-a")
                .arg(entry.path())
                .arg(home.path()))?;
        }
        let primary = Self {
            port: free_port()?,
            password: self.password().to_owned(),
            binaries: self.binaries.clone(),
            account: self.account,
            server: Mutex::new(None),
            home,
        };
        let port = primary.port;
        append(
            primary.home(),
            "postgresql.conf",
            &format!("port = {port}\n"),
        )?;
        self.account.own(primary.home())?;
        primary.resume()?;
        self.follow(port)?;
        Ok(primary)
    }

    fn follow(&self, port: u16) -> Result<(), ClusterError> {
        let (host, password) = (self.host(), self.password());
        let primary = format!(
            "primary_conninfo = 'host={host} port={port} user={SUPERUSER} password={password} sslmode=require'\n"
        );
        append(self.home(), "postgresql.conf", &primary)?;
        append(self.home(), "standby.signal", "")?;
        self.account.own(&self.home().join("data/standby.signal"))?;
        self.resume()
    }

    /// Restarts the server as a standby that lets nobody in: it answers that it recovers, for good.
    pub fn recover_for_ever(&self) -> Result<(), ClusterError> {
        self.stop()?;
        append(self.home(), "postgresql.conf", "hot_standby = off\n")?;
        append(self.home(), "standby.signal", "")?;
        self.resume_until(LETS_NOBODY_IN)
    }

    /// Restarts the server as one that follows nobody.
    pub fn recover(&self) -> Result<(), ClusterError> {
        self.stop()?;
        let signal = self.home().join("data/standby.signal");
        std::fs::remove_file(&signal).map_err(machine("removing", &signal))?;
        self.resume()
    }
}

fn append(home: &Path, name: &str, text: &str) -> Result<(), ClusterError> {
    let path = home.join("data").join(name);
    let mut options = std::fs::File::options();
    let opened = options.create(true).append(true).open(&path);
    let mut file = opened.map_err(machine("opening", &path))?;
    file.write_all(text.as_bytes())
        .map_err(machine("writing", &path))
}
