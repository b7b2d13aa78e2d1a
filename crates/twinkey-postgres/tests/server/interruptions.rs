//! The admin's connection, cut or dead after any byte in either direction.

use serde_json::json;
use twinkey_core::{Choose, ErrorKind, Provider};
use twinkey_postgres::PostgresProvider;
use twinkey_testkit::NothingChanged;

use crate::proxy::{Direction, End, Proxy};
use crate::scene::{Scene, Stored, address, impatient, path, settings, soon};

/// The admin reaches the server through the proxy, consumers do not.
fn behind(scene: &Scene, proxy: &Proxy) -> PostgresProvider {
    let mut admin = scene.admin_document();
    admin["port"] = json!(proxy.port);
    scene.memory.put("admin", &admin);
    let bundle = path(scene.cluster.ca_path());
    let child = format!("127.0.0.1:{}", scene.cluster.port());
    let variables = [
        ("TWINKEY_CA_BUNDLE", bundle.as_str()),
        ("TWINKEY_ADMIN_HOSTS", &child),
    ];
    let settings = settings(&variables).with_timeouts(impatient());
    PostgresProvider::new(settings, scene.memory.clone())
}

async fn start(direction: Direction) -> (Scene, Proxy, Stored, usize) {
    let mut scene = Scene::start().await;
    let proxy = Proxy::start(scene.cluster.port());
    scene.provider = std::sync::Arc::new(behind(&scene, &proxy));
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let pending = scene.create(&second).await.unwrap();
    proxy.mend();
    scene.apply(&second, &pending).await.unwrap();
    let whole = proxy.carried(direction);
    (scene, proxy, pending, whole)
}

async fn cut_everywhere(direction: Direction) {
    const CUTS: usize = 24;
    let (mut scene, proxy, mut current, whole) = start(direction).await;
    let mut failures = 0;
    for cut in 0..CUTS {
        let pending = scene.create(&current).await.unwrap();
        proxy.end_after(direction, whole * cut / CUTS, End::Cut);
        if let Err(error) = scene.apply(&current, &pending).await {
            assert_eq!(error.kind, ErrorKind::Transient, "{error:?}");
            failures += 1;
        }
        proxy.mend();
        assert!(scene.is_live(&current).await);
        // Delivered again, it ends like an undisturbed one.
        scene.apply(&current, &pending).await.unwrap();
        assert!(scene.is_live(&current).await && scene.is_live(&pending).await);
        current = pending;
    }
    assert!(failures > CUTS / 2, "{failures} of {CUTS}");
}

#[tokio::test]
async fn p5_requests_lost_after_any_byte() {
    cut_everywhere(Direction::ToServer).await;
}

#[tokio::test]
async fn p5_replies_lost_after_any_byte() {
    cut_everywhere(Direction::ToClient).await;
}

#[tokio::test]
async fn p1_the_first_rotation_cut_after_any_byte_leaves_the_original_and_may_be_repeated() {
    const CUTS: usize = 12;
    let (mut scene, proxy, ..) = start(Direction::ToServer).await;
    for cut in 1..=CUTS {
        let role = format!("app{cut}");
        scene.address = address(&role);
        scene.application(&role).await;
        let document = scene.document(&role);
        let first = scene.put(&document);
        let pending = scene.create(&first).await.unwrap();
        proxy.end_after(Direction::ToServer, 400 * cut, End::Cut);
        let _ = scene.apply(&first, &pending).await;
        proxy.mend();
        assert!(scene.is_live(&first).await);
        scene.apply(&first, &pending).await.unwrap();
        assert!(scene.is_live(&first).await && scene.is_live(&pending).await);
    }
}

#[tokio::test]
async fn p11_a_server_that_falls_silent_in_the_middle_of_a_change() {
    let (mut scene, proxy, current, whole) = start(Direction::ToClient).await;
    let pending = scene.create(&current).await.unwrap();
    for part in [2, 9] {
        proxy.end_after(Direction::ToClient, whole * part / 10, End::Dead);
        let error = soon(scene.apply(&current, &pending)).await.unwrap_err();
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Transient, "ServerTimeout")
        );
        proxy.mend();
        assert!(scene.is_live(&current).await);
    }
    scene.apply(&current, &pending).await.unwrap();
    scene.provider.verify(&pending.secret).await.unwrap();
}

#[tokio::test]
async fn p5_an_invocation_frozen_within_its_change_is_in_nobodys_way() {
    let (mut scene, proxy, current, whole) = start(Direction::ToServer).await;
    let frozen = scene.create(&current).await.unwrap();
    let fence = scene.fence(&current, &frozen);
    let bundle = path(scene.cluster.ca_path());
    // The end of the change never arrives, and the one who sent it does nothing any more.
    proxy.end_after(Direction::ToServer, whole * 8 / 10, End::Dead);
    let provider = scene.provider.clone();
    let mut apply = Box::pin(provider.apply(&frozen.secret, &fence, &NothingChanged));
    let moment = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(moment, &mut apply).await.is_err());
    scene.memory.put("admin", &scene.admin_document());
    let variables = [("TWINKEY_CA_BUNDLE", bundle.as_str())];
    let direct = settings(&variables).with_timeouts(impatient());
    scene.provider = std::sync::Arc::new(PostgresProvider::new(direct, scene.memory.clone()));
    let later = scene.create(&current).await.unwrap();
    scene.apply(&current, &later).await.unwrap();
    assert_eq!(apply.await.unwrap_err().kind, ErrorKind::Transient);
    assert!(scene.is_live(&current).await && scene.is_live(&later).await);
    assert!(!scene.is_live(&frozen).await);
}
