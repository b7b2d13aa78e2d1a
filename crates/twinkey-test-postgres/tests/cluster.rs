//! The cluster does what tests rely on.

#![allow(clippy::unwrap_used)]

use twinkey_test_postgres::{Cluster, ClusterError, Options};

async fn with_role(options: Options) -> Cluster {
    let cluster = Cluster::start(&options).unwrap();
    let admin = cluster.superuser("postgres").await.unwrap();
    admin
        .batch_execute("CREATE ROLE app LOGIN PASSWORD 'planted-password'")
        .await
        .unwrap();
    cluster
}

#[tokio::test]
async fn a_live_password_is_told_from_a_dead_one_and_the_log_holds_what_was_said() {
    let cluster = with_role(Options::default()).await;
    let live = |password| cluster.can_log_in("app", password, "postgres");
    assert!(live("planted-password").await.unwrap());
    assert!(!live("another").await.unwrap());
    assert!(cluster.log().contains("planted-password"));
}

#[tokio::test]
async fn a_stopped_server_is_an_error_and_never_a_dead_password() {
    let cluster = with_role(Options::default()).await;
    cluster.stop().unwrap();
    let answer = cluster.can_log_in("app", "another", "postgres").await;
    assert!(matches!(answer, Err(ClusterError::Server(_))));
    cluster.resume().unwrap();
    assert!(
        cluster
            .can_log_in("app", "planted-password", "postgres")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn new_hba_lines_hold_as_soon_as_they_are_set() {
    let cluster = with_role(Options::default()).await;
    cluster
        .set_hba(&["hostssl all all 127.0.0.1/32 trust"])
        .unwrap();
    assert!(
        cluster
            .can_log_in("app", "anything", "postgres")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_frozen_server_answers_again_once_thawed() {
    let cluster = with_role(Options::default()).await;
    cluster.freeze().unwrap();
    let login = cluster.can_log_in("app", "planted-password", "postgres");
    let mut login = std::pin::pin!(login);
    let patience = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, &mut login).await.is_err());
    cluster.thaw().unwrap();
    assert!(login.await.unwrap());
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "run by a_killed_process_leaves_no_server_behind"]
fn a_process_with_a_cluster() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    std::fs::write(
        std::env::var_os("PORT_FILE").unwrap(),
        cluster.port().to_string(),
    )
    .unwrap();
    std::thread::park();
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_process_leaves_no_server_behind() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("port");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_process_with_a_cluster"])
        .env("PORT_FILE", &file)
        .env("TMPDIR", directory.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let connects = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let port = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if let Ok(port) = text.parse() {
            break port;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!(connects(port));
    child.kill().unwrap();
    child.wait().unwrap();
    while connects(port) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_left_of_a_dropped_cluster() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let (ca, port) = (cluster.ca_path(), cluster.port());
    assert!(ca.is_file());
    drop(cluster);
    assert!(!ca.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
