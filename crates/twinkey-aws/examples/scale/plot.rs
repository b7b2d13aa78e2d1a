//! A run as a picture: what each tick asked for, and what was overdue.

use std::fmt::Write as _;

/// One tick.
pub(crate) struct Point {
    pub(crate) hour: f64,
    pub(crate) asked: usize,
    pub(crate) waiting: usize,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 70.0;

/// Two panels, one above the other, over the same hours.
pub(crate) fn svg(title: &str, points: &[Point]) -> String {
    let mut drawn = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 440\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"860\" height=\"440\" fill=\"#ffffff\"/>\n",
    );
    let _ = writeln!(
        drawn,
        "<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{title}</text>"
    );
    let last = points.last().map_or(1.0, |it| it.hour).max(1.0);
    panel(
        &mut drawn,
        60.0,
        "asked for, by each tick",
        last,
        points,
        |it| it.asked,
        "#1f6feb",
    );
    panel(
        &mut drawn,
        255.0,
        "overdue: more than ten minutes after their time",
        last,
        points,
        |it| it.waiting,
        "#c2410c",
    );
    let _ = writeln!(
        drawn,
        "<text x=\"{LEFT}\" y=\"432\">hours, 0 to {last:.0}</text>\n</svg>"
    );
    drawn
}

#[allow(clippy::cast_precision_loss, reason = "counts of secrets")]
fn panel(
    drawn: &mut String,
    top: f64,
    name: &str,
    last: f64,
    points: &[Point],
    value: impl Fn(&Point) -> usize,
    colour: &str,
) {
    let most = points.iter().map(&value).max().unwrap_or(0).max(1);
    let bottom = top + HEIGHT;
    let _ = writeln!(
        drawn,
        "<text x=\"{LEFT}\" y=\"{}\">{name}</text>",
        top - 8.0
    );
    let _ = writeln!(
        drawn,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most}</text>",
        LEFT - 6.0,
        top + 10.0
    );
    let _ = writeln!(
        drawn,
        "<text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>",
        LEFT - 6.0
    );
    let _ = writeln!(
        drawn,
        "<path d=\"M{LEFT} {top} V{bottom} H{}\" fill=\"none\" stroke=\"#6b7280\"/>",
        LEFT + WIDTH
    );
    let place = |it: &Point| {
        let x = LEFT + WIDTH * it.hour / last;
        let y = bottom - HEIGHT * value(it) as f64 / most as f64;
        format!("{x:.1},{y:.1}")
    };
    let line: Vec<String> = points.iter().map(place).collect();
    let _ = writeln!(
        drawn,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
        line.join(" ")
    );
}
