//! Several processes at once, and the one that stays in the foreground.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use twinkey_core::{Clock, SecretId, SecretValue, VersionId};
use twinkey_local::LocalStore;
use twinkey_testkit::FakeClock;
use twinkey_tests::{FIRST_PASSWORD, Place, Site, text};

async fn app(site: &Site) -> Place<'_> {
    site.create_role("app").await;
    let place = site.place("many");
    place.put("app", &site.document("app", FIRST_PASSWORD), &[]);
    place
}

fn last_rotation(place: &Place<'_>) -> Value {
    place.json(&["status", "app"])[0]["last_rotation"].clone()
}

#[tokio::test]
async fn p5_ten_processes_at_once_make_one_rotation() {
    let site = Site::default();
    let place = app(&site).await;
    let children: Vec<_> = (0..10)
        .map(|_| {
            let mut command = place.command(&["rotate", "app", "--json"]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts")
        })
        .collect();
    let mut tokens = std::collections::BTreeSet::new();
    for child in children {
        let output = child.wait_with_output().expect("an end");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        if output.status.success() {
            tokens.insert(answer["record"]["token"].to_string());
        } else {
            // Started after the first had finished: refused for a reason, and nothing was changed.
            assert_eq!(
                answer["error"]["error_type"],
                "MinimumOverlap",
                "{}",
                text(&output.stderr)
            );
        }
    }
    assert_eq!(tokens.len(), 1, "more than one rotation: {tokens:?}");
    assert_eq!(last_rotation(&place)["outcome"]["state"], "succeeded");
    assert!(site.accepts(&place.get("app", "AWSCURRENT")).await);
    assert!(site.accepts(&place.get("app", "AWSPREVIOUS")).await);
}

#[tokio::test]
async fn p5_ten_forced_processes_leave_two_keys() {
    let site = Site::default();
    let place = app(&site).await;
    place.succeed(&["rotate", "app"]);
    let children: Vec<_> = (0..10)
        .map(|_| {
            let mut command =
                place.command(&["rotate", "app", "--force", "--reason", "all at once"]);
            command
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(place.json(&["status", "app"])[0]["live"], 2);
}

/// Puts documents as if an hour ago, so that they are due now.
async fn put_an_hour_ago(place: &Place<'_>, documents: &[(&str, &Value)]) {
    let clock = FakeClock::default();
    clock.advance(chrono::Utc::now() - TimeDelta::hours(1) - clock.now());
    let key = place.store.with_extension("key");
    let store = LocalStore::open(&place.store, &key, Arc::new(clock)).expect("opened");
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let tags = BTreeMap::from([
        tag("twinkey:schedule", "rate(20 minutes)"),
        tag("twinkey:min-overlap", "0s"),
    ]);
    for (name, document) in documents {
        let id = VersionId::random(&mut rand::rng());
        let value = SecretValue::new(document.to_string());
        store
            .put_value(&SecretId::new(*name), &id, &value, &tags)
            .await
            .expect("put");
    }
}

#[tokio::test]
async fn the_scheduler_catches_up_once_survives_a_broken_secret_and_stops_on_sigterm() {
    let site = Site::default();
    site.create_role("app").await;
    site.create_role("late").await;
    let place = site.place("scheduled");
    let mut broken = site.document("broken", "TEST-wrong");
    broken["port"] = 1.into();
    put_an_hour_ago(
        &place,
        &[
            ("a-broken", &broken),
            ("app", &site.document("app", FIRST_PASSWORD)),
        ],
    )
    .await;
    let mut command = place.command(&["run"]);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut seen: Vec<String> = Vec::new();
    let mut wait_for = |expected: &str| {
        while !seen.iter().any(|line| line.contains(expected)) {
            seen.push(
                lines
                    .next()
                    .unwrap_or_else(|| panic!("it ended: {seen:?}"))
                    .expect("a line"),
            );
        }
    };
    wait_for(" a-broken: failed [");
    wait_for(" app: rotated (schedule)");
    // A later round in which the first secret could be rotated again, if it were due twice.
    put_an_hour_ago(&place, &[("late", &site.document("late", FIRST_PASSWORD))]).await;
    wait_for(" late: rotated (schedule)");
    terminate(child.id());
    seen.extend(lines.map(|line| line.expect("a line")));
    let status = child.wait().expect("an end");
    assert!(status.success(), "{status}");
    let rotated = seen
        .iter()
        .filter(|line| line.contains(" app: rotated"))
        .count();
    assert_eq!(rotated, 1, "two missed slots are caught up once: {seen:?}");
    assert!(site.accepts(&place.get("app", "AWSCURRENT")).await);
    assert_eq!(last_rotation(&place)["trigger"], "schedule");
}

fn terminate(process: u32) {
    let sent = Command::new("kill")
        .args(["-TERM", &process.to_string()])
        .status();
    assert!(sent.expect("kill").success());
}
