//! The summary: what was promised, what was seen, and the picture.

use std::time::Duration;

use anyhow::Context;
use console::style;

use crate::Arguments;
use crate::consumer::Consumer;
use crate::stage::{INTERVAL_MINUTES, ROLES};
use crate::tally::{Seen, published};
use crate::timeline::{Bar, Timeline};
use crate::token::Used;

/// Each consumer must log in at least this often.
const FEWEST_LOGINS: usize = 100;

/// One thing that had to hold, and whether it did.
struct Finding {
    holds: bool,
    text: String,
}

/// Prints the summary and writes the picture; whether everything held.
pub(crate) fn deliver(
    arguments: &Arguments,
    seen: &Seen,
    consumers: &[Consumer],
    token: (usize, &Used),
    rotations: Vec<f64>,
    took: Duration,
) -> anyhow::Result<bool> {
    let mut findings = findings(arguments.rotations, seen, consumers);
    findings.extend(of_token(arguments.rotations, token));
    for finding in &findings {
        show(finding);
    }
    let picture = &arguments.picture;
    if let Some(directory) = picture.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let svg = timeline(seen, consumers, rotations, took).svg();
    std::fs::write(picture, svg).with_context(|| format!("writing {}", picture.display()))?;
    line(&format!("timeline: {}", picture.display()));
    Ok(findings.iter().all(|finding| finding.holds))
}

fn findings(rotations: usize, seen: &Seen, consumers: &[Consumer]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |holds: bool, text: String| findings.push(Finding { holds, text });
    if let Some(failure) = &seen.failure {
        find(false, failure.clone());
    }
    find(
        seen.rotations >= rotations,
        format!("{} rotations of {rotations}", seen.rotations),
    );
    let versions = published(&seen.keys);
    for consumer in consumers {
        let saw = consumer.seen();
        let used = versions
            .keys()
            .filter(|version| saw.versions.contains(version))
            .count();
        let text = format!(
            "the consumer that {}: {} logins, {} refused, with {used} of {} published versions",
            consumer.name,
            saw.accepted(),
            saw.refused(),
            versions.len()
        );
        find(
            saw.refused() == 0 && saw.accepted() >= FEWEST_LOGINS && used == versions.len(),
            text,
        );
    }
    let most = seen
        .counts
        .iter()
        .map(|count| count.live)
        .max()
        .unwrap_or(0);
    find(
        most == 2,
        format!(
            "never more than two keys live: the most at {} counts was {most}",
            seen.counts.len()
        ),
    );
    let rest: Vec<usize> = at_rest(seen);
    let two = rest.iter().all(|live| *live == 2) && !rest.is_empty();
    find(
        two,
        format!(
            "exactly two keys live at rest, at each of {} counts",
            rest.len()
        ),
    );
    findings
}

/// What holds of the token at the stand-in for GitHub.
fn of_token(rotations: usize, (passed, used): (usize, &Used)) -> [Finding; 2] {
    let Used {
        accepted,
        refused,
        tokens,
        most_live,
        ..
    } = used;
    [
        Finding {
            holds: *refused == 0
                && *accepted >= FEWEST_LOGINS
                && passed >= rotations
                && *tokens >= rotations,
            text: format!(
                "the token at GitHub's stand-in: {passed} rotations, {accepted} uses of what was cached for \
                 {INTERVAL_MINUTES} minutes, {refused} refused, with {tokens} tokens"
            ),
        },
        Finding {
            holds: *most_live == 2,
            text: format!("never more than two tokens live: the most at any mint was {most_live}"),
        },
    ]
}

/// Counts while no rotation was in flight, from the end of the first rotation on: before it there was one key.
fn at_rest(seen: &Seen) -> Vec<usize> {
    let first_rotated = seen.keys.get(1).and_then(|key| key.published);
    let after = |at: f64| first_rotated.is_some_and(|first| at >= first);
    let rest = seen
        .counts
        .iter()
        .filter(|count| count.at_rest && after(count.at));
    rest.map(|count| count.live).collect()
}

fn show(finding: &Finding) {
    let mark = if finding.holds {
        style("ok  ").green()
    } else {
        style("FAIL").red().bold()
    };
    line(&format!("{mark} {}", finding.text));
}

#[expect(clippy::print_stdout, reason = "the summary is the demo's result")]
fn line(text: &str) {
    println!("{text}");
}

fn timeline(seen: &Seen, consumers: &[Consumer], rotations: Vec<f64>, took: Duration) -> Timeline {
    let numbers = published(&seen.keys);
    let bars = seen.keys.iter().filter_map(|key| {
        let published = key.published?;
        Some(Bar {
            lane: usize::from(key.role != ROLES[0]),
            label: numbers.get(&key.version)?.to_string(),
            accepted: key.accepted?.min(published),
            published,
            superseded: key.superseded,
            dead: key.dead,
        })
    });
    Timeline {
        lanes: ROLES.map(Into::into),
        keys: bars.collect(),
        rotations,
        counts: seen
            .counts
            .iter()
            .map(|count| (count.at, count.live))
            .collect(),
        consumers: consumers
            .iter()
            .map(|consumer| (consumer.name.clone(), consumer.seen().logins))
            .collect(),
        end: took.as_secs_f64(),
    }
}
