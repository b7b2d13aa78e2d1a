//! Adopting a login role that owns things: its twin acts as it, and nothing is re-owned.

use twinkey_postgres::adoption::{Layout, TwinState};

use crate::adopting::{lived_in, owned, sql};
use crate::scene::{PASSWORD, Scene};

#[tokio::test]
async fn a_role_that_owns_things_is_rotated_and_everything_stays_its_own() {
    let mut scene = lived_in().await;
    let document = scene.document("app");
    let first = scene.put(&document);
    let sight = scene.work(&first).await;
    let (before, roles) = (scene.holdings().await, scene.fingerprint().await);
    let report = scene.report(&document).await;
    assert_eq!(report.in_the_way.len(), 0, "{:?}", report.in_the_way);
    assert_eq!(sql(&report), Vec::<&str>::new());
    assert_eq!(
        (report.layout, report.twin_is),
        (Layout::Original, TwinState::Missing)
    );
    assert_eq!(scene.adoption(&document).apply().await.unwrap(), []);
    assert_eq!(scene.fingerprint().await, roles);
    scene.rotate_and_work(&first, &sight).await;
    assert_eq!(scene.holdings().await, before);
}

#[tokio::test]
async fn the_report_shows_what_the_role_is_has_and_may() {
    let scene = lived_in().await;
    scene
        .sql(
            "ALTER ROLE app CONNECTION LIMIT 7; ALTER ROLE app SET statement_timeout TO '9s';
             ALTER ROLE app SET my.key TO 'TEST-custom-value';
             COMMENT ON ROLE app IS 'the shop''s login';",
        )
        .await;
    let report = scene.report(&scene.document("app")).await;
    let app = &report.roles[0];
    assert_eq!(app.attributes, ["LOGIN", "CONNECTION LIMIT 7"]);
    assert_eq!(app.comment.as_deref(), Some("the shop's login"));
    let settings: Vec<_> = app
        .settings
        .iter()
        .map(|it| (it.name.as_str(), it.value.as_deref()))
        .collect();
    assert_eq!(
        settings,
        [("statement_timeout", Some("9s")), ("my.key", None)]
    );
    // What the server does not know may be a secret.
    let all = serde_json::to_string(&report).unwrap();
    assert!(all.contains("my.key") && !all.contains("TEST-"), "{all}");
    assert!(!report.roles[1].exists);
    let memberships = report.memberships.iter();
    let of: Vec<_> = memberships
        .filter(|it| it.member == "app")
        .map(|it| (it.role.as_str(), it.admin))
        .collect();
    assert_eq!(of, [("reporting", false)]);
    assert_eq!(
        owned(&report, "app", "postgres"),
        [
            "1 function",
            "1 schema",
            "1 sequence",
            "1 table",
            "1 type",
            "1 view"
        ]
    );
    let tables = report.owned.iter().find(|it| it.kind == "table").unwrap();
    assert_eq!(tables.names, ["shop.orders"]);
    let grants: Vec<_> = report
        .grants
        .iter()
        .map(|it| (it.database.as_deref(), it.kind.as_str(), it.count))
        .collect();
    let here = Some("postgres");
    assert_eq!(
        grants,
        [
            (None, "database", 1),
            (here, "schema", 2),
            (here, "table", 3)
        ]
    );
    let defaults: Vec<_> = report
        .default_privileges
        .iter()
        .map(|it| (it.creator.as_str(), it.granted, it.grantee.as_deref()))
        .collect();
    assert_eq!(
        defaults,
        [
            ("app", true, Some("reader")),
            ("app", false, None),
            ("postgres", true, Some("app"))
        ]
    );
}

#[tokio::test]
async fn the_first_rotation_is_shown_as_it_will_run_without_a_password() {
    let mut scene = Scene::start().await;
    scene
        .sql("ALTER ROLE app SET statement_timeout TO '9s'")
        .await;
    let document = scene.document("app");
    let shown = scene.report(&document).await.first_rotation;
    assert!(
        shown.contains(&"ALTER ROLE \"app_clone\" PASSWORD <the verifier of a password that nobody knows yet>;".to_owned()),
        "{shown:?}"
    );
    assert!(
        shown
            .iter()
            .all(|it| !it.contains("SCRAM") && !it.contains(PASSWORD))
    );
    let from = scene.cluster.log().len();
    let first = scene.put(&document);
    scene.rotate(&first).await.unwrap();
    let log = scene.cluster.log().split_off(from);
    for statement in &shown {
        // The version's id in the mark is not known before, either.
        let fixed = statement.split(['<', '{']).next().unwrap();
        assert!(log.contains(fixed), "{fixed}: {log}");
    }
    assert!(
        shown.len() >= 5 && !shown.contains(&"COMMIT;".to_owned()),
        "{shown:?}"
    );
}

#[tokio::test]
async fn who_is_connected_is_shown_and_what_the_server_hides_is_said_to_be_hidden() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let consumer = scene.consumer(&first).await;
    consumer
        .batch_execute("SET application_name TO 'till 4'")
        .await
        .unwrap();
    let document = scene.document("app");
    for hidden in [true, false] {
        let report = scene.report(&document).await;
        let [connected] = &report.connected[..] else {
            panic!("{:?}", report.connected)
        };
        assert_eq!(
            (connected.application.as_str(), connected.sessions),
            ("till 4", 1)
        );
        assert_eq!(connected.hidden, hidden);
        assert_eq!(connected.address.is_none(), hidden);
        scene.sql("GRANT pg_read_all_stats TO rotator").await;
    }
}
