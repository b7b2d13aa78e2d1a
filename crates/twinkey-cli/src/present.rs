//! How results look. Data goes to stdout, everything else to stderr.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use twinkey_core::policy;

static DATA_LOST: AtomicBool = AtomicBool::new(false);

/// Whether data could not be written: then the command has not done what it was asked for.
pub(crate) fn data_lost() -> bool {
    DATA_LOST.load(Ordering::Relaxed)
}

/// Writes one line of data.
pub(crate) fn line(text: &str) {
    bytes(text.as_bytes());
    bytes(b"\n");
}

/// Writes data as it is. Whoever reads may stop reading; a rotation does not end for that.
pub(crate) fn bytes(data: &[u8]) {
    if let Err(error) = std::io::stdout().write_all(data)
        && error.kind() != ErrorKind::BrokenPipe
        && !DATA_LOST.swap(true, Ordering::Relaxed)
    {
        note(&format!("error: writing to stdout: {error}"));
    }
}

/// Says something to people, on stderr. If nobody can hear it, work goes on all the same.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
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
