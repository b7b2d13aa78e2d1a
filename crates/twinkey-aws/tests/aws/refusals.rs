//! Each way to be refused, and that none shows a value.

use std::time::Duration;

use aws_sdk_secretsmanager::config::SharedCredentialsProvider;
use serde_json::{Map, Value, json};
use twinkey_aws::{Patience, SecretsManagerStore};
use twinkey_core::{Selector, Stage, Store, StoreError};
use twinkey_test_aws::Trouble;

use crate::world::{PARTS, VALUE, World, config};

/// The four operations, each refused in the same way.
async fn all_refused(world: &World, trouble: Trouble) -> [StoreError; 4] {
    for operation in OPERATIONS {
        // The SDK tries three times.
        for _ in 0..3 {
            world.server.next(operation, trouble);
        }
    }
    all_errors(world).await
}

const OPERATIONS: [&str; 4] = [
    "DescribeSecret",
    "GetSecretValue",
    "PutSecretValue",
    "UpdateSecretVersionStage",
];

async fn all_errors(world: &World) -> [StoreError; 4] {
    let (store, secret) = (&world.store, &world.secret);
    let at = Selector::Stage(Stage::Current);
    [
        store.describe(secret).await.expect_err("describe"),
        store.read(secret, &at).await.expect_err("read"),
        world.put().await.expect_err("put"),
        world.promote().await.expect_err("move"),
    ]
}

fn told(error: &StoreError) -> String {
    format!("{}: {error}", error.code())
}

#[tokio::test]
async fn p11_a_denial_names_the_action_and_the_resource() {
    let world = World::begun().await;
    let errors = all_refused(&world, Trouble::Deny).await;
    let arn = world.server.arn("db/app");
    for (error, operation) in errors.iter().zip(OPERATIONS) {
        let expected = format!(
            "StoreDenied: secretsmanager:{operation} was denied: on {arn}: no policy of the caller allows it"
        );
        assert_eq!(told(error), expected);
        assert_eq!(world.server.count(operation), 1, "a denial is not repeated");
    }
}

#[tokio::test]
async fn p11_a_kms_key_that_refuses_is_told_apart() {
    for trouble in [Trouble::DenyKms, Trouble::BrokenKms] {
        let world = World::begun().await;
        let [_, read, put, _] = all_refused(&world, trouble).await;
        let on_key = "was denied: on the KMS key of db/app";
        let read = told(&read);
        assert!(
            read.starts_with(&format!("StoreDenied: kms:Decrypt {on_key}")),
            "{read}"
        );
        let put = told(&put);
        let expected = format!("StoreDenied: kms:GenerateDataKey {on_key}");
        assert!(put.starts_with(&expected), "{put}");
    }
}

#[tokio::test]
async fn p11_credentials_that_are_not_accepted_are_a_denial() {
    let world = World::begun().await;
    for error in all_refused(&world, Trouble::ExpiredCredentials).await {
        let told = told(&error);
        assert!(told.starts_with("StoreDenied: secretsmanager:"), "{told}");
        assert!(told.contains("ExpiredTokenException"), "{told}");
    }
}

#[tokio::test]
async fn p11_a_caller_without_credentials_is_told_so() {
    let world = World::begun().await;
    let without = config(&world.server.endpoint()).into_builder();
    let without = without
        .credentials_provider(SharedCredentialsProvider::new(Nobody))
        .build();
    let world = World {
        store: SecretsManagerStore::new(&without, Patience::default()),
        ..world
    };
    for error in all_errors(&world).await {
        let told = told(&error);
        assert!(told.contains("no AWS credentials were found"), "{told}");
    }
    assert!(world.server.take_calls().is_empty());
}

#[derive(Debug)]
struct Nobody;

impl aws_sdk_secretsmanager::config::ProvideCredentials for Nobody {
    fn provide_credentials<'a>(
        &'a self,
    ) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = aws_credential_types::provider::error::CredentialsError::not_loaded("TEST");
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(error))
    }
}

#[tokio::test]
async fn a_rate_that_stays_exceeded_and_a_service_that_stays_broken_are_transient() {
    for trouble in [Trouble::Throttle, Trouble::Break] {
        let world = World::begun().await;
        for error in all_refused(&world, trouble).await {
            assert!(matches!(error, StoreError::Transient { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn p11_every_call_ends_in_time() {
    let world = World::patient(Duration::from_millis(300)).await;
    world.begin();
    for error in all_refused(&world, Trouble::Hang).await {
        let told = told(&error);
        assert!(told.starts_with("StoreUnavailable: "), "{told}");
        assert!(told.contains("no answer in time"), "{told}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_transient() {
    let world = World::begun().await;
    let closed = World::new().await.server.endpoint();
    let store = SecretsManagerStore::new(&config(&closed), Patience::default());
    let world = World { store, ..world };
    for error in all_errors(&world).await {
        let told = told(&error);
        assert!(told.contains("the connection was refused"), "{told}");
    }
}

#[tokio::test]
async fn p11_a_secret_that_is_not_ours_to_rotate_is_refused_with_the_reason() {
    let cases = [
        (json!({"OwningService": "rds"}), "owned by the service rds"),
        (
            json!({"Type": "TestPartner"}),
            "managed external secret of type TestPartner",
        ),
        (
            json!({"PrimaryRegion": "us-east-1"}),
            "primary region, us-east-1",
        ),
        (
            json!({"DeletedDate": 1_767_225_600.5}),
            "scheduled for deletion",
        ),
    ];
    let world = World::begun().await;
    for (fields, reason) in cases {
        world.server.describe_as("db/app", object(fields));
        let error = world.store.describe(&world.secret).await.expect_err(reason);
        assert!(told(&error).contains(reason), "{error}");
    }
    let primary = json!({"PrimaryRegion": "eu-central-1", "OwningService": ""});
    world.server.describe_as("db/app", object(primary));
    let described = world.store.describe(&world.secret).await;
    described.expect("the primary of replicas is ours");
}

fn object(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => panic!("an object"),
    }
}

/// The server quotes the request, sends back what is no answer, or refuses in every other way; and the
/// conflict of a value with another.
#[tokio::test]
async fn p8_no_error_shows_a_value() {
    let mut errors = Vec::new();
    for trouble in [
        Trouble::Quote,
        Trouble::Garble,
        Trouble::Throttle,
        Trouble::Deny,
        Trouble::DenyKms,
        Trouble::BrokenKms,
        Trouble::ExpiredCredentials,
        Trouble::Break,
        Trouble::DropBefore,
    ] {
        let world = World::begun().await;
        errors.extend(all_refused(&world, trouble).await);
    }
    let world = World::begun().await;
    let other = twinkey_core::SecretValue::new(VALUE.replace("ä", "ö"));
    world.put_as_pending(&other).await.expect("stored");
    let error = world.put().await.expect_err("another value");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    errors.push(error);
    let shown: Vec<String> = errors
        .iter()
        .map(|error| format!("{error} {error:?}"))
        .collect();
    let shown = shown.join("\n");
    let found = |text: &str| PARTS.iter().any(|part| text.contains(part));
    assert!(
        found(&format!("{shown}{VALUE}")),
        "the scan finds a planted value"
    );
    assert!(!found(&shown), "{shown}");
    assert_eq!(shown.lines().count(), 9 * 4 + 1);
}
