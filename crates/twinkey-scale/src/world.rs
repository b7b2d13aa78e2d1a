//! Everything together: secrets and their servers, the rotation function, and the function that is sent ticks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use twinkey_aws::{Action, Fleet, Limits, Report, TokioPause};
use twinkey_core::{
    Clock, Credential as _, Engine, RotationError, SCHEDULE_TAG, SecretId, Stage, Step, StepReport,
    StepRequest, VersionId,
};
use twinkey_testkit::{FakeClock, FakeSecret, FakeSecretsManager, FakeServer, RotationEnd};

use crate::account::Account;
use crate::figures::{Figures, Function, Lateness, Rotations, Ticks};
use crate::github::Github;
use crate::load::{Kind, Scenario};
use crate::meter::{BIN_SECONDS, bin, raise};
use crate::secrets::{Begun, Secrets};
use crate::server::Servers;
use crate::time::Time;

/// From one tick to the next, as docs/operations.md says.
const BETWEEN_TICKS: u64 = 300;
/// Executions that Lambda grants an account at the same time.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const CONCURRENCY: usize = 1_000;
/// What the function keeps back of its time, as `twinkey-lambda` does.
const MARGIN: Duration = Duration::from_millis(500);
/// Of an invocation, beside its calls.
const OVERHEAD: u64 = 30;
/// The longest interval of the mix, and so how long before the beginning the first secret was rotated.
const BEFORE: TimeDelta = TimeDelta::days(7);

pub(crate) struct World {
    scenario: Scenario,
    kinds: BTreeMap<SecretId, Kind>,
    secrets: Arc<Secrets>,
    servers: Servers,
    time: Time,
    account: Arc<Account>,
    github: Arc<Github>,
    places: Semaphore,
    shown: RefCell<Shown>,
}

#[derive(Default)]
struct Shown {
    ticks: Ticks,
    rotations: Rotations,
    function: Function,
    lateness: BTreeMap<Kind, (Vec<u64>, Vec<u64>)>,
    minutes: BTreeMap<u64, u64>,
}

impl World {
    /// Two keys of each secret are in place, the later one as old as the scenario says. Within a runtime whose clock is paused.
    pub(crate) async fn new(
        scenario: Scenario,
        percent: u64,
    ) -> (Rc<Self>, UnboundedReceiver<Begun>) {
        let clock = FakeClock::default();
        let names = scenario.names();
        let server = |(_, kind): &(SecretId, Kind)| (*kind, FakeServer::new(clock.clone()));
        let mut servers = Servers {
            all: names.iter().map(server).collect(),
            clock: clock.clone(),
            costs: None,
        };
        let fake = FakeSecretsManager::new(clock.clone());
        let past = Past {
            scenario,
            names: &names,
            fake: &fake,
            servers: &servers,
            clock: &clock,
        };
        past.pass().await;
        let time = Time::new(clock);
        let account = Arc::new(Account::new(time.clone(), scenario.seed, percent));
        let github = Arc::new(Github::new(scenario.installations()));
        servers.costs = Some((account.clone(), github.clone()));
        let (begun, asked) = unbounded_channel();
        let world = Self {
            scenario,
            kinds: names.into_iter().collect(),
            secrets: Arc::new(Secrets::new(fake, account.clone(), begun)),
            servers,
            time,
            account,
            github,
            places: Semaphore::new(CONCURRENCY),
            shown: RefCell::default(),
        };
        (Rc::new(world), asked)
    }

