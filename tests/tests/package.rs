//! What is in the packages, started as Lambda does. `cargo xtask package --check` makes them first and runs these.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use twinkey_core::SecretId;
use twinkey_tests::{Account, Answer, Function, target};
use zip::ZipArchive;

const X86_64: u8 = 0x3e;
const AARCH64: u8 = 0xb7;
/// Where an ELF file tells its processor.
const MACHINE: usize = 18;
/// The minor version of the glibc that Lambda's provided.al2023 has.
const GLIBC: u32 = 34;

/// Unpacks the program of a processor, and looks at it before it runs.
fn unpack(processor: &str, machine: u8, folder: &Path) -> OsString {
    let package = target().join(format!("package/twinkey-lambda-{processor}.zip"));
    let file = File::open(&package).expect("cargo xtask package makes it");
    let mut archive = ZipArchive::new(file).expect("a zip");
    assert_eq!(archive.len(), 1);
    archive.extract(folder).expect("unpacked");
    let program = folder.join("bootstrap");
    let rights = program.metadata().expect("there").permissions().mode();
    assert_eq!(rights & 0o777, 0o755);
    let bytes = std::fs::read(&program).expect("read");
    assert_eq!(bytes[MACHINE], machine, "for another processor");
    let needed = newest_glibc(&bytes);
    assert!(needed.is_some_and(|it| it <= GLIBC), "glibc 2.{needed:?}");
    program.into()
}

/// Of the versions that a program asks for, `GLIBC_2.17`, say, the newest.
fn newest_glibc(program: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(program);
    let versions = text.split("GLIBC_2.").skip(1);
    let minor = |it: &str| it.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    versions.filter_map(minor).max()
}

/// It refuses what it does not know, and rotates twice, with real cryptography and a real database.
async fn assert_it_serves(account: &Account, function: &mut Function, arn: &SecretId) {
    let answer = function.invoke(b"{\"Records\":[]}").await;
    assert!(
        matches!(&answer, Answer::Failed(kind, _) if kind == "UnknownEvent"),
        "{answer:?}"
    );
    for _ in 0..2 {
        let token = account.begin("app");
        function.rotate(arn, &token).await.expect("a rotation");
        account.assert_two_keys("app", "after a rotation").await;
    }
}

#[tokio::test]
#[ignore = "cargo xtask package --check makes the package"]
async fn the_package_for_x86_64_rotates() {
    let folder = TempDir::new().expect("a directory");
    let program = unpack("x86_64", X86_64, folder.path());
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function().from([program]);
    assert_it_serves(&account, &mut function, &arn).await;
}

#[tokio::test]
#[ignore = "cargo xtask package --check makes the package"]
async fn the_package_for_arm64_rotates_in_an_emulator() {
    let folder = TempDir::new().expect("a directory");
    let program = unpack("arm64", AARCH64, folder.path());
    let qemu = target().join("tools/qemu-arm64/usr");
    let emulator = qemu.join("bin/qemu-aarch64-static");
    let libraries = qemu.join("aarch64-linux-gnu");
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let command = [emulator.into(), "-L".into(), libraries.into(), program];
    let mut function = account.function().from(command);
    assert_it_serves(&account, &mut function, &arn).await;
}
