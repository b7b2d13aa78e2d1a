//! `cargo xtask fuzz`: looks for inputs that break a promise of a parser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run;

const FOLDER: &str = "tests/fuzz";
const SCRATCH: &str = "target/fuzz";
const TOOLS: &str = "target/tools";
const TOOLCHAIN: &str = "nightly";
const SECONDS: u32 = 60;
/// Far longer than anything that a person or a server writes here, short enough to try often.
const LONGEST_INPUT: u32 = 4096;

/// What was asked for.
struct Options {
    seconds: u32,
    targets: Vec<String>,
}

/// Runs targets one after the other; all of them, unless some are named.
pub(crate) fn fuzz(arguments: &[&str]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    require_toolchain()?;
    let cargo_fuzz = find_or_install()?;
    for (number, target) in options.targets.iter().enumerate() {
        let of = options.targets.len();
        eprintln!(
            "fuzz: {target} ({}/{of}), {} s",
            number + 1,
            options.seconds
        );
        search(&cargo_fuzz, target, options.seconds)?;
    }
    Ok(())
}

impl Options {
    fn parse(mut arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            seconds: SECONDS,
            targets: Vec::new(),
        };
        let known = targets()?;
        while let Some((first, rest)) = arguments.split_first() {
            arguments = rest;
            match *first {
                "--seconds" => {
                    let number = rest.first().and_then(|text| text.parse().ok());
                    options.seconds = number.ok_or("--seconds takes a number")?;
                    arguments = &rest[1..];
                }
                target if known.iter().any(|name| name == target) => {
                    options.targets.push(target.into());
                }
                other => return Err(format!("no target {other}; there are {}", known.join(", "))),
            }
        }
        if options.targets.is_empty() {
            options.targets = known;
        }
        Ok(options)
    }
}

/// Each target has a folder in the corpus.
fn targets() -> Result<Vec<String>, String> {
    let corpus = Path::new(FOLDER).join("corpus");
    let listed = fs::read_dir(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    let mut names: Vec<String> = listed
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn require_toolchain() -> Result<(), String> {
    let mut rustc = Command::new("rustc");
    let quiet = rustc
        .arg("--version")
        .env("RUSTUP_TOOLCHAIN", TOOLCHAIN)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if quiet.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(format!(
        "fuzzing needs a nightly toolchain (rustup toolchain install {TOOLCHAIN}); \
         cargo xtask test replays the corpus in {FOLDER}/corpus without one"
    ))
}

fn find_or_install() -> Result<PathBuf, String> {
    let program = Path::new(TOOLS).join("bin/cargo-fuzz");
    if !program.exists() {
        let install = ["install", "--locked", "cargo-fuzz", "--root", TOOLS];
        run(Command::new("cargo").args(install))?;
    }
    Ok(program)
}

/// New inputs go to the scratch corpus; one that breaks a promise is told by the fuzzer, and kept.
fn search(cargo_fuzz: &Path, target: &str, seconds: u32) -> Result<(), String> {
    let (scratch, broken) = (folder("corpus", target)?, folder("broken", target)?);
    let mut command = Command::new(cargo_fuzz);
    command
        .args(["fuzz", "run", "--fuzz-dir", FOLDER, "--target-dir", SCRATCH])
        .args([target, &scratch])
        .arg(committed(target))
        .env("RUSTUP_TOOLCHAIN", TOOLCHAIN)
        // That of the toolchain that runs us.
        .env_remove("CARGO");
    command.args([
        "--",
        &format!("-max_total_time={seconds}"),
        &format!("-max_len={LONGEST_INPUT}"),
        &format!("-artifact_prefix={broken}/"),
        "-timeout=10",
        "-print_final_stats=1",
    ]);
    run(&mut command).map_err(|error| {
        format!(
            "{error}\nmend it, and copy its input from {broken} to {}",
            committed(target).display()
        )
    })
}

fn committed(target: &str) -> PathBuf {
    Path::new(FOLDER).join("corpus").join(target)
}

fn folder(kind: &str, target: &str) -> Result<String, String> {
    let path = format!("{SCRATCH}/{kind}/{target}");
    fs::create_dir_all(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(path)
}
