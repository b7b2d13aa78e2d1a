//! What a tick does not get to.

use twinkey_aws::Action::{Asked, InProgress, NotReached};
use twinkey_test_aws::Trouble;

use super::region::{Region, actions};

#[tokio::test]
async fn what_a_tick_does_not_reach_comes_first_in_the_next() {
    let mut region = Region::new().await;
    region.limits.per_second = 1;
    for name in ["d", "c", "b", "a"] {
        region.secret(name, "rate 1 hour");
        region.pass(1);
    }
    region.pass(61);
    // Five seconds are kept for asking, so two secrets fit into six.
    let report = region.tick_for(6).await;
    assert_eq!(actions(&report), [NotReached, NotReached, Asked, Asked]);
    assert_eq!(region.server.count("RotateSecret"), 2);
    let report = region.tick_for(6).await;
    assert_eq!(actions(&report), [Asked, Asked, NotReached, NotReached]);
    let report = region.tick_for(60).await;
    assert_eq!(actions(&report), [InProgress; 4]);
}

#[tokio::test]
async fn a_second_page_that_does_not_come_stops_nothing_of_the_first() {
    let region = Region::new().await;
    for number in 0..101 {
        region.secret(&format!("db/{number:03}"), "rate 1 hour");
    }
    region.server.after(1, Trouble::Deny);
    let report = region.tick().await;
    assert_eq!(report.secrets.len(), 100);
    let incomplete = report.incomplete.expect("said so");
    assert_eq!(incomplete.code, "StoreDenied");
}

#[tokio::test]
async fn a_list_that_does_not_come_at_all_is_an_error() {
    let region = Region::new().await;
    region.server.next("ListSecrets", Trouble::Deny);
    let error = region.try_tick().await.expect_err("denied");
    assert_eq!(error.code(), "StoreDenied");
    assert!(
        error.to_string().contains("secretsmanager:ListSecrets"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_of_twenty_minutes_does_not_wait_behind_those_of_a_day() {
    let mut region = Region::new().await;
    region.limits.per_second = 1;
    for name in ["day/a", "day/b", "day/c"] {
        region.secret(name, "rate 1 day");
    }
    region.pass(24 * 60 - 10);
    region.secret("token", "rate 20 minutes");
    region.pass(21);
    // It has been due for one minute, they for eleven; two fit.
    let report = region.tick_for(6).await;
    assert_eq!(actions(&report), [Asked, NotReached, NotReached, Asked]);
}

#[tokio::test]
async fn those_of_a_day_do_not_wait_for_ever_behind_keys_of_twenty_minutes() {
    let mut region = Region::new().await;
    region.limits.per_second = 1;
    region.secret("day", "rate 1 day");
    // Due for as long as it lives: its next slot is as near as theirs.
    region.pass(2 * 24 * 60 - 30);
    for name in ["token/a", "token/b", "token/c"] {
        region.secret(name, "rate 20 minutes");
    }
    region.pass(31);
    let report = region.tick_for(6).await;
    assert_eq!(actions(&report), [Asked, Asked, NotReached, NotReached]);
}
