//! A consumer that does not read again: found, waited for, and ended, on one machine.

use serde_json::json;
use twinkey_tests::{FIRST_PASSWORD, Site};

#[tokio::test]
async fn a_consumer_of_the_older_key_is_named_then_waited_for_then_ended() {
    let site = Site::default();
    site.create_role("app").await;
    let place = site.place("in-use");
    let document = site.document("app", FIRST_PASSWORD);
    let tags = [
        "--tag",
        "twinkey:min-overlap=0s",
        "--tag",
        "twinkey:in-use=hold",
    ];
    place.put("app", &document, &tags);
    let consumer = site
        .cluster
        .connect("app", FIRST_PASSWORD, "postgres")
        .await;
    let consumer = consumer.expect("the first key");
    let name = "SET application_name TO 'billing'";
    consumer.batch_execute(name).await.expect("a session");
    place.succeed(&["rotate", "app"]);

    let status = place.succeed(&["status", "app"]);
    assert!(
        status.contains("app is still used: 1 session: billing"),
        "{status}"
    );
    let status = place.json(&["status", "app"]);
    let keys = status[0]["keys"].as_array().expect("keys");
    let used: Vec<_> = keys.iter().map(|key| &key["in_use"]["sessions"]).collect();
    assert_eq!(used, [&json!(null), &json!(1)], "the older key's alone");

    let before = (
        place.get("app", "AWSCURRENT"),
        place.get("app", "AWSPREVIOUS"),
    );
    let held = place.fail(&["rotate", "app"]);
    assert!(
        held.contains("[KeyInUse]") && held.contains("billing"),
        "{held}"
    );
    let after = (
        place.get("app", "AWSCURRENT"),
        place.get("app", "AWSPREVIOUS"),
    );
    assert_eq!(before, after);
    let said = place.succeed(&["end-sessions", "app"]);
    assert!(
        said.contains("app_clone: no session of a dead key"),
        "{said}"
    );
    assert!(said.contains("app: left alone"), "its key is live: {said}");
    consumer
        .batch_execute("SELECT 1")
        .await
        .expect("its key is live");

    place.succeed(&["rotate", "app", "--force", "--reason", "it leaked"]);
    let ended = place.json(&["end-sessions", "app"]);
    assert_eq!(
        ended["roles"][0],
        json!({"role": "app", "ended": 1}),
        "{ended}"
    );
    let said = place.succeed(&["end-sessions", "app"]);
    assert!(said.contains("app: no session of a dead key"), "{said}");
}