    fn engine(&self) -> Engine<'_> {
        Engine {
            store: &*self.secrets,
            kinds: &self.servers,
            clock: &self.time,
        }
    }

    /// One tick: what `twinkey-lambda` does with the event.
    pub(crate) async fn tick(&self) {
        let began = self.time.milliseconds();
        let time = Duration::from_secs(self.scenario.timeout_seconds).saturating_sub(MARGIN);
        let deadline = self.time.now() + TimeDelta::from_std(time).unwrap_or_default();
        let engine = self.engine();
        let fleet = Fleet {
            store: &*self.secrets,
            abandon: &engine,
            clock: &self.time,
            pause: &TokioPause,
            limits: Limits::default(),
        };
        let report = tokio::time::timeout(time, fleet.rotate_due(deadline)).await;
        let length = self.time.milliseconds() - began;
        let ticks = &mut self.shown.borrow_mut().ticks;
        ticks.longest = ticks.longest.max(length);
        ticks.shortest = if ticks.count == 0 {
            length
        } else {
            ticks.shortest.min(length)
        };
        ticks.count += 1;
        match report {
            Ok(Ok(report)) => tell(ticks, &report),
            Ok(Err(_)) | Err(_) => ticks.cut_off += 1,
        }
    }

    /// What Secrets Manager does once it has been asked: the four steps, and again if one fails.
    pub(crate) async fn rotate(&self, rotation: Begun) {
        let (secret, token) = &rotation;
        self.shown.borrow_mut().rotations.begun += 1;
        let due = self.due(secret);
        let service = self.secrets.fake.service();
        let end = service
            .rotate(secret, token, async |request| self.step(request).await)
            .await;
        self.secrets.ended(&rotation);
        if matches!(end, Ok(RotationEnd::Succeeded)) {
            self.finished(secret, due);
        } else {
            self.shown.borrow_mut().rotations.failed += 1;
        }
    }

    /// One invocation of the rotation function.
    async fn step(&self, request: StepRequest) -> Result<StepReport, RotationError> {
        let waits = self.places.available_permits() == 0;
        let place = self.places.acquire().await;
        let at_once = CONCURRENCY - self.places.available_permits();
        let began = self.time.milliseconds();
        self.account.wait_about(OVERHEAD).await;
        let mut random = self.account.random();
        let result = self.engine().step(&request, &mut random).await;
        drop(place);
        let length = self.time.milliseconds() - began;
        let function = &mut self.shown.borrow_mut().function;
        function.invocations += 1;
        function.waited += u64::from(waits);
        function.most_at_once = function.most_at_once.max(count(at_once));
        function.longest = function.longest.max(length);
        result
    }

    fn due(&self, secret: &SecretId) -> DateTime<Utc> {
        let dates = self.secrets.fake.dates(secret);
        let rotated = dates.and_then(|dates| dates.rotated).unwrap_or_default();
        rotated + self.kinds[secret].interval()
    }

    fn finished(&self, secret: &SecretId, due: DateTime<Utc>) {
        let (now, at) = (self.time.now(), self.time.milliseconds());
        let late = u64::try_from((now - due).num_seconds()).unwrap_or_default();
        let shown = &mut *self.shown.borrow_mut();
        shown.rotations.finished += 1;
        *bin(&mut shown.rotations.bins, at) += 1;
        *shown.minutes.entry(at / 60_000).or_default() += 1;
        let (all, bins) = shown.lateness.entry(self.kinds[secret]).or_default();
        all.push(late);
        raise(bins, at, late);
    }

    /// What the run has shown by now.
    pub(crate) fn figures(&self) -> Figures {
        let shown = &mut *self.shown.borrow_mut();
        shown.rotations.most_in_a_minute =
            shown.minutes.values().copied().max().unwrap_or_default();
        let lateness = shown
            .lateness
            .iter()
            .map(|(kind, (seconds, bins))| (*kind, Lateness::of(seconds.clone(), bins.clone())));
        let servers = self.servers.all.iter();
        Figures {
            scenario: self.scenario,
            ticks: shown.ticks.clone(),
            rotations: shown.rotations.clone(),
            quotas: self.account.meters(),
            github: self.github.most(),
            github_requests: self.github.sum(),
            function: shown.function.clone(),
            lateness: lateness.collect(),
            most_live: servers
                .map(|(_, it)| it.most_live())
                .max()
                .unwrap_or_default(),
            forgotten: self.kinds.keys().filter(|it| self.is_forgotten(it)).count(),
            dead_at_the_end: self.kinds.keys().filter(|it| self.is_dead(it)).count(),
        }
    }

    fn is_forgotten(&self, secret: &SecretId) -> bool {
        let seconds = BETWEEN_TICKS + self.scenario.timeout_seconds;
        let patience = TimeDelta::seconds(i64::try_from(seconds).unwrap_or_default());
        let end = self.time.start()
            + TimeDelta::hours(i64::try_from(self.scenario.hours).unwrap_or_default());
        self.due(secret) + patience < end
    }

    fn is_dead(&self, secret: &SecretId) -> bool {
        let value = self.secrets.fake.value(secret, &Stage::Current);
        let document = value.and_then(|value| FakeSecret::parse(&value).ok());
        let live = document.and_then(|it| {
            let number: usize = it.server.parse().ok()?;
            Some(self.servers.all[number].1.accepts(&it.value?))
        });
        live != Some(true)
    }
}

