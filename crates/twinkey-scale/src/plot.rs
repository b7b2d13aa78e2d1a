//! docs/scale.svg: how the load spreads, beside the quotas.

use std::fmt::Write;

use crate::figures::{Figures, Ledger};
use crate::load::Kind;
use crate::meter::BIN_SECONDS;
use crate::panel::{HEIGHT, Line, Panel, Scale, WIDTH};
use crate::quota::Quota;

const LEFT: f64 = 78.0;
const GAP: f64 = 84.0;
const TOP: f64 = 104.0;
const STEP: f64 = HEIGHT + 74.0;
const BLUE: &str = "#1f5fa8";
const ORANGE: &str = "#b35900";
const GREEN: &str = "#2e7d4f";
const VIOLET: &str = "#7b4fa3";

const ROWS: [Row; 3] = [
    Row {
        title: "Rotations finished in a minute, on the average of five",
        scale: Scale::Linear(1_800.0),
        ticks: &[
            (0.0, "0"),
            (500.0, "500"),
            (1_000.0, "1,000"),
            (1_500.0, "1,500"),
        ],
        limits: &[
            (1_500.0, "50 writes a second, two for a rotation: 1,500"),
            (600.0, "a tick asks for 10 a second: 600"),
        ],
        legend: &[(BLUE, "all kinds")],
        lines: rotations,
    },
    Row {
        title: "Calls in the busiest second of five minutes, in % of their quota",
        scale: Scale::Logarithmic(0.1, 300.0),
        ticks: &[
            (0.1, "0.1 %"),
            (1.0, "1 %"),
            (10.0, "10 %"),
            (100.0, "100 %"),
        ],
        limits: &[(100.0, "the quota: above it, calls are throttled")],
        legend: &[
            (BLUE, "writes"),
            (ORANGE, "RotateSecret"),
            (GREEN, "ListSecrets"),
            (VIOLET, "GetSecretValue"),
        ],
        lines: shares,
    },
    Row {
        title: "The latest rotation of five minutes: from due to finished",
        scale: Scale::Logarithmic(1.0, 1_000.0),
        ticks: &[
            (1.0, "1 min"),
            (10.0, "10 min"),
            (100.0, "100 min"),
            (1_000.0, "1,000 min"),
        ],
        limits: &[(
            10.0,
            "10 min: later, and one key of a token is live, not two",
        )],
        legend: &[
            (BLUE, "passwords"),
            (GREEN, "deploy keys"),
            (ORANGE, "tokens"),
        ],
        lines: latest,
    },
];

struct Row {
    title: &'static str,
    scale: Scale,
    ticks: &'static [(f64, &'static str)],
    limits: &'static [(f64, &'static str)],
    legend: &'static [(&'static str, &'static str)],
    lines: fn(&Figures) -> Vec<Line>,
}

/// The picture of these figures.
#[must_use]
pub fn plot(ledger: &Ledger) -> String {
    let mut svg = String::new();
    head(&mut svg);
    for (figures, x, every_hours) in [
        (&ledger.spread, LEFT, 4),
        (&ledger.at_once, LEFT + WIDTH + GAP, 1),
    ] {
        let mut y = TOP;
        for row in &ROWS {
            Panel {
                x,
                y,
                hours: number(figures.scenario.hours),
                every_hours,
                scale: row.scale,
                ticks: row.ticks,
                limits: row.limits,
                lines: &(row.lines)(figures),
            }
            .draw(&mut svg);
            y += STEP;
        }
        let middle = x + WIDTH / 2.0;
        let bottom = y - STEP + HEIGHT + 36.0;
        let _ = writeln!(
            svg,
            r#"<text x="{middle:.1}" y="{bottom:.1}" text-anchor="middle">hours</text>"#
        );
    }
    legends(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn head(svg: &mut String) {
    let width = LEFT + 2.0 * WIDTH + GAP + 20.0;
    let height = TOP + 3.0 * STEP - 22.0;
    let (left, right) = (LEFT, LEFT + WIDTH + GAP);
    let _ = writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#24292f">
<title>twinkey: 100,000 secrets beside the quotas of one account and region</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{left}" y="28" font-size="17" font-weight="bold">100,000 secrets beside the quotas of one account and region</text>
<text x="{left}" y="58" font-size="14" font-weight="bold">Due whenever: a day</text>
<text x="{right}" y="58" font-size="14" font-weight="bold">All 90,000 passwords due within one minute, at hour 1</text>"##
    );
}

/// Above each row, over the left panel; the right one shares it.
fn legends(svg: &mut String) {
    let mut y = TOP - 14.0;
    for row in &ROWS {
        let _ = writeln!(
            svg,
            r#"<text x="{LEFT}" y="{y:.1}" font-weight="bold">{}</text>"#,
            row.title
        );
        let mut x = LEFT + WIDTH + GAP;
        for (colour, words) in row.legend {
            let _ = writeln!(
                svg,
                r#"<rect x="{x:.1}" y="{:.1}" width="14" height="4" fill="{colour}"/><text x="{:.1}" y="{y:.1}">{words}</text>"#,
                y - 6.0,
                x + 19.0
            );
            x += 42.0 + 6.6 * number(u64::try_from(words.len()).unwrap_or_default());
        }
        y += STEP;
    }
}

fn rotations(figures: &Figures) -> Vec<Line> {
    let minutes = number(BIN_SECONDS) / 60.0;
    let values = bins(figures, &figures.rotations.bins, |count| {
        Some(count / minutes)
    });
    vec![Line {
        colour: BLUE,
        values,
    }]
}

fn shares(figures: &Figures) -> Vec<Line> {
    let shown = [
        (Quota::GetSecretValue, VIOLET),
        (Quota::ListSecrets, GREEN),
        (Quota::Writes, BLUE),
        (Quota::RotateSecret, ORANGE),
    ];
    let line = |(quota, colour): (Quota, &'static str)| {
        let whole = f64::from(quota.per_second());
        let share = |peak| (peak > 0.0).then_some(peak / whole * 100.0);
        let peaks = &figures.quotas[&quota].peaks;
        Line {
            colour,
            values: bins(figures, peaks, share),
        }
    };
    shown.into_iter().map(line).collect()
}

fn latest(figures: &Figures) -> Vec<Line> {
    let shown = [
        (Kind::Password, BLUE),
        (Kind::DeployKey, GREEN),
        (Kind::Token, ORANGE),
    ];
    let line = |(kind, colour): (Kind, &'static str)| {
        let minutes = |seconds: f64| (seconds > 0.0).then_some(seconds / 60.0);
        let none = Vec::new();
        let seconds = figures.lateness.get(&kind).map_or(&none, |it| &it.bins);
        Line {
            colour,
            values: bins(figures, seconds, minutes),
        }
    };
    shown.into_iter().map(line).collect()
}

/// A value for each bin, the last ones too.
fn bins(figures: &Figures, counts: &[u64], value: impl Fn(f64) -> Option<f64>) -> Vec<Option<f64>> {
    let bins = usize::try_from(figures.scenario.hours * 3600 / BIN_SECONDS).unwrap_or_default();
    let counts = counts.iter().copied().chain(std::iter::repeat(0));
    counts
        .take(bins)
        .map(|count| value(number(count)))
        .collect()
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
