//! The script for somebody else, run by the real psql.

use postgres_protocol::escape::escape_identifier;
use serde_json::json;

use crate::adopting::{lived_in, sql};
use crate::psql;
use crate::scene::{ADMIN_PASSWORD, PASSWORD, Scene};

/// What psql said if it failed.
fn run(scene: &Scene, user: &str, password: &str, script: &str) -> Result<(), String> {
    let output = psql::run(scene, user, password, script);
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_dba_runs_the_script_and_a_rotator_that_may_little_rotates_afterwards() {
    let mut scene = lived_in().await;
    let plain = scene.put_app();
    let sight = scene.work(&plain).await;
    let mut document = scene.document("app");
    document["owner"] = json!("shop owner");
    let script = scene.adoption(&document).script().await.unwrap();
    for secret in [PASSWORD, ADMIN_PASSWORD, "SCRAM-SHA-256"] {
        assert!(!script.contains(secret), "{script}");
    }
    let password = scene.cluster.password().to_owned();
    run(&scene, "postgres", &password, &script).unwrap();
    let report = scene.report(&document).await;
    assert!(report.in_the_way.is_empty(), "{:?}", report.in_the_way);
    assert_eq!(sql(&report), Vec::<&str>::new());
    let first = scene.put(&document);
    let sight = sight.replace("app", "shop owner");
    scene.rotate_and_work(&first, &sight).await;
    // There is nothing left to hand over.
    let script = scene.adoption(&document).script().await.unwrap();
    run(&scene, "postgres", &password, &script).unwrap();
    assert!(!script.contains("BEGIN"), "{script}");
}

#[tokio::test]
async fn a_dba_who_is_no_superuser_lends_himself_the_roles_and_gives_them_back() {
    let scene = Scene::start().await;
    scene.clone_of_another_tool().await;
    let document = scene.document("app");
    let script = scene.adoption(&document).script().await.unwrap();
    run(&scene, "rotator", ADMIN_PASSWORD, &script).unwrap();
    let report = scene.report(&document).await;
    assert_eq!((sql(&report).len(), report.in_the_way.len()), (0, 0));
    let lent = "SELECT count(*)::text FROM pg_auth_members
                 WHERE member = 'rotator'::regrole AND pg_has_role(member, roleid, 'USAGE')";
    assert_eq!(scene.ask(lent).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_script_that_fails_leaves_its_database_as_it_was() {
    let scene = lived_in().await;
    let mut document = scene.document("app");
    document["owner"] = json!("shop owner");
    let script = scene.adoption(&document).script().await.unwrap();
    let before = (scene.holdings().await, scene.fingerprint().await);
    let said = run(&scene, "rotator", ADMIN_PASSWORD, &script).unwrap_err();
    assert!(said.contains("permission denied"), "{said}");
    let after = (scene.holdings().await, scene.fingerprint().await);
    assert_eq!(before, after);
}

#[tokio::test]
async fn names_that_break_whoever_pastes_them_are_only_names_in_a_script_too() {
    let mut scene = Scene::start().await;
    let original = "a\"p'p; \\! false :x\n\\q";
    let twin = "tw\nDROP ROLE postgres; -- ü :'y' :\"z\"";
    let owner = "own\\er $$ \u{1b}[2J %s {}";
    let database = "d'b=\"x\\ host=nowhere :v `false`";
    let schema = "sch.e\"ma :w";
    let (o, t, d, s) = (
        escape_identifier(original),
        escape_identifier(twin),
        escape_identifier(database),
        escape_identifier(schema),
    );
    scene.application(original).await;
    scene.application(twin).await;
    scene.sql(&format!("GRANT {o} TO {t}")).await;
    scene.sql(&format!("CREATE DATABASE {d}")).await;
    let root = scene.cluster.superuser(database).await.unwrap();
    root.batch_execute(&format!(
        "CREATE SCHEMA {s} AUTHORIZATION {o};
         CREATE TABLE public.{s} (\"c:x\"\"\" int); GRANT SELECT (\"c:x\"\"\") ON public.{s} TO {o};
         CREATE POLICY {s} ON public.{s} TO {o};
         SET ROLE {t}; CREATE TABLE {s}.{t} ();
         ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT ON TABLES TO {o};"
    ))
    .await
    .unwrap();
    let mut document = scene.document(original);
    document["twin"] = json!(twin);
    document["owner"] = json!(owner);
    document["dbname"] = json!(database);
    let script = scene.adoption(&document).script().await.unwrap();
    assert!(!script.contains("-- tw\n"), "{script}");
    let password = scene.cluster.password().to_owned();
    run(&scene, "postgres", &password, &script).unwrap();
    let report = scene.report(&document).await;
    assert_eq!(
        (sql(&report).len(), report.in_the_way.len()),
        (0, 0),
        "{report:?}"
    );
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    let third = scene.rotate(&second).await.unwrap();
    assert_eq!((second.user(), third.user()), (twin, original));
}

#[tokio::test]
async fn a_database_whose_name_psql_cannot_be_told_is_refused() {
    let scene = Scene::start().await;
    let name = "two\nlines";
    scene
        .sql(&format!("CREATE DATABASE {}", escape_identifier(name)))
        .await;
    scene.root_is_admin();
    scene
        .sql("CREATE ROLE app_clone LOGIN; GRANT app TO app_clone")
        .await;
    let root = scene.cluster.superuser(name).await.unwrap();
    root.batch_execute("CREATE TABLE t (); ALTER TABLE t OWNER TO app_clone")
        .await
        .unwrap();
    let document = scene.document("app");
    let error = scene.adoption(&document).script().await.unwrap_err();
    assert_eq!(error.code, "DatabaseUnspeakable");
    scene.adoption(&document).apply().await.unwrap();
}
