//! docs/scale.md: prose from `page.md`, tables from the figures.

use std::fmt::Write;

use crate::figures::{Figures, Ledger, Ticks};
use crate::load::Kind;
use crate::quota::Quota;
use crate::{POSTS_PER_HOUR, REQUESTS_PER_HOUR};

/// The page for these figures.
#[must_use]
pub fn page(ledger: &Ledger) -> String {
    let mut page = include_str!("page.md").to_owned();
    let tables = [
        ("allowed", allowed()),
        ("calls", calls(ledger)),
        ("lateness", lateness(ledger)),
        ("ticks", ticks(ledger)),
    ];
    for (name, table) in tables {
        let mark = format!("{{{{{name}}}}}");
        assert!(page.contains(&mark), "page.md has no place for {name}");
        page = page.replace(&mark, table.trim_end());
    }
    page
}

/// Calls of one rotation that draw on a quota, those of the tick that asks for it too: the most of any kind.
fn of_a_rotation(quota: Quota) -> Option<u64> {
    match quota {
        Quota::GetSecretValue => Some(7),
        Quota::DescribeSecret => Some(6),
        Quota::Writes => Some(2),
        Quota::RotateSecret | Quota::ListSecretVersionIds => Some(1),
        Quota::ListSecrets => None,
    }
}

fn allowed() -> String {
    let mut table = String::from(
        "| quota | calls a second | calls of one rotation | rotations an hour |\n| --- | --: | --: | --: |\n",
    );
    for quota in Quota::ALL {
        let per_second = u64::from(quota.per_second());
        let (each, rotations) = match of_a_rotation(quota) {
            Some(each) => (each.to_string(), grouped(per_second * 3600 / each)),
            None => (
                "none; a tick: a hundredth for each secret".into(),
                "–".into(),
            ),
        };
        let name = quota.name();
        let _ = writeln!(
            table,
            "| {name} | {} | {each} | {rotations} |",
            grouped(per_second)
        );
    }
    for (what, limit, [token, key]) in [
        ("requests", REQUESTS_PER_HOUR, [7, 19]),
        ("of these, those that create", POSTS_PER_HOUR, [1, 4]),
    ] {
        let _ = writeln!(
            table,
            "| GitHub, an installation: {what} | {} an hour | token {token}, deploy key {key} | {} or {} |",
            grouped(limit),
            grouped(limit / token),
            grouped(limit / key)
        );
    }
    table
}

fn calls(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| calls | quota, a second | whenever: mean | busiest second | throttled | all at once: mean | busiest second | throttled |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for quota in Quota::ALL {
        let _ = write!(
            table,
            "| {} | {} |",
            quota.name(),
            grouped(u64::from(quota.per_second()))
        );
        for figures in [&ledger.spread, &ledger.at_once] {
            let meter = &figures.quotas[&quota];
            let seconds = figures.scenario.hours * 3600;
            let tenths = (meter.calls * 10 + seconds / 2) / seconds;
            let (mean, peak) = (
                format!("{}.{}", tenths / 10, tenths % 10),
                grouped(meter.peak),
            );
            let _ = write!(table, " {mean} | {peak} | {} |", grouped(meter.throttled));
        }
        table.push('\n');
    }
    table
}

fn lateness(ledger: &Ledger) -> String {
    let mut table = String::from(
        "| from due to finished | whenever: rotations | half within | 99 % within | all within | all at once: rotations | half within | 99 % within | all within |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for kind in [Kind::Password, Kind::DeployKey, Kind::Token] {
        let _ = write!(table, "| {}s |", kind.name());
        for figures in [&ledger.spread, &ledger.at_once] {
            let late = figures.lateness.get(&kind).cloned().unwrap_or_default();
            let rotations = grouped(u64::try_from(late.rotations).unwrap_or_default());
            let [median, p99, max] = [late.median, late.p99, late.max].map(minutes);
            let _ = write!(table, " {rotations} | {median} | {p99} | {max} |");
        }
        table.push('\n');
    }
    table
}

fn ticks(ledger: &Ledger) -> String {
    let runs = [&ledger.spread, &ledger.at_once, &ledger.short];
    let mut table = String::from(
        "| | whenever, a day | all at once, 8 hours | a timeout of 60 s, one hour |\n| --- | --: | --: | --: |\n",
    );
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        let _ = write!(table, "| {name} |");
        for figures in runs {
            let _ = write!(table, " {} |", value(figures));
        }
        table.push('\n');
    };
    row("timeout of the tick's function", &|it| {
        format!("{} s", it.scenario.timeout_seconds)
    });
    row("ticks", &|it| grouped(it.ticks.count));
    row("shortest and longest", &|it| span(&it.ticks));
    row("cut off while it still listed", &|it| {
        grouped(it.ticks.cut_off + it.ticks.incomplete)
    });
    row("did not reach all that was due", &|it| {
        grouped(it.ticks.too_short)
    });
    row("the most that one asked for", &|it| {
        grouped(it.ticks.most_asked)
    });
    row("the most that one called overdue", &|it| {
        grouped(it.ticks.most_overdue)
    });
    row("rotations begun, finished, failed", &|it| {
        let rotations = &it.rotations;
        [rotations.begun, rotations.finished, rotations.failed]
            .map(grouped)
            .join(", ")
    });
    row("finished in the busiest minute", &|it| {
        grouped(it.rotations.most_in_a_minute)
    });
    row(
        "executions of the rotation function at once, of 1,000",
        &|it| grouped(it.function.most_at_once),
    );
    row(
        "requests to GitHub by one installation in one hour, and those that create",
        &|it| format!("{}, {}", grouped(it.github.all), grouped(it.github.posts)),
    );
    row("most keys of one secret live at once", &|it| {
        it.most_live.to_string()
    });
    row("secrets forgotten; with a dead key at the end", &|it| {
        [it.forgotten, it.dead_at_the_end]
            .map(|secrets| grouped(u64::try_from(secrets).unwrap_or_default()))
            .join("; ")
    });
    table
}

fn span(ticks: &Ticks) -> String {
    format!("{}, {}", seconds(ticks.shortest), seconds(ticks.longest))
}

fn seconds(milliseconds: u64) -> String {
    format!("{} s", (milliseconds + 500) / 1000)
}

fn minutes(seconds: u64) -> String {
    let tenths = seconds.div_ceil(6);
    format!("{}.{} min", grouped(tenths / 10), tenths % 10)
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}
