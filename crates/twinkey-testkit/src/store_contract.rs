//! What every store must do, in one suite.

mod expected;
mod labels;
mod rotations;
mod secrets;
mod values;

use std::future::Future;

use twinkey_core::{
    Description, SecretId, SecretValue, Selector, Slot, Stage, Store, StoreError, Version,
    VersionId,
};

use expected::Expected;

/// A store that the suite can use as a person and as the rotation service would.
///
/// Its methods panic where what they do is refused, but for [`Self::begin`].
pub trait StoreUnderTest {
    /// The store.
    fn store(&self) -> &dyn Store;
    /// A person puts a value: it becomes AWSCURRENT, and a rotation in flight is abandoned. The first
    /// one creates the secret.
    fn put_by_hand(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
    ) -> impl Future<Output = ()>;
    /// A person gives a secret that exists a tag.
    fn tag(&self, secret: &SecretId, key: &str, value: &str) -> impl Future<Output = ()>;
    /// The service begins a rotation: AWSPENDING on a version without a value.
    fn begin(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> impl Future<Output = Result<(), StoreError>>;
    /// What the store keeps of when AWSCURRENT moved.
    fn keeps_current_since(&self) -> CurrentSince {
        CurrentSince::Always
    }
}

/// What a store keeps of when AWSCURRENT moved. The engine takes the date of the current version where
/// that is later, or nothing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentSince {
    /// Every move.
    Always,
    /// When a rotation last moved it; a value put by hand changes nothing.
    ByRotations,
    /// Nothing.
    Never,
}

/// A case of the suite that a stand-in for a store is known not to pass: somebody else's emulator, say.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// The case, by its name.
    pub case: &'static str,
    /// What the stand-in does instead.
    pub why: &'static str,
}

/// Runs the whole suite against one store after another: `build` makes each, and it must know no
/// secrets. The suite names its secrets itself.
///
/// # Panics
///
/// At the first thing that does not hold; the message says what was expected.
pub async fn store_contract<S: StoreUnderTest>(build: impl AsyncFn() -> S) {
    store_contract_but(&[], build).await;
}

/// As [`store_contract`], for a stand-in: each deviation must still be one.
///
/// # Panics
///
/// As [`store_contract`], and where a deviation passes or is no case of the suite.
pub async fn store_contract_but<S: StoreUnderTest>(
    deviations: &[Deviation],
    build: impl AsyncFn() -> S,
) {
    let mut expected = Expected::new(deviations);
    macro_rules! cases {
        ($($module:ident::$case:ident,)*) => {
            $(
                let case = Box::pin(async { $module::$case(&build().await).await });
                expected.judge(stringify!($case), case).await;
            )*
        };
    }
    secrets::an_address_tells_secrets_apart(&build().await);
    cases! {
        secrets::an_unknown_secret_is_said_to_be_unknown,
        secrets::two_secrets_do_not_affect_each_other,
        secrets::a_description_shows_labelled_versions_tags_and_when_current_moved,
        values::an_unknown_version_and_a_label_on_none_have_no_value,
        values::a_pending_version_has_no_value_until_it_is_put,
        values::a_stored_value_is_immutable,
        values::a_value_that_is_there_already_moves_no_label,
        values::a_version_without_labels_is_still_read_by_its_id,
        values::values_are_dated_in_strict_order,
        values::a_put_that_could_never_be_right_is_invalid,
        labels::a_label_moves_only_from_where_it_is,
        labels::a_slot_label_moves_by_compare_and_swap,
        labels::previous_follows_current_forth_and_back,
        labels::other_labels_stay_when_current_moves,
        labels::current_never_goes_to_a_version_without_a_value_nor_nowhere,
        labels::a_label_cannot_go_to_an_unknown_version,
        rotations::a_second_rotation_is_refused_while_one_is_pending,
        rotations::a_manual_put_abandons_the_rotation,
        rotations::an_ended_rotation_comes_back_wholly_or_not_at_all,
    }
    expected.were_all_cases();
}

const PENDING_IN_B: [Stage; 2] = [Stage::Pending, Stage::Slot(Slot::B)];

fn secret() -> SecretId {
    SecretId::new("contract/secret")
}

fn id(name: char) -> VersionId {
    VersionId::parse(name.to_string().repeat(32)).expect("32 characters")
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(format!("TEST-{text}"))
}

/// Version `a` is current and the rotation `b` in flight.
async fn begun<S: StoreUnderTest>(test: &S) {
    test.put_by_hand(&secret(), &id('a'), &value("first")).await;
    test.begin(&secret(), &id('b'))
        .await
        .expect("no rotation is in flight");
}

/// The same, and `b` has its value.
async fn stored<S: StoreUnderTest>(test: &S) {
    begun(test).await;
    test.store()
        .put(&secret(), &id('b'), &value("second"), &PENDING_IN_B)
        .await
        .expect("the pending value is stored");
}

async fn read(store: &dyn Store, at: Selector) -> Result<Version, StoreError> {
    store.read(&secret(), &at).await
}

async fn shift(
    store: &dyn Store,
    stage: &Stage,
    from: Option<char>,
    to: Option<char>,
) -> Result<(), StoreError> {
    let (from, to) = (from.map(id), to.map(id));
    store
        .move_stage(&secret(), stage, from.as_ref(), to.as_ref())
        .await
}

async fn described(store: &dyn Store) -> Description {
    store.describe(&secret()).await.expect("described")
}

#[track_caller]
fn is_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    let refused = matches!(result, Err(StoreError::Conflict { .. }));
    assert!(refused, "Conflict was expected: {result:?}");
}

#[track_caller]
fn is_invalid<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    let refused = matches!(result, Err(StoreError::Invalid { .. }));
    assert!(refused, "Invalid was expected: {result:?}");
}

#[track_caller]
fn has_no_version<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    let refused = matches!(result, Err(StoreError::NoVersion { .. }));
    assert!(refused, "NoVersion was expected: {result:?}");
}
