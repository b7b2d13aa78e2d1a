//! What a run has shown: committed, and the same for the same seed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::github::Requests;
use crate::load::{Kind, Scenario};
use crate::meter::Meter;
use crate::page::page;
use crate::plot::plot;
use crate::quota::Quota;

/// What one run has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// What was simulated.
    pub scenario: Scenario,
    /// The ticks.
    pub ticks: Ticks,
    /// The rotations.
    pub rotations: Rotations,
    /// The calls to Secrets Manager, by quota.
    pub quotas: BTreeMap<Quota, Meter>,
    /// The most requests that one installation made in one hour.
    pub github: Requests,
    /// Requests to GitHub, of all installations.
    pub github_requests: u64,
    /// The rotation function.
    pub function: Function,
    /// From due to finished, by kind.
    pub lateness: BTreeMap<Kind, Lateness>,
    /// The most keys of one secret that were ever live at once.
    pub most_live: usize,
    /// Secrets that were due at the end for longer than from one tick to the next and one tick's time.
    pub forgotten: usize,
    /// Secrets whose current key was dead at the end.
    pub dead_at_the_end: usize,
}

/// The ticks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticks {
    /// How many came.
    pub count: u64,
    /// Those that did not see the last page of the list.
    pub incomplete: u64,
    /// Those that were cut off before their report.
    pub cut_off: u64,
    /// Those that did not reach everything that was due.
    pub too_short: u64,
    /// The longest, in milliseconds.
    pub longest: u64,
    /// The shortest.
    pub shortest: u64,
    /// The most rotations that one has asked for.
    pub most_asked: u64,
    /// Requests that failed: the next tick repeats them.
    pub failed: u64,
    /// The most secrets that one called overdue.
    pub most_overdue: u64,
    /// How long the largest report is as JSON.
    pub report_bytes: u64,
}

/// The rotations of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotations {
    /// Begun by Secrets Manager.
    pub begun: u64,
    /// Finished.
    pub finished: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Finished in the busiest minute.
    pub most_in_a_minute: u64,
    /// Finished in each bin.
    pub bins: Vec<u64>,
}

/// The rotation function of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Invocations.
    pub invocations: u64,
    /// The most at the same time.
    pub most_at_once: u64,
    /// Those that had to wait for a place.
    pub waited: u64,
    /// The longest, in milliseconds.
    pub longest: u64,
}

/// From due to finished, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    /// How many were finished.
    pub rotations: usize,
    /// Half of them were quicker.
    pub median: u64,
    /// All but one in a hundred were quicker.
    pub p99: u64,
    /// The latest.
    pub max: u64,
    /// The latest of each bin, by when it was finished.
    pub bins: Vec<u64>,
}

impl Lateness {
    pub(crate) fn of(mut seconds: Vec<u64>, bins: Vec<u64>) -> Self {
        seconds.sort_unstable();
        let at = |percent: usize| {
            let index = seconds.len() * percent / 100;
            seconds.get(index).or(seconds.last()).copied()
        };
        Self {
            rotations: seconds.len(),
            median: at(50).unwrap_or_default(),
            p99: at(99).unwrap_or_default(),
            max: seconds.last().copied().unwrap_or_default(),
            bins,
        }
    }
}

/// The runs that docs/scale.md tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// A day in which passwords come up whenever.
    pub spread: Figures,
    /// Hours in which all passwords come up within one minute.
    pub at_once: Figures,
    /// An hour of ticks of a function whose timeout is that of the rotation function.
    pub short: Figures,
}

impl Ledger {
    /// The committed one.
    pub fn committed() -> io::Result<Self> {
        let text = fs::read_to_string(home().join("figures.json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Writes it where it is committed.
    pub fn write(&self) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        // A line for each list, so that a change can be read.
        let text = text.replace("],", "],\n").replace("},", "},\n");
        fs::write(home().join("figures.json"), text + "\n")
    }

    /// Writes docs/scale.svg and docs/scale.md.
    pub fn write_page(&self) -> io::Result<()> {
        fs::write(document("scale.svg"), plot(self))?;
        fs::write(document("scale.md"), page(self))
    }
}

/// Where a document is.
#[must_use]
pub fn document(name: &str) -> PathBuf {
    home().join("../../docs").join(name)
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}
