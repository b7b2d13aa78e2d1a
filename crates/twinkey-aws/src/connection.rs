//! How AWS is reached: whose credentials, which region, which authorities.

use aws_config::{BehaviorVersion, SdkConfig};

use crate::roots;

/// The configuration of the process: AWS's standard chain of credentials, profiles and regions, and
/// `AWS_ENDPOINT_URL`. It reads the environment and local files, and makes no call by itself.
///
/// The SDK's behaviour is that of one version, so that an update of the SDK changes nothing silently.
pub async fn connect() -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    loader.http_client(roots::https_client()).load().await
}
