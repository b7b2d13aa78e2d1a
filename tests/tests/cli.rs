//! What a person does with the program, and what they get wrong.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use twinkey_tests::{FIRST_PASSWORD, Place, Site, text};

async fn site_with_app() -> Site {
    let site = Site::default();
    site.create_role("app").await;
    site
}

fn with_app<'a>(site: &'a Site, name: &str, options: &[&str]) -> Place<'a> {
    let place = site.place(name);
    place.put("app", &site.document("app", FIRST_PASSWORD), options);
    place
}

#[tokio::test]
async fn a_password_is_put_rotated_read_and_both_keys_log_in() {
    let site = site_with_app().await;
    let place = with_app(&site, "story", &[]);
    let shown = text(&place.run(&["rotate", "app", "--reason", "a test"]).stderr);
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        assert!(shown.contains(step), "{step} is not shown: {shown}");
    }
    let (current, previous) = (
        place.get("app", "AWSCURRENT"),
        place.get("app", "AWSPREVIOUS"),
    );
    assert_eq!(previous["password"], FIRST_PASSWORD);
    assert_eq!(current["username"], "app_clone");
    assert_eq!(
        (&current["twin"], &current["owner"]),
        (&json!("app"), &json!("app"))
    );
    assert!(site.accepts(&current).await && site.accepts(&previous).await);
    let password = place.succeed(&["get", "app", "--field", "password"]);
    assert_eq!(password.trim_end(), current["password"]);
    let status = place.json(&["status", "app"]);
    assert_eq!(status[0]["live"], 2);
    assert_eq!(status[0]["last_rotation"]["trigger"], "manual");
    assert_eq!(status[0]["last_rotation"]["reason"], "a test");
    assert!(place.succeed(&["list"]).contains("app"));
}

