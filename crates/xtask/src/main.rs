#![doc = include_str!("../README.md")]

mod code;
mod fuzz;
mod mutants;
mod package;
mod sabotage;
mod tools;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask demo [--plain] [--rotations N] | test [--long] [--all-postgres] [--infra] [FILTER] | lint | prove [--page] | \
    fuzz [--seconds N] [TARGET…] | mutants [OPTION…] | sabotage [NAME…] | package [--check] | bench | scale [--page]";

/// All tests, those too that are ignored because they take minutes, but for those that another program starts.
const LONG: [&str; 4] = [
    "--run-ignored",
    "all",
    "--filterset",
    "not (test(a_process_with_a_cluster) | test(the_package_for_))",
];

pub(crate) const NO_NEXTEST: &str = "nextest runs the tests: cargo install --locked cargo-nextest";

/// The versions of the server beside Debian's, and which of them every run of the tests knows.
const OTHER_POSTGRES: [u32; 5] = [13, 14, 16, 17, NEWEST_POSTGRES];
const NEWEST_POSTGRES: u32 = 18;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["demo", options @ ..] => demo(options),
        ["test", options @ ..] => test(options),
        ["lint"] => lint(),
        ["prove"] => prove(&[]),
        ["prove", "--page"] => prove(&["--", "--page"]),
        ["fuzz", options @ ..] => fuzz::fuzz(options),
        ["mutants", "--", options @ ..] | ["mutants", options @ ..] => mutants::mutants(options),
        ["sabotage", names @ ..] => sabotage::sabotage(names),
        ["package"] => package::package(),
        ["package", "--check"] => package::check(),
        ["bench"] => bench(),
        ["scale"] => scale(&[]),
        ["scale", "--page"] => scale(&["--", "--page"]),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: &[&str]) -> Result<(), String> {
    find_or_install_postgres()?;
    let arguments = ["run", "--quiet", "--package", "twinkey-demo", "--"];
    // We make way for the demo, so that Ctrl-C reaches it alone and the shell waits for its end.
    let error = Command::new("cargo").args(arguments).args(options).exec();
    Err(format!("cargo run: {error}"))
}

/// The tests. Flags come first, in any order: `--long` adds those that take minutes and the sabotages,
/// `--all-postgres` every version of the server, `--infra` those of the templates.
fn test(options: &[&str]) -> Result<(), String> {
    let flags = options.iter().take_while(|word| word.starts_with("--"));
    let (flags, filter) = options.split_at(flags.count());
    if let Some(unknown) = flags
        .iter()
        .find(|flag| !["--long", "--all-postgres", "--infra"].contains(*flag))
    {
        return Err(format!("{unknown}: no such flag; {USAGE}"));
    }
    let is_long = flags.contains(&"--long");
    let long: &[&str] = if is_long { &LONG } else { &[] };
    if is_long && !has_nextest() {
        return Err(NO_NEXTEST.into());
    }
    install_what_tests_need()?;
    // The end-to-end tests start the real programs.
    cargo(&[
        "build",
        "--package",
        "twinkey-cli",
        "--package",
        "twinkey-demo",
        "--package",
        "twinkey-lambda",
    ])?;
    cargo(&["test", "--workspace", "--doc"])?;
    let runner: &[&str] = if has_nextest() {
        &["nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        &["test", "--workspace", "--all-targets", "--no-fail-fast"]
    };
    cargo(&[runner, long, filter].concat())?;
    let versions: &[u32] = if flags.contains(&"--all-postgres") {
        &OTHER_POSTGRES
    } else {
        &[NEWEST_POSTGRES]
    };
    for version in versions {
        test_at(*version, filter)?;
    }
    if flags.contains(&"--infra") {
        test_infra()?;
    }
    if is_long {
        sabotage::sabotage(&[])?;
    }
    Ok(())
}

fn install_what_tests_need() -> Result<(), String> {
    find_or_install_postgres()?;
    tools::find_or_install(&tools::MOTO)?;
    tools::find_or_install(&tools::CARGO_LAMBDA)?;
    tools::find_or_install(&tools::READERS)?;
    tools::find_or_install_packages(&tools::GITHUB_JUDGES)?;
    tools::find_or_install_packages(&tools::POSTGRES_SERVERS)?;
    tools::find_or_install_openssh()?;
    tools::find_or_unpack(&tools::SSHD)?;
    tools::find_or_unpack(&tools::PGBOUNCER)
}

/// What is said to a real server, said to one of another version.
fn test_at(version: u32, filter: &[&str]) -> Result<(), String> {
    eprintln!("xtask: the same with PostgreSQL {version}");
    // All packages, so that nothing is built with other features than before.
    let tests: &[&str] = if has_nextest() {
        &[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--no-tests=pass",
            "--filterset",
            "package(twinkey-postgres) & binary(server)",
        ]
    } else {
        &["test", "--workspace", "--no-fail-fast", "--test", "server"]
    };
    run(Command::new("cargo")
        .args(tests)
        .args(filter)
        .env("TWINKEY_TEST_POSTGRES", tools::postgres_server(version)?))
}

/// What others say of the templates for AWS, and whether both make the same.
fn test_infra() -> Result<(), String> {
    tools::find_or_install(&tools::INFRA)?;
    tools::find_or_install(&tools::CHECKOV)?;
    let pytest = tools::INFRA.programs()?.join("pytest");
    run(Command::new(pytest)
        // Nothing is left among the sources.
        .args(["-p", "no:cacheprovider", "--quiet", "tests/infra"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TWINKEY", absolute("target/debug/twinkey")?)
        .env("CHECKOV", tools::CHECKOV.programs()?.join("checkov")))
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{path}: {error}"))
}

/// What a rotation costs, as a table and in target/bench.json.
fn bench() -> Result<(), String> {
    find_or_install_postgres()?;
    tools::find_or_install(&tools::BASELINE)?;
    cargo(&["build", "--release", "--package", "twinkey-lambda"])?;
    let program = "run --quiet --package twinkey-tests --example bench";
    cargo(&program.split(' ').collect::<Vec<_>>())
}

fn lint() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"])?;
    sabotage::fits()?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ])?;
    let documentation = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    run(Command::new("cargo")
        .args(documentation)
        .env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Goes further than the tests do, and writes docs/PROOF.md; or only writes it, from the last figures.
fn prove(options: &[&str]) -> Result<(), String> {
    let program = "run --profile prove --quiet --package twinkey-proof";
    let program: Vec<&str> = program.split_whitespace().collect();
    cargo(&[program.as_slice(), options].concat())
}

/// A hundred thousand secrets in virtual time, and docs/scale.md; or only that, from the last figures.
fn scale(options: &[&str]) -> Result<(), String> {
    let program = "run --quiet --package twinkey-scale";
    let program: Vec<&str> = program.split_whitespace().collect();
    cargo(&[program.as_slice(), options].concat())
}

fn find_or_install_postgres() -> Result<(), String> {
    let program = "find-or-install-postgres";
    cargo(&[
        "run",
        "--quiet",
        "--package",
        "twinkey-test-postgres",
        "--bin",
        program,
    ])
}

fn has_nextest() -> bool {
    Command::new("cargo")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn cargo(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("cargo").args(arguments))
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}").replace('"', "");
    let status = command
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown}: {status}"))
    }
}
