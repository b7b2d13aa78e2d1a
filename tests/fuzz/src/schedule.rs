use chrono::{DateTime, TimeDelta, Timelike, Utc};
use twinkey_core::Schedule;

/// A schedule: it always comes again, later each time, and keeps its spelling.
pub fn schedule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let schedule: Schedule = match text.parse() {
        Ok(schedule) => schedule,
        Err(error) => return super::assert_presentable(&format!("{error}"), None),
    };
    assert_eq!(schedule.to_string(), text);
    assert_eq!(text.parse::<Schedule>().as_ref(), Ok(&schedule));
    for anchor in ANCHORS {
        let mut moment: DateTime<Utc> = anchor.parse().expect("a moment");
        for _ in 0..4 {
            let next = schedule.next_after(moment).expect("another occurrence");
            assert!(next > moment, "{next} is not after {moment}");
            assert_kept(&schedule, next, moment);
            moment = next;
        }
    }
}

/// Around a leap day, a year's end and a leap day that is left out.
const ANCHORS: [&str; 4] = [
    "1970-01-01T00:00:00Z",
    "2024-02-28T23:59:59.999999999Z",
    "2026-12-31T23:00:00Z",
    "2097-03-01T00:00:01Z",
];

fn assert_kept(schedule: &Schedule, next: DateTime<Utc>, moment: DateTime<Utc>) {
    match schedule.interval() {
        Some(interval) => {
            assert_eq!(next - moment, interval);
            assert!(interval >= TimeDelta::minutes(1) && interval <= TimeDelta::days(1000));
        }
        None => assert_eq!((next.minute(), next.second(), next.nanosecond()), (0, 0, 0)),
    }
}
