//! What a proof starts from: one kind of key, after some rotations, with its current key in some health.

use std::fmt;

use chrono::TimeDelta;
use twinkey_core::{RotationError, RotationFailure, Stage, Step, StepReport, VersionId};
use twinkey_testkit::{Allowance, CrashPoint, CrashWorld, FakeKind, Fault, Injector, Scene};

use crate::crash_table::loses_a_key;
use crate::now;

/// Longer than any key of the fakes lives.
pub(crate) fn past_every_expiry() -> TimeDelta {
    TimeDelta::minutes(61)
}

/// How the key under AWSCURRENT is when the rotation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The server accepts it.
    Healthy,
    /// It has died by itself, and the one before it too.
    Expired,
    /// Somebody has broken it at the server; the one before it still works.
    Broken,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Expired => "expired",
            Self::Broken => "broken",
        })
    }
}

/// What a proof starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The kind of key.
    pub kind: FakeKind,
    /// How many rotations have passed.
    pub rotations: usize,
    /// How the current key is.
    pub health: Health,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = match self.rotations {
            0 => "first",
            1 => "second",
            _ => "third",
        };
        write!(
            f,
            "{}, {which} rotation, current {}",
            self.kind, self.health
        )
    }
}

impl Case {
    /// Every case there is: no two of them that differ in nothing the engine can see.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for kind in FakeKind::ALL {
            for rotations in [0, 1, 2] {
                for health in [Health::Healthy, Health::Expired, Health::Broken] {
                    let case = Self {
                        kind,
                        rotations,
                        health,
                    };
                    if case.exists() {
                        all.push(case);
                    }
                }
            }
        }
        all
    }

    /// A password does not expire; a token that was never minted neither expires nor breaks.
    fn exists(self) -> bool {
        match self.health {
            Health::Healthy => true,
            Health::Expired => self.kind.expires() && self.rotations > 0,
            Health::Broken => !self.is_keyless(),
        }
    }

    /// Whether the document holds no key yet.
    #[must_use]
    pub fn is_keyless(self) -> bool {
        self.rotations == 0 && self.kind.expires()
    }

    /// Whether this rotation ends with a pair, and not only the next one.
    #[must_use]
    pub fn completes_the_pair(self) -> bool {
        !self.is_keyless() && self.health == Health::Healthy
    }

    /// Whether a rotation can pass: a refused password stops it before anything is touched.
    #[must_use]
    pub fn can_rotate(self) -> bool {
        self.kind != FakeKind::Password || self.health != Health::Broken
    }

    /// The scene of this case, with no rotation in flight.
    #[must_use]
    pub fn scene(self) -> Scene {
        let scene = Scene::new(self.kind);
        for _ in 0..self.rotations {
            let token = scene.begin();
            now(scene.rotate(&token)).expect("a quiet rotation");
        }
        match self.health {
            Health::Healthy => {}
            Health::Expired => scene.clock.advance(past_every_expiry()),
            Health::Broken => {
                let current = scene.key(&Stage::Current).expect("a key");
                scene.server.break_by_hand(&current);
            }
        }
        scene
    }
}

/// A case with a rotation in flight, for the crash matrix.
pub(crate) struct CrashCase {
    case: Case,
    scene: Scene,
    token: VersionId,
    /// Every other token that the store knows: published ones, one without a label, an abandoned one.
    stale: Vec<VersionId>,
    allowance: Allowance,
    /// Mints that outlasted their caller.
    late_mints: usize,
    /// Whether a delivery has said that a key may be left that nobody knows.
    told: bool,
    /// Time has passed: what was a pair may have died by itself.
    expired: bool,
}

impl CrashCase {
    pub(crate) fn begin(case: Case, injector: Injector) -> Self {
        let mut scene = case.scene();
        scene.injector = injector;
        let abandoned = scene.begin();
        scene.store.remove_pending(&scene.secret);
        let versions = scene.store.versions(&scene.secret).into_iter();
        let known = versions.map(|version| version.id);
        let stale = known
            .filter(|id| *id != abandoned)
            .chain([abandoned.clone()])
            .collect();
        let token = scene.begin();
        let allowance = Allowance::default();
        scene.judge_every_call(allowance);
        Self {
            case,
            scene,
            token,
            stale,
            allowance,
            late_mints: 0,
            told: false,
            expired: false,
        }
    }

