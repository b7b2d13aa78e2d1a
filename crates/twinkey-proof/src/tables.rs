//! The tables of docs/PROOF.md, from the figures.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use twinkey_testkit::Fault;

use crate::crash_table::Crash;
use crate::figures::{Bounded, DEEP, EVERYDAY, Figures};
use crate::ledger::{engine_sources, home};
use crate::{Act, Ledger, Tally, sabotage};

fn sum(ledger: &Ledger, one: impl Fn(&Figures) -> usize) -> String {
    grouped(ledger.everyday.values().map(one).sum())
}

fn deep_sum(ledger: &Ledger, one: impl Fn(&Bounded) -> usize) -> String {
    grouped(ledger.deep.values().map(one).sum())
}

/// 1234567 as 1,234,567.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

pub(crate) fn totals(ledger: &Ledger) -> String {
    let crash = |figures: &Figures| figures.crash.values().map(|crash| crash.points).sum();
    let by_hand = |figures: &Figures| figures.by_hand.values().map(|it| it.runs).sum();
    let frozen = |figures: &Figures| figures.frozen.values().map(|it| it.calls).sum();
    let pairs = |bounded: &Bounded| bounded.pairs.values().sum();
    let beside = |figures: &Figures| figures.beside.values().map(|it| it.runs).sum();
    let given_up = |figures: &Figures| figures.given_up.values().map(|it| it.runs).sum();
    let rows = [
        (
            "crash points: call × fault × restart × case",
            sum(ledger, crash),
            "all; not repeated".into(),
        ),
        (
            "pairs of faults, the second at every later call of the same delivery, and at every call of the recovery",
            sum(ledger, |it| pairs(&it.bounded)),
            deep_sum(ledger, pairs),
        ),
        (
            "orders of two deliveries at once",
            sum(ledger, |it| it.bounded.at_once.runs),
            deep_sum(ledger, |it| it.at_once.runs),
        ),
        (
            "orders of a rotation and one more delivery of one of its steps",
            sum(ledger, beside),
            "all; not repeated".into(),
        ),
        (
            "orders of a rotation and of giving it up",
            sum(ledger, given_up),
            "all; not repeated".into(),
        ),
        (
            "orders of two deliveries and a person, or time",
            sum(ledger, |it| it.bounded.with_a_person.runs),
            deep_sum(ledger, |it| it.with_a_person.runs),
        ),
        (
            "points at which a person, or time, steps in",
            sum(ledger, by_hand),
            "all; not repeated".into(),
        ),
        (
            "calls at which an invocation freezes",
            sum(ledger, frozen),
            "all; not repeated".into(),
        ),
        (
            "states that can be reached",
            sum(ledger, |it| it.bounded.reach.states),
            deep_sum(ledger, |it| it.reach.states),
        ),
        (
            "transitions between them",
            sum(ledger, |it| it.bounded.reach.transitions),
            deep_sum(ledger, |it| it.reach.transitions),
        ),
        (
            "late steps of every other rotation, in each of these states",
            sum(ledger, |it| it.bounded.reach.late_steps),
            deep_sum(ledger, |it| it.reach.late_steps),
        ),
    ];
    let mut table =
        String::from("| what | every test run | `cargo xtask prove` |\n| --- | ---: | ---: |\n");
    for (what, everyday, deep) in rows {
        let _ = writeln!(table, "| {what} | {everyday} | {deep} |");
    }
    table
}

pub(crate) fn crash_tables(ledger: &Ledger) -> String {
    let mut text = String::new();
    for (kind, figures) in &ledger.everyday {
        let quiet = figures.crash.values().find(|crash| !crash.rows.is_empty());
        if let Some(crash) = quiet {
            let calls = crash.rows.len();
            let head = format!("<b>{kind}</b>, {calls} calls");
            let _ = writeln!(text, "<details><summary>{head}</summary>\n");
            crash_table(&mut text, crash);
            let _ = writeln!(text, "\n</details>\n");
        }
    }
    text
}

