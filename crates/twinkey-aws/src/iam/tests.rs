use std::time::UNIX_EPOCH;

use aws_config::{BehaviorVersion, Region};
use serde_json::{Value, json};
use twinkey_test_aws::boto3;

use super::*;

/// AWS's own client, at a moment of our choosing.
const GENERATE: &str = r"
import datetime, json, os, boto3, botocore.auth
def tokens(cases):
    for case in cases:
        moment = datetime.datetime.fromtimestamp(case['now'], datetime.timezone.utc)
        botocore.auth.get_current_datetime = lambda *_, **__: moment.replace(tzinfo=None)
        client = boto3.client('rds', region_name='us-east-1', aws_access_key_id='TEST-key',
            aws_secret_access_key='TEST-secret/+', aws_session_token=case['session'])
        yield client.generate_db_auth_token(
            case['host'], case['port'], case['user'], case['region'])
";

fn credentials(session: Option<&str>) -> Credentials {
    Credentials::new(
        "TEST-key",
        "TEST-secret/+",
        session.map(str::to_owned),
        None,
        "test",
    )
}

fn ours(case: &Value) -> String {
    let text = |field: &str| case[field].as_str();
    let login = IamLogin {
        host: text("host").unwrap(),
        port: u16::try_from(case["port"].as_u64().unwrap()).unwrap(),
        user: text("user").unwrap(),
        region: None,
    };
    let now = UNIX_EPOCH + Duration::from_secs(case["now"].as_u64().unwrap());
    let region = text("region").unwrap();
    let token = token(login, region, credentials(text("session")), now).unwrap();
    token.expose().to_owned()
}

#[test]
fn a_token_is_byte_for_byte_what_botocore_makes_at_the_same_moment() {
    let long = format!("TEST/{}==", "session+token".repeat(80));
    let mut cases = Vec::new();
    for session in [None, Some("TEST/session+token=="), Some(&long)] {
        for (host, port) in [
            ("shop.abc123.eu-central-1.rds.amazonaws.com", 5432),
            ("proxy.proxy-abc123.cn-north-1.rds.amazonaws.com.cn", 6432),
            ("127.0.0.1", 443),
            ("db.internal", 80),
        ] {
            for user in ["rotator", "a b+c/d&e=f%20~*'", "Größe_ß-日本", "."] {
                for (now, region) in [(1_700_000_000, "eu-central-1"), (0, "us-gov-west-1")] {
                    cases.push(json!({
                        "host": host, "port": port, "user": user, "region": region,
                        "session": session, "now": now,
                    }));
                }
            }
        }
    }
    let given = Value::from(cases.clone()).to_string();
    // A JSON text within a JSON text is a Python literal.
    let quoted = Value::from(given).to_string();
    let script = format!("{GENERATE}\nprint(json.dumps(list(tokens(json.loads({quoted})))))");
    let theirs: Vec<String> = serde_json::from_str(&boto3("", &script)).unwrap();
    assert_eq!(theirs.len(), cases.len());
    for (case, theirs) in cases.iter().zip(&theirs) {
        assert_eq!(ours(case), *theirs, "{case}");
        assert!(theirs.contains("X-Amz-Expires=900&"));
    }
}

fn iam(region: Option<&'static str>, credentials: Option<Credentials>) -> Iam {
    let mut config = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12());
    config.set_region(region.map(Region::new));
    config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
    Iam::new(&config.build(), Patience::default())
}

const LOGIN: IamLogin<'static> = IamLogin {
    host: "db.internal",
    port: 5432,
    user: "rotator",
    region: None,
};

#[tokio::test]
async fn the_documents_region_comes_before_the_environments_and_one_there_must_be() {
    let here = iam(Some("eu-west-1"), Some(credentials(None)));
    let told = here.token(LOGIN).await.unwrap();
    assert!(told.expose().contains("%2Feu-west-1%2Frds-db%2F"));
    let login = IamLogin {
        region: Some("eu-north-1"),
        ..LOGIN
    };
    let told = here.token(login).await.unwrap();
    assert!(told.expose().contains("%2Feu-north-1%2Frds-db%2F"));
    let nowhere = iam(None, Some(credentials(None)));
    let nowhere = nowhere.token(LOGIN).await.unwrap_err();
    assert!(matches!(nowhere, StoreError::Invalid { field, .. } if field == "region"));
}

#[tokio::test]
async fn without_credentials_there_is_no_token_and_no_wait() {
    let nobody = iam(Some("eu-west-1"), None);
    let error = nobody.token(LOGIN).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { action, .. } if action == ACTION));
    for (cause, transient) in [
        (CredentialsError::not_loaded("TEST"), false),
        (CredentialsError::invalid_configuration("TEST"), false),
        (CredentialsError::provider_error("TEST"), false),
        (
            CredentialsError::provider_timed_out(Duration::from_secs(1)),
            true,
        ),
    ] {
        let error = lacking(&cause);
        assert_eq!(matches!(error, StoreError::Transient { .. }), transient);
        assert!(!error.to_string().contains("TEST"), "{error}");
    }
}
