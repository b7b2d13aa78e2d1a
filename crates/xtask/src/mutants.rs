//! Mutation testing: the engine is changed in small ways, one at a time, and a test must notice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// Each mutant may take this many seconds; nextest ends a single test that hangs much earlier.
const TIMEOUT: &str = "1800";
const EXCUSES: &str = ".cargo/mutants-excused.txt";
/// What docs/PROOF.md shows.
const SUMMARY: &str = "crates/twinkey-proof/mutants.json";
const PROOF: &str = "target/mutants-proof";
const TOOLS: &str = "target/tools";
/// The page's own tests fail at any change of the engine's text: that proves nothing about what it does.
const BUT_PAGE: &str = "--filterset=not binary(page)";

/// Fails if a mutant survives that nobody has excused, or if an excuse is no longer needed.
pub(crate) fn mutants(options: &[&str]) -> Result<(), String> {
    let excused = excuses(&read(Path::new(EXCUSES))?)?;
    let cargo_mutants = find_or_install()?;
    let quick = "--cargo-profile mutants --profile mutants --package twinkey-core --package twinkey-testkit";
    pass_unchanged(&quick.split(' ').collect::<Vec<_>>())?;
    let mut outcomes = test(&cargo_mutants, "target", options)?;
    let mut verdict = Verdict::new(&outcomes.missed, excused);
    if !verdict.survivors.is_empty() {
        outcomes.caught_by_proof(&prove(&cargo_mutants, &verdict.survivors)?, &mut verdict);
    }
    verdict.tell();
    // Options may have picked a few mutants only: they say nothing about the excuses of the others.
    if outcomes.count() < count_all(&cargo_mutants)? {
        return verdict.no_survivor();
    }
    let summary = outcomes.summary(&verdict, &engine()?);
    std::fs::write(SUMMARY, &summary).map_err(|error| format!("{SUMMARY}: {error}"))?;
    eprint!("{summary}");
    eprintln!("docs/PROOF.md quotes this: cargo xtask prove --page");
    verdict.no_survivor().and(verdict.no_idle_excuse())
}