fn tell(ticks: &mut Ticks, report: &Report) {
    let counted = |action| {
        count(
            report
                .secrets
                .iter()
                .filter(|it| it.action == action)
                .count(),
        )
    };
    ticks.incomplete += u64::from(report.incomplete.is_some());
    ticks.too_short += u64::from(counted(Action::NotReached) > 0);
    ticks.most_asked = ticks.most_asked.max(counted(Action::Asked));
    ticks.failed += counted(Action::Failed);
    ticks.most_overdue = ticks
        .most_overdue
        .max(count(report.figures.secrets_overdue));
    if ticks.report_bytes == 0 {
        ticks.report_bytes = count(serde_json::to_vec(report).map_or(0, |text| text.len()));
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The time before the beginning.
struct Past<'a> {
    scenario: Scenario,
    names: &'a [(SecretId, Kind)],
    fake: &'a FakeSecretsManager,
    servers: &'a Servers,
    clock: &'a FakeClock,
}

impl Past<'_> {
    /// Each secret is put, and rotated by the engine at its time: after this its clock shows the beginning.
    async fn pass(&self) {
        let start = self.clock.now() + BEFORE;
        let mut random = StdRng::seed_from_u64(self.scenario.seed);
        let mut order: Vec<(DateTime<Utc>, usize)> = (0..self.names.len())
            .map(|number| {
                let age = self
                    .scenario
                    .age(self.names[number].1, random.random_range(0..1_000_000));
                (start - age, number)
            })
            .collect();
        order.sort_unstable();
        for (moment, number) in order {
            self.until(moment);
            self.rotate(number, &mut random).await;
        }
        self.until(start);
    }

    fn until(&self, moment: DateTime<Utc>) {
        let length = moment - self.clock.now();
        self.clock.advance(length.max(TimeDelta::zero()));
    }

    async fn rotate(&self, number: usize, random: &mut StdRng) {
        let (secret, kind) = &self.names[number];
        let first = FakeSecret {
            server: number.to_string(),
            ..self.servers.provider(number).first_document()
        };
        let (id, token) = (VersionId::random(random), VersionId::manual(random, false));
        self.fake.put_by_hand(secret, &id, &first.render());
        self.fake.tag(secret, SCHEDULE_TAG, kind.schedule());
        self.fake.rotate_secret(secret, &token).expect("its first");
        let engine = Engine {
            store: self.fake,
            kinds: self.servers,
            clock: self.clock,
        };
        for step in Step::ALL {
            let request = StepRequest {
                step,
                secret: secret.clone(),
                token: token.clone(),
            };
            engine
                .step(&request, random)
                .await
                .expect("nothing disturbs it");
        }
    }
}

/// Runs a scenario. Nobody else draws on the quotas.
#[must_use]
pub fn run(scenario: Scenario, progress: &dyn Fn(u64)) -> Figures {
    run_beside_others(scenario, 100, progress)
}

/// Runs a scenario with so much of each quota as others leave, in percent.
#[must_use]
pub fn run_beside_others(scenario: Scenario, percent: u64, progress: &dyn Fn(u64)) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let (world, mut asked) = World::new(scenario, percent).await;
        let service = world.clone();
        tokio::task::spawn_local(async move {
            while let Some(rotation) = asked.recv().await {
                let world = service.clone();
                tokio::task::spawn_local(async move { world.rotate(rotation).await });
            }
        });
        for number in 0..scenario.hours * 3600 / BETWEEN_TICKS {
            if number % 12 == 0 {
                progress(number / 12);
            }
            let ticking = world.clone();
            tokio::task::spawn_local(async move { ticking.tick().await });
            world.time.pass(BETWEEN_TICKS * 1000).await;
        }
        // The last tick, and what it has asked for.
        world
            .time
            .pass((scenario.timeout_seconds + BIN_SECONDS) * 1000)
            .await;
        world.figures()
    })
}
