//! The wire: AWS's own Python client reads and writes the fake.

use twinkey_test_aws::{SecretsManagerServer, boto3};
use twinkey_testkit::{FakeClock, FakeSecretsManager};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn awss_own_client_understands_every_answer() {
    let clock = FakeClock::default();
    let fake = FakeSecretsManager::new(clock.clone());
    let server = SecretsManagerServer::start(fake, clock).await;
    let endpoint = server.endpoint();
    let told = tokio::task::spawn_blocking(move || boto3(&endpoint, include_str!("person.py")));
    let told = told.await.expect("the script ended");
    assert_eq!(told, include_str!("expected.txt"));
}
