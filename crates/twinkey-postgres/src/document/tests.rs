use rand::SeedableRng;
use serde_json::json;

use super::*;

fn document() -> Value {
    json!({
        "engine": "postgres", "host": "db.internal", "port": "5432", "username": "app",
        "password": "TEST-old", "dbname": "shop", "masterarn": "admin",
    })
}

fn with(changes: Value) -> Value {
    let (Value::Object(mut fields), Value::Object(changes)) = (document(), changes) else {
        panic!("objects")
    };
    fields.extend(changes);
    fields.into()
}

fn parse(document: &Value) -> Result<PostgresSecret, DocumentError> {
    PostgresSecret::parse(&SecretValue::new(document.to_string()))
}

fn complete(document: &Value) -> PostgresSecret {
    parse(document)
        .unwrap()
        .completed("app_clone", "app")
        .unwrap()
}

fn successor(current: &PostgresSecret) -> PostgresSecret {
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    current.successor(&mut random).unwrap()
}

#[test]
fn unknown_fields_and_their_order_survive_and_the_port_stays_as_it_was_given() {
    let text = r#"{"zeta":1,"engine":"postgres","host":"db.internal","port":"5432","username":"app","password":"TEST-old","note":{"b":1,"a":[2]},"masterarn":"admin"}"#;
    let secret = PostgresSecret::parse(&SecretValue::new(text.into())).unwrap();
    assert_eq!(secret.render().expose(), text);
    let next = successor(&secret.completed("app_clone", "app").unwrap());
    let expected = text
        .replace("\"app\"", "\"app_clone\"")
        .replace("TEST-old", next.password().expose_secret())
        .replace('}', ",\"twin\":\"app\",\"owner\":\"app\"}")
        .replace("[2],\"twin\":\"app\",\"owner\":\"app\"}", "[2]}");
    assert_eq!(next.render().expose(), expected);
}

#[test]
fn numbers_of_others_keep_every_digit() {
    let numbers = "12345678901234567890123,1.10,1e+5,1e+400,1e-7,-0,-0.0,0.10000000000000000001";
    let text = format!(
        "{{\"engine\":\"postgres\",\"host\":\"db.internal\",\"port\":5432,\"username\":\"app\",\
         \"password\":\"TEST-old\",\"note\":[{numbers}]}}"
    );
    let secret = PostgresSecret::parse(&SecretValue::new(text.clone())).unwrap();
    assert_eq!(secret.address().port, 5432);
    assert_eq!(secret.render().expose(), text);
    // The parser spells exponents in one way; the number is the same.
    let other = text.replace("e+5", "E5").replace("e+400", "e400");
    let other = PostgresSecret::parse(&SecretValue::new(other)).unwrap();
    assert_eq!(other.render().expose(), text);
    let next = successor(&secret.completed("app_clone", "app").unwrap());
    assert!(next.render().expose().contains(&format!("[{numbers}]")));
}