/// The fingerprint of the engine's sources, so that docs/PROOF.md can say whether they have changed since.
fn engine() -> Result<String, String> {
    let arguments = "run --quiet --package twinkey-proof -- --engine";
    let output = Command::new("cargo")
        .args(arguments.split(' '))
        .output()
        .map_err(|error| format!("cargo {arguments}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !said.is_empty() {
        return Ok(said);
    }
    Err(format!("cargo {arguments}: {}", output.status))
}

fn find_or_install() -> Result<PathBuf, String> {
    if !crate::has_nextest() {
        return Err("nextest runs the tests: cargo install --locked cargo-nextest".into());
    }
    let program = Path::new(TOOLS).join("bin/cargo-mutants");
    if !program.exists() {
        let install = ["install", "--locked", "cargo-mutants", "--root", TOOLS];
        run(Command::new("cargo").args(install))?;
    }
    Ok(program)
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// A mutant is only caught by tests that pass without it.
fn pass_unchanged(tests: &[&str]) -> Result<(), String> {
    run(Command::new("cargo").args(["nextest", "run"]).args(tests))
}

/// Tests mutants, by `.cargo/mutants.toml` with the quick tests only.
fn test(cargo_mutants: &Path, output: &str, options: &[&str]) -> Result<Outcomes, String> {
    // What cargo-mutants says if some were missed, and if some took too long: we judge that ourselves.
    const JUDGED: [i32; 3] = [0, 2, 3];
    let ours = ["--baseline", "skip", "--timeout", TIMEOUT];
    let status = Command::new(cargo_mutants)
        .args(["mutants", "--output", output])
        .args(ours)
        .args(options)
        .status()
        .map_err(|error| format!("cargo mutants: {error}"))?;
    match status.code() {
        Some(code) if JUDGED.contains(&code) => {
            Outcomes::read(&Path::new(output).join("mutants.out"))
        }
        _ => Err(format!("cargo mutants: {status}")),
    }
}

/// Tries what survived the quick tests against the slow ones too.
fn prove(cargo_mutants: &Path, survivors: &[String]) -> Result<Outcomes, String> {
    pass_unchanged(&["--package", "twinkey-proof", BUT_PAGE])?;
    let names = survivors
        .iter()
        .map(|name| format!("--re=^{}$", escape(name)));
    let names: Vec<String> = names.collect();
    // The proof runs the engine millions of times: it pays to optimise even a mutant.
    let but_page = format!("--cargo-test-arg={BUT_PAGE}");
    let mut options = vec!["--test-package=twinkey-proof", "--profile=dev", &but_page];
    options.extend(names.iter().map(String::as_str));
    test(cargo_mutants, PROOF, &options)
}

fn escape(name: &str) -> String {
    name.chars().fold(String::new(), |mut escaped, character| {
        if r"\.+*?()|[]{}^$&-~#".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
        escaped
    })
}

fn count_all(cargo_mutants: &Path) -> Result<usize, String> {
    let listed = Command::new(cargo_mutants)
        .args(["mutants", "--list"])
        .output()
        .map_err(|error| format!("cargo mutants --list: {error}"))?;
    Ok(String::from_utf8_lossy(&listed.stdout).lines().count())
}

/// What became of the mutants, each by its file, line, column and what was changed.
struct Outcomes {
    caught: Vec<String>,
    unviable: Vec<String>,
    timeout: Vec<String>,
    missed: Vec<String>,
}

impl Outcomes {
    fn read(folder: &Path) -> Result<Self, String> {
        let lines = |name: &str| -> Result<Vec<String>, String> {
            let text = read(&folder.join(name))?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        Ok(Self {
            caught: lines("caught.txt")?,
            unviable: lines("unviable.txt")?,
            timeout: lines("timeout.txt")?,
            missed: lines("missed.txt")?,
        })
    }

    fn caught_by_proof(&mut self, proof: &Self, verdict: &mut Verdict) {
        let survives = |mutant: &String| proof.missed.contains(mutant);
        let caught = verdict.survivors.extract_if(.., |mutant| !survives(mutant));
        for mutant in caught {
            self.missed.retain(|missed| *missed != mutant);
            self.caught.push(mutant);
        }
    }

    fn count(&self) -> usize {
        self.caught.len() + self.unviable.len() + self.timeout.len() + self.missed.len()
    }

    fn summary(&self, verdict: &Verdict, engine: &str) -> String {
        format!(
            "{{\"mutants\": {}, \"caught\": {}, \"unviable\": {}, \"timeout\": {}, \"missed\": {}, \"excused\": {}, \"engine\": \"{engine}\"}}\n",
            self.count(),
            self.caught.len(),
            self.unviable.len(),
            self.timeout.len(),
            verdict.survivors.len(),
            verdict.excused,
        )
    }
}

/// How many mutants of each name are excused. Every excuse stands below a comment with its reason.
fn excuses(text: &str) -> Result<BTreeMap<String, usize>, String> {
    let mut excused = BTreeMap::new();
    let mut has_reason = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            has_reason = !line.is_empty();
        } else if has_reason {
            *excused.entry(line.to_owned()).or_default() += 1;
        } else {
            return Err(format!("{EXCUSES}: no reason above: {line}"));
        }
    }
    Ok(excused)
}

/// The survivors, held against the excuses.
struct Verdict {
    survivors: Vec<String>,
    excused: usize,
    idle: Vec<String>,
}

impl Verdict {
    fn new(missed: &[String], mut excused: BTreeMap<String, usize>) -> Self {
        let mut survivors = Vec::new();
        for mutant in missed {
            match excused.get_mut(&without_position(mutant)) {
                Some(left) if *left > 0 => *left -= 1,
                _ => survivors.push(mutant.clone()),
            }
        }
        let idle = excused.into_iter().filter(|(_, left)| *left > 0);
        Self {
            excused: missed.len() - survivors.len(),
            survivors,
            idle: idle.map(|(name, _)| name).collect(),
        }
    }

    fn tell(&self) {
        for mutant in &self.survivors {
            eprintln!("survives: {mutant}");
        }
    }

    fn no_survivor(&self) -> Result<(), String> {
        match self.survivors.len() {
            0 => Ok(()),
            count => Err(format!(
                "{count} mutants survive: write the missing test, or excuse them with a reason in {EXCUSES}"
            )),
        }
    }

    fn no_idle_excuse(&self) -> Result<(), String> {
        if self.idle.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{EXCUSES}: excused, but caught or gone: {}",
            self.idle.join("; ")
        ))
    }
}

/// `file:line:column: change` without the line and the column, which move with every edit.
fn without_position(mutant: &str) -> String {
    let (position, change) = mutant.split_once(": ").unwrap_or((mutant, ""));
    let file = position.split(':').next().unwrap_or(position);
    format!("{file}: {change}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excuse_counts_for_one_mutant_and_needs_a_reason() {
        let missed = ["a.rs:1:2: replace x", "a.rs:9:9: replace x"].map(str::to_owned);
        let once = excuses("# equivalent\na.rs: replace x\n").expect("with a reason");
        let verdict = Verdict::new(&missed, once);
        assert_eq!(verdict.survivors, ["a.rs:9:9: replace x"]);
        assert!(verdict.idle.is_empty());
        let more = excuses("# equivalent\na.rs: replace x\nb.rs: replace y").expect("reasons");
        assert_eq!(Verdict::new(&missed, more).idle, ["b.rs: replace y"]);
        assert!(excuses("# a heading\n\na.rs: replace x\n").is_err());
    }
}
