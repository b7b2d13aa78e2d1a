//! Sabotage: a copy of the code is broken on purpose, one promise at a time, and a test must fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use crate::code::{copy_the_code, files};

const PATCHES: &str = "crates/twinkey-proof/sabotages";
const TREE: &str = "target/sabotage/tree";
const BUILT: &str = "target/sabotage/target";
/// Both of cargo and of nextest: quickly built, and a test that hangs is ended.
const PROFILE: &str = "mutants";
const PROMISES: u32 = 11;
/// What nextest says if it ran the tests and one of them failed.
const A_TEST_FAILED: i32 = 100;
/// What the proof says where no promise broke, and only the number of cases is another.
const ONLY_FIGURES: &str = "docs/PROOF.md shows other figures";

/// Fails if a sabotage survives its test. All of them, unless some are named.
pub(crate) fn sabotage(names: &[&str]) -> Result<(), String> {
    if !crate::has_nextest() {
        return Err(crate::NO_NEXTEST.into());
    }
    let sabotages = Sabotage::read_all(names)?;
    if names.is_empty() {
        break_every_promise(&sabotages)?;
    }
    crate::find_or_install_postgres()?;
    fs::create_dir_all(BUILT).map_err(|error| format!("{BUILT}: {error}"))?;
    copy_the_code(Path::new(TREE))?;
    for sabotage in &sabotages {
        sabotage.apply(&["--check"])?;
    }
    let checks = pass_unbroken(&sabotages)?;
    let survivors: Vec<&str> = sabotages
        .iter()
        .zip(&checks)
        .filter(|(sabotage, check)| !sabotage.is_caught(check))
        .map(|(sabotage, _)| sabotage.name.as_str())
        .collect();
    eprintln!(
        "{} of {} sabotages caught",
        sabotages.len() - survivors.len(),
        sabotages.len()
    );
    if survivors.is_empty() {
        return Ok(());
    }
    Err(format!("not caught: {}", survivors.join(", ")))
}

/// Fails if one no longer fits the code, long before all of them are tried.
pub(crate) fn fits() -> Result<(), String> {
    for sabotage in &Sabotage::read_all(&[])? {
        sabotage.apply_in(Path::new(""), &["--check"])?;
    }
    Ok(())
}

/// One way to break the code.
struct Sabotage {
    name: String,
    breaks: String,
    package: String,
    test: String,
}

impl Sabotage {
    fn read_all(names: &[&str]) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        for file in files(Path::new(PATCHES))? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let text = read(&file)?;
            let sabotage = Self::parse(&name, &text);
            all.push(sabotage.map_err(|problem| format!("{}: {problem}", file.display()))?);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(unknown) = names
            .iter()
            .find(|name| all.iter().all(|s| s.name != **name))
        {
            return Err(format!("no sabotage {unknown} in {PATCHES}"));
        }
        all.retain(|sabotage| names.is_empty() || names.contains(&sabotage.name.as_str()));
        Ok(all)
    }

    fn parse(name: &str, patch: &str) -> Result<Self, String> {
        let header = |field: &str| {
            let mut lines = patch.lines().take_while(|line| !line.starts_with("---"));
            let found = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
            found.ok_or_else(|| format!("no line {field}: …"))
        };
        header("Sabotage")?;
        header("Why")?;
        let (package, test) = header("Caught by")?
            .split_once(' ')
            .ok_or("Caught by: a package, then a part of the test's name")?;
        Ok(Self {
            name: name.into(),
            breaks: header("Breaks")?.into(),
            package: package.into(),
            test: test.into(),
        })
    }

    /// Tells whether the test failed, as it should.
    fn is_caught(&self, check: &Check) -> bool {
        let begun = Instant::now();
        let outcome = self.try_out(check);
        let told = match &outcome {
            Ok(None) => "SURVIVES".into(),
            Ok(Some(test)) => format!("caught by {test}"),
            Err(problem) => format!("ERROR: {problem}"),
        };
        let seconds = begun.elapsed().as_secs();
        eprintln!("{} ({}): {told}, {seconds} s", self.name, self.breaks);
        matches!(outcome, Ok(Some(_)))
    }

    /// The first test that failed, if one did. The copy is whole again afterwards.
    fn try_out(&self, check: &Check) -> Result<Option<String>, String> {
        self.apply(&[])?;
        let outcome = check.build().and_then(|()| check.run());
        self.apply(&["--reverse"])?;
        outcome
    }

    fn apply(&self, options: &[&str]) -> Result<(), String> {
        self.apply_in(Path::new(TREE), options)
    }

    fn apply_in(&self, tree: &Path, options: &[&str]) -> Result<(), String> {
        let mut command = Command::new("git");
        command
            .args(["apply", "-p1", "--directory"])
            .arg(tree)
            .args(options)
            .arg(format!("{PATCHES}/{}.patch", self.name));
        let output = start(&mut command)?;
        if output.status.success() {
            return Ok(());
        }
        let problem = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} does not apply: {problem}", self.name))
    }
}

fn break_every_promise(sabotages: &[Sabotage]) -> Result<(), String> {
    let broken: BTreeSet<&str> = sabotages
        .iter()
        .flat_map(|sabotage| sabotage.breaks.split(", "))
        .collect();
    let promises = (1..=PROMISES).map(|number| format!("P{number}"));
    let unbroken: Vec<String> = promises
        .filter(|promise| !broken.contains(promise.as_str()))
        .collect();
    if unbroken.is_empty() {
        return Ok(());
    }
    Err(format!("no sabotage breaks {}", unbroken.join(", ")))
}

