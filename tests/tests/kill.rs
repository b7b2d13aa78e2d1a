//! kill -9 of the real program at each call that leaves the process, then a plain `twinkey rotate`.
//!
//! A small library is loaded into the unmodified program and kills it right before its Nth write to
//! a TCP connection or a file, or flush of a file (`support/kill_at_call.c`).

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use twinkey_tests::{FIRST_PASSWORD, Place, Site, build_library, text};

/// Waiting for a dead process's lease to lapse costs no work, so many points wait at once.
const AT_ONCE: usize = 16;

/// A role that has been rotated `rotations` times, in a store of its own.
async fn prepared<'a>(site: &'a Site, role: &str, rotations: usize) -> Place<'a> {
    site.create_role(role).await;
    let place = site.place(role);
    place.put(
        "app",
        &site.document(role, FIRST_PASSWORD),
        &["--tag", "twinkey:min-overlap=0s"],
    );
    for _ in 0..rotations {
        place.succeed(&["rotate", "app"]);
    }
    place
}

fn count_calls(place: &Place<'_>, library: &Path) -> usize {
    let file = library.with_extension("count");
    let output = place
        .command(&["rotate", "app"])
        .env("LD_PRELOAD", library)
        .env("COUNT_CALLS_IN", &file)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let count = std::fs::read_to_string(&file).expect("a count");
    count.trim().parse().expect("a number")
}

async fn kill_at(site: &Site, library: &Path, rotations: usize, call: usize) {
    let place = prepared(site, &format!("r{rotations}_{call}"), rotations).await;
    let killed = place
        .command(&["rotate", "app"])
        .env("LD_PRELOAD", library)
        .env("KILL_AT_CALL", call.to_string())
        .output()
        .expect("the program starts");
    assert_eq!(
        killed.status.signal(),
        Some(9),
        "call {call}: {}",
        text(&killed.stderr)
    );
    // P1: consumers can still log in with what they read.
    let current = place.get("app", "AWSCURRENT");
    assert!(
        site.accepts(&current).await,
        "P1 after a kill at call {call}"
    );
    let output = place.run(&["rotate", "app"]);
    assert!(
        output.status.success(),
        "call {call}: {}",
        text(&output.stderr)
    );
    assert!(
        site.accepts(&place.get("app", "AWSCURRENT")).await,
        "P1 at call {call}"
    );
    assert!(
        site.accepts(&place.get("app", "AWSPREVIOUS")).await,
        "P3 at call {call}"
    );
    let status = place.json(&["status", "app"]);
    assert_eq!(place.live("app").await, 2, "P2 and P3 at call {call}");
    assert_eq!(status[0]["in_flight"], Value::Null, "call {call}");
}

async fn kill_everywhere(rotations: usize) {
    let site = Site::default();
    let directory = tempfile::tempdir().expect("a directory");
    let library = build_library("kill_at_call", directory.path());
    let calls = count_calls(&prepared(&site, "counted", rotations).await, &library);
    assert!(
        calls > 40,
        "only {calls} calls leave the process: the library does not see them"
    );
    let next = AtomicUsize::new(0);
    let worker = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            loop {
                let call = next.fetch_add(1, Ordering::Relaxed);
                if call >= calls {
                    break;
                }
                kill_at(&site, &library, rotations, call).await;
            }
        });
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(worker);
        }
    });
    eprintln!("killed at each of {calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_kill_nine_at_each_call_of_a_first_rotation_is_mended_by_the_next_rotate() {
    kill_everywhere(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_kill_nine_at_each_call_of_a_later_rotation_is_mended_by_the_next_rotate() {
    kill_everywhere(2).await;
}
