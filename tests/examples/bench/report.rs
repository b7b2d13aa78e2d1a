//! What was measured, for people and for programs.

use serde_json::{Value, json};
use twinkey_tests::{Cost, Counts};

use crate::baseline::Baseline;
use crate::github::Kind;
use crate::measure::{Rotations, Starts};

const KIB_PER_MIB: f64 = 1024.0;
const BYTES_PER_MIB: f64 = 1024.0 * 1024.0;
const NOTES: &str = "\
Python stands for AWS's template, which is in no package registry: a function of ours with the same calls and connections, a lower
bound (tests/examples/bench/baseline.py). Why 12 calls and 5 connections: docs/operations.md, \"Cost\".";

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) cost: Cost,
    pub(crate) starts: Starts,
    /// The same where the system has one authority: what reading all of them takes is the difference.
    pub(crate) one_authority: Starts,
    pub(crate) rotations: Rotations,
    /// What the same work takes Python in the same run.
    pub(crate) baseline: Baseline,
    pub(crate) github: [Kind; 2],
    /// Bytes of the zip.
    pub(crate) zipped: usize,
}

impl Report {
    #[allow(clippy::print_stdout, reason = "the table is what it is called for")]
    pub(crate) fn print(&self) {
        println!("| one rotation | measured | bar |");
        println!("| --- | --- | --- |");
        for (what, measured, bar) in self.rows() {
            println!("| {what} | {measured} | {bar} |");
        }
        let [token, key] = &self.github;
        println!("\n| one rotation | {} | {} |", token.name, key.name);
        println!("| --- | --- | --- |");
        for ((what, of_token), (_, of_key)) in kind_rows(token).into_iter().zip(kind_rows(key)) {
            println!("| {what} | {of_token} | {of_key} |");
        }
        let python = &self.baseline.rotations;
        println!("\n| one rotation | twinkey | Python | ratio | bar |");
        println!("| --- | --- | --- | --- | --- |");
        for (what, ours, theirs, bar) in [
            ("wall, warm", &self.rotations.wall, &python.wall, "0.5"),
            ("CPU, warm", &self.rotations.cpu, &python.cpu, "0.2"),
        ] {
            let ratio = ours.median() / theirs.median();
            println!("| {what} | {ours} | {theirs} | {ratio:.2} | {bar} |");
        }
        println!(
            "| peak memory | {} | {} | | |",
            mebibytes(self.rotations.peak),
            mebibytes(python.peak)
        );
        println!(
            "| calls | {} | {} | | |",
            total(&self.cost.calls),
            total(&self.baseline.calls)
        );
        println!("\n{NOTES}");
    }

    fn rows(&self) -> Vec<(&'static str, String, &'static str)> {
        let Self {
            cost,
            starts,
            one_authority,
            rotations,
            ..
        } = self;
        vec![
            ("calls to Secrets Manager", told(&cost.calls), "9"),
            ("connections", told(&cost.connections), "4"),
            (
                "statements",
                told(&cost.statements),
                "4 in the change, 1 per verification",
            ),
            (
                "wall, warm",
                rotations.wall.to_string(),
                "half the template's",
            ),
            (
                "CPU, warm",
                rotations.cpu.to_string(),
                "a fifth of the template's",
            ),
            ("peak memory", mebibytes(rotations.peak), "12 MiB"),
            ("start to first /next", starts.wall.to_string(), "15 ms"),
            ("its CPU", starts.cpu.to_string(), ""),
            ("its peak memory", mebibytes(starts.peak), ""),
            ("start, one authority", one_authority.wall.to_string(), ""),
            (
                "zip",
                format!("{:.2} MiB", to_f64(self.zipped) / BYTES_PER_MIB),
                "4 MiB",
            ),
        ]
    }

    /// Times in milliseconds, memory in KiB, the zip in bytes.
    pub(crate) fn json(&self) -> Value {
        json!({
            "calls": self.cost.calls,
            "connections": self.cost.connections,
            "statements": self.cost.statements,
            "wall_ms": self.rotations.wall.json(),
            "cpu_ms": self.rotations.cpu.json(),
            "peak_kib": self.rotations.peak,
            "start": start(&self.starts),
            "start_with_one_authority": start(&self.one_authority),
            "zip_bytes": self.zipped,
            "python": {
                "calls": self.baseline.calls,
                "wall_ms": self.baseline.rotations.wall.json(),
                "cpu_ms": self.baseline.rotations.cpu.json(),
                "peak_kib": self.baseline.rotations.peak,
            },
            "github": self.github.iter().map(kind).collect::<Vec<_>>(),
        })
    }
}

fn kind_rows(kind: &Kind) -> [(&'static str, String); 5] {
    let Kind {
        cost, rotations, ..
    } = kind;
    [
        ("calls to Secrets Manager", told(&cost.calls)),
        ("requests to GitHub", told(&cost.requests)),
        ("wall, warm", rotations.wall.to_string()),
        ("CPU, warm", rotations.cpu.to_string()),
        ("peak memory", mebibytes(rotations.peak)),
    ]
}

fn kind(kind: &Kind) -> Value {
    json!({
        "kind": kind.name,
        "calls": kind.cost.calls,
        "requests": kind.cost.requests,
        "wall_ms": kind.rotations.wall.json(),
        "cpu_ms": kind.rotations.cpu.json(),
        "peak_kib": kind.rotations.peak,
    })
}

fn start(starts: &Starts) -> Value {
    json!({ "wall_ms": starts.wall.json(), "cpu_ms": starts.cpu.json(), "peak_kib": starts.peak })
}

/// `3: 2 app, 1 app_clone`
fn told(counts: &Counts) -> String {
    let each: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!("{}: {}", total(counts), each.join(", "))
}

fn total(counts: &Counts) -> usize {
    counts.values().sum()
}

#[allow(clippy::cast_precision_loss, reason = "a few megabytes")]
fn to_f64(bytes: usize) -> f64 {
    bytes as f64
}

#[allow(clippy::cast_precision_loss, reason = "a few megabytes")]
fn mebibytes(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / KIB_PER_MIB)
}
