//! The rules that the fake Secrets Manager enforces, each with the vendor's words where it has any.

use chrono::TimeDelta;
use twinkey_core::{SecretId, SecretValue, Selector, Slot, Stage, Store, StoreError, VersionId};
use twinkey_testkit::{FakeClock, FakeSecretsManager};

use crate::secret::*;

fn is_invalid<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    let refused = matches!(result, Err(StoreError::Invalid { .. }));
    assert!(refused, "{result:?}");
}

mod put_secret_value {
    use super::*;

    /// "This value becomes the `VersionId` of the new version", 32 to 64 characters.
    #[test]
    fn a_token_has_32_to_64_characters() {
        for (length, fits) in [(31, false), (32, true), (64, true), (65, false)] {
            assert_eq!(VersionId::parse("t".repeat(length)).is_ok(), fits);
        }
    }

    /// "If a version with this value already exists and the version of the `SecretString` … [is] the
    /// same as those in the request, then the request is ignored."
    #[tokio::test]
    async fn the_same_token_and_value_again_change_nothing() {
        let store = rotating();
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        shift(&store, Stage::Slot(Slot::B), Some('b'), Some('a'))
            .await
            .expect("moved");
        put(&store, 'b', &PENDING_IN_B).await.expect("ignored");
        assert_eq!(holder(&store, &Stage::Slot(Slot::B)), Some(id('a')));
    }

    /// "If a version with that ID already exists and the contents are different, the operation fails
    /// because you can't modify an existing secret version."
    #[tokio::test]
    async fn the_same_token_with_another_value_is_refused() {
        let store = rotating();
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        let other = value("other");
        is_conflict(&store.put(&secret(), &id('b'), &other, &PENDING_IN_B).await);
        assert_eq!(store.value(&secret(), &Stage::Pending), Some(value("b")));
    }

    /// "If you specify a staging label that's already associated with a different version of the
    /// same secret, then Secrets Manager removes the label from the other version and attaches it to
    /// this version."
    #[tokio::test]
    async fn labels_are_taken_from_wherever_they_are() {
        let store = rotating();
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        put(&store, 'c', &PENDING_IN_B).await.expect("stored");
        for label in PENDING_IN_B {
            assert_eq!(holder(&store, &label), Some(id('c')));
        }
    }

    /// "If you don't include `VersionStages`, then Secrets Manager automatically moves the staging
    /// label AWSCURRENT to this version." Nobody here should mean that.
    #[tokio::test]
    async fn a_value_without_a_label_is_refused() {
        let store = rotating();
        is_invalid(&put(&store, 'b', &[]).await);
        assert_eq!(holder(&store, &Stage::Current), Some(id('a')));
    }

    #[tokio::test]
    async fn a_value_has_1_to_65536_bytes() {
        for (length, fits) in [(0, false), (1, true), (65_536, true), (65_537, false)] {
            let (store, text) = (rotating(), SecretValue::new("v".repeat(length)));
            let stored = store.put(&secret(), &id('b'), &text, &PENDING_IN_B).await;
            assert_eq!(stored.is_ok(), fits, "{length} bytes: {stored:?}");
            if !fits {
                is_invalid(&stored);
            }
        }
    }

    /// `RotationAbandoned`: a version created by hand in the middle of a rotation.
    #[tokio::test]
    async fn a_new_version_takes_awspending_off_that_of_the_rotation() {
        let by_hand = rotating();
        by_hand.put_by_hand(&secret(), &id('d'), &value("d"));
        let by_call = rotating();
        put(&by_call, 'd', &[Stage::Custom("theirs".into())])
            .await
            .expect("stored");
        for store in [by_hand, by_call] {
            assert_eq!(holder(&store, &Stage::Pending), None);
            store.rotate_secret(&secret(), &id('e')).expect("free");
        }
    }

    /// A frozen invocation may do this: the embedded store refuses it, Secrets Manager does not.
    #[tokio::test]
    async fn the_token_of_an_ended_rotation_is_accepted_and_takes_the_labels() {
        let store = rotating();
        store.remove_pending(&secret());
        store.rotate_secret(&secret(), &id('c')).expect("begun");
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
    }
}

mod labels_and_versions {
    use super::*;

