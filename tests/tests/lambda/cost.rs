//! What one rotation costs: exact counts, so that a further call is a decision.

use std::collections::BTreeMap;

use twinkey_tests::Account;

/// Calls to Secrets Manager of one later rotation of a password, by operation, the admin's secret included.
const CALLS: [(&str, usize); 4] = [
    ("DescribeSecret", 3),
    ("GetSecretValue", 7),
    ("PutSecretValue", 1),
    ("UpdateSecretVersionStage", 1),
];
/// Connections of one rotation, by user: the admin's, the current key's and the pending one's.
const CONNECTIONS: [(&str, usize); 3] = [("postgres", 2), ("app", 1), ("app_clone", 2)];

fn count_by<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    names.fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

#[tokio::test]
async fn a_rotation_makes_so_many_calls_and_connections_and_no_more() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let first = account.begin("app");
    function.rotate(&arn, &first).await.expect("calm");
    drop(account.aws.take_calls());
    let before = account.site.cluster.log().len();

    let token = account.begin("app");
    function.rotate(&arn, &token).await.expect("calm");

    let calls = account.aws.take_calls();
    let calls = count_by(calls.iter().map(String::as_str));
    let log = account.site.cluster.log().split_off(before);
    let authorized = log.split("connection authorized: user=").skip(1);
    let users = authorized.filter_map(|rest| rest.split_whitespace().next());
    let connections = count_by(users);
    let statements = log.matches("statement: ").count() + log.matches("execute ").count();
    let total = |counts: &BTreeMap<&str, usize>| counts.values().sum::<usize>();
    eprintln!(
        "one rotation: {} calls to Secrets Manager {calls:?}, {} connections {connections:?}, \
         {statements} statements",
        total(&calls),
        total(&connections),
    );
    assert_eq!(calls, BTreeMap::from(CALLS));
    assert_eq!(connections, BTreeMap::from(CONNECTIONS));
}
