//! P8: no value where it does not belong, on any path, at any log level.

use serde_json::{Value, json};
use twinkey_tests::{Place, Site, forms, leaks, text};

/// A password in which every encoding looks different from the password itself.
const AWKWARD: &str = "TEST p+ss/w%rd?&=";

/// Everything that the program writes, at the most talkative level.
fn everything(place: &Place<'_>, arguments: &[&str]) -> String {
    let mut command = place.command(arguments);
    let output = command
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("the program starts");
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_planted_value_is_found_in_every_form() {
    for form in forms(AWKWARD) {
        assert!(
            leaks(&format!("a log line with {form} in it"), AWKWARD),
            "{form}"
        );
    }
    assert!(!leaks("a log line", AWKWARD));
}

#[tokio::test]
async fn p8_no_password_in_any_output_or_in_the_servers_log_on_any_path() {
    let site = Site::default();
    let admin = site.cluster.superuser("postgres").await.unwrap();
    let quoted = AWKWARD.replace('\'', "''");
    admin
        .batch_execute(&format!("CREATE ROLE app LOGIN PASSWORD '{quoted}'"))
        .await
        .unwrap();
    let place = site.place("leaks");
    place.put(
        "app",
        &site.document("app", AWKWARD),
        &["--tag", "twinkey:min-overlap=0s"],
    );
    let before = site.cluster.log().len();
    let mut values = vec![AWKWARD.to_owned(), site.cluster.password().to_owned()];
    let mut streams = Vec::new();
    for path in paths() {
        streams.push(prepare_and_run(&site, &place, path));
        for stage in ["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"] {
            values.extend(password(&place, stage));
        }
    }
    streams.push(site.cluster.log().split_off(before));
    // The scan sees what is there: in each stream the role's name, in a planted one the value.
    for (number, stream) in streams.iter().enumerate() {
        assert!(
            stream.contains("app"),
            "stream {number} is not what we think it is: {stream}"
        );
        for value in &values {
            assert!(
                leaks(&format!("{stream}{value}"), value),
                "the scan does not find a planted value"
            );
            assert!(!leaks(stream, value), "a value leaks into stream {number}");
        }
    }
    assert!(values.len() > 6, "the rotations made no new passwords");
}

/// What happens on a path, before the program runs, and with which arguments it runs.
type Path = (&'static str, &'static [&'static str]);

fn paths() -> [Path; 8] {
    [
        ("", &["rotate", "app"]),
        ("", &["rotate", "app", "--json"]),
        ("", &["status", "app"]),
        ("wrong current", &["rotate", "app"]),
        ("stray field", &[]),
        ("wrong admin", &["rotate", "app"]),
        ("wrong authority", &["rotate", "app", "--json"]),
        ("server down", &["rotate", "app"]),
    ]
}

fn prepare_and_run(site: &Site, place: &Place<'_>, (what, arguments): Path) -> String {
    let current = place.get("app", "AWSCURRENT");
    let mut changed = current.clone();
    match what {
        "wrong current" => changed["password"] = json!("TEST wr+ng/current"),
        "stray field" => {
            changed["note"] = json!(format!(
                "see {AWKWARD} and {}",
                text_of(&current["password"])
            ));
        }
        "wrong admin" => place.put("admin", &site.document("postgres", "TEST wr+ng/admin"), &[]),
        "server down" => site.cluster.stop().expect("stopped"),
        _ => {}
    }
    if what == "stray field" {
        let output = place.try_put("app", &changed.to_string(), &[]);
        assert!(!output.status.success());
        return format!("app {}\n{}", text(&output.stdout), text(&output.stderr));
    }
    if changed != current {
        place.put("app", &changed, &[]);
    }
    let stream = if what == "wrong authority" {
        let mut command = place.command(arguments);
        command
            .env("TWINKEY_CA_BUNDLE", site.cluster.foreign_ca_path())
            .env("RUST_LOG", "trace");
        let output = command.output().expect("the program starts");
        format!("app {}\n{}", text(&output.stdout), text(&output.stderr))
    } else {
        everything(place, arguments)
    };
    if changed != current {
        place.put("app", &current, &[]);
    }
    if what == "wrong admin" {
        place.put(
            "admin",
            &site.document("postgres", site.cluster.password()),
            &[],
        );
    }
    format!("{what} app: {stream}")
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn password(place: &Place<'_>, stage: &str) -> Option<String> {
    let output = place.run(&["get", "app", "--stage", stage]);
    let document: Value = serde_json::from_slice(&output.stdout).ok()?;
    document["password"].as_str().map(Into::into)
}