#[test]
fn a_number_that_is_the_password_is_a_copy_of_it_however_long_it_is() {
    for password in ["4711", "12345678901234567890123", "1.10"] {
        let text = with(json!({"password": password, "pin": 0})).to_string();
        let text = text.replace("\"pin\":0", &format!("\"pin\":{password}"));
        let error = PostgresSecret::parse(&SecretValue::new(text)).unwrap_err();
        assert_eq!(error.field, "/pin");
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused_by_name() {
    for (text, field) in [
        (
            r#"{"password":"TEST-old","password":"TEST-new"}"#,
            "password",
        ),
        (r#"{"note":{"b":1,"b":1}}"#, "/note/b"),
    ] {
        let error = PostgresSecret::parse(&SecretValue::new(text.into())).unwrap_err();
        assert_eq!(error.to_string(), format!("field {field}: is there twice"));
    }
}

#[test]
fn p8_nothing_of_the_password_is_in_the_debug_form() {
    assert!(!format!("{:?}", parse(&document()).unwrap()).contains("TEST-old"));
}

#[test]
fn p11_what_is_wrong_is_refused_by_field_and_without_its_value() {
    for (changes, field) in [
        (json!({"engine": "mysql"}), "engine"),
        (json!({"host": "TEST-old/socket"}), "host"),
        (json!({"host": "a,b"}), "host"),
        (json!({"host": ""}), "host"),
        (json!({"port": 0}), "port"),
        (json!({"port": 65536}), "port"),
        (json!({"port": "5432x"}), "port"),
        (json!({"port": -1}), "port"),
        (json!({"port": "+5432"}), "port"),
        (json!({"username": ""}), "username"),
        (json!({"username": 7}), "username"),
        (json!({"username": "a\u{0}b"}), "username"),
        (json!({"username": "ü".repeat(32)}), "username"),
        (json!({"password": ""}), "password"),
        (json!({"password": null}), "password"),
        (json!({"password": "TEST\u{0}old"}), "password"),
        (json!({"dbname": "x".repeat(64)}), "dbname"),
        (json!({"masterarn": 1}), "masterarn"),
        (json!({"username": "public"}), "username"),
        (json!({"twin": "app"}), "twin"),
        (json!({"twin": "none"}), "twin"),
        (json!({"owner": "pg_database_owner"}), "owner"),
        (json!({"owner": "x".repeat(64)}), "owner"),
        (json!({"sslmode": "prefer"}), "sslmode"),
        (json!({"sslmode": "allow"}), "sslmode"),
        (json!({"sslmode": "verify"}), "sslmode"),
        (json!({"ssl": "maybe"}), "ssl"),
        (json!({"channel_binding": "disable"}), "channel_binding"),
        (json!({"channel_binding": true}), "channel_binding"),
        (
            json!({"channel_binding": "require", "sslmode": "disable"}),
            "channel_binding",
        ),
        (json!({"sslmode": "require", "ssl": false}), "ssl"),
        (json!({"dsn": "password=TEST-old"}), "/dsn"),
    ] {
        let error = parse(&with(changes)).unwrap_err();
        assert_eq!(error.field, field);
        assert!(!error.to_string().contains("TEST"));
    }
    for text in ["", "[]", "\"TEST-old\"", "{\"password\": \"TEST-old\""] {
        let error = PostgresSecret::parse(&SecretValue::new(text.into())).unwrap_err();
        assert_eq!(error.to_string(), "field document: is not a JSON object");
    }
}

#[test]
fn tls_is_off_only_where_the_document_plainly_says_so() {
    for (changes, mode) in [
        (json!({}), TlsMode::Verified),
        (json!({"sslmode": "require"}), TlsMode::Verified),
        (json!({"sslmode": "verify-ca"}), TlsMode::Verified),
        (
            json!({"sslmode": "verify-full", "ssl": true}),
            TlsMode::Verified,
        ),
        (json!({"sslmode": "disable"}), TlsMode::Plaintext),
        (json!({"ssl": false}), TlsMode::Plaintext),
        (json!({"ssl": "False"}), TlsMode::Plaintext),
    ] {
        assert_eq!(parse(&with(changes)).unwrap().tls, mode);
    }
}

#[test]
fn the_pair_changes_sides_with_every_rotation_and_the_owner_stays() {
    let first = complete(&document());
    let second = successor(&first);
    let third = successor(&second);
    assert_eq!(
        (second.username(), second.twin()),
        ("app_clone", Some("app"))
    );
    assert_eq!((third.username(), third.twin()), ("app", Some("app_clone")));
    assert_eq!((second.owner(), third.owner()), (Some("app"), Some("app")));
    second.continues(&first).unwrap();
    third.continues(&second).unwrap();
    second.continues(&parse(&document()).unwrap()).unwrap();
    let parsed = PostgresSecret::parse(&second.render()).unwrap();
    parsed.continues(&first).unwrap();
}

#[test]
fn p10_a_pending_document_that_points_elsewhere_is_refused_by_field() {
    let current = complete(&document());
    let good: Value = serde_json::from_str(successor(&current).render().expose()).unwrap();
    for (field, value) in [
        ("host", json!("evil.internal")),
        ("port", json!(5433)),
        ("dbname", json!("other")),
        ("masterarn", json!("other")),
        ("sslmode", json!("disable")),
        ("channel_binding", json!("require")),
        ("twin", json!("else")),
        ("username", json!("else")),
        ("owner", json!("postgres")),
    ] {
        let mut pending = good.clone();
        pending[field] = value;
        let error = parse(&pending).unwrap().continues(&current).unwrap_err();
        assert_eq!(error.field, field);
    }
}

#[test]
fn without_a_twin_the_clone_or_the_original_of_a_clone_may_follow() {
    let clone = parse(&with(json!({"username": "app_clone"}))).unwrap();
    for (username, follows) in [("app", true), ("app_clone_clone", true), ("other", false)] {
        let changes = json!({"username": username, "twin": "app_clone"});
        let pending = parse(&with(changes)).unwrap();
        assert_eq!(pending.continues(&clone).is_ok(), follows, "{username}");
    }
}

#[test]
fn a_clone_name_that_does_not_fit_is_refused_before_anything_is_done() {
    let name = "x".repeat(58);
    let secret = parse(&with(json!({"username": name}))).unwrap();
    let error = secret.completed(&secret.clone_name(), "app").unwrap_err();
    assert_eq!(error.field, "twin");
}
