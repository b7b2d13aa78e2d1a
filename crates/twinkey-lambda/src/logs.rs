//! What the libraries below us say, on stderr, as JSON.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

const USUAL: &str = "warn";
/// Never listened to, whatever is asked for: the one shows the text of each event, and with it a rotation token
/// or whatever else was sent here (P8); the other repeats each error, which has its own line already.
const NEVER: [&str; 2] = [
    "lambda_runtime::layers::api_response",
    "lambda_runtime::layers::panic",
];

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
        .with(all_but_never())
        .init();
    if let Some(error) = wrong {
        eprintln!("RUST_LOG: {error}; listening to warnings instead");
    }
}

fn all_but_never() -> Targets {
    let all = Targets::new().with_default(LevelFilter::TRACE);
    all.with_targets(NEVER.map(|target| (target, LevelFilter::OFF)))
}
