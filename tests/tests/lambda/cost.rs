//! What one rotation costs: exact counts, so that a further call is a decision.

use twinkey_tests::{Account, Cost, Counts};

/// Calls to Secrets Manager of one later rotation of a password, by operation, the admin's secret included.
const CALLS: [(&str, usize); 4] = [
    ("DescribeSecret", 3),
    ("GetSecretValue", 7),
    ("PutSecretValue", 1),
    ("UpdateSecretVersionStage", 1),
];
/// Connections of one rotation, by user: the admin's, the current key's and the pending one's.
const CONNECTIONS: [(&str, usize); 3] = [("app", 1), ("app_clone", 2), ("postgres", 2)];
/// Statements of one rotation, by user.
const STATEMENTS: [(&str, usize); 3] = [("app", 1), ("app_clone", 2), ("postgres", 4)];

fn counts<const N: usize>(expected: [(&str, usize); N]) -> Counts {
    expected.map(|(name, count)| (name.into(), count)).into()
}

#[tokio::test]
async fn a_rotation_makes_so_many_calls_connections_and_statements_and_no_more() {
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function();
    let first = account.begin("app");
    function.rotate(&arn, &first).await.expect("calm");

    let cost = Cost::of_a_rotation(&account, &mut function, "app").await;

    assert_eq!(cost.calls, counts(CALLS));
    assert_eq!(cost.connections, counts(CONNECTIONS));
    assert_eq!(cost.statements, counts(STATEMENTS));
}