fn crash_table(text: &mut String, crash: &Crash) {
    let head: Vec<String> = Fault::ALL.iter().map(|fault| fault_name(*fault)).collect();
    let _ = writeln!(text, "| step | call | {} |", head.join(" | "));
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(head.len()));
    for row in &crash.rows {
        let cells: Vec<String> = row.endings.iter().map(|ending| symbol(ending)).collect();
        let _ = writeln!(
            text,
            "| {} | `{}` | {} |",
            row.step,
            row.call,
            cells.join(" | ")
        );
    }
}

fn fault_name(fault: Fault) -> String {
    match fault {
        Fault::StopBefore => "dies before",
        Fault::StopAfter => "dies after",
        Fault::LoseReply => "reply lost",
        Fault::FailOnce => "fails once",
        Fault::Deny => "denied",
        Fault::SlowBeyondDeadline => "lands late",
        Fault::TimesOut => "times out",
    }
    .into()
}

fn symbol(ending: &str) -> String {
    ending
        .replace("redelivered", "✓")
        .replace("unnoticed", "=")
        .replace("next rotation", "→")
        .replace(", stray", " †")
}

pub(crate) fn cases(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| case | points | unnoticed | redelivered | next rotation |\n| --- | ---: | ---: | ---: | --- |\n",
    );
    for figures in ledger.everyday.values() {
        for (case, crash) in &figures.crash {
            let often = |ending: &str| crash.endings.get(ending).copied().unwrap_or_default();
            let _ = writeln!(
                table,
                "| {case} | {} | {} | {} | {} |",
                crash.points,
                often("unnoticed"),
                often("redelivered"),
                next_rotations(&crash.endings)
            );
        }
    }
    table
}

fn next_rotations(endings: &BTreeMap<String, usize>) -> String {
    let others = endings.iter().filter_map(|(ending, often)| {
        let reason = ending.strip_prefix("next rotation (")?.strip_suffix(')')?;
        Some(format!("{often} {reason}"))
    });
    let others: Vec<String> = others.collect();
    if others.is_empty() {
        "0".into()
    } else {
        others.join(", ")
    }
}

pub(crate) fn at_once(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| kind | what | switches | orders | well again | overtaken |\n| --- | --- | ---: | ---: | --- | ---: |\n",
    );
    for (kind, figures) in &ledger.everyday {
        for (bounds, bounded) in [(EVERYDAY, &figures.bounded), (DEEP, &ledger.deep[kind])] {
            let two = (bounds.switches, "two deliveries", &bounded.at_once);
            let person = bounds.switches_with_a_person;
            let three = (person, "and a person", &bounded.with_a_person);
            for (switches, what, tally) in [two, three] {
                let _ = writeln!(
                    table,
                    "| {kind} | {what} | ≤ {switches} | {} |",
                    cells(tally)
                );
            }
        }
    }
    table
}

/// Runs, who made it well again, how often the current key died in a declared moment.
fn cells(tally: &Tally) -> String {
    let runs = grouped(tally.runs);
    format!("{runs} | {} | {}", settled(&tally.settled), tally.overtaken)
}

pub(crate) fn beside(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| kind | late step | orders | well again | overtaken |\n| --- | --- | ---: | --- | ---: |\n",
    );
    for (kind, figures) in &ledger.everyday {
        for (step, tally) in &figures.beside {
            let _ = writeln!(table, "| {kind} | {step} | {} |", cells(tally));
        }
    }
    table
}

pub(crate) fn given_up(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| kind | given up | orders | well again | overtaken |\n| --- | --- | ---: | --- | ---: |\n",
    );
    for (kind, figures) in &ledger.everyday {
        for (how, tally) in &figures.given_up {
            let _ = writeln!(table, "| {kind} | {how} | {} |", cells(tally));
        }
    }
    table
}