/// The test that is to fail, and where it is: nothing else is built.
struct Check {
    package: String,
    target: Vec<String>,
    filter: String,
}

/// A sabotage is only caught by a test that passes without it.
fn pass_unbroken(sabotages: &[Sabotage]) -> Result<Vec<Check>, String> {
    let mut checks = Vec::new();
    for sabotage in sabotages {
        let check = Check::find(&sabotage.package, &sabotage.test)?;
        if let Some(test) = check.run()? {
            return Err(format!("{test} fails in the unbroken copy"));
        }
        checks.push(check);
    }
    eprintln!("every test passes in the unbroken copy");
    Ok(checks)
}

impl Check {
    fn find(package: &str, test: &str) -> Result<Self, String> {
        let filter = format!("test({test})");
        let mut command = nextest("list", package);
        command.args(["--filterset", &filter, "--message-format", "oneline"]);
        let output = start(&mut command)?;
        if !output.status.success() {
            return Err(failed_to_build(package, &output));
        }
        let listed = String::from_utf8_lossy(&output.stdout);
        let Some((binary, _)) = listed.lines().find_map(|line| line.split_once(' ')) else {
            return Err(format!("no test of {package} has {test} in its name"));
        };
        Ok(Self {
            package: package.into(),
            target: target(binary),
            filter,
        })
    }

    fn build(&self) -> Result<(), String> {
        let mut command = nextest("run", &self.package);
        command.args(&self.target).arg("--no-run");
        let output = start(&mut command)?;
        if output.status.success() {
            return Ok(());
        }
        Err(failed_to_build(&self.package, &output))
    }

    /// The first test that fails, if one does.
    fn run(&self) -> Result<Option<String>, String> {
        let mut command = nextest("run", &self.package);
        command.args(&self.target);
        command.args(["--profile", PROFILE, "--filterset", &self.filter]);
        let output = start(&mut command)?;
        let told = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Ok(None),
            Some(A_TEST_FAILED) if told.contains(ONLY_FIGURES) => {
                Err(format!("{}: no promise broke, {ONLY_FIGURES}", self.filter))
            }
            Some(A_TEST_FAILED) => Ok(Some(first_failed(&told).unwrap_or(&self.filter).into())),
            _ => Err(format!("{}: {told}", output.status)),
        }
    }
}

/// Where a test is, by the name of its binary: `package`, `package::test` or `package::bin/program`.
fn target(binary: &str) -> Vec<String> {
    let of = match binary.split_once("::") {
        None => return vec!["--lib".into()],
        Some((_, target)) => target,
    };
    match of.split_once('/') {
        Some((kind, name)) => vec![format!("--{kind}"), name.into()],
        None => vec!["--test".into(), of.into()],
    }
}

/// `FAIL [   0.006s] (1/3) package::binary test`
fn first_failed(told: &str) -> Option<&str> {
    let failed = |line: &&str| {
        let ends = ["FAIL [", "TIMEOUT [", "SIGABRT ["];
        ends.iter().any(|end| line.trim_start().starts_with(end))
    };
    told.lines().find(failed)?.split_whitespace().last()
}

fn nextest(subcommand: &str, package: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(TREE)
        .args(["nextest", subcommand, "--package", package])
        .args(["--cargo-profile", PROFILE, "--color", "never"])
        .env("CARGO_TARGET_DIR", Path::new("..").join("target"));
    command
}

fn failed_to_build(package: &str, output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    format!("{package} does not build: {told}")
}

fn start(command: &mut Command) -> Result<Output, String> {
    command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Breaks: P2, P4\nSabotage: no room is made\n\
        Caught by: twinkey-testkit p2_never\nWhy: a third key lives.\n--- a/x.rs\n+++ b/x.rs\n";

    #[test]
    fn a_sabotage_says_what_it_breaks_and_what_catches_it() {
        let sabotage = Sabotage::parse("no-room", HEADER).expect("a header");
        assert_eq!(sabotage.breaks, "P2, P4");
        assert_eq!(
            (sabotage.package.as_str(), sabotage.test.as_str()),
            ("twinkey-testkit", "p2_never")
        );
        for line in HEADER.lines().take(4) {
            assert!(Sabotage::parse("no-room", &HEADER.replace(line, "")).is_err());
        }
        let unbroken = break_every_promise(&[sabotage]).expect_err("only two are");
        assert_eq!(
            unbroken,
            "no sabotage breaks P1, P3, P5, P6, P7, P8, P9, P10, P11"
        );
    }

    #[test]
    fn a_test_is_found_by_the_name_of_its_binary() {
        assert_eq!(target("twinkey-core"), ["--lib"]);
        assert_eq!(target("twinkey-testkit::engine"), ["--test", "engine"]);
        assert_eq!(target("twinkey-cli::bin/twinkey"), ["--bin", "twinkey"]);
        let told = "    PASS [ 0.1s] (1/2) a::b one\n    FAIL [ 0.2s] (2/2) a::b two\n";
        assert_eq!(first_failed(told), Some("two"));
    }
}
