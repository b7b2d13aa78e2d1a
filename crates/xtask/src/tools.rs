//! Programs of others, under the target directory: pinned ones in a Python virtual environment each, pinned ones for Node,
//! and Debian's packages, unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::code::files;
use crate::run;

/// A tool, where the tests look for it under the target directory, and what it is installed from. A new
/// version has a new folder.
pub(crate) struct Tool {
    folder: &'static str,
    requirements: &'static str,
}

/// Plays AWS's services. `twinkey-test-aws` starts it.
pub(crate) const MOTO: Tool = Tool {
    folder: "target/tools/moto-5.2.5",
    requirements: "crates/xtask/moto-requirements.txt",
};

/// Plays Lambda's Runtime API; the end-to-end tests start it. Builds the packages, with Zig.
pub(crate) const CARGO_LAMBDA: Tool = Tool {
    folder: "target/tools/cargo-lambda-1.9.2",
    requirements: "crates/xtask/cargo-lambda-requirements.txt",
};

/// Clients that others wrote: what they read and mint judges our stand-ins and what we wrote.
pub(crate) const READERS: Tool = Tool {
    folder: "target/tools/readers-1",
    requirements: "crates/xtask/readers-requirements.txt",
};

/// What the baseline of the bench is built on.
pub(crate) const BASELINE: Tool = Tool {
    folder: "target/tools/baseline-1",
    requirements: "crates/xtask/baseline-requirements.txt",
};

/// What judges infra/, and runs the tests of it.
pub(crate) const INFRA: Tool = Tool {
    folder: "target/tools/infra-2",
    requirements: "crates/xtask/infra-requirements.txt",
};

/// Judges infra/ too.
pub(crate) const CHECKOV: Tool = Tool {
    folder: "target/tools/checkov-3.2.459",
    requirements: "crates/xtask/checkov-requirements.txt",
};

/// A C compiler and a linker for every processor and every glibc.
pub(crate) const ZIG: Tool = Tool {
    folder: "target/tools/zig-0.17.1",
    requirements: "crates/xtask/zig-requirements.txt",
};

/// Packages of npm's, and where the tests look for them. What is changed in the list of packages gets a new folder.
pub(crate) struct Packages {
    folder: &'static str,
    list: &'static str,
    runs_scripts: bool,
}

/// Programs of others for Node, and Node itself: what judges our stand-in for GitHub. The end-to-end tests start them.
pub(crate) const GITHUB_JUDGES: Packages = Packages {
    folder: "target/tools/github-judges-1",
    list: "crates/xtask/github-judges",
    runs_scripts: false,
};

/// PostgreSQL's servers of the versions that Debian does not have, for x86-64. Their scripts make the links among their
/// libraries, which a package of npm's cannot hold.
pub(crate) const POSTGRES_SERVERS: Packages = Packages {
    folder: "target/tools/postgres-servers-1",
    list: "crates/xtask/postgres-servers",
    runs_scripts: true,
};

/// The programs of a server of that major version.
pub(crate) fn postgres_server(version: u32) -> Result<PathBuf, String> {
    let folder = POSTGRES_SERVERS.folder;
    let programs = format!("{folder}/node_modules/postgres-{version}/native/bin");
    std::path::absolute(&programs).map_err(|error| format!("{programs}: {error}"))
}

/// Debian's packages, and where the tests look for what is in them. They are those of the machine's own release.
pub(crate) struct Unpacked {
    folder: &'static str,
    packages: &'static [&'static str],
    /// Whether the libraries come too that they name, but for glibc. Their names differ between releases.
    with_libraries: bool,
}

/// The emulator, and arm64's glibc for any machine: the test of the packages starts programs for arm64.
pub(crate) const QEMU: Unpacked = Unpacked {
    folder: "target/tools/qemu-arm64",
    packages: &["qemu-user-static", "libc6-arm64-cross"],
    with_libraries: false,
};

/// OpenSSH's server, which the end-to-end tests log in to with deploy keys, and the library that it needs.
pub(crate) const SSHD: Unpacked = Unpacked {
    folder: "target/tools/openssh-server",
    packages: &["openssh-server", "libwrap0"],
    with_libraries: false,
};

/// The pooler that the tests put before Postgres, and the libraries that it needs.
pub(crate) const PGBOUNCER: Unpacked = Unpacked {
    folder: "target/tools/pgbouncer",
    packages: &["pgbouncer"],
    with_libraries: true,
};

