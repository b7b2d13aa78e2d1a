//! Every schedule in the templates and in the examples, by our own parser: linters take any text for one.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use twinkey_core::Schedule;

use crate::story::infra;

/// What stands before a schedule, and whether Secrets Manager itself runs it.
const BEFORE: [(&str, bool); 4] = [
    ("ScheduleExpression: ", true),
    ("schedule_expression = \"", true),
    ("schedule = \"", true),
    ("\"twinkey:schedule\" = \"", false),
];
const TAG: &str = "{Key: 'twinkey:schedule', Value: ";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let ending = path.extension().and_then(|it| it.to_str());
        if path.is_dir() {
            files(&path, found);
        } else if matches!(ending, Some("yaml" | "tf")) {
            found.push(path);
        }
    }
}

/// The schedules of one file, and whether Secrets Manager runs them. What is no literal is somebody else's.
fn schedules(text: &str) -> Vec<(String, bool)> {
    let before = BEFORE.into_iter().chain([(TAG, false)]);
    let mut found = Vec::new();
    for (marker, by_the_service) in before {
        let after = text.split(marker).skip(1);
        let literal = after.filter_map(|rest| rest.split(['"', '}', '\n']).next());
        let literal = literal.filter(|it| it.starts_with("rate") || it.starts_with("cron"));
        found.extend(literal.map(|it| (it.to_owned(), by_the_service)));
    }
    found
}

#[test]
fn every_schedule_is_one() {
    let mut all = Vec::new();
    files(&infra(), &mut all);
    let mut count = 0;
    for path in all {
        let text = std::fs::read_to_string(&path).expect("a text");
        for (schedule, by_the_service) in schedules(&text) {
            let parsed: Schedule = schedule
                .parse()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            count += 1;
            // EventBridge Scheduler runs the tick.
            let is_tick =
                path.components().any(|it| it.as_os_str() == "tick") || path.ends_with("tick.yaml");
            if by_the_service && !is_tick {
                let floor = TimeDelta::hours(4);
                let interval = parsed.interval();
                assert!(interval.is_none_or(|it| it >= floor), "{schedule}");
            }
        }
    }
    // The tick's, three of secrets and one in a tag, in each language.
    assert_eq!(count, 10);
}

#[test]
fn a_schedule_that_a_linter_takes_is_refused() {
    let found = schedules("RotationRules:\n  ScheduleExpression: rate(30 fortnights)\n");
    assert_eq!(found, [("rate(30 fortnights)".to_owned(), true)]);
    assert!(found[0].0.parse::<Schedule>().is_err());
}
