//! Adopting an owning login as one of two that act as a third role: the clean layout.

use serde_json::{Value, json};
use twinkey_core::ErrorKind;
use twinkey_postgres::adoption::{Layout, MendedBy};

use crate::adopting::{lived_in, owned, sql};
use crate::scene::Scene;

fn document(scene: &Scene) -> Value {
    let mut document = scene.document("app");
    document["owner"] = json!("shop owner");
    document
}

#[tokio::test]
async fn what_a_login_owns_is_handed_to_a_new_owner_and_the_application_sees_no_difference() {
    let mut scene = lived_in().await;
    let (plain, document) = (scene.put_app(), document(&scene));
    let sight = scene.work(&plain).await;
    scene.root_is_admin();
    let report = scene.report(&document).await;
    assert_eq!(report.layout, Layout::ThirdRole);
    let in_the_way: Vec<_> = report
        .in_the_way
        .iter()
        .map(|it| (it.error_type, it.mended_by))
        .collect();
    assert_eq!(in_the_way, [("RoleMissing", MendedBy::Statements)]);
    let ran = scene.adoption(&document).apply().await.unwrap();
    assert_eq!(ran, report.statements);
    let report = scene.report(&document).await;
    assert!(report.in_the_way.is_empty(), "{:?}", report.in_the_way);
    assert_eq!(sql(&report), Vec::<&str>::new());
    assert!(owned(&report, "app", "postgres").is_empty());
    let first = scene.put(&document);
    let sight = sight.replace("app", "shop owner");
    scene.rotate_and_work(&first, &sight).await;
    let report = scene.report(&document).await;
    assert_eq!(sql(&report), Vec::<&str>::new());
}

#[tokio::test]
async fn an_open_session_of_the_original_goes_on_working_through_the_hand_over() {
    let mut scene = lived_in().await;
    let (first, document) = (scene.put_app(), document(&scene));
    let open = scene.consumer(&first).await;
    open.batch_execute("INSERT INTO shop.orders DEFAULT VALUES")
        .await
        .unwrap();
    scene.root_is_admin();
    scene.adoption(&document).apply().await.unwrap();
    open.batch_execute(
        "INSERT INTO shop.orders DEFAULT VALUES; ALTER TABLE shop.orders ADD x int;
         INSERT INTO base.theirs VALUES (2); CREATE TABLE shop.by_an_old_session ();",
    )
    .await
    .unwrap();
    // It still creates as itself; that is found, and mended by the same command.
    let report = scene.report(&document).await;
    assert_eq!(
        sql(&report),
        ["REASSIGN OWNED BY \"app\" TO \"shop owner\";"]
    );
    scene.adoption(&document).apply().await.unwrap();
    assert_eq!(sql(&scene.report(&document).await), Vec::<&str>::new());
}

#[tokio::test]
async fn an_admin_with_a_rotators_rights_hands_over_what_is_the_roles_own_and_keeps_no_right() {
    let mut scene = Scene::start().await;
    scene
        .sql(
            "REVOKE CREATE ON SCHEMA public FROM app; GRANT CREATE ON DATABASE postgres TO rotator;
             CREATE SCHEMA mine AUTHORIZATION app; SET ROLE app; CREATE TABLE mine.t (id serial);
             CREATE VIEW mine.v AS SELECT * FROM mine.t;",
        )
        .await;
    let document = document(&scene);
    let memberships = "SELECT coalesce(string_agg(concat_ws(' ', roleid::regrole, member::regrole,
                              pg_has_role(member, roleid, 'USAGE')), ',' ORDER BY roleid), '')
                         FROM pg_auth_members WHERE member = 'rotator'::regrole";
    let before = scene.ask(memberships).await.unwrap();
    let report = scene.report(&document).await;
    let lent: Vec<_> = sql(&report)
        .into_iter()
        .filter(|it| it.contains("\"rotator\""))
        .map(|it| {
            it.split(" WITH")
                .next()
                .unwrap()
                .trim_end_matches(';')
                .to_owned()
        })
        .collect();
    assert_eq!(
        lent,
        [
            "GRANT \"app\" TO \"rotator\"",
            "GRANT \"shop owner\" TO \"rotator\"",
            "REVOKE \"app\" FROM \"rotator\"",
            "REVOKE \"shop owner\" FROM \"rotator\""
        ]
    );
    scene.adoption(&document).apply().await.unwrap();
    let after = scene.ask(memberships).await.unwrap();
    if scene.is_before_16() {
        assert_eq!((before.as_str(), after.as_str()), ("", ""));
    } else {
        assert_eq!(before, "app rotator f");
        assert_eq!(after, "app rotator f,\"shop owner\" rotator f");
    }
    let report = scene.report(&document).await;
    assert!(report.in_the_way.is_empty(), "{:?}", report.in_the_way);
    assert_eq!(sql(&report), Vec::<&str>::new());
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    for key in [&second, &third] {
        let consumer = scene.consumer(key).await;
        let work = "INSERT INTO mine.t DEFAULT VALUES; CREATE TABLE mine.n (); DROP TABLE mine.n";
        consumer.batch_execute(work).await.unwrap();
    }
}

#[tokio::test]
async fn an_admin_that_may_not_grant_what_others_own_is_told_so_and_nothing_has_changed() {
    let scene = lived_in().await;
    scene.administer("reporting").await;
    let document = document(&scene);
    let before = (scene.holdings().await, scene.fingerprint().await);
    let error = scene.adoption(&document).apply().await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Denied, "MissingRight")
    );
    assert!(error.hint.as_ref().unwrap().contains("--sql"), "{error:?}");
    assert!(error.message.contains("GRANT "), "{error}");
    let after = (scene.holdings().await, scene.fingerprint().await);
    assert_eq!(before, after);
}