#[tokio::test]
async fn p9_a_second_rotation_waits_unless_a_person_forces_it_with_a_reason() {
    let site = site_with_app().await;
    let place = with_app(&site, "overlap", &[]);
    place.succeed(&["rotate", "app"]);
    let before = place.get("app", "AWSCURRENT");
    let refusal = place.fail(&["rotate", "app"]);
    assert!(
        refusal.contains("[MinimumOverlap]") && refusal.contains("hint: "),
        "{refusal}"
    );
    assert_eq!(place.get("app", "AWSCURRENT"), before);
    assert_eq!(place.json(&["status", "app"])[0]["in_flight"], Value::Null);
    place.succeed(&["rotate", "app", "--force", "--reason", "it leaked"]);
    let after = place.get("app", "AWSCURRENT");
    assert_ne!(after, before);
    assert!(site.accepts(&after).await && site.accepts(&before).await);
    place.succeed(&["tag", "app", "twinkey:min-overlap=0s"]);
    let rotated = place.json(&["rotate", "app"]);
    assert_eq!(rotated["live"], 2);
    assert_eq!(rotated["record"]["outcome"]["state"], "succeeded");
    assert_eq!(rotated["record"]["steps"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn p3_exactly_two_of_all_passwords_log_in_after_each_of_twenty_rotations() {
    let site = site_with_app().await;
    let place = with_app(&site, "twenty", &["--tag", "twinkey:min-overlap=0s"]);
    let mut issued = vec![place.get("app", "AWSCURRENT")];
    for _ in 0..20 {
        place.succeed(&["rotate", "app"]);
        issued.push(place.get("app", "AWSCURRENT"));
        let mut live = 0;
        for document in &issued {
            live += usize::from(site.accepts(document).await);
        }
        assert_eq!(live, 2);
        assert!(site.accepts(&place.get("app", "AWSCURRENT")).await);
        assert!(site.accepts(&place.get("app", "AWSPREVIOUS")).await);
    }
    // P8: no password in the server's log, where every statement is; the statements are there.
    let log = site.cluster.log();
    assert!(
        log.contains("ALTER ROLE") && log.contains("app_clone"),
        "the log is not what we think it is"
    );
    for document in &issued[1..] {
        assert!(
            !log.contains(document["password"].as_str().unwrap()),
            "a password is in the server's log"
        );
    }
}

#[tokio::test]
async fn p11_what_is_wrong_is_said_before_anything_is_stored() {
    let site = site_with_app().await;
    let place = with_app(&site, "wrong", &[]);
    let before = place.get("app", "AWSCURRENT");
    let cases = [
        (
            json!({"engine": "postgres"}).to_string(),
            "[InvalidDocument]",
        ),
        (with(&site, "port", json!("many")), "port"),
        (with(&site, "host", json!("")), "host"),
        (with(&site, "username", json!("x".repeat(64))), "username"),
        (with(&site, "sslmode", json!("prefer")), "sslmode"),
        (
            with(&site, "note", json!(format!("see {FIRST_PASSWORD}"))),
            "note",
        ),
    ];
    for (document, expected) in cases {
        let output = place.try_put("app", &document, &[]);
        let said = text(&output.stderr);
        if output.status.success() {
            // What only shows when a key is made is refused by the rotation, before a value is stored.
            let said = place.fail(&["rotate", "app"]);
            assert!(said.contains(expected), "{expected}: {said}");
            place.put("app", &before, &[]);
        } else {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert!(
            !said.contains(FIRST_PASSWORD),
            "a value in an error: {said}"
        );
        assert_eq!(place.get("app", "AWSCURRENT"), before);
    }
    for (tag, expected) in [
        ("twinkey:shedule=rate(1 day)", "twinkey:schedule"),
        ("twinkey:min-overlap=soon", "twinkey:min-overlap"),
        ("twinkey:schedule=cron(5 8 1 * ? *)", "minutes"),
    ] {
        let said = place.fail(&["tag", "app", tag]);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(place.json(&["status", "app"])[0]["tags"], json!({}));
}

fn with(site: &Site, field: &str, value: Value) -> String {
    let mut document = site.document("app", FIRST_PASSWORD);
    document[field] = value;
    document.to_string()
}

#[tokio::test]
async fn p11_a_broken_current_password_stops_before_the_last_working_key_is_touched() {
    let site = site_with_app().await;
    let place = with_app(&site, "broken", &["--tag", "twinkey:min-overlap=0s"]);
    place.succeed(&["rotate", "app"]);
    let admin = site.cluster.superuser("postgres").await.unwrap();
    admin
        .batch_execute("ALTER ROLE app_clone PASSWORD 'TEST-changed-behind-our-back'")
        .await
        .unwrap();
    let said = place.fail(&["rotate", "app"]);
    assert!(
        said.contains("[CurrentRefused]") && said.contains("hint: "),
        "{said}"
    );
    assert!(site.accepts(&place.get("app", "AWSPREVIOUS")).await);
    let status = place.json(&["status", "app"]);
    assert_eq!(status[0]["live"], 1);
    assert_eq!(status[0]["in_flight"], Value::Null);
    // The way out that the hint names.
    let mut mended = place.get("app", "AWSCURRENT");
    mended["password"] = json!("TEST-changed-behind-our-back");
    place.put("app", &mended, &[]);
    let notes = place.json(&["status", "app"])[0]["notes"].to_string();
    assert!(notes.contains("by hand"), "{notes}");
    place.succeed(&["rotate", "app"]);
    assert!(site.accepts(&place.get("app", "AWSCURRENT")).await && site.accepts(&mended).await);
}

#[tokio::test]
async fn an_error_is_a_sentence_a_hint_and_a_stable_name_and_json_on_request() {
    let site = Site::default();
    let place = site.place("errors");
    let said = place.fail(&["rotate", "nothing"]);
    assert!(
        said.starts_with("error: ") && said.contains("[SecretNotFound]") && said.contains("hint: "),
        "{said}"
    );
    let output = place.run(&["rotate", "nothing", "--json"]);
    let error: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(error["error"]["error_type"], "SecretNotFound");
    let usage = place.run(&["rotate", "x", "--force"]);
    assert_eq!(usage.status.code(), Some(2));
    place.put("plain", &json!({"note": "TEST"}), &[]);
    assert!(
        place
            .fail(&["rotate", "plain"])
            .contains("[InvalidDocument]")
    );
    assert!(
        place
            .fail(&["get", "plain", "--field", "other"])
            .contains("no field other")
    );
    assert!(
        place
            .fail(&["get", "plain", "--stage", "AWSPREVIOUS"])
            .contains("[VersionNotFound]")
    );
}

#[tokio::test]
async fn p11_a_truncated_document_does_not_take_the_place_of_one_that_rotates() {
    let site = site_with_app().await;
    let place = with_app(&site, "truncated", &[]);
    let before = place.get("app", "AWSCURRENT");
    let whole = site.document("app", FIRST_PASSWORD).to_string();
    for wrong in [&whole[..60], "", "{}", r#"{"engine":"postgresql"}"#] {
        let output = place.try_put("app", wrong, &[]);
        let said = text(&output.stderr);
        assert!(
            !output.status.success() && said.contains("hint: "),
            "{wrong}: {said}"
        );
        assert_eq!(place.get("app", "AWSCURRENT"), before);
    }
    let scheduled = place.try_put("new", "{}", &["--tag", "twinkey:schedule=rate(1 day)"]);
    assert!(!scheduled.status.success());
    assert!(!place.succeed(&["list"]).contains("new"));
}

#[tokio::test]
async fn p7_the_record_names_the_version_whose_password_was_replaced() {
    let site = site_with_app().await;
    let place = with_app(&site, "replaced", &["--tag", "twinkey:min-overlap=0s"]);
    let first = place.json(&["rotate", "app"]);
    assert_eq!(
        first["record"]["steps"][1]["retired"],
        Value::Null,
        "a first rotation retires nothing"
    );
    let original = place.json(&["status", "app"])[0]["keys"][1]["version"].clone();
    let second = place.json(&["rotate", "app"]);
    let retired = &second["record"]["steps"][1]["retired"][0];
    assert_eq!(
        (&retired["how"], &retired["version"]),
        (&json!("replaced"), &original)
    );
    assert_eq!(retired["key"], "app");
}

#[tokio::test]
async fn p10_status_sends_no_password_to_a_server_that_current_does_not_name() {
    let site = site_with_app().await;
    let place = with_app(&site, "elsewhere", &[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut elsewhere = site.document("app", FIRST_PASSWORD);
    elsewhere["port"] = listener.local_addr().unwrap().port().into();
    place.put("app", &elsewhere, &[]);
    place.put("app", &site.document("app", FIRST_PASSWORD), &[]);
    let status = place.json(&["status", "app"]);
    let keys = status[0]["keys"].as_array().unwrap();
    assert_eq!((keys.len(), &keys[1]["life"]), (2, &json!("unknown")));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody connected");
}

#[tokio::test]
async fn p1_a_value_put_while_set_secret_waits_for_its_lock_is_not_overwritten() {
    let site = site_with_app().await;
    let place = with_app(&site, "put", &["--tag", "twinkey:min-overlap=0s"]);
    place.succeed(&["rotate", "app"]);
    place.succeed(&["rotate", "app"]);
    // A person holds the lock of the pair, so that setSecret waits right before its last look.
    let person = site.cluster.superuser("postgres").await.unwrap();
    let lock = "SELECT pg_advisory_lock(hashtextextended('twinkey:app_clone', 0))";
    person.batch_execute(lock).await.unwrap();
    let mut command = place.command(&["rotate", "app"]);
    let child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while person
        .query_one(waiting, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {}
    person
        .batch_execute("ALTER ROLE app_clone PASSWORD 'TEST-by-hand'")
        .await
        .unwrap();
    let mut by_hand = place.get("app", "AWSPREVIOUS");
    by_hand["password"] = json!("TEST-by-hand");
    place.put("app", &by_hand, &[]);
    person
        .batch_execute("SELECT pg_advisory_unlock_all()")
        .await
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(
        site.accepts(&place.get("app", "AWSCURRENT")).await,
        "{}",
        text(&output.stderr)
    );
    place.succeed(&["rotate", "app"]);
    assert_eq!(place.live("app").await, 2);
}

#[tokio::test]
async fn p1_an_old_copy_of_the_store_does_not_overwrite_what_the_newer_one_publishes() {
    let site = site_with_app().await;
    let place = with_app(&site, "newer", &["--tag", "twinkey:min-overlap=0s"]);
    place.succeed(&["rotate", "app"]);
    let copy = place.store.with_file_name("copy.db");
    std::fs::copy(&place.store, &copy).unwrap();
    std::fs::copy(
        place.store.with_extension("key"),
        copy.with_extension("key"),
    )
    .unwrap();
    place.succeed(&["rotate", "app"]);
    let said = place.fail(&["--store", copy.to_str().unwrap(), "rotate", "app"]);
    assert!(
        said.contains("[StaleStore]") && said.contains("hint: "),
        "{said}"
    );
    assert!(site.accepts(&place.get("app", "AWSCURRENT")).await);
    assert!(site.accepts(&place.get("app", "AWSPREVIOUS")).await);
}

#[tokio::test]
async fn a_rotation_does_not_end_because_nobody_listens() {
    let site = site_with_app().await;
    let place = with_app(&site, "deaf", &["--tag", "twinkey:min-overlap=0s"]);
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let status = place
        .command(&["rotate", "app"])
        .stderr(full())
        .status()
        .unwrap();
    assert!(status.success(), "nobody hears the progress");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = place
        .command(&["rotate", "app", "--json"])
        .stdout(writer)
        .status()
        .unwrap();
    assert!(status.success(), "nobody reads the result");
    assert_eq!(place.json(&["status", "app"])[0]["in_flight"], Value::Null);
    assert_eq!(place.live("app").await, 2);
    // Data that is lost is what the command was asked for.
    let status = place
        .command(&["get", "app"])
        .stdout(full())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn status_counts_keys_and_not_the_versions_they_are_in() {
    let site = site_with_app().await;
    let place = with_app(&site, "again", &[]);
    place.succeed(&["rotate", "app"]);
    let current = place.get("app", "AWSCURRENT");
    place.put("app", &current, &[]);
    place.put("app", &current, &[]);
    assert_eq!(place.json(&["status", "app"])[0]["live"], 2);
}

#[tokio::test]
async fn reading_a_secret_needs_no_settings_of_a_provider() {
    let site = site_with_app().await;
    let place = with_app(&site, "settings", &[]);
    let mut command = place.command(&["get", "app", "--field", "username"]);
    let output = command
        .env("TWINKEY_CA_BUNDLE", "/nonexistent/ca.pem")
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "app\n");
    let mut command = place.command(&["rotate", "app"]);
    let output = command
        .env("TWINKEY_CA_BUNDLE", "/nonexistent/ca.pem")
        .output()
        .unwrap();
    assert!(
        text(&output.stderr).contains("TWINKEY_CA_BUNDLE"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn what_is_unknown_in_a_document_survives_a_rotation_with_every_digit() {
    let site = site_with_app().await;
    let place = site.place("unknown");
    let plain = site.document("app", FIRST_PASSWORD).to_string();
    let unknown = r#""big":12345678901234567890123,"price":1.10,"exponent":1e+5,"huge":1e+400,"z":{"y":1,"x":[true,null]}"#;
    let document = format!("{},{unknown}}}", plain.strip_suffix('}').unwrap());
    assert!(place.try_put("app", &document, &[]).status.success());
    place.succeed(&["rotate", "app"]);
    let after = place.succeed(&["get", "app"]);
    assert!(after.contains(unknown), "{after}");
}

#[tokio::test]
async fn a_store_is_made_once_and_opened_only_with_its_own_key_file() {
    let site = Site::default();
    let place = site.place("once");
    let key = place.store.with_extension("key");
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let said = place.fail(&["init"]);
    assert!(said.contains("never overwritten"), "{said}");
    let other = site.place("other");
    let foreign = other.store.with_extension("key");
    let said = place.fail(&["--key-file", foreign.to_str().unwrap(), "list"]);
    assert!(
        said.contains("does not authenticate") && said.contains("hint: "),
        "{said}"
    );
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let said = place.fail(&["list"]);
    assert!(said.contains("chmod 600"), "{said}");
}
