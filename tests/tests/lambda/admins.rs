//! The admin's secret: one like any other, or one that RDS manages.

use serde_json::{Map, json};
use twinkey_core::{MIN_OVERLAP_TAG, SecretId};
use twinkey_test_postgres::SUPERUSER;
use twinkey_tests::{Account, FIRST_PASSWORD};

use crate::requests::failed;

#[tokio::test]
async fn an_admins_secret_that_rds_manages_is_read_where_the_operator_says_so_and_never_rotated() {
    const MANAGED: &str = "rds!db-TEST";
    let account = Account::open().await;
    let cluster = &account.site.cluster;
    account.put(
        MANAGED,
        &json!({"username": SUPERUSER, "password": cluster.password()}),
    );
    let fields = Map::from_iter([("OwningService".to_owned(), json!("rds"))]);
    account.aws.describe_as(MANAGED, fields);
    account.site.create_role("app").await;
    let mut document = account.document("app", FIRST_PASSWORD);
    document["masterarn"] = json!(account.aws.arn(MANAGED));
    account.put("app", &document);
    account
        .aws
        .fake()
        .tag(&SecretId::new("app"), MIN_OVERLAP_TAG, "0s");
    let arn = account.aws.arn("app");
    let mut function = account.function();

    let token = account.begin("app");
    let refused = function.rotate(&arn, &token).await.expect_err("not listed");
    let (error_type, message) = failed(refused);
    assert_eq!(error_type, "AdminHostMissing");
    let server = format!("{}:{}", cluster.host(), cluster.port());
    assert!(message.contains(&format!("TWINKEY_ADMIN_HOSTS={server}")));
    assert_eq!(account.aws.count("PutSecretValue"), 0);

    function.end().await;
    function.set("TWINKEY_ADMIN_HOSTS", server);
    function.rotate(&arn, &token).await.expect("listed");
    let token = account.begin("app");
    function.rotate(&arn, &token).await.expect("calm");
    account.assert_two_keys("app", "by RDS's master user").await;

    let before = account.at(MANAGED, &twinkey_core::Stage::Current);
    let token = account.begin(MANAGED);
    let refused = function.rotate(&account.aws.arn(MANAGED), &token).await;
    let (error_type, message) = failed(refused.expect_err("it is RDS's"));
    assert_eq!(error_type, "InvalidRequest");
    assert!(message.contains("owned by the service rds"), "{message}");
    assert_eq!(account.at(MANAGED, &twinkey_core::Stage::Current), before);
    assert!(account.at(MANAGED, &twinkey_core::Stage::Pending).is_none());
}

#[tokio::test]
async fn the_admins_own_secret_rotates_and_children_rotate_with_whichever_key_it_has() {
    const ADMIN: &str = "db/rotator";
    let account = Account::open().await;
    account.site.create_role("rotator").await;
    let root = account.site.cluster.superuser("postgres").await;
    let root = root.expect("the superuser");
    root.batch_execute("ALTER ROLE rotator CREATEROLE")
        .await
        .expect("altered");
    let own = account.aws.arn(ADMIN);
    let mut document = account.document("rotator", FIRST_PASSWORD);
    document["masterarn"] = json!(own);
    account.put(ADMIN, &document);
    account
        .aws
        .fake()
        .tag(&SecretId::new(ADMIN), MIN_OVERLAP_TAG, "0s");
    account.site.create_role("app").await;
    let mut child = account.document("app", FIRST_PASSWORD);
    child["masterarn"] = json!(own);
    account.put("app", &child);
    account
        .aws
        .fake()
        .tag(&SecretId::new("app"), MIN_OVERLAP_TAG, "0s");
    let arn = account.aws.arn("app");
    let mut function = account.function();
    for round in 0..3 {
        let token = account.begin(ADMIN);
        let rotated = function.rotate(&own, &token).await;
        rotated.unwrap_or_else(|answer| panic!("{round}: {answer:?}"));
        account.assert_two_keys(ADMIN, "the admin's").await;
        let token = account.begin("app");
        let rotated = function.rotate(&arn, &token).await;
        rotated.unwrap_or_else(|answer| panic!("{round}: {answer:?}"));
        account.assert_two_keys("app", "its child's").await;
    }
}
