//! The admin's own secret on one machine: its two roles take turns too.

use serde_json::json;
use twinkey_tests::{FIRST_PASSWORD, Site};

#[tokio::test]
async fn an_admin_that_names_itself_is_rotated_and_its_children_notice_nothing() {
    let site = Site::default();
    let place = site.place("a");
    for role in ["rotator", "app"] {
        site.create_role(role).await;
    }
    let root = site.cluster.superuser("postgres").await;
    let root = root.expect("the superuser");
    root.batch_execute("ALTER ROLE rotator CREATEROLE")
        .await
        .expect("altered");
    let overlap = ["--tag", "twinkey:min-overlap=0s"];
    let mut admin = site.document("rotator", FIRST_PASSWORD);
    admin.as_object_mut().expect("fields").remove("masterarn");
    place.put("db/lonely", &admin, &overlap);
    let refused = place.fail(&["rotate", "db/lonely"]);
    assert!(refused.contains("field masterarn"), "{refused}");
    assert!(
        refused.contains("an admin's own may name itself"),
        "{refused}"
    );

    admin["masterarn"] = json!("db/rotator");
    place.put("db/rotator", &admin, &overlap);
    let mut app = site.document("app", FIRST_PASSWORD);
    app["masterarn"] = json!("db/rotator");
    place.put("db/app", &app, &overlap);
    for _ in 0..3 {
        for name in ["db/rotator", "db/app"] {
            place.succeed(&["rotate", name]);
            assert_eq!(place.live(name).await, 2, "{name}");
        }
    }
    let keys = place.json(&["status", "db/rotator"]).to_string();
    assert!(keys.contains("rotator_clone"), "{keys}");
}