    /// "A secret can have up to 20 staging labels", over all its versions.
    #[tokio::test]
    async fn a_secret_carries_at_most_20_labels() {
        let store = store();
        let labels: Vec<Stage> = (1..20)
            .map(|number| Stage::Custom(format!("label-{number}")))
            .collect();
        put(&store, 'b', &labels).await.expect("the twentieth fits");
        let one_more = Stage::Custom("one-more".into());
        is_invalid(&put(&store, 'c', std::slice::from_ref(&one_more)).await);
        is_invalid(&shift(&store, one_more, None, Some('a')).await);
        is_invalid(&store.rotate_secret(&secret(), &id('d')));
        assert_eq!(store.versions(&secret()).len(), 2, "nothing changed");
        put(&store, 'c', &labels[..1])
            .await
            .expect("a label that moves is no new one");
    }

    #[tokio::test]
    async fn a_label_has_1_to_256_bytes() {
        for (length, fits) in [(0, false), (1, true), (256, true), (257, false)] {
            let label = Stage::Custom("l".repeat(length));
            let stored = put(&rotating(), 'b', &[label]).await;
            assert_eq!(stored.is_ok(), fits, "{length} bytes: {stored:?}");
        }
    }

    /// "Secrets Manager removes deprecated versions when there are more than 100. Secrets Manager
    /// doesn't remove versions created less than 24 hours ago."
    #[test]
    fn beyond_100_versions_the_oldest_without_labels_go_and_none_younger_than_a_day() {
        let clock = FakeClock::default();
        let store = FakeSecretsManager::new(clock.clone());
        let put = |number: usize| {
            let id = VersionId::parse(format!("{number:032}")).expect("32 digits");
            store.put_by_hand(&secret(), &id, &value(&number.to_string()));
        };
        (0..120).for_each(put);
        assert_eq!(store.versions(&secret()).len(), 120, "all are young");
        clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
        put(120);
        assert_eq!(store.versions(&secret()).len(), 121, "all are young still");
        clock.advance(TimeDelta::seconds(1));
        put(121);
        let left = store.versions(&secret());
        assert_eq!(left.len(), 100);
        assert!(
            left[0].id.as_str().ends_with("0022"),
            "the oldest went: {}",
            left[0].id
        );
    }

    /// Each value is later than the one before: fences at servers rely on the order.
    #[test]
    fn values_are_dated_in_strict_order_though_the_clock_stands() {
        let store = store();
        store.put_by_hand(&secret(), &id('b'), &value("b"));
        let versions = store.versions(&secret()).into_iter();
        let dates: Vec<_> = versions
            .filter_map(|version| version.value.map(|(_, date)| date))
            .collect();
        assert!(dates.len() == 2 && dates[0] < dates[1], "{dates:?}");
    }
}

mod update_secret_version_stage {
    use super::*;

    /// "If the staging label AWSCURRENT is attached to a different version than the one you specify
    /// … `RemoveFromVersionId` [is required, and if] the version ID does not match, then the operation
    /// fails."
    #[tokio::test]
    async fn a_label_moves_only_from_where_it_is_said_to_be() {
        let store = rotating();
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        for stage in [Stage::Current, Stage::Pending, Stage::Slot(Slot::B)] {
            let before = holder(&store, &stage);
            for wrong in [None, Some('x')] {
                is_conflict(&shift(&store, stage.clone(), wrong, Some('b')).await);
            }
            assert_eq!(holder(&store, &stage), before);
        }
        is_conflict(&shift(&store, Stage::Slot(Slot::A), Some('a'), Some('b')).await);
        shift(&store, Stage::Slot(Slot::A), None, Some('a'))
            .await
            .expect("it was on no version");
    }

    /// "You can't remove AWSCURRENT": there is no moment without a current version.
    #[tokio::test]
    async fn awscurrent_cannot_be_taken_off() {
        let store = store();
        is_invalid(&shift(&store, Stage::Current, Some('a'), None).await);
        assert_eq!(holder(&store, &Stage::Current), Some(id('a')));
    }

