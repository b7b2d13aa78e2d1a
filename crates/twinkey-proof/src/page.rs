//! docs/PROOF.md: prose from `page.md`, tables from the figures.

use std::collections::BTreeMap;
use std::fmt::Write;

use twinkey_testkit::Fault;

use crate::figures::{Bounded, Crash, DEEP, EVERYDAY, Figures};
use crate::ledger::home;
use crate::{Act, Ledger, sabotage};

/// The page for these figures.
#[must_use]
pub fn page(ledger: &Ledger) -> String {
    let mut page = include_str!("page.md").to_owned();
    let tables = [
        ("totals", totals(ledger)),
        ("crash-tables", crash_tables(ledger)),
        ("cases", cases(ledger)),
        ("at-once", at_once(ledger)),
        ("beside", beside(ledger)),
        ("by-hand", by_hand(ledger)),
        ("frozen", frozen(ledger)),
        ("reach", reach(ledger)),
        ("sabotages", sabotages()),
        ("acts", acts(EVERYDAY.acts)),
        ("acts-deep", acts(DEEP.acts)),
    ];
    for (name, table) in tables {
        let mark = format!("{{{{{name}}}}}");
        assert!(page.contains(&mark), "page.md has no place for {name}");
        page = page.replace(&mark, table.trim_end());
    }
    page
}

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

fn totals(ledger: &Ledger) -> String {
    let crash = |figures: &Figures| figures.crash.values().map(|crash| crash.points).sum();
    let by_hand = |figures: &Figures| figures.by_hand.values().map(|it| it.runs).sum();
    let frozen = |figures: &Figures| figures.frozen.values().map(|it| it.calls).sum();
    let pairs = |bounded: &Bounded| bounded.pairs.values().sum();
    let rows = [
        (
            "crash points: call × fault × restart × case",
            sum(ledger, crash),
            "all; not repeated".into(),
        ),
        (
            "pairs of faults, the second at every call of the recovery",
            sum(ledger, |it| pairs(&it.bounded)),
            deep_sum(ledger, pairs),
        ),
        (
            "orders of two deliveries at once",
            sum(ledger, |it| it.bounded.at_once.runs),
            deep_sum(ledger, |it| it.at_once.runs),
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
    ];
    let mut table =
        String::from("| what | every test run | `cargo xtask prove` |\n| --- | ---: | ---: |\n");
    for (what, everyday, deep) in rows {
        let _ = writeln!(table, "| {what} | {everyday} | {deep} |");
    }
    table
}

fn crash_tables(ledger: &Ledger) -> String {
    let mut text = String::new();
    for (kind, figures) in &ledger.everyday {
        let quiet = figures.crash.values().find(|crash| !crash.rows.is_empty());
        if let Some(crash) = quiet {
            let _ = writeln!(text, "**{kind}**, {} calls:\n", crash.rows.len());
            crash_table(&mut text, crash);
            text.push('\n');
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

fn cases(ledger: &Ledger) -> String {
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

fn at_once(ledger: &Ledger) -> String {
    let mut table = format!(
        "| kind | two deliveries, ≤ {} switches | and a person, ≤ {} | two deliveries, ≤ {} | and a person, ≤ {} |\n| --- | ---: | ---: | ---: | ---: |\n",
        EVERYDAY.switches,
        EVERYDAY.switches_with_a_person,
        DEEP.switches,
        DEEP.switches_with_a_person
    );
    for (kind, figures) in &ledger.everyday {
        let deep = &ledger.deep[kind];
        let counts = [
            figures.bounded.at_once.runs,
            figures.bounded.with_a_person.runs,
            deep.at_once.runs,
            deep.with_a_person.runs,
        ];
        let counts: Vec<String> = counts.into_iter().map(grouped).collect();
        let _ = writeln!(table, "| {kind} | {} |", counts.join(" | "));
    }
    table
}

fn beside(ledger: &Ledger) -> String {
    let mut table =
        String::from("| kind | late step | orders | overtaken |\n| --- | --- | ---: | ---: |\n");
    for (kind, figures) in &ledger.everyday {
        for (step, it) in &figures.bounded.beside {
            let (orders, overtaken) = (grouped(it.runs), it.overtaken);
            let _ = writeln!(table, "| {kind} | {step} | {orders} | {overtaken} |");
        }
    }
    table
}

fn by_hand(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| kind | what happens | points | well again | overtaken |\n| --- | --- | ---: | --- | ---: |\n",
    );
    for (kind, figures) in &ledger.everyday {
        for (act, result) in &figures.by_hand {
            let settled = settled(&result.settled);
            let _ = writeln!(
                table,
                "| {kind} | {act} | {} | {settled} | {} |",
                result.runs, result.overtaken
            );
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

fn frozen(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| kind | meanwhile | calls | noticed if frozen right before |\n| --- | --- | ---: | --- |\n",
    );
    for (kind, figures) in &ledger.everyday {
        for (meanwhile, result) in &figures.frozen {
            let calls: Vec<String> = result
                .noticed
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            let calls = if calls.is_empty() {
                "none".into()
            } else {
                calls.join(", ")
            };
            let _ = writeln!(
                table,
                "| {kind} | {meanwhile} | {} | {calls} |",
                result.calls
            );
        }
    }
    table
}

fn reach(ledger: &Ledger) -> String {
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

fn sabotages() -> String {
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

fn acts(acts: &[Act]) -> String {
    let names: Vec<String> = acts.iter().map(ToString::to_string).collect();
    names.join("; ")
}
