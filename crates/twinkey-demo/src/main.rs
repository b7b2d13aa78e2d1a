#![doc = include_str!("../README.md")]

mod clock;
mod consumer;
mod screen;
mod stage;
mod tally;
mod timeline;
mod token;
mod verdict;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use twinkey_local::{Scheduler, Service};
use twinkey_test_postgres::Cluster;

use crate::clock::FastClock;
use crate::consumer::Consumer;
use crate::screen::Screen;
use crate::stage::{INTERVAL_MINUTES, Stage};
use crate::tally::Tally;
use crate::token::Token;

/// How much faster the demo's clock runs than the machine's.
const FACTOR: i32 = 240;

/// Rotates a real Postgres password and a token at a stand-in for GitHub every few seconds while consumers keep using
/// them
#[derive(Parser)]
#[command(name = "cargo xtask demo")]
struct Arguments {
    /// One line an event, for logs
    #[arg(long)]
    plain: bool,
    /// End after this many rotations
    #[arg(long, default_value_t = 10)]
    rotations: usize,
    /// Where the picture goes
    #[arg(long, value_name = "FILE", default_value = "target/twinkey-demo.svg")]
    picture: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(End::Held) => ExitCode::SUCCESS,
        Ok(End::Broken) => ExitCode::FAILURE,
        // As shells report a program that Ctrl-C has ended.
        Ok(End::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How the demo ended.
enum End {
    /// Everything that is promised held.
    Held,
    /// Something did not.
    Broken,
    /// Somebody stopped it.
    Interrupted,
}

fn run(arguments: &Arguments) -> anyhow::Result<End> {
    eprintln!("starting a throwaway PostgreSQL with TLS on loopback");
    let cluster = stage::start_cluster()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(play(arguments, cluster))
}

async fn play(arguments: &Arguments, cluster: Cluster) -> anyhow::Result<End> {
    let (major, minor) = cluster.version();
    eprintln!(
        "PostgreSQL {major}.{minor} over TLS; rate({INTERVAL_MINUTES} minutes) with a clock {FACTOR} times as fast: \
         a rotation every {} s",
        interval().as_secs_f64()
    );
    let stage = Stage::set_up(cluster, Arc::new(FastClock::new(FACTOR))).await?;
    let consumers = Arc::new([
        Consumer::new("re-reads each time", Duration::ZERO),
        Consumer::new(
            &format!("caches it for {INTERVAL_MINUTES} minutes"),
            interval(),
        ),
    ]);
    let start = Instant::now();
    let live = !arguments.plain && std::io::stderr().is_terminal();
    let tally = Arc::new(new_tally(&stage, start, live));
    tally.count_at_rest().await;
    let interrupted = perform(arguments.rotations, &stage, &consumers, &tally, start, live).await?;
    if interrupted {
        eprintln!("stopped; nothing is left behind");
        return Ok(End::Interrupted);
    }
    let rotations = stage.rotations(start).await?;
    let of_token = stage.token.rotations(&stage.store).await?;
    let held = verdict::deliver(
        arguments,
        &tally.seen(),
        &*consumers,
        (of_token, &stage.token.used()),
        rotations,
        start.elapsed(),
    )?;
    Ok(if held { End::Held } else { End::Broken })
}

/// How often a secret is rotated, by the machine's clock.
fn interval() -> Duration {
    Duration::from_secs(INTERVAL_MINUTES * 60) / FACTOR.unsigned_abs()
}

fn new_tally(stage: &Stage, start: Instant, live: bool) -> Tally {
    let announce = move |text: &str| {
        if !live {
            eprintln!("{:6.1} s  {text}", start.elapsed().as_secs_f64());
        }
    };
    Tally::new(
        stage.store.clone(),
        stage.secret.clone(),
        Arc::clone(&stage.cluster),
        start,
        announce,
    )
}

/// Runs consumers and scheduler until enough rotations have passed; whether somebody stopped it.
async fn perform(
    rotations: usize,
    stage: &Stage,
    consumers: &Arc<[Consumer; 2]>,
    tally: &Arc<Tally>,
    start: Instant,
    live: bool,
) -> anyhow::Result<bool> {
    let (stop, stopped) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..consumers.len() {
        let (all, store, secret) = (
            Arc::clone(consumers),
            stage.store.clone(),
            stage.secret.clone(),
        );
        let (cluster, stopped) = (Arc::clone(&stage.cluster), stopped.clone());
        tasks.spawn(async move {
            all[index]
                .run(&store, &secret, &cluster, start, stopped)
                .await
        });
    }
    let (token, store, cache) = (Arc::clone(&stage.token), stage.store.clone(), interval());
    tasks.spawn(async move { token.consume(&store, cache, stopped).await });
    let (end_schedule, schedule_ended) = watch::channel(false);
    let scheduler = schedule(stage, tally, schedule_ended);
    let interrupted = tokio::select! {
        () = until_enough(rotations, consumers, &stage.token, tally, (start, live), &end_schedule) => false,
        signal = interrupted() => signal.map(|()| true)?,
        Some(ended) = tasks.join_next() => ended?.map(|()| false)?,
    };
    let _ = end_schedule.send(true);
    scheduler.await.context("the scheduler")?;
    let _ = stop.send(true);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(interrupted)
}

/// Rotates what is due, as `twinkey run` does.
fn schedule(
    stage: &Stage,
    tally: &Arc<Tally>,
    mut ended: watch::Receiver<bool>,
) -> tokio::task::JoinHandle<()> {
    const TICK: Duration = Duration::from_millis(20);
    let service = Service::new(stage.store.clone(), Arc::clone(&stage.kinds));
    let watch: Arc<Tally> = Arc::clone(tally);
    let told = Arc::clone(tally);
    let scheduler =
        Scheduler::new(service, TICK, move |event| told.note_event(event)).with_watch(watch);
    let ended = async move {
        let _ = ended.wait_for(|ended| *ended).await;
    };
    tokio::spawn(scheduler.run(ended))
}

/// Waits for the rotations, and then until every consumer has used the last version.
async fn until_enough(
    rotations: usize,
    consumers: &[Consumer; 2],
    token: &Token,
    tally: &Tally,
    (start, live): (Instant, bool),
    end_schedule: &watch::Sender<bool>,
) {
    let screen = live.then(Screen::new);
    loop {
        let seen = tally.seen();
        if let Some(screen) = &screen {
            screen.draw(
                &seen,
                consumers,
                &token.used(),
                start.elapsed().as_secs_f64(),
                rotations,
                FACTOR,
            );
        }
        // The consumer of tokens has been given one by each rotation.
        let enough = seen.rotations >= rotations && token.used().tokens >= rotations;
        if enough {
            let _ = end_schedule.send(true);
        }
        if seen.failure.is_some() || (enough && all_used_the_last(&seen, consumers)) {
            break;
        }
        tokio::time::sleep(screen::REDRAW).await;
    }
    tally.count_at_rest().await;
    if let Some(screen) = &screen {
        screen.clear();
    }
}

fn all_used_the_last(seen: &tally::Seen, consumers: &[Consumer; 2]) -> bool {
    let last = seen.keys.iter().rev().find(|key| key.published.is_some());
    last.is_some_and(|key| {
        consumers
            .iter()
            .all(|consumer| consumer.seen().versions.contains(&key.version))
    })
}

async fn interrupted() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
}
