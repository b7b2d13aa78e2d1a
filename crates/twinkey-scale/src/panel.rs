//! One panel of the plot: axes, lines over time, and the line that must not be crossed.

use std::fmt::Write;

use crate::meter::BIN_SECONDS;

pub(crate) const WIDTH: f64 = 470.0;
pub(crate) const HEIGHT: f64 = 150.0;
const INK: &str = "#24292f";
const FAINT: &str = "#d8dee4";
const LIMIT: &str = "#c62828";

/// How a value becomes a height.
#[derive(Clone, Copy)]
pub(crate) enum Scale {
    /// From zero to this.
    Linear(f64),
    /// From this to that, both powers of ten.
    Logarithmic(f64, f64),
}

/// One line: a value for each bin. Where there is none, the line breaks.
pub(crate) struct Line {
    pub(crate) colour: &'static str,
    pub(crate) values: Vec<Option<f64>>,
}

/// One panel.
pub(crate) struct Panel<'a> {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) hours: f64,
    pub(crate) every_hours: u32,
    pub(crate) scale: Scale,
    pub(crate) ticks: &'a [(f64, &'a str)],
    pub(crate) limits: &'a [(f64, &'a str)],
    pub(crate) lines: &'a [Line],
}

impl Panel<'_> {
    pub(crate) fn draw(&self, svg: &mut String) {
        self.grid(svg);
        for line in self.lines {
            self.line(svg, line);
        }
        for (value, words) in self.limits {
            self.limit(svg, *value, words);
        }
    }

    fn grid(&self, svg: &mut String) {
        let (x, bottom, right) = (self.x, self.y + HEIGHT, self.x + WIDTH);
        for (value, words) in self.ticks {
            let y = self.height(*value);
            let _ = writeln!(
                svg,
                r#"<line x1="{x}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="{FAINT}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{words}</text>"#,
                x - 6.0,
                y + 4.0
            );
        }
        let mut hour = 0;
        while f64::from(hour) <= self.hours {
            let x = self.at(f64::from(hour));
            let _ = writeln!(
                svg,
                r#"<line x1="{x:.1}" y1="{bottom}" x2="{x:.1}" y2="{:.1}" stroke="{INK}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{hour}</text>"#,
                bottom + 4.0,
                bottom + 17.0
            );
            hour += self.every_hours;
        }
        let _ = writeln!(
            svg,
            r#"<path d="M{x} {}V{bottom}H{right}" fill="none" stroke="{INK}"/>"#,
            self.y
        );
    }

    fn line(&self, svg: &mut String, line: &Line) {
        let (mut path, mut is_down) = (String::new(), false);
        let mut hour = 0.0;
        let step = f64::from(u32::try_from(BIN_SECONDS).unwrap_or(u32::MAX)) / 3600.0;
        for value in &line.values {
            let next = (hour + step).min(self.hours);
            if let Some(value) = value {
                let (x, y, end) = (self.at(hour), self.height(*value), self.at(next));
                let _ = if is_down {
                    write!(path, "V{y:.1}H{end:.1}")
                } else {
                    write!(path, "M{x:.1} {y:.1}H{end:.1}")
                };
            }
            is_down = value.is_some();
            hour = next;
            if hour >= self.hours {
                break;
            }
        }
        let _ = writeln!(
            svg,
            r#"<path d="{path}" fill="none" stroke="{}" stroke-width="1.3"/>"#,
            line.colour
        );
    }

    fn limit(&self, svg: &mut String, value: f64, words: &str) {
        let (y, right) = (self.height(value), self.x + WIDTH);
        let _ = writeln!(
            svg,
            r#"<line x1="{}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="{LIMIT}" stroke-width="1.4" stroke-dasharray="6 4"/><text x="{:.1}" y="{:.1}" text-anchor="end" fill="{LIMIT}">{words}</text>"#,
            self.x,
            right - 4.0,
            y - 5.0
        );
    }

    fn at(&self, hour: f64) -> f64 {
        self.x + hour / self.hours * WIDTH
    }

    fn height(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear(most) => value / most,
            Scale::Logarithmic(least, most) => {
                (value.max(least) / least).log10() / (most / least).log10()
            }
        };
        self.y + (1.0 - part.clamp(0.0, 1.0)) * HEIGHT
    }
}