impl Tool {
    /// The folder of its programs, from the root on.
    pub(crate) fn programs(&self) -> Result<PathBuf, String> {
        let folder = Path::new(self.folder).join("bin");
        std::path::absolute(&folder).map_err(|error| format!("{}: {error}", folder.display()))
    }
}

/// Makes sure that a tool is there.
pub(crate) fn find_or_install(tool: &Tool) -> Result<(), String> {
    let folder = tool.folder;
    let complete = Path::new(folder).join("complete");
    if complete.exists() {
        return Ok(());
    }
    eprintln!("xtask: installing {folder}, once");
    run(Command::new("python3").args(["-m", "venv", "--clear", folder]))
        .map_err(|error| format!("{error}; on Debian and Ubuntu: apt-get install python3-venv"))?;
    let install =
        "install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement";
    let pip = Path::new(folder).join("bin/pip");
    run(Command::new(pip)
        .args(install.split_whitespace())
        .arg(tool.requirements))?;
    finish(&complete)
}

/// Makes sure that packages are there.
pub(crate) fn find_or_install_packages(packages: &Packages) -> Result<(), String> {
    let folder = Path::new(packages.folder);
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(());
    }
    eprintln!("xtask: installing {}, once", packages.folder);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", packages.folder))?;
    for file in files(Path::new(packages.list))? {
        let name = file.file_name().unwrap_or_default();
        fs::copy(&file, folder.join(name))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let install = "ci --no-audit --no-fund --loglevel=error";
    let scripts = format!("--ignore-scripts={}", !packages.runs_scripts);
    run(Command::new("npm")
        .args(install.split_whitespace())
        .arg(scripts)
        .current_dir(folder))
    .map_err(|error| format!("{error}; on Debian and Ubuntu, as root: apt-get install npm"))?;
    finish(&complete)
}

/// Makes sure that OpenSSH's own programs are there: they judge the deploy keys that we make.
pub(crate) fn find_or_install_openssh() -> Result<(), String> {
    let found = Command::new("sh")
        .args(["-c", "command -v ssh-keygen"])
        .output();
    if found.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    eprintln!("xtask: installing openssh-client, once");
    run(Command::new("apt-get").args(["--quiet", "--yes", "install", "openssh-client"])).map_err(
        |error| format!("{error}; on Debian and Ubuntu, as root: apt-get install openssh-client"),
    )
}

/// Makes sure that packages are unpacked. Installs nothing.
pub(crate) fn find_or_unpack(unpacked: &Unpacked) -> Result<(), String> {
    let folder = unpacked.folder;
    let complete = Path::new(folder).join("complete");
    if complete.exists() {
        return Ok(());
    }
    eprintln!("xtask: unpacking {folder}, once");
    let packages = Path::new(folder).join("packages");
    fs::create_dir_all(&packages).map_err(|error| format!("{}: {error}", packages.display()))?;
    unpacked.download(&packages).or_else(|_| {
        run(Command::new("apt-get").args(["--quiet", "update"]))?;
        unpacked.download(&packages)
    })?;
    for package in files(&packages)? {
        run(Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
    }
    finish(&complete)
}

impl Unpacked {
    fn download(&self, folder: &Path) -> Result<(), String> {
        let told = |error| {
            let packages = self.packages.join(" and ");
            format!("{error}; to be taken from Debian's packages: {packages}")
        };
        let libraries = if self.with_libraries {
            self.libraries().map_err(told)?
        } else {
            Vec::new()
        };
        run(Command::new("apt-get")
            .args(["--quiet", "download"])
            .args(self.packages)
            .args(libraries)
            .current_dir(folder))
        .map_err(told)
    }

    fn libraries(&self) -> Result<Vec<String>, String> {
        let output = Command::new("apt-cache")
            .args(["depends", "--important"])
            .args(self.packages)
            .output()
            .map_err(|error| format!("apt-cache depends: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // What else could take a package's place stands without this word.
        let named = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "));
        let libraries = named.filter(|name| name.starts_with("lib") && *name != "libc6");
        Ok(libraries.map(str::to_owned).collect())
    }
}

fn finish(complete: &Path) -> Result<(), String> {
    fs::write(complete, "").map_err(|error| format!("{}: {error}", complete.display()))
}
