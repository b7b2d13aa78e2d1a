//! How results look. Data goes to stdout, everything else to stderr.

use std::io::{ErrorKind, Write};

use chrono::{DateTime, Utc};
use twinkey_core::policy;

/// Writes one line of data. Whoever reads may stop reading.
pub(crate) fn line(text: &str) {
    bytes(text.as_bytes());
    bytes(b"\n");
}

/// Writes data as it is.
pub(crate) fn bytes(data: &[u8]) {
    if let Err(error) = std::io::stdout().write_all(data) {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("error: writing to stdout: {error}");
        }
        std::process::exit(1);
    }
}

/// Writes a result as JSON, indented for people.
pub(crate) fn json(value: &impl serde::Serialize) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// How long ago, in two units.
pub(crate) fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!(
        "{} ago",
        policy::spell((now - then).max(chrono::TimeDelta::zero()))
    )
}

/// When, seen from now.
pub(crate) fn when(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if then > now {
        format!("in {}", policy::spell(then - now))
    } else {
        ago(then, now)
    }
}

/// Rows with aligned columns, two spaces between them.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| console::measure_text_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                console::pad_str(cell, *width, console::Alignment::Left, None).into_owned()
            })
            .collect();
        line(cells.join("  ").trim_end());
    }
}
