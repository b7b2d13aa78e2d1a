//! A consumer cannot tell which of the two it got: the same application says the same, to the letter.

use serde_json::json;

use crate::psql;
use crate::scene::{Scene, Stored};

const SCRIPT: &str = include_str!("same_script.sql");
const THEIRS: &str = "CREATE SCHEMA theirs; CREATE TABLE theirs.things (name text);
    CREATE FUNCTION theirs.count() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
    CREATE VIEW theirs.titles AS SELECT name FROM theirs.things; DROP VIEW theirs.titles;
    GRANT SELECT ON theirs.things TO reader;";

/// Everything that psql prints, errors among the rest where they come.
fn say(scene: &Scene, key: &Stored, script: &str) -> String {
    let output = psql::run(scene, key.user(), key.password(), script);
    let out = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    format!("{out}\n{errors}")
}

/// What the application sees as this one, beside objects that the other one has made.
fn sight(scene: &Scene, key: &Stored, other: &Stored) -> String {
    let made = say(scene, other, THEIRS);
    assert_eq!(made.trim(), "");
    let said = say(scene, key, SCRIPT);
    // Asked for on purpose, in an answer of its own: nowhere else may the login's name be.
    let (before, answer) = said.split_once("the login").expect(&said);
    let (login, after) = answer.split_once("(1 row)").expect(answer);
    assert!(
        login.lines().any(|line| line.trim() == key.user()),
        "{login}"
    );
    format!("{before}{after}")
}

async fn prepare(scene: &Scene) {
    scene
        .sql(
            "CREATE ROLE reader; CREATE SCHEMA postgres_only; CREATE TABLE postgres_only.things ();
             REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             GRANT CREATE ON DATABASE postgres TO app;
             ALTER ROLE app SET work_mem TO '5MB'; ALTER ROLE app IN DATABASE postgres SET DateStyle TO 'German';",
        )
        .await;
}

/// Both roles of the pair, twice, in both orders.
async fn compare(scene: &mut Scene, first: &Stored) {
    let second = scene.rotate(first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    let one = sight(scene, &second, &third);
    let other = sight(scene, &third, &second);
    assert_same(&one, &other);
    let fourth = scene.rotate(&third).await.unwrap();
    assert_same(&one, &sight(scene, &fourth, &third));
    // It is no empty likeness.
    for part in [
        "22012",
        "permission denied",
        "NOTICE",
        "by_cost",
        "drop cascades",
    ] {
        assert!(one.contains(part), "{part}: {one}");
    }
}

fn assert_same(one: &str, other: &str) {
    for (at, (left, right)) in one.lines().zip(other.lines()).enumerate() {
        assert_eq!(left, right, "line {at}");
    }
    assert_eq!(one.lines().count(), other.lines().count());
}

#[tokio::test]
async fn an_application_sees_no_difference_where_the_owner_is_the_original() {
    let mut scene = Scene::start().await;
    prepare(&scene).await;
    let first = scene.put_app();
    compare(&mut scene, &first).await;
}

#[tokio::test]
async fn an_application_sees_no_difference_where_the_owner_has_no_login() {
    let mut scene = Scene::start().await;
    prepare(&scene).await;
    scene
        .sql(
            "CREATE ROLE shop_owner; GRANT shop_owner TO app; ALTER ROLE app SET role TO shop_owner;
             GRANT CREATE ON DATABASE postgres TO shop_owner;",
        )
        .await;
    scene.administer("shop_owner").await;
    let mut document = scene.document("app");
    document["owner"] = json!("shop_owner");
    let first = scene.put(&document);
    compare(&mut scene, &first).await;
}

/// What is the login's own, and would tell who asks: documented under "Equal twins".
#[tokio::test]
async fn what_tells_the_two_apart_is_known() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    let other_session = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE usename = session_user AND pid <> pg_backend_pid()";
    for (question, original, twin) in [
        ("SELECT session_user::text", "app", "app_clone"),
        ("SHOW role", "none", "app"),
        (
            "SET ROLE none; SELECT current_user::text",
            "app",
            "app_clone",
        ),
    ] {
        for (key, expected) in [(&third, original), (&second, twin)] {
            let said = say(&scene, key, &format!("\\pset tuples_only\n{question};"));
            assert_eq!(said.trim(), expected, "{question}");
        }
    }
    for (key, may) in [(&third, true), (&second, false)] {
        let open = scene.consumer(key).await;
        let asked = scene.consumer(key).await.batch_execute(other_session).await;
        assert_eq!(asked.is_ok(), may, "{asked:?}");
        drop(open);
    }
}
