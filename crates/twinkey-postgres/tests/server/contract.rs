//! What every provider must do.

use twinkey_testkit::{ProviderUnderTest, provider_contract};

use crate::scene::Scene;

#[tokio::test]
async fn the_provider_contract_holds() {
    let mut scene = Scene::start().await;
    let current = scene.put_app();
    provider_contract(ProviderUnderTest {
        provider: scene.provider.as_ref().clone(),
        current: current.secret,
    })
    .await;
}