    #[tokio::test]
    async fn awscurrent_cannot_go_to_a_version_without_a_value_or_to_none_that_exists() {
        let store = rotating();
        is_conflict(&shift(&store, Stage::Current, Some('a'), Some('b')).await);
        let unknown = shift(&store, Stage::Current, Some('a'), Some('x')).await;
        assert!(
            matches!(unknown, Err(StoreError::NoVersion { .. })),
            "{unknown:?}"
        );
        assert_eq!(holder(&store, &Stage::Current), Some(id('a')));
    }

    /// "Whenever you move AWSCURRENT, Secrets Manager automatically moves the label AWSPREVIOUS to the
    /// version that AWSCURRENT was removed from."
    #[tokio::test]
    async fn awsprevious_follows_awscurrent_forth_and_back() {
        let store = rotating();
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        for (from, to) in [('a', 'b'), ('b', 'a')] {
            shift(&store, Stage::Current, Some(from), Some(to))
                .await
                .expect("moved");
            assert_eq!(holder(&store, &Stage::Current), Some(id(to)));
            assert_eq!(holder(&store, &Stage::Previous), Some(id(from)));
        }
    }
}

mod rotate_secret {
    use super::*;

    /// `DescribeSecret` lists the token, and `GetSecretValue` for it is a `ResourceNotFoundException`.
    #[tokio::test]
    async fn the_version_of_a_rotation_has_no_value_at_first() {
        let store = rotating();
        let description = store.describe(&secret()).await.expect("described");
        assert!(description.carries(&id('b'), &Stage::Pending));
        let read = store
            .read(&secret(), &Selector::VersionAt(id('b'), Stage::Pending))
            .await;
        assert!(matches!(read, Err(StoreError::NoVersion { .. })));
    }

    /// "If the AWSPENDING staging label is present but not attached to the same version as AWSCURRENT,
    /// then any later invocation of `RotateSecret` assumes that a previous rotation request is still in
    /// progress and returns an error."
    #[test]
    fn another_rotation_is_refused_while_one_is_pending() {
        let store = rotating();
        let second = store.rotate_secret(&secret(), &id('c'));
        is_conflict(&second);
        let words = second.expect_err("a conflict").to_string();
        assert!(
            words.contains("A previous rotation isn't complete"),
            "{words}"
        );
        assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
    }

    /// The token "helps ensure idempotency".
    #[tokio::test]
    async fn the_same_token_again_is_a_retry() {
        let store = rotating();
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        store.rotate_secret(&secret(), &id('b')).expect("a retry");
        assert_eq!(store.value(&secret(), &Stage::Pending), Some(value("b")));
        shift(&store, Stage::Current, Some('a'), Some('b'))
            .await
            .expect("published");
        store.rotate_secret(&secret(), &id('b')).expect("done");
        is_conflict(&store.rotate_secret(&secret(), &id('a')));
    }

    /// "When rotation is successful, the AWSPENDING staging label might be attached to the same
    /// version as the AWSCURRENT version, or it might not be attached to any version."
    #[tokio::test]
    async fn awspending_on_the_current_version_blocks_no_rotation() {
        let store = rotating();
        put(&store, 'b', &PENDING_IN_B).await.expect("stored");
        shift(&store, Stage::Current, Some('a'), Some('b'))
            .await
            .expect("published");
        assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
        store.rotate_secret(&secret(), &id('c')).expect("begun");
        assert_eq!(holder(&store, &Stage::Pending), Some(id('c')));
    }

    /// "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN
    /// configured and you didn't include such an ARN as a parameter in this call."
    #[tokio::test]
    async fn without_a_rotation_function_it_is_refused() {
        let store = store();
        store.remove_rotation_function(&secret());
        is_invalid(&store.rotate_secret(&secret(), &id('b')));
        let description = store.describe(&secret()).await.expect("described");
        assert!(!description.rotation_enabled);
        assert_eq!(holder(&store, &Stage::Pending), None);
    }

    #[test]
    fn an_unknown_secret_is_refused() {
        let store = FakeSecretsManager::new(FakeClock::default());
        let began = store.rotate_secret(&secret(), &id('b'));
        assert!(matches!(began, Err(StoreError::NoSecret(_))), "{began:?}");
    }
}

mod cancel_rotate_secret {
    use super::*;