/// The most rotations that any run, or any state, has needed until it was well again.
pub(crate) fn most_rotations(ledger: &Ledger) -> String {
    let everyday = ledger.everyday.values().flat_map(|figures| {
        let by_hand = figures.by_hand.values();
        let others = figures.beside.values().chain(figures.given_up.values());
        by_hand.chain(others).map(|tally| tally.most_rotations)
    });
    let bounded = ledger.everyday.values().map(|figures| &figures.bounded);
    let bounded = bounded.chain(ledger.deep.values()).flat_map(|bounded| {
        [
            bounded.at_once.most_rotations,
            bounded.with_a_person.most_rotations,
            bounded.reach.most_rotations,
        ]
    });
    everyday
        .chain(bounded)
        .max()
        .unwrap_or_default()
        .to_string()
}

pub(crate) fn by_hand(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| kind | what happens | points | well again | overtaken |\n| --- | --- | ---: | --- | ---: |\n",
    );
    for (kind, figures) in &ledger.everyday {
        for (act, tally) in &figures.by_hand {
            let _ = writeln!(table, "| {kind} | {act} | {} |", cells(tally));
        }
    }
    table
}

fn settled(settled: &BTreeMap<String, usize>) -> String {
    let parts = settled
        .iter()
        .map(|(who, often)| format!("{} {who}", grouped(*often)));
    parts.collect::<Vec<_>>().join(", ")
}

pub(crate) fn frozen(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| kind | what freezes | calls | noticed if frozen right before |\n| --- | --- | ---: | --- |\n",
    );
    for (kind, figures) in &ledger.everyday {
        for (meanwhile, result) in &figures.frozen {
            let noticed: Vec<&str> = result.noticed.iter().map(String::as_str).collect();
            let noticed = if noticed.is_empty() {
                "nowhere".into()
            } else {
                noticed.join("; ")
            };
            let calls = result.calls;
            let _ = writeln!(table, "| {kind} | {meanwhile} | {calls} | {noticed} |");
        }
    }
    table
}

pub(crate) fn reach(ledger: &Ledger) -> String {
    let mut table =
        String::from("| kind | states | transitions | well again |\n| --- | ---: | ---: | --- |\n");
    for (kind, bounded) in &ledger.deep {
        let reach = &bounded.reach;
        let (states, transitions) = (grouped(reach.states), grouped(reach.transitions));
        let _ = writeln!(
            table,
            "| {kind} | {states} | {transitions} | {} |",
            settled(&reach.settled)
        );
    }
    table
}

pub(crate) fn sabotages() -> String {
    let mut table = String::from(
        "| breaks | sabotage | what it does | caught by |\n| --- | --- | --- | --- |\n",
    );
    for it in sabotage::all(&home().join("sabotages")) {
        let (package, test) = it.caught_by.split_once(' ').unwrap_or_default();
        let _ = writeln!(
            table,
            "| {} | {} | {} | {package}: `{test}` |",
            it.breaks, it.name, it.what
        );
    }
    table
}

pub(crate) fn acts(acts: &[Act]) -> String {
    let names: Vec<String> = acts.iter().map(ToString::to_string).collect();
    names.join("; ")
}

/// What the last complete `cargo xtask mutants` has come to.
pub(crate) fn mutants() -> String {
    #[derive(Deserialize)]
    struct LastRun {
        #[serde(rename = "mutants")]
        all: usize,
        caught: usize,
        unviable: usize,
        timeout: usize,
        missed: usize,
        excused: usize,
        engine: String,
    }
    let it: LastRun = serde_json::from_str(include_str!("../mutants.json")).expect("our figures");
    let of = if it.engine == engine_sources() {
        "of the engine as it is"
    } else {
        "of an earlier state of the engine"
    };
    format!(
        "{of}, {} changes: {} noticed, {} by a run that never ended, {} that do not compile, {} excused, {} unnoticed",
        it.all, it.caught, it.timeout, it.unviable, it.excused, it.missed
    )
}
