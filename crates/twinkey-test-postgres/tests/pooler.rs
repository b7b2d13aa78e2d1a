//! The throwaway pooler itself.

#![allow(clippy::unwrap_used)]

use twinkey_test_postgres::{Cluster, Options, POOLER_ROLE, PoolMode, Pooler};

async fn pooled() -> (Cluster, Pooler) {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let asks = "auth_query = SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1";
    let pooler = Pooler::start(&cluster, PoolMode::Session, &[asks]).unwrap();
    let password = pooler.password();
    let role = format!("CREATE ROLE {POOLER_ROLE} SUPERUSER LOGIN PASSWORD '{password}'");
    let app = "CREATE ROLE app LOGIN PASSWORD 'TEST-app'";
    let root = cluster.superuser("postgres").await.unwrap();
    root.batch_execute(&format!("{role}; {app}")).await.unwrap();
    (cluster, pooler)
}

#[tokio::test]
async fn the_right_password_opens_it_and_another_does_not() {
    let (_cluster, pooler) = pooled().await;
    let can_log_in = |password| pooler.can_log_in("app", password, "postgres");
    assert!(can_log_in("TEST-app").await.unwrap());
    assert!(!can_log_in("TEST-other").await.unwrap());
    let version = pooler.console("SHOW VERSION").await.unwrap();
    assert!(version[0]["version"].starts_with("PgBouncer"));
    assert!(pooler.log().contains("login attempt"));
}

#[tokio::test]
async fn a_pooler_without_a_server_is_an_error_and_never_a_dead_password() {
    let (cluster, pooler) = pooled().await;
    cluster.stop().unwrap();
    pooler.console("SET query_wait_timeout = 1").await.unwrap();
    let answer = pooler.can_log_in("app", "TEST-app", "postgres").await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_pooler() {
    let (_cluster, pooler) = pooled().await;
    let address = (pooler.host(), pooler.port());
    drop(pooler);
    assert!(std::net::TcpStream::connect(address).is_err());
}