    /// "Turns off automatic rotation … it can leave the `VersionStage` labels in an unexpected state.
    /// You might need to remove the staging label AWSPENDING from the partially created version. …
    /// To turn on automatic rotation again, call `RotateSecret`."
    #[tokio::test]
    async fn it_turns_rotation_off_and_leaves_awspending_to_be_removed() {
        let store = rotating();
        let left = store.cancel_rotate_secret(&secret()).expect("cancelled");
        assert_eq!(left, Some(id('b')));
        let description = store.describe(&secret()).await.expect("described");
        assert!(!description.rotation_enabled);
        assert_eq!(description.holder(&Stage::Pending), Some(&id('b')));
        // "Failing to clean up a cancelled rotation can block you from starting future rotations."
        is_conflict(&store.rotate_secret(&secret(), &id('c')));
        store.remove_pending(&secret());
        store.rotate_secret(&secret(), &id('c')).expect("begun");
        let description = store.describe(&secret()).await.expect("described");
        assert!(description.rotation_enabled);
    }

    #[test]
    fn with_no_rotation_in_flight_it_leaves_no_version() {
        let store = store();
        let left = store.cancel_rotate_secret(&secret()).expect("cancelled");
        assert_eq!(left, None);
    }

    #[tokio::test]
    async fn removing_awspending_alone_leaves_rotation_on() {
        let store = rotating();
        store.remove_pending(&secret());
        let description = store.describe(&secret()).await.expect("described");
        assert!(description.rotation_enabled);
        assert_eq!(description.holder(&Stage::Pending), None);
    }
}

mod throttling {
    use super::*;

    #[tokio::test]
    async fn the_next_calls_are_refused_without_effect() {
        let store = rotating();
        store.throttle_next(4);
        let refused = [
            store.describe(&secret()).await.err(),
            store
                .read(&secret(), &Selector::Stage(Stage::Current))
                .await
                .err(),
            put(&store, 'b', &PENDING_IN_B).await.err(),
            shift(&store, Stage::Pending, Some('b'), None).await.err(),
        ];
        for error in refused {
            assert!(
                matches!(error, Some(StoreError::Transient { .. })),
                "{error:?}"
            );
        }
        assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
        assert_eq!(store.value(&secret(), &Stage::Pending), None);
        put(&store, 'b', &PENDING_IN_B).await.expect("the fifth");
    }
}

mod lag {
    use super::*;

    async fn current(store: &FakeSecretsManager) -> VersionId {
        let at = Selector::Stage(Stage::Current);
        store.read(&secret(), &at).await.expect("a value").id
    }

    #[tokio::test]
    async fn the_next_reads_after_a_write_see_what_was_before() {
        let store = store();
        store.lag_reads(2);
        store.put_by_hand(&secret(), &id('b'), &value("b"));
        assert_eq!(current(&store).await, id('a'));
        let description = store.describe(&secret()).await.expect("described");
        assert_eq!(description.holder(&Stage::Current), Some(&id('a')));
        assert_eq!(current(&store).await, id('b'));
        store.put_by_hand(&secret(), &id('c'), &value("c"));
        store.lag_reads(0);
        store.put_by_hand(&secret(), &id('d'), &value("d"));
        assert_eq!(current(&store).await, id('d'), "no lag any more");
    }

    #[tokio::test]
    async fn writes_are_judged_by_what_is_true() {
        let store = store();
        store.lag_reads(5);
        store.put_by_hand(&secret(), &id('b'), &value("b"));
        is_conflict(&shift(&store, Stage::Slot(Slot::A), Some('a'), Some('b')).await);
        is_conflict(&shift(&store, Stage::Current, Some('a'), Some('b')).await);
        assert_eq!(current(&store).await, id('a'), "still behind");
    }

    #[tokio::test]
    async fn one_secret_is_not_behind_for_a_write_to_another() {
        let (store, other) = (store(), SecretId::new("app/other"));
        store.lag_reads(1);
        store.put_by_hand(&other, &id('x'), &value("x"));
        store.put_by_hand(&secret(), &id('b'), &value("b"));
        let at = Selector::Stage(Stage::Current);
        let read = store.read(&other, &at).await.expect("created just now");
        assert_eq!(read.id, id('x'));
        assert_eq!(current(&store).await, id('a'));
    }
}
