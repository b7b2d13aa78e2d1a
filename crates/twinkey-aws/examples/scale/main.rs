//! How far one region goes: the real tick over a model of Secrets Manager and Lambda, by a clock that is moved instead of waited for.
//!
//! Real: [`Fleet`], the AWS SDK's client with its wire format, tokens, schedules. Modelled (`region.rs`): how long a call takes, the
//! published quotas, which are counted and never exceeded without the run saying so, and rotations, which last a fixed time and always pass.
//!
//! ```console
//! cargo run --profile prove --package twinkey-aws --example scale -- SECRETS 'SCHEDULE' HOURS CONCURRENCY PLOT.svg
//! ```

#![allow(clippy::print_stdout, reason = "a program for people")]

mod plot;
mod region;
mod wire;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use twinkey_aws::{Abandon, Action, Fleet, Limits, Patience, Pause, Report, SecretsManagerStore};
use twinkey_core::{Clock, RetiredKey, RotationFailure, SecretId, VersionId};
use twinkey_testkit::FakeClock;

use plot::Point;
use region::Region;

/// As often, and for as long, as the templates have it.
const INTERVAL: TimeDelta = TimeDelta::minutes(5);
const TIME: TimeDelta = TimeDelta::seconds(280);

/// Moves the clock instead of waiting.
struct Skip(FakeClock);

#[async_trait]
impl Pause for Skip {
    async fn pause(&self, length: TimeDelta) {
        self.0.advance(length);
    }
}

/// Every rotation passes here, so none is ever stuck.
struct Never;

#[async_trait]
impl Abandon for Never {
    async fn abandon(
        &self,
        secret: &SecretId,
        _: &VersionId,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        panic!("{secret} is stuck")
    }
}

/// What was asked for on the command line.
struct Asked {
    secrets: usize,
    schedule: String,
    hours: i64,
    concurrency: usize,
    plot: String,
}

impl Asked {
    fn parse() -> Option<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [secrets, schedule, hours, concurrency, plot] = words.try_into().ok()?;
        Some(Self {
            secrets: secrets.parse().ok()?,
            schedule,
            hours: hours.parse().ok()?,
            concurrency: concurrency.parse().ok()?,
            plot,
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(asked) = Asked::parse() else {
        eprintln!("usage: scale SECRETS 'rate 4 hours' HOURS CONCURRENCY PLOT.svg");
        std::process::exit(2);
    };
    let clock = FakeClock::default();
    let region = Region::new(&clock, asked.secrets, &asked.schedule, asked.concurrency);
    let store = SecretsManagerStore::new(&wire::config(region.clone()), Patience::default());
    let start = clock.now();
    let mut points = Vec::new();
    let mut longest = TimeDelta::zero();
    let mut answer = 0;
    let mut cut_off = 0;
    for number in 1..=asked.hours * 12 {
        let began = clock.now();
        let report = tick(&store, &clock).await;
        longest = longest.max(clock.now() - began);
        answer = answer.max(serde_json::to_string(&report).map_or(0, |it| it.len()));
        cut_off += usize::from(not_reached(&report) > 0);
        assert!(report.incomplete.is_none(), "{:?}", report.incomplete);
        points.push(Point {
            hour: hours(began - start),
            asked: count(&report, Action::Asked),
            waiting: report.figures.secrets_overdue,
        });
        // The next one comes by the scheduler's clock, however long this one took.
        let next = start + INTERVAL * i32::try_from(number).unwrap_or(i32::MAX);
        clock.advance((next - clock.now()).max(TimeDelta::zero()));
        region.until(clock.now());
    }
    tell(&asked, &region, &points, longest, answer, cut_off);
    let title = format!(
        "{} secrets, all made in the same moment, {}",
        asked.secrets, asked.schedule
    );
    let drawn = plot::svg(&title, &points);
    std::fs::write(&asked.plot, drawn).expect("the plot is written");
}

async fn tick(store: &SecretsManagerStore, clock: &FakeClock) -> Report {
    let fleet = Fleet {
        store,
        abandon: &Never,
        clock,
        pause: &Skip(clock.clone()),
        limits: Limits::default(),
    };
    let deadline: DateTime<Utc> = clock.now() + TIME;
    fleet.rotate_due(deadline).await.expect("listed")
}

fn count(report: &Report, action: Action) -> usize {
    let rows = report.secrets.iter();
    rows.filter(|secret| secret.action == action).count()
}

fn not_reached(report: &Report) -> usize {
    count(report, Action::NotReached)
}

#[allow(clippy::cast_precision_loss, reason = "hours of a run")]
fn hours(time: TimeDelta) -> f64 {
    time.num_seconds() as f64 / 3600.0
}

fn tell(
    asked: &Asked,
    region: &Region,
    points: &[Point],
    longest: TimeDelta,
    answer: usize,
    cut_off: usize,
) {
    let told = region.told();
    println!("secrets                       {}", asked.secrets);
    println!("schedule                      {}", asked.schedule);
    println!("rotations at once             {}", asked.concurrency);
    println!("virtual hours                 {}", asked.hours);
    println!("ticks, of which cut off       {}, {cut_off}", points.len());
    println!("the longest tick              {} s", longest.num_seconds());
    println!("rotations                     {}", told.rotations);
    println!(
        "most in a tick                {}",
        points.iter().map(|it| it.asked).max().unwrap_or(0)
    );
    println!("after their time, median      {} s", told.late_median);
    println!("after their time, latest      {} s", told.late_most);
    println!("most waiting for a function   {}", told.most_waiting);
    for (quota, most, limit) in told.quotas {
        println!("most in a second: {quota:<12}{most} of {limit}");
    }
    println!("the longest answer of a tick  {answer} bytes");
}