    fn allow(&mut self, allowance: Allowance) {
        self.allowance = allowance;
        self.scene.judge_every_call(allowance);
    }
}

impl CrashWorld for CrashCase {
    async fn deliver(&mut self, step: Step) -> Result<StepReport, RotationError> {
        let delivered = self.scene.step(step, &self.token).await;
        self.told |= is_possible_stray(&delivered);
        self.is_told(&delivered);
        delivered
    }

    async fn deliver_stale(&mut self, step: Step) {
        let before = self.scene.picture();
        for stale in &self.stale {
            let _ = self.scene.step(step, stale).await;
            assert_eq!(
                before,
                self.scene.picture(),
                "P5: a late {step} of another rotation, {stale}, changed something"
            );
        }
        self.scene.injector.disarm();
    }

    async fn expire(&mut self) {
        self.scene.clock.advance(past_every_expiry());
        self.expired = self.case.kind.expires();
    }

    async fn begin_another(&mut self) {
        // A refused current key of a kind with two places: a person puts the one that still works.
        if self.case.health == Health::Broken && !self.scene.works(&Stage::Current) {
            let working = self.scene.working_document();
            let working = working.unwrap_or_else(|| self.scene.make_by_hand("TEST-mended"));
            self.scene.put_by_hand(&working);
        }
        self.token = self.scene.begin();
    }

    async fn judge_after_fault(&mut self, point: &CrashPoint) {
        let may_be_lost = loses_a_key(self.case.kind, point);
        let mint_lands_late = point.struck("mint").any(Fault::lands_late);
        self.late_mints += usize::from(mint_lands_late);
        let heard_nothing = point.struck("mint").any(|fault| fault == Fault::TimesOut);
        if heard_nothing && may_be_lost && point.fault.spares_the_process() {
            assert!(self.told, "P4: a key may come to live, and nobody is told");
        }
        let lost = self.strays() + self.late_mints > self.allowance.strays;
        // A mint that lands after the sweep of the redelivery is found by the next one.
        let third = mint_lands_late && self.case.kind.is_listed();
        self.allow(Allowance {
            strays: self.allowance.strays + usize::from(may_be_lost && lost),
            third_keys: self.allowance.third_keys + usize::from(third),
            ..Allowance::default()
        });
        self.scene.judge().judge(&self.allowance);
    }

    async fn judge_at_rest(&mut self, point: &CrashPoint) {
        let current = self.scene.version(&Stage::Current);
        assert_eq!(current.as_ref(), Some(&self.token), "P5 at {point}");
        let pair = self.case.completes_the_pair() && !self.expired;
        self.judge(pair && self.allowance.third_keys == 0, point);
        // Where everything has died by itself, the pair is complete after the next but one.
        for _ in 0..=usize::from(self.expired) {
            self.rotate(point).await;
        }
        let third_keys = 0;
        self.allow(Allowance {
            third_keys,
            ..self.allowance
        });
        self.judge(true, point);
    }
}

impl CrashCase {
    fn strays(&self) -> usize {
        self.scene.judge().strays().len()
    }

    /// Who lives to see that a key may be left that nobody knows, says so. (P2, P4)
    fn is_told(&self, delivered: &Result<StepReport, RotationError>) {
        assert!(
            is_possible_stray(delivered) || self.strays() <= self.allowance.strays,
            "P4: a key is left that nobody knows, and nobody is told: {delivered:?}"
        );
    }

    async fn rotate(&self, point: &CrashPoint) {
        let token = self.scene.begin();
        let rotated = self.scene.rotate(&token).await;
        rotated.unwrap_or_else(|error| panic!("the next rotation after {point}: {error}"));
    }

    fn judge(&self, pair_at_rest: bool, point: &CrashPoint) {
        let allowance = Allowance {
            pair_at_rest,
            ..self.allowance
        };
        let verdict = self.scene.judge().verdict(&allowance);
        verdict.unwrap_or_else(|broken| panic!("{broken} at {point}"));
        let strays = self.strays();
        assert!(
            strays <= self.allowance.strays,
            "P4: {strays} live keys that nobody knows, at {point}"
        );
    }
}

fn is_possible_stray(delivered: &Result<StepReport, RotationError>) -> bool {
    let error = delivered.as_ref().err();
    error.is_some_and(|error| matches!(error.cause, RotationFailure::PossibleStray { .. }))
}
