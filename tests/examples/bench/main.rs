//! What one rotation by the release build of the function costs, beside the bars that it was given.
//!
//! Secrets Manager and the Runtime API are stand-ins on loopback, built without optimisation, and the database is on the same
//! machine: wall times are theirs too, and say nothing of a network. Counts, CPU time and memory are the function's own.

mod baseline;
mod github;
mod measure;
mod report;
mod series;

use twinkey_tests::{Account, Cost, target};

use crate::measure::{cold_starts, warm_rotations};
use crate::report::Report;

#[tokio::main]
async fn main() {
    let program = target().join("release/bootstrap");
    let account = Account::open().await;
    let arn = account.secret("app").await;
    let mut function = account.function().from([&program]);
    let one_authority = cold_starts(&function).await;
    // The system's authorities, as on Lambda.
    function.unset("SSL_CERT_FILE");
    let starts = cold_starts(&function).await;
    let first = account.begin("app");
    function.rotate(&arn, &first).await.expect("the first");
    let cost = Cost::of_a_rotation(&account, &mut function, "app").await;
    let rotations = warm_rotations(&account, &mut function, "app").await;
    let baseline = baseline::measure(&account, "base").await;
    let github = github::measure(&account, function).await;
    let bytes = std::fs::read(&program).expect("cargo xtask bench builds it");
    let report = Report {
        zipped: twinkey_package::zip(&bytes).expect("zipped").len(),
        cost,
        starts,
        one_authority,
        rotations,
        baseline,
        github,
    };
    report.print();
    let file = target().join("bench.json");
    std::fs::write(&file, format!("{:#}\n", report.json())).expect("written");
}
