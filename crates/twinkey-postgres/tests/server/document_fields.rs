//! Fields that others read from the same document.

use serde_json::json;

use crate::scene::{PASSWORD, Scene};

#[tokio::test]
async fn a_url_in_the_document_logs_in_after_every_rotation_and_the_port_keeps_its_form() {
    let mut scene = Scene::start().await;
    let (host, port) = (scene.cluster.host(), scene.cluster.port());
    let mut document = scene.document("app");
    document["port"] = json!(port.to_string());
    document["url"] = json!(format!(
        "postgresql://app:{PASSWORD}@{host}:{port}/postgres"
    ));
    document["team"] = json!({"name": "shop"});
    let mut current = scene.put(&document);
    for _ in 0..3 {
        current = scene.rotate(&current).await.unwrap();
        let document = current.document();
        assert_eq!(document["port"], json!(port.to_string()));
        assert_eq!(document["team"], json!({"name": "shop"}));
        let url = document["url"].as_str().unwrap();
        let expected = format!(
            "postgresql://{}:{}@{host}:{port}/postgres",
            current.user(),
            current.password()
        );
        assert_eq!(url, expected);
        assert!(scene.is_live(&current).await);
    }
}
