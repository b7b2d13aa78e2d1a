//! OpenSSH's own server, which lets in those whose keys the stub lists.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use twinkey_test_github::DeployKey;
use twinkey_tests::{target, text};

use crate::deploy_key_document;
use crate::one_machine::{World, pem};

/// Where `cargo xtask test` unpacks it, under the target directory.
const PACKAGE: &str = "tools/openssh-server/usr";
/// Root has the server run as this account: as root it would want an account and a folder of its own, which come with its
/// installation.
const ACCOUNT: &str = "daemon";

/// Who logs in, and to what. Nothing listens: the client starts the server for each login, and speaks to it through a pipe.
struct Sshd {
    folder: TempDir,
    user: String,
    is_root: bool,
}

impl Sshd {
    fn new() -> Self {
        let user = text(&run(Command::new("id").arg("-un")).stdout);
        let is_root = user.trim() == "root";
        let sshd = Self {
            folder: TempDir::new().expect("a folder"),
            user: if is_root { ACCOUNT } else { user.trim() }.to_owned(),
            is_root,
        };
        sshd.install();
        sshd
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.path(name), contents).expect("written");
    }

    /// Everything of it in one folder, which another account can be given.
    fn install(&self) {
        let package = target().join(PACKAGE);
        let copy = |from: &Path, name: &str| {
            let copied = std::fs::copy(from, self.path(name));
            copied.unwrap_or_else(|error| {
                panic!("{}: {error}: cargo xtask test unpacks it", from.display())
            });
        };
        copy(&package.join("sbin/sshd"), "sshd");
        copy(&library(&package.join("lib")), "libwrap.so.0");
        let mut keygen = Command::new("ssh-keygen");
        run(keygen
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(self.path("host")));
        self.write("config", &self.config());
        let host = std::fs::read_to_string(self.path("host.pub")).expect("a key");
        self.write("known", &format!("TEST {host}"));
        self.write("batch", "pwd\n");
    }

    fn config(&self) -> String {
        let (host, authorized) = (self.shown("host"), self.shown("authorized"));
        format!(
            "HostKey {host}\nAuthorizedKeysFile {authorized}\nAuthenticationMethods publickey\nStrictModes no\n\
             UsePAM no\nPidFile none\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n"
        )
    }

    /// Logs in with a private key, where these are registered.
    fn login(&self, private_key: &str, registered: &[DeployKey]) -> Output {
        let lines: Vec<String> = registered.iter().map(|it| it.key.clone() + "\n").collect();
        self.write("authorized", &lines.concat());
        if self.is_root {
            let mut chown = Command::new("chown");
            run(chown.args(["-R", ACCOUNT]).arg(self.folder.path()));
        }
        self.write("key", private_key);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.path("key"), mode).expect("made private");
        let output = self.client().output();
        output.expect("sftp starts: apt-get install openssh-client")
    }

    /// With that key and no other, and nothing of the configuration of who runs the test.
    fn client(&self) -> Command {
        let options = [
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "BatchMode=yes".to_owned(),
            "HostKeyAlias=TEST".to_owned(),
            format!("UserKnownHostsFile={}", self.shown("known")),
            format!("ProxyCommand={}", self.serve()),
        ];
        let mut client = Command::new("sftp");
        client.args(["-F", "none", "-b"]).arg(self.path("batch"));
        client.arg("-i").arg(self.path("key"));
        client.args(options.iter().flat_map(|option| ["-o", option]));
        client.arg(format!("{}@TEST", self.user));
        client
    }

    fn serve(&self) -> String {
        let become_it = if self.is_root {
            format!("setpriv --reuid={ACCOUNT} --regid={ACCOUNT} --clear-groups ")
        } else {
            String::new()
        };
        let folder = self.folder.path().display();
        format!("{become_it}env LD_LIBRARY_PATH={folder} {folder}/sshd -i -e -f {folder}/config")
    }
}

/// In the folder for this processor.
fn library(folders: &Path) -> PathBuf {
    let found = std::fs::read_dir(folders).expect("cargo xtask test unpacks it");
    let found = found.map(|folder| folder.expect("a folder").path().join("libwrap.so.0"));
    found.into_iter().find(|it| it.exists()).expect("a library")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("a program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_of_a_pair_log_in_and_the_one_that_was_retired_does_not() {
    let world = World::new().await;
    let place = world.place("keys");
    let document = deploy_key_document(&world.stub, &pem());
    place.put("ci/key", &document, &["--tag", "twinkey:min-overlap=0s"]);
    let sshd = Sshd::new();
    let attempt = |document: &serde_json::Value| {
        let field = |name: &str| document[name].as_str().expect("a text").to_owned();
        let output = sshd.login(&field("private_key"), &world.stub.keys("acme/widgets"));
        let told = text(&output.stderr);
        let accepted = format!("Accepted publickey for {}", sshd.user);
        let is_in = told.contains(&accepted) && told.contains(&field("fingerprint"));
        assert_eq!(output.status.success(), is_in, "{told}");
        assert!(
            is_in || told.contains("Permission denied (publickey)"),
            "{told}"
        );
        is_in
    };
    world.rotate(&place, "ci/key");
    let first = place.get("ci/key", "AWSCURRENT");
    assert!(attempt(&first));
    world.rotate(&place, "ci/key");
    assert!(attempt(&first) && attempt(&place.get("ci/key", "AWSCURRENT")));
    world.rotate(&place, "ci/key");
    for stage in ["AWSCURRENT", "AWSPREVIOUS"] {
        assert!(attempt(&place.get("ci/key", stage)), "{stage}");
    }
    assert!(!attempt(&first), "it was retired");
}
