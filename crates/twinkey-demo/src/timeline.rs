//! The picture: which key was live when, drawn from what logging in has shown.

use std::fmt::Write;

/// Everything the picture shows. Times are seconds since the start of the demo.
pub(crate) struct Timeline {
    /// The two roles, one lane each.
    pub(crate) lanes: [String; 2],
    /// Every key ever issued.
    pub(crate) keys: Vec<Bar>,
    /// When each rotation began, by its record in the store.
    pub(crate) rotations: Vec<f64>,
    /// How many keys were live, each time they were counted.
    pub(crate) counts: Vec<(f64, usize)>,
    /// Each consumer's logins: when, and whether it was accepted.
    pub(crate) consumers: Vec<(String, Vec<(f64, bool)>)>,
    /// When the demo ended.
    pub(crate) end: f64,
}

/// One key, as the server was seen to accept it.
pub(crate) struct Bar {
    pub(crate) lane: usize,
    pub(crate) label: String,
    pub(crate) accepted: f64,
    pub(crate) published: f64,
    pub(crate) superseded: Option<f64>,
    pub(crate) dead: Option<f64>,
}

const WIDTH: f64 = 1120.0;
const LEFT: f64 = 220.0;
const RIGHT: f64 = 20.0;
const LANE_TOP: f64 = 76.0;
const LANE_HEIGHT: f64 = 44.0;
const LANE_STEP: f64 = 58.0;
const COUNT_TOP: f64 = LANE_TOP + 2.0 * LANE_STEP + 14.0;
const COUNT_STEP: f64 = 14.0;
const CONSUMER_TOP: f64 = COUNT_TOP + 3.0 * COUNT_STEP + 30.0;
const CONSUMER_STEP: f64 = 32.0;
const CURRENT: &str = "#1f5fa8";
const PREVIOUS: &str = "#a9cbee";
const ACCEPTED: &str = "#2e7d4f";
const REFUSED: &str = "#c62828";
const ROTATION: &str = "#b35900";
const INK: &str = "#24292f";
const FAINT: &str = "#d0d7de";

impl Timeline {
    /// The picture as SVG.
    pub(crate) fn svg(&self) -> String {
        let mut svg = String::new();
        self.frame(&mut svg);
        self.axis(&mut svg);
        self.rotations(&mut svg);
        self.lanes(&mut svg);
        self.counts(&mut svg);
        self.consumers(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + seconds / self.end.max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT)
    }

    fn bottom(&self) -> f64 {
        (0..self.consumers.len()).fold(CONSUMER_TOP, |y, _| y + CONSUMER_STEP)
    }

