//! The terminal: what is happening, redrawn in place; or one line an event where that is wanted.

use std::time::Duration;

use console::{StyledObject, style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use twinkey_core::{Step, policy};

use crate::consumer::Consumer;
use crate::tally::{Key, Seen, published};
use crate::token::Used;

/// How often the picture is redrawn.
pub(crate) const REDRAW: Duration = Duration::from_millis(100);

/// Lines that are redrawn in place.
pub(crate) struct Screen {
    lines: Vec<ProgressBar>,
}

const LINES: usize = 9;

impl Screen {
    pub(crate) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let plain = ProgressStyle::with_template("{msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let line = |_| {
            let line = all.add(ProgressBar::new_spinner());
            line.set_style(plain.clone());
            line
        };
        Self {
            lines: (0..LINES).map(line).collect(),
        }
    }

    /// Redraws everything.
    pub(crate) fn draw(
        &self,
        seen: &Seen,
        consumers: &[Consumer],
        token: &Used,
        now: f64,
        rotations: usize,
        factor: i32,
    ) {
        let current = seen.keys.iter().rev().find(|key| key.published.is_some());
        let previous = seen
            .keys
            .iter()
            .rev()
            .find(|key| key.superseded.is_some() && key.dead.is_none());
        let mut lines = vec![
            String::new(),
            key_line("AWSCURRENT", current, seen, now, factor),
            key_line("AWSPREVIOUS", previous, seen, now, factor),
            steps_line(seen, rotations),
        ];
        lines.extend(consumers.iter().map(consumer_line));
        lines.push(live_line(seen));
        lines.push(token_line(token));
        for (bar, text) in self.lines.iter().zip(lines) {
            bar.set_message(text);
        }
    }

    /// Leaves the terminal clean for the summary.
    pub(crate) fn clear(&self) {
        for line in &self.lines {
            line.finish_and_clear();
        }
    }
}

fn key_line(stage: &str, key: Option<&Key>, seen: &Seen, now: f64, factor: i32) -> String {
    let Some(key) = key else {
        return format!("  {stage:<12} none yet");
    };
    let number = published(&seen.keys)
        .get(&key.version)
        .copied()
        .unwrap_or(0);
    let age = policy::spell(simulated(now - key.accepted.unwrap_or(now), factor));
    let stage = format!("{stage:<12}");
    let stage = if stage.starts_with("AWSCURRENT") {
        style(stage).for_stderr().cyan().bold()
    } else {
        style(stage).for_stderr().cyan()
    };
    format!("  {stage} key {number:<3} role {:<10} {age} old", key.role)
}

fn simulated(seconds: f64, factor: i32) -> chrono::TimeDelta {
    let real = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    chrono::TimeDelta::from_std(real).unwrap_or_default() * factor
}

fn steps_line(seen: &Seen, rotations: usize) -> String {
    let steps: Vec<String> = Step::ALL
        .iter()
        .map(|step| {
            let passed = seen.steps.contains(step);
            let mark = if passed {
                style("+").for_stderr().green()
            } else {
                style(".").for_stderr().dim()
            };
            format!("{mark} {step}")
        })
        .collect();
    format!(
        "  rotation {:>2} of {rotations}: {}",
        seen.rotations,
        steps.join("  ")
    )
}

fn consumer_line(consumer: &Consumer) -> String {
    let seen = consumer.seen();
    let refused = refusals(seen.refused());
    format!(
        "  consumer that {:<28} {:>5} logins, {refused}",
        consumer.name,
        seen.accepted()
    )
}

fn refusals(refused: usize) -> StyledObject<String> {
    let told = style(format!("{refused} refused")).for_stderr();
    if refused == 0 {
        told.green()
    } else {
        told.red().bold()
    }
}

fn token_line(used: &Used) -> String {
    let Used {
        accepted,
        live,
        tokens,
        ..
    } = used;
    let refused = refusals(used.refused);
    format!("  token at GitHub: number {tokens}, {live} live, {accepted} uses, {refused}")
}

fn live_line(seen: &Seen) -> String {
    let now = seen.counts.last().map_or(0, |count| count.live);
    let most = seen
        .counts
        .iter()
        .map(|count| count.live)
        .max()
        .unwrap_or(0);
    format!(
        "  keys live: {now} (the most at any count: {most}; counted {} times by logging in)",
        seen.counts.len()
    )
}