#[tokio::test]
async fn whatever_kind_of_thing_the_original_was_granted_its_new_owner_is_granted_too() {
    let scene = Scene::start().await;
    scene.root_is_admin();
    scene
        .sql(
            "CREATE ROLE team; GRANT team TO app WITH ADMIN OPTION;
             CREATE SCHEMA x; CREATE TABLE x.t (a int, b int); CREATE VIEW x.v AS SELECT 1;
             CREATE MATERIALIZED VIEW x.m AS SELECT 1; CREATE SEQUENCE x.s;
             CREATE FUNCTION x.f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE PROCEDURE x.p() LANGUAGE sql AS 'SELECT 1';
             CREATE AGGREGATE x.a(int) (sfunc = int4pl, stype = int);
             CREATE TYPE x.e AS ENUM ('y'); CREATE DOMAIN x.d AS int;
             CREATE FOREIGN DATA WRAPPER w; CREATE SERVER r FOREIGN DATA WRAPPER w;
             CREATE FOREIGN TABLE x.ft () SERVER r; SELECT lo_create(4711);
             GRANT USAGE ON SCHEMA x TO app WITH GRANT OPTION;
             GRANT INSERT ON x.t TO app; GRANT UPDATE ON x.t TO app WITH GRANT OPTION;
             GRANT SELECT (a, b), REFERENCES (b) ON x.t TO app;
             GRANT SELECT ON x.v, x.m, x.ft TO app; GRANT USAGE ON SEQUENCE x.s TO app;
             GRANT EXECUTE ON ALL ROUTINES IN SCHEMA x TO app;
             GRANT USAGE ON TYPE x.e TO app; GRANT USAGE ON DOMAIN x.d TO app;
             GRANT USAGE ON LANGUAGE sql TO app; GRANT USAGE ON FOREIGN DATA WRAPPER w TO app;
             GRANT USAGE ON FOREIGN SERVER r TO app; GRANT SELECT ON LARGE OBJECT 4711 TO app;
             GRANT CONNECT, CREATE ON DATABASE postgres TO app;
             GRANT CREATE ON TABLESPACE pg_default TO app;",
        )
        .await;
    if scene.cluster.version().0 >= 15 {
        scene
            .sql("GRANT SET ON PARAMETER log_statement TO app")
            .await;
    }
    scene
        .sql(
            "CREATE USER MAPPING FOR app SERVER r OPTIONS (password 'TEST-mapping');
             ALTER ROLE app NOINHERIT",
        )
        .await;
    let document = document(&scene);
    scene.adoption(&document).apply().await.unwrap();
    let report = scene.report(&document).await;
    assert_eq!(sql(&report), Vec::<&str>::new());
    let notes = report.notes.join("; ");
    assert!(
        notes.contains("app on server r") && !notes.contains("TEST"),
        "{notes}"
    );
    assert_eq!(notes.contains("NOINHERIT"), scene.is_before_16(), "{notes}");
    let of = |role: &str| -> Vec<_> {
        let grants = report.grants.iter().filter(|it| it.role == role);
        grants.map(|it| (it.kind.clone(), it.count)).collect()
    };
    assert!(of("app").len() >= 11, "{:?}", of("app"));
    assert_eq!(of("app"), of("shop owner"));
    let rights =
        "SELECT concat_ws(' ', has_schema_privilege('shop owner', 'x', 'USAGE WITH GRANT OPTION'),
                         has_table_privilege('shop owner', 'x.t', 'UPDATE WITH GRANT OPTION'),
                         has_table_privilege('shop owner', 'x.t', 'INSERT WITH GRANT OPTION'),
                         has_column_privilege('shop owner', 'x.t', 'a', 'REFERENCES'),
                         has_database_privilege('shop owner', 'postgres', 'CREATE'),
                         pg_has_role('shop owner', 'team', 'MEMBER WITH ADMIN OPTION'))";
    assert_eq!(scene.ask(rights).await.as_deref(), Some("t t f f t t"));
}

#[tokio::test]
async fn p10_a_document_that_names_a_strangers_role_as_owner_gets_nothing_from_it() {
    let scene = lived_in().await;
    scene.root_is_admin();
    scene
        .sql("CREATE ROLE vault; CREATE ROLE \"shop owner\"")
        .await;
    let before = scene.fingerprint().await;
    for owner in ["vault", "postgres", "shop owner"] {
        let mut document = document(&scene);
        document["owner"] = json!(owner);
        let report = scene.report(&document).await;
        assert_eq!(sql(&report), Vec::<&str>::new());
        assert!(
            report
                .in_the_way
                .iter()
                .any(|it| (it.error_type, it.mended_by) == ("ForeignOwner", MendedBy::Hand))
        );
        let adoption = scene.adoption(&document);
        assert_eq!(adoption.apply().await.unwrap_err().code, "ForeignOwner");
        assert_eq!(adoption.script().await.unwrap_err().code, "ForeignOwner");
    }
    assert_eq!(scene.fingerprint().await, before);
    // A person grants it, as the hint says, and then it is the owner like any other.
    scene.sql("GRANT \"shop owner\" TO \"app\"").await;
    let document = document(&scene);
    scene.adoption(&document).apply().await.unwrap();
    assert!(scene.report(&document).await.in_the_way.is_empty());
}
