//! A person adopts what stands at a server, on one machine and on AWS.

use serde_json::{Value, json};
use twinkey_tests::{Account, FIRST_PASSWORD, Site, text};

/// A role that owns a table, in a document that names a third one as owner.
async fn owning(site: &Site) -> Value {
    site.create_role("app").await;
    let root = site
        .cluster
        .superuser("postgres")
        .await
        .expect("a superuser's right");
    let things = "CREATE SCHEMA shop AUTHORIZATION app; SET ROLE app; CREATE TABLE shop.orders ()";
    root.batch_execute(things)
        .await
        .expect("a superuser's right");
    let mut document = site.document("app", FIRST_PASSWORD);
    document["owner"] = json!("shop");
    document
}

#[tokio::test]
async fn a_person_looks_then_applies_then_rotates() {
    let site = Site::default();
    let document = owning(&site).await;
    let place = site.place("adopt");
    place.put("app", &document, &[]);
    let before = place.json(&["adopt", "app"]);
    let shown = place.succeed(&["adopt", "app"]);
    for expected in [
        "app: 1 × table, database postgres: shop.orders",
        "there is no role shop at the server [RoleMissing]; the statements below mend it",
        "    -- one transaction in database postgres",
        "    CREATE ROLE \"shop\" NOLOGIN;",
        "    REASSIGN OWNED BY \"app\" TO \"shop\";",
        "    ALTER ROLE \"app_clone\" PASSWORD <the verifier of a password that nobody knows yet>;",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!shown.contains(FIRST_PASSWORD) && !shown.contains("SCRAM"));
    assert_eq!(place.json(&["adopt", "app"]), before, "it has only looked");
    let script = place.succeed(&["adopt", "app", "--sql"]);
    assert!(script.starts_with("-- twinkey adopt app\n"), "{script}");
    assert!(script.ends_with("COMMIT;\n"), "{script}");
    let ran = place.succeed(&["adopt", "app", "--apply"]);
    for statement in before["statements"].as_array().unwrap() {
        assert!(ran.contains(statement["sql"].as_str().unwrap()), "{ran}");
    }
    assert!(ran.contains("next: twinkey rotate app"), "{ran}");
    let again = place.json(&["adopt", "app", "--apply"]);
    assert_eq!(
        (&again["ran"], &again["in_the_way"]),
        (&json!([]), &json!([]))
    );
    place.succeed(&["rotate", "app"]);
    let current = place.get("app", "AWSCURRENT");
    assert_eq!(
        (&current["username"], &current["owner"]),
        (&json!("app_clone"), &json!("shop"))
    );
    assert!(site.accepts(&current).await);
}

#[tokio::test]
async fn what_cannot_be_adopted_is_a_typed_error_with_a_way_out() {
    let site = Site::default();
    let place = site.place("refused");
    let token = json!({
        "kind": "github-installation-token", "app_id": "1", "installation_id": "2", "app_key": {"kms": "alias/app"},
    });
    place.put("token", &token, &[]);
    let said = place.fail(&["adopt", "token"]);
    assert!(
        said.contains("field kind: ") && said.contains("[InvalidDocument]"),
        "{said}"
    );
    assert!(
        place
            .fail(&["adopt", "nothing"])
            .contains("[SecretNotFound]")
    );
    let document = site.document("nobody", FIRST_PASSWORD);
    place.put("nobody", &document, &[]);
    let output = place.run(&["adopt", "nobody", "--json"]);
    let error: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(error["error"]["error_type"], "RoleMissing");
    assert!(text(&place.run(&["adopt", "nobody", "--sql"]).stdout).is_empty());
    site.create_role("app").await;
    let root = site.cluster.superuser("postgres").await.unwrap();
    let rotator = format!(
        "CREATE ROLE rotator LOGIN PASSWORD '{FIRST_PASSWORD}'; CREATE ROLE app_clone LOGIN; GRANT app TO app_clone"
    );
    root.batch_execute(&rotator).await.unwrap();
    place.put("admin", &site.document("rotator", FIRST_PASSWORD), &[]);
    place.put("app", &site.document("app", FIRST_PASSWORD), &[]);
    let said = place.fail(&["adopt", "app", "--apply"]);
    assert!(said.contains("[MissingRight]"), "{said}");
    assert!(said.contains("twinkey adopt app --sql"), "{said}");
}

#[tokio::test]
async fn a_secret_in_secrets_manager_is_adopted_by_the_callers_own_rights() {
    let account = Account::open().await;
    let secret = account.secret("app").await;
    let root = account.site.cluster.superuser("postgres").await.unwrap();
    root.batch_execute("CREATE ROLE app_clone LOGIN; GRANT app TO app_clone")
        .await
        .unwrap();
    let report = account.json(&["adopt", "app"]).await;
    assert_eq!(report["twin_is"], "of_another_tool");
    account.succeed(&["adopt", "app", "--apply"]).await;
    let report = account.json(&["adopt", "app"]).await;
    assert_eq!(
        (&report["twin_is"], &report["in_the_way"]),
        (&json!("ours"), &json!([]))
    );
    // The function finds its own mark: both name the secret alike.
    let token = account.begin("app");
    let rotated = account.function().rotate(&secret, &token).await;
    rotated.expect("an adopted pair rotates");
    account.assert_two_keys("app", "after the adoption").await;
}