    fn frame(&self, svg: &mut String) {
        let height = self.bottom() + 56.0;
        let _ = writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">
<title>twinkey: two keys overlap at every moment</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="20" y="30" font-size="18" font-weight="bold">Two keys overlap at every moment</text>
<text x="20" y="50">Each bar is one password, drawn while the server accepted it: found by logging in, with every password ever issued.</text>"##
        );
    }

    fn axis(&self, svg: &mut String) {
        let bottom = self.bottom() + 6.0;
        let step = if self.end > 30.0 { 10.0 } else { 2.0 };
        let mut seconds = 0.0;
        while seconds <= self.end {
            let x = self.x(seconds);
            let _ = writeln!(
                svg,
                r#"<line x1="{x:.1}" y1="{LANE_TOP}" x2="{x:.1}" y2="{bottom}" stroke="{FAINT}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{seconds:.0} s</text>"#,
                bottom + 18.0
            );
            seconds += step;
        }
    }

    fn rotations(&self, svg: &mut String) {
        let (top, bottom) = (LANE_TOP - 8.0, COUNT_TOP + 3.0 * COUNT_STEP);
        for seconds in &self.rotations {
            let x = self.x(*seconds);
            let _ = writeln!(
                svg,
                r#"<line x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{bottom}" stroke="{ROTATION}" stroke-dasharray="3 3"/>"#
            );
        }
    }

    fn lanes(&self, svg: &mut String) {
        for (lane, name) in self.lanes.iter().enumerate() {
            let y = lane_top(lane);
            text(
                svg,
                20.0,
                y + LANE_HEIGHT / 2.0 + 5.0,
                &format!("role {name}"),
            );
            for bar in self.keys.iter().filter(|bar| bar.lane == lane) {
                self.bar(svg, y, bar);
            }
        }
        self.legend(svg);
    }

    fn bar(&self, svg: &mut String, y: f64, bar: &Bar) {
        let dead = bar.dead.unwrap_or(self.end);
        let superseded = bar.superseded.unwrap_or(self.end).min(dead);
        self.rectangle(
            svg,
            (bar.accepted, bar.published),
            (y + 8.0, LANE_HEIGHT - 16.0),
            FAINT,
        );
        self.rectangle(
            svg,
            (superseded, dead),
            (y + 8.0, LANE_HEIGHT - 16.0),
            PREVIOUS,
        );
        self.rectangle(svg, (bar.published, superseded), (y, LANE_HEIGHT), CURRENT);
        let x = f64::midpoint(self.x(bar.published), self.x(superseded));
        let _ = writeln!(
            svg,
            r##"<text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="#ffffff" font-weight="bold">{}</text>"##,
            y + LANE_HEIGHT / 2.0 + 5.0,
            escape(&bar.label)
        );
    }

    fn rectangle(
        &self,
        svg: &mut String,
        (from, until): (f64, f64),
        (y, height): (f64, f64),
        colour: &str,
    ) {
        let x = self.x(from);
        let width = (self.x(until) - x).max(0.0);
        let _ = writeln!(
            svg,
            r##"<rect x="{x:.1}" y="{y}" width="{width:.1}" height="{height}" fill="{colour}" stroke="#ffffff"/>"##
        );
    }

    fn legend(&self, svg: &mut String) {
        let y = self.bottom() + 38.0;
        let entries = [
            (CURRENT, "AWSCURRENT: read now"),
            (PREVIOUS, "AWSPREVIOUS: may still be held"),
            (FAINT, "accepted, not yet published"),
            (ROTATION, "a rotation began"),
            (ACCEPTED, "logins accepted"),
            (REFUSED, "logins refused"),
        ];
        let mut x = 20.0;
        for (colour, meaning) in entries {
            let _ = writeln!(
                svg,
                r#"<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>"#
            );
            text(svg, x + 17.0, y + 11.0, meaning);
            x += 36.0 + 7.4 * f64::from(u32::try_from(meaning.len()).unwrap_or(0));
        }
    }

    fn counts(&self, svg: &mut String) {
        text(svg, 20.0, COUNT_TOP + COUNT_STEP + 4.0, "keys live");
        for count in 0..=3_u8 {
            let y = count_y(usize::from(count));
            let _ = writeln!(
                svg,
                r#"<text x="{}" y="{:.1}" text-anchor="end" font-size="10">{count}</text>"#,
                LEFT - 6.0,
                y + 3.5
            );
        }
        let mut path = String::new();
        for (seconds, count) in &self.counts {
            let (x, y) = (self.x(*seconds), count_y(*count));
            let _ = if path.is_empty() {
                write!(path, "M{x:.1} {y:.1}")
            } else {
                write!(path, "H{x:.1}V{y:.1}")
            };
        }
        let _ = writeln!(
            svg,
            r#"<path d="{path}H{:.1}" fill="none" stroke="{INK}" stroke-width="2"/>"#,
            self.x(self.end)
        );
    }

    fn consumers(&self, svg: &mut String) {
        let mut y = CONSUMER_TOP;
        for (name, logins) in &self.consumers {
            text(svg, 20.0, y + 12.0, name);
            // Refusals last: nothing may hide one.
            for wanted in [true, false] {
                for (seconds, _) in logins.iter().filter(|(_, accepted)| *accepted == wanted) {
                    let (x, colour) = (self.x(*seconds), if wanted { ACCEPTED } else { REFUSED });
                    let _ = writeln!(
                        svg,
                        r#"<rect x="{x:.1}" y="{y}" width="1.2" height="16" fill="{colour}"/>"#
                    );
                }
            }
            y += CONSUMER_STEP;
        }
    }
}

fn lane_top(lane: usize) -> f64 {
    if lane == 0 {
        LANE_TOP
    } else {
        LANE_TOP + LANE_STEP
    }
}

fn count_y(count: usize) -> f64 {
    let level = f64::from(u8::try_from(count.min(3)).unwrap_or(3));
    COUNT_TOP + (3.0 - level) * COUNT_STEP
}

fn text(svg: &mut String, x: f64, y: f64, words: &str) {
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}">{}</text>"#,
        escape(words)
    );
}

fn escape(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_seen_in_the_picture() {
        let mut timeline = Timeline {
            lanes: ["app".into(), "app_clone".into()],
            keys: vec![Bar {
                lane: 0,
                label: "1".into(),
                accepted: 0.0,
                published: 0.0,
                superseded: Some(5.0),
                dead: None,
            }],
            rotations: vec![4.5],
            counts: vec![(0.0, 1), (5.0, 2)],
            consumers: vec![("re-reads <each> time".into(), vec![(1.0, true)])],
            end: 10.0,
        };
        let refused = |svg: &str| svg.matches(REFUSED).count();
        let calm = refused(&timeline.svg());
        timeline.consumers[0].1.push((2.0, false));
        let svg = timeline.svg();
        assert_eq!(refused(&svg), calm + 1);
        assert!(svg.contains("re-reads &lt;each&gt; time"));
    }
}
