//! The rotation function as a zip for each of Lambda's processors, the same bytes wherever it is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::code::copy_the_code;
use crate::tools::{CARGO_LAMBDA, QEMU, ZIG, find_or_install, find_or_unpack};
use crate::{cargo, run};

const FOLDER: &str = "target/package";
/// A copy of the code in another folder, and what is built of it.
const ELSEWHERE: &str = "target/package/elsewhere";
/// What Zig keeps between two builds; otherwise it would be in the user's home.
const CACHE: &str = "target/tools/zig-cache";
/// By the names that Lambda gives the processors.
const PROCESSORS: [(&str, &str); 2] = [
    ("arm64", "aarch64-unknown-linux-gnu"),
    ("x86_64", "x86_64-unknown-linux-gnu"),
];
/// What `provided.al2023` has: <https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html>.
const GLIBC: &str = "2.34";

/// Builds the zips, starts what is in them, and builds them again from a copy elsewhere.
pub(crate) fn check() -> Result<(), String> {
    package()?;
    start()?;
    let here = std::env::current_dir().map_err(|error| format!("the working folder: {error}"))?;
    build_elsewhere(&here.join(ELSEWHERE))
}

/// Builds the zips.
pub(crate) fn package() -> Result<(), String> {
    find_or_install(&CARGO_LAMBDA)?;
    find_or_install(&ZIG)?;
    for (_, target) in PROCESSORS {
        run(Command::new("rustup").args(["--quiet", "target", "add", target]))?;
    }
    let here = std::env::current_dir().map_err(|error| format!("the working folder: {error}"))?;
    zip(&here, Path::new(FOLDER))
}

/// Starts what is in them: for this processor as it is, the other one in an emulator.
fn start() -> Result<(), String> {
    crate::find_or_install_postgres()?;
    find_or_unpack(&QEMU)?;
    let tests = "test --package twinkey-tests --test package -- --ignored";
    cargo(&tests.split(' ').collect::<Vec<_>>())
}

/// The same bytes must come of it.
fn build_elsewhere(folder: &Path) -> Result<(), String> {
    let tree = folder.join("tree");
    fs::create_dir_all(&tree).map_err(|error| format!("{}: {error}", tree.display()))?;
    copy_the_code(&tree)?;
    zip(&tree, folder)?;
    let sums = |folder: &Path| read(&folder.join("SHA256SUMS"));
    if sums(Path::new(FOLDER))? != sums(folder)? {
        return Err(format!("{FOLDER} and {ELSEWHERE} differ"));
    }
    eprintln!("xtask: the same bytes from {}", tree.display());
    Ok(())
}

/// Builds a tree for every processor, and puts the zips into a folder.
fn zip(tree: &Path, folder: &Path) -> Result<(), String> {
    let mut programs = Vec::new();
    for (processor, target) in PROCESSORS {
        let program = build(tree, target)?;
        programs.push(format!("{processor}={}", program.display()));
    }
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let folder = folder.to_string_lossy();
    let programs = programs.iter().map(String::as_str);
    let zipper = ["run", "--quiet", "--package", "twinkey-package", "--"];
    let arguments: Vec<&str> = zipper
        .into_iter()
        .chain([&*folder])
        .chain(programs)
        .collect();
    cargo(&arguments)
}

/// The function of a tree for one processor, built by a compiler and a linker that are pinned for all of them.
fn build(tree: &Path, target: &str) -> Result<PathBuf, String> {
    let built = tree.join("target");
    let lambda = built.join("package").join(target);
    let cache = std::path::absolute(CACHE).map_err(|error| format!("{CACHE}: {error}"))?;
    // cargo-lambda's own idea of a release would abort on panic.
    let options = "lambda build --release --locked --disable-optimizations --package twinkey-lambda --flatten bootstrap";
    run(Command::new(CARGO_LAMBDA.programs()?.join("cargo-lambda"))
        .args(options.split(' '))
        .args(["--target", &format!("{target}.{GLIBC}")])
        .arg("--lambda-dir")
        .arg(&lambda)
        .current_dir(tree)
        .env("PATH", path()?)
        .env("CARGO_ZIGBUILD_CACHE_DIR", &cache)
        .env("ZIG_GLOBAL_CACHE_DIR", cache.join("global"))
        .env("CARGO_TARGET_DIR", &built)
        .env("RUSTFLAGS", remapped(tree)))?;
    Ok(lambda.join("bootstrap"))
}

/// cargo-lambda looks for Zig there.
fn path() -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    Ok(format!("{}:{path}", ZIG.programs()?.display()))
}

/// The places of the sources, which messages of a panic tell, become the same everywhere.
fn remapped(tree: &Path) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let tree = tree.display();
    format!("--remap-path-prefix={tree}=/twinkey --remap-path-prefix={cargo}=/cargo")
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}
