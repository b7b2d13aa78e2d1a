//! Adopting a pair that another tool has made: its clone worked as itself, in two databases.

use serde_json::json;
use twinkey_postgres::adoption::{MendedBy, TwinState};

use crate::adopting::{owned, sql};
use crate::scene::{PASSWORD, Scene, address};

const OWNED: [&str; 5] = ["1 function", "1 schema", "1 sequence", "1 table", "1 view"];

/// Who owns the schema that the clone has made, what is in it, and the default privileges.
const OWNERS: &str = "
    SELECT concat_ws(' ', nspowner::regrole,
           (SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class
             WHERE relnamespace = n.oid),
           (SELECT string_agg(DISTINCT proowner::regrole::text, ',') FROM pg_proc
             WHERE pronamespace = n.oid),
           (SELECT string_agg(DISTINCT defaclrole::regrole::text, ',') FROM pg_default_acl))
      FROM pg_namespace n WHERE nspname = 'cloned'";

async fn owners(scene: &Scene, database: &str) -> String {
    let root = scene.cluster.superuser(database).await.unwrap();
    root.query_one(OWNERS, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn what_a_clone_owns_in_every_database_is_found_and_handed_to_the_original() {
    let mut scene = Scene::start().await;
    scene.root_is_admin();
    scene.clone_of_another_tool().await;
    let itself = "ALTER DATABASE \"se cond\" OWNER TO app_clone";
    scene.sql(itself).await;
    let document = scene.document("app");
    let report = scene.report(&document).await;
    assert_eq!(report.twin_is, TwinState::OfAnotherTool);
    let shared: Vec<_> = report
        .owned
        .iter()
        .filter(|it| it.database.is_none())
        .collect();
    assert_eq!(
        (shared.len(), shared[0].names[0].as_str()),
        (1, "\"se cond\"")
    );
    let in_the_way: Vec<_> = report
        .in_the_way
        .iter()
        .map(|it| (it.error_type, it.mended_by))
        .collect();
    assert_eq!(
        in_the_way,
        [
            ("ForeignTwin", MendedBy::Statements),
            ("RoleActsAsOther", MendedBy::Statements)
        ]
    );
    for database in ["postgres", "se cond"] {
        assert_eq!(owned(&report, "app_clone", database), OWNED);
        assert_eq!(
            owners(&scene, database).await,
            "app_clone app_clone app_clone app_clone"
        );
    }
    let ran = scene.adoption(&document).apply().await.unwrap();
    assert_eq!(ran, report.statements);
    for database in ["postgres", "se cond"] {
        assert_eq!(owners(&scene, database).await, "app app app app");
    }
    let owner = "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'se cond'";
    assert_eq!(scene.ask(owner).await.as_deref(), Some("app"));
    let report = scene.report(&document).await;
    assert_eq!((sql(&report).len(), report.in_the_way.len()), (0, 0));
    assert_eq!(report.twin_is, TwinState::Ours);
    // Its old password goes with the first rotation; the original's is the previous one then.
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    assert_eq!(second.user(), "app_clone");
    let login = scene.cluster.can_log_in("app_clone", PASSWORD, "postgres");
    assert!(!login.await.unwrap());
    let third = scene.rotate(&second).await.unwrap();
    for key in [&second, &third] {
        let consumer = scene.consumer(key).await;
        let work = "ALTER TABLE cloned.made ADD x int; ALTER TABLE cloned.made DROP x;
                    CREATE TABLE cloned.more (); DROP TABLE cloned.more";
        consumer.batch_execute(work).await.unwrap();
    }
    assert_eq!(owners(&scene, "postgres").await, "app app app app");
}

#[tokio::test]
async fn a_rotators_rights_suffice_where_the_original_may_create_in_every_database() {
    let scene = Scene::start().await;
    scene.clone_of_another_tool().await;
    let document = scene.document("app");
    scene.adoption(&document).apply().await.unwrap();
    for database in ["postgres", "se cond"] {
        assert_eq!(owners(&scene, database).await, "app app app app");
    }
    let lent = "SELECT count(*)::text FROM pg_auth_members
                 WHERE member = 'rotator'::regrole AND pg_has_role(member, roleid, 'USAGE')";
    assert_eq!(scene.ask(lent).await.as_deref(), Some("0"));
    assert_eq!(sql(&scene.report(&document).await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_secret_that_is_at_the_clone_goes_on_with_the_same_pair() {
    let mut scene = Scene::start().await;
    scene.root_is_admin();
    scene.clone_of_another_tool().await;
    let document = scene.document("app_clone");
    let report = scene.report(&document).await;
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("\"twin\": \"app\"")),
        "{:?}",
        report.notes
    );
    let mut document = document;
    document["twin"] = json!("app");
    document["owner"] = json!("app");
    scene.adoption(&document).apply().await.unwrap();
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    assert_eq!(second.user(), "app");
    assert!(scene.is_live(&first).await && scene.is_live(&second).await);
}

#[tokio::test]
async fn what_fails_in_the_second_database_is_done_by_the_next_run() {
    let scene = Scene::start().await;
    scene.clone_of_another_tool().await;
    scene
        .sql("REVOKE ALL ON DATABASE \"se cond\" FROM app")
        .await;
    let document = scene.document("app");
    let error = scene.adoption(&document).apply().await.unwrap_err();
    assert_eq!(error.code, "MissingRight");
    assert!(error.message.contains("the last in postgres"), "{error}");
    assert_eq!(owners(&scene, "postgres").await, "app app app app");
    let theirs = owners(&scene, "se cond").await;
    assert_eq!(theirs, "app_clone app_clone app_clone app_clone");
    // The pair is ours only when all is done.
    let report = scene.report(&document).await;
    assert_eq!(report.twin_is, TwinState::OfAnotherTool);
    scene
        .sql("GRANT CREATE ON DATABASE \"se cond\" TO app")
        .await;
    let ran = scene.adoption(&document).apply().await.unwrap();
    assert!(ran.iter().all(|it| it.database == "se cond"), "{ran:?}");
    assert_eq!(owners(&scene, "se cond").await, "app app app app");
}

#[tokio::test]
async fn two_secrets_that_adopt_one_clone_at_once_do_not_both_get_it() {
    let mut scene = Scene::start().await;
    scene.clone_of_another_tool().await;
    let document = scene.document("app");
    let one = scene.adoption(&document);
    scene.address = address("another/secret");
    let other = scene.adoption(&document);
    let (one, other) = tokio::join!(one.apply(), other.apply());
    let winner = match (one, other) {
        (Ok(_), Err(_)) => "app/db",
        (Err(_), Ok(_)) => "another/secret",
        both => panic!("{both:?}"),
    };
    let mark = "SELECT shobj_description('app_clone'::regrole, 'pg_authid')";
    let mark = scene.ask(mark).await.unwrap();
    assert!(mark.contains(winner), "{winner}: {mark}");
}

#[tokio::test]
async fn a_stranger_with_the_clones_name_is_left_alone() {
    let scene = Scene::start().await;
    scene
        .sql(
            "CREATE ROLE app_clone LOGIN; GRANT CREATE ON SCHEMA public TO app_clone;
             SET ROLE app_clone; CREATE TABLE theirs ();",
        )
        .await;
    let document = scene.document("app");
    let report = scene.report(&document).await;
    assert_eq!(report.twin_is, TwinState::Foreign);
    assert_eq!(owned(&report, "app_clone", "postgres"), ["1 table"]);
    assert_eq!((sql(&report).len(), report.first_rotation.len()), (0, 0));
    let error = scene.adoption(&document).apply().await.unwrap_err();
    assert_eq!(error.code, "ForeignTwin");
}

#[tokio::test]
async fn a_database_that_is_closed_to_the_admin_is_named_and_nothing_is_half_done() {
    let scene = Scene::start().await;
    scene.clone_of_another_tool().await;
    scene
        .sql("REVOKE CONNECT ON DATABASE \"se cond\" FROM PUBLIC")
        .await;
    let document = scene.document("app");
    let before = scene.fingerprint().await;
    let report = scene.report(&document).await;
    assert_eq!(report.unseen[0].database, "se cond");
    // Counted from afar, in spite of that.
    assert!(!owned(&report, "app_clone", "se cond").is_empty());
    let error = scene.adoption(&document).apply().await.unwrap_err();
    assert_eq!(error.code, "DatabaseUnseen");
    assert_eq!(scene.fingerprint().await, before);
    scene.sql(&error.hint.unwrap()).await;
    scene.adoption(&document).apply().await.unwrap();
    assert_eq!(owners(&scene, "se cond").await, "app app app app");
}
