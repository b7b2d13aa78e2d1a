//! What the libraries below us say, on stderr, as JSON.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Warnings. The runtime repeats each error that it is answered, and that has its own line already.
const USUAL: &str = "warn,lambda_runtime::layers::panic=off";

/// Listens as `RUST_LOG` says (`target=level,…`), or to warnings.
///
/// There is no bridge from the `log` crate, by which the database driver would show its statements. (P8)
pub(crate) fn listen(rust_log: Option<&str>) {
    let wanted = rust_log.filter(|it| !it.is_empty()).unwrap_or(USUAL);
    let (filter, wrong) = match wanted.parse::<Targets>() {
        Ok(filter) => (filter, None),
        Err(error) => (USUAL.parse().unwrap_or_default(), Some(error)),
    };
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(layer)
        .with(filter)
        .init();
    if let Some(error) = wrong {
        eprintln!("RUST_LOG: {error}; listening to warnings instead");
    }
}
