//! The twin: made by us, like the original, acting as it; and roles that are not ours.

use serde_json::json;
use twinkey_core::{Credential, ErrorKind, Provider};

use twinkey_test_postgres::SUPERUSER;

use crate::psql;
use crate::scene::{PASSWORD, Scene, address};

#[tokio::test]
async fn a_table_of_the_twin_is_altered_by_the_original_and_the_other_way_round() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let (original, twin) = (scene.consumer(&first).await, scene.consumer(&second).await);
    twin.batch_execute("CREATE TABLE by_twin ()").await.unwrap();
    original
        .batch_execute("ALTER TABLE by_twin ADD x int; CREATE TABLE by_original ()")
        .await
        .unwrap();
    twin.batch_execute("ALTER TABLE by_original ADD x int; DROP TABLE by_twin")
        .await
        .unwrap();
    let owners = "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables
                   WHERE schemaname = 'public'";
    assert_eq!(scene.ask(owners).await.as_deref(), Some("app"));
}

#[tokio::test]
async fn attributes_and_settings_are_copied_to_the_letter() {
    let mut scene = Scene::start().await;
    scene.sql(r#"CREATE DATABASE "ot her""#).await;
    scene
        .sql(
            r#"ALTER ROLE app CREATEDB CREATEROLE CONNECTION LIMIT 7
                  VALID UNTIL '2199-01-01 12:34:56.789+05:30';
            ALTER ROLE app SET search_path TO "$user", 'we ird', 'q"uote', public;
            ALTER ROLE app SET statement_timeout TO '1ms';
            ALTER ROLE app RESET statement_timeout;
            ALTER ROLE app SET "work_mem" TO '65MB';
            ALTER ROLE app SET DateStyle TO 'ISO, DMY';
            ALTER ROLE app SET application_name TO 'it''s \ = "app"';
            ALTER ROLE app SET lock_timeout TO 1;
            ALTER ROLE app IN DATABASE "ot her" SET search_path TO '';
            ALTER ROLE app IN DATABASE "ot her" SET work_mem TO '66MB';"#,
        )
        .await;
    let first = scene.put_app();
    scene.rotate(&first).await.unwrap();
    // Since version 16 an admin gives CREATEDB only if it has it; the twin has it from its owner.
    let not_given = if scene.cluster.version().0 >= 16 {
        "- 'rolcreatedb'"
    } else {
        ""
    };
    let role = |name: &str| {
        format!(
            "SELECT to_jsonb(a) - 'oid' - 'rolname' - 'rolpassword' {not_given} #>> '{{}}'
               FROM pg_authid a WHERE rolname = '{name}'"
        )
    };
    assert_eq!(
        scene.ask(&role("app")).await,
        scene.ask(&role("app_clone")).await
    );
    let settings = |name: &str| {
        format!(
            "SELECT string_agg(setdatabase || ':' || line, E'\\n' ORDER BY setdatabase, line)
               FROM pg_db_role_setting, unnest(setconfig) line
              WHERE setrole = '{name}'::regrole AND line <> 'role=app'"
        )
    };
    let copied = scene.ask(&settings("app_clone")).await.unwrap();
    assert_eq!(scene.ask(&settings("app")).await.unwrap(), copied);
    assert!(copied.contains(r#"0:search_path="$user", "we ird", "q""uote", public"#));
    assert_eq!(copied.lines().count(), 7);
}

#[tokio::test]
async fn placeholder_settings_and_superuser_settings_are_copied_where_the_admin_may() {
    let mut scene = Scene::start().await;
    scene
        .sql(
            "ALTER ROLE app SET my.custom TO 'a b';
             ALTER ROLE app SET log_min_duration_statement TO 5;",
        )
        .await;
    let first = scene.put_app();
    let before = scene.fingerprint().await;
    for parameter in ["log_min_duration_statement", "my.custom"] {
        let error = scene.ready_error(&first).await;
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Denied, "MissingRight")
        );
        assert!(error.message.contains(parameter), "{error}");
        let mend = error.hint.unwrap();
        assert_eq!(scene.fingerprint().await, before);
        scene.sql(&mend).await;
        if scene.cluster.version().0 < 15 {
            // There are no rights on single parameters, and anybody may copy an unknown one.
            assert_eq!(mend, "ALTER ROLE \"rotator\" SUPERUSER;");
            break;
        }
        assert_eq!(
            mend,
            format!("GRANT SET ON PARAMETER \"{parameter}\" TO \"rotator\";")
        );
    }
    scene.rotate(&first).await.unwrap();
    let count = "SELECT count(*)::text FROM pg_db_role_setting, unnest(setconfig) line
                  WHERE setrole = 'app_clone'::regrole";
    assert_eq!(scene.ask(count).await.as_deref(), Some("3"));
}

#[tokio::test]
async fn the_originals_own_comment_is_kept() {
    let mut scene = Scene::start().await;
    scene
        .sql("COMMENT ON ROLE app IS 'the shop''s login'")
        .await;
    let mut current = scene.put_app();
    for _ in 0..3 {
        current = scene.rotate(&current).await.unwrap();
    }
    let comment = "SELECT shobj_description('app'::regrole, 'pg_authid')";
    assert_eq!(
        scene.ask(comment).await.as_deref(),
        Some("the shop's login")
    );
}

#[tokio::test]
async fn a_foreign_role_that_has_the_twins_name_is_left_untouched_with_a_way_out() {
    let mut scene = Scene::start().await;
    scene
        .sql("CREATE ROLE app_clone LOGIN PASSWORD 'TEST-theirs'")
        .await;
    let first = scene.put_app();
    let before = scene.fingerprint().await;
    let error = scene.ready_error(&first).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Conflict, "ForeignTwin")
    );
    assert!(error.hint.unwrap().contains("DROP ROLE \"app_clone\";"));
    // The way out: another name.
    let mut document = scene.document("app");
    document["twin"] = json!("app_blue");
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    assert_eq!(second.user(), "app_blue");
    let theirs = scene
        .cluster
        .can_log_in("app_clone", "TEST-theirs", "postgres");
    assert!(theirs.await.unwrap());
    assert!(
        scene
            .fingerprint()
            .await
            .starts_with(before.lines().next().unwrap())
    );
}

#[tokio::test]
async fn a_foreign_role_that_appears_between_the_check_and_the_change_is_left_untouched() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let pending = scene.create(&first).await.unwrap();
    scene
        .sql("CREATE ROLE app_clone LOGIN PASSWORD 'TEST-theirs'")
        .await;
    let before = scene.fingerprint().await;
    let error = scene.apply(&first, &pending).await.unwrap_err();
    assert_eq!(error.code, "ForeignTwin");
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn two_secrets_on_one_user_refuse_each_other_whoever_comes_second() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let before = scene.fingerprint().await;
    scene.address = address("another/secret");
    let mut other_twin = scene.document("app");
    other_twin["twin"] = json!("app_green");
    for document in [scene.document("app"), second.document(), other_twin] {
        let stored = scene.put(&document);
        let error = scene.ready_error(&stored).await;
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Conflict, "ForeignMark")
        );
        assert!(
            error.message.contains("app/db in store test-store"),
            "{error}"
        );
    }
    let pending = scene.store(second.secret.clone());
    let error = scene.apply(&first, &pending).await.unwrap_err();
    assert_eq!(error.code, "ForeignMark");
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn two_secrets_on_one_user_refuse_each_other_even_with_twins_of_different_names() {
    let mut scene = Scene::start().await;
    let unmarked = scene.put_app();
    let pending = scene.create(&unmarked).await.unwrap();
    let ours = scene.address.clone();
    scene.address = address("another/secret");
    let mut theirs = scene.document("app");
    theirs["twin"] = json!("blue");
    let theirs = scene.put(&theirs);
    scene.rotate(&theirs).await.unwrap();
    scene.address = ours;
    let before = scene.fingerprint().await;
    let apply = scene.apply(&unmarked, &pending).await.unwrap_err();
    for error in [scene.ready_error(&unmarked).await, apply] {
        assert_eq!(error.code, "ForeignMark");
        assert!(
            error
                .hint
                .unwrap()
                .contains("COMMENT ON ROLE \"blue\" IS NULL;")
        );
    }
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn two_secrets_that_check_at_once_do_not_both_get_the_pair() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let pending = scene.create(&first).await.unwrap();
    let ours = scene.address.clone();
    scene.address = address("another/secret");
    let theirs = scene.create(&first).await.unwrap();
    scene.apply(&first, &theirs).await.unwrap();
    scene.address = ours;
    let error = scene.apply(&first, &pending).await.unwrap_err();
    assert_eq!(error.code, "ForeignMark");
    assert!(scene.is_live(&theirs).await && scene.is_live(&first).await);
    assert!(!scene.is_live(&pending).await);
}

#[tokio::test]
async fn a_superuser_is_rotated_by_a_superuser_only() {
    let mut scene = Scene::start().await;
    scene.sql("ALTER ROLE app SUPERUSER").await;
    let first = scene.put_app();
    let before = scene.fingerprint().await;
    let error = scene.ready_error(&first).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Denied, "SuperuserRole")
    );
    assert_eq!(scene.fingerprint().await, before);
    let mut admin = scene.admin_document();
    admin["username"] = json!("postgres");
    admin["password"] = json!(scene.cluster.password());
    scene.memory.put("admin", &admin);
    let second = scene.rotate(&first).await.unwrap();
    let consumer = scene.consumer(&second).await;
    consumer
        .batch_execute("CREATE ROLE made_by_the_twin SUPERUSER")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_role_that_inherits_nothing_has_a_twin_that_may_connect_as_it_may() {
    let mut scene = Scene::start().await;
    scene
        .sql(
            "ALTER ROLE app NOINHERIT;
             REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
             GRANT CONNECT ON DATABASE postgres TO app, rotator;",
        )
        .await;
    let mut current = scene.put_app();
    for _ in 0..3 {
        current = scene.rotate(&current).await.unwrap();
    }
}

#[tokio::test]
async fn a_pair_may_act_as_a_third_role_once_the_document_names_it() {
    let mut scene = Scene::start().await;
    scene
        .sql(
            "CREATE ROLE shop NOLOGIN; GRANT CREATE ON SCHEMA public TO shop;
             GRANT shop TO app; ALTER ROLE app SET role TO shop;",
        )
        .await;
    scene.administer("shop").await;
    let first = scene.put_app();
    let error = scene.ready_error(&first).await;
    assert_eq!(error.code, "InvalidDocument");
    assert!(error.message.contains("field owner: ") && error.message.contains("shop"));
    let mut document = scene.document("app");
    document["owner"] = json!("shop");
    let first = scene.put(&document);
    let second = scene.rotate(&first).await.unwrap();
    let twin = scene.consumer(&second).await;
    twin.batch_execute("CREATE TABLE t ()").await.unwrap();
    let owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 't'";
    assert_eq!(scene.ask(owner).await.as_deref(), Some("shop"));
}

#[tokio::test]
async fn p10_a_document_cannot_make_its_role_act_as_somebody_else() {
    let mut scene = Scene::start().await;
    scene
        .sql("ALTER ROLE rotator SUPERUSER; CREATE ROLE shop")
        .await;
    let first = scene.put_app();
    let pending = scene.create(&first).await.unwrap();
    let before = scene.fingerprint().await;
    for owner in ["postgres", "shop"] {
        let mut current = scene.document("app");
        current["owner"] = json!(owner);
        let current = scene.put(&current);
        let error = scene.ready_error(&current).await;
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Denied, "ForeignOwner")
        );
        // Nor can a pending one that somebody has put in ours's place.
        let mut forged = pending.document();
        forged["owner"] = json!(owner);
        let forged = scene.put(&forged);
        let error = scene.apply(&first, &forged).await.unwrap_err();
        assert_eq!(error.code, "ForeignOwner");
    }
    assert_eq!(scene.fingerprint().await, before);
}

#[tokio::test]
async fn p11_a_role_that_cannot_be_used_any_longer_is_found_before_anything_is_changed() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    for (breaking, code) in [
        ("ALTER ROLE app NOLOGIN", "RoleCannotLogIn"),
        (
            "ALTER ROLE app LOGIN VALID UNTIL '2001-01-01'",
            "RoleExpired",
        ),
    ] {
        scene.sql(breaking).await;
        let error = scene.ready_error(&second).await;
        assert_eq!((error.kind, error.code), (ErrorKind::Denied, code));
        scene.sql(&error.hint.unwrap()).await;
    }
    scene
        .provider
        .ready(&second.secret, &scene.address)
        .await
        .unwrap();
    scene.sql("DROP OWNED BY app; DROP ROLE app").await;
    assert_eq!(scene.ready_error(&second).await.code, "RoleMissing");
    let mut nobody = scene.document("nobody");
    nobody["password"] = json!(PASSWORD);
    let nobody = scene.put(&nobody);
    assert_eq!(scene.ready_error(&nobody).await.code, "RoleMissing");
}

#[tokio::test]
async fn p11_a_pair_that_no_longer_acts_as_its_owner_is_found_before_anything_is_changed() {
    let mut scene = Scene::start().await;
    scene.sql("CREATE ROLE shop").await;
    // Since version 16 everybody revokes only what they have granted.
    let revoke = if scene.cluster.version().0 >= 16 {
        "REVOKE app FROM app_clone GRANTED BY rotator"
    } else {
        "REVOKE app FROM app_clone"
    };
    let first = scene.put_app();
    let mut current = scene.rotate(&first).await.unwrap();
    for (breaking, code) in [
        ("ALTER ROLE app SET role TO shop", "RoleActsAsOther"),
        ("ALTER ROLE app_clone RESET role", "RoleActsAsOther"),
        (
            "ALTER ROLE app_clone IN DATABASE postgres SET role TO none",
            "RoleActsAsOther",
        ),
        (revoke, "RoleNotMember"),
        (
            "ALTER ROLE app CONNECTION LIMIT 0",
            "RoleWithoutConnections",
        ),
        (
            "ALTER ROLE app_clone CONNECTION LIMIT 0",
            "RoleWithoutConnections",
        ),
    ] {
        scene.sql(breaking).await;
        let before = scene.fingerprint().await;
        let error = scene.ready_error(&current).await;
        assert_eq!((error.kind, error.code), (ErrorKind::Denied, code));
        assert_eq!(scene.fingerprint().await, before);
        scene.sql(&error.hint.unwrap()).await;
        current = scene.rotate(&current).await.unwrap();
    }
    let mut other_owner = current.document();
    other_owner["owner"] = json!("shop");
    let other_owner = scene.put(&other_owner);
    let error = scene.ready_error(&other_owner).await;
    assert!(error.message.starts_with("field owner: "), "{error}");
}

#[tokio::test]
async fn a_mark_that_was_removed_by_hand_is_written_again_by_the_hint() {
    let mut scene = Scene::start().await;
    let mut current = scene.put_app();
    for _ in 0..2 {
        let before = current;
        current = scene.rotate(&before).await.unwrap();
        let pending = scene.create(&current).await.unwrap();
        scene.sql("COMMENT ON ROLE app_clone IS 'mine'").await;
        let by_hand = scene.document(current.user());
        let by_hand = scene.put(&by_hand);
        let late = scene.apply(&current, &pending).await.unwrap_err();
        let mut hints = Vec::new();
        for error in [late, scene.ready_error(&current).await] {
            assert_eq!(
                (error.kind, error.code),
                (ErrorKind::Conflict, "MarkMissing")
            );
            hints.push(error.hint.unwrap());
        }
        if by_hand.user() == "app" {
            hints.push(scene.ready_error(&by_hand).await.hint.unwrap());
        }
        assert!(hints.iter().all(|hint| *hint == hints[0]), "{hints:?}");
        assert!(!hints[0].contains("DROP ROLE"));
        scene.sql(hints[0].split_once("again: ").unwrap().1).await;
        scene.apply(&current, &pending).await.unwrap();
        assert!(scene.is_live(&current).await && scene.is_live(&pending).await);
        scene.sql("COMMENT ON ROLE app_clone IS NULL").await;
        let error = scene.ready_error(&pending).await;
        scene
            .sql(error.hint.unwrap().split_once("again: ").unwrap().1)
            .await;
        current = pending;
    }
}

#[tokio::test]
async fn p4_a_document_of_other_roles_waits_until_the_former_pairs_keys_are_ended() {
    let mut scene = Scene::start().await;
    scene.application("shop").await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let moved = scene.document("shop");
    let moved = scene.put(&moved);
    let before = scene.fingerprint().await;
    let error = scene.ready_error(&moved).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Conflict, "FormerPair")
    );
    assert!(error.message.contains("app and app_clone"), "{error}");
    // Nor does a rotation that checked before the mark was there.
    let forged = moved.secret.clone();
    let mut pending: serde_json::Value = serde_json::from_str(forged.render().expose()).unwrap();
    pending["username"] = json!("shop_clone");
    pending["twin"] = json!("shop");
    pending["owner"] = json!("shop");
    let pending = scene.put(&pending);
    let late = scene.apply(&moved, &pending).await.unwrap_err();
    assert_eq!(late.code, "FormerPair");
    assert_eq!(scene.fingerprint().await, before);
    // The way out, as the hint says it.
    let hint = error.hint.unwrap();
    let (_, sql) = hint.split_once("mark: ").unwrap();
    scene.sql(sql).await;
    let next = scene.rotate(&moved).await.unwrap();
    let mut live = Vec::new();
    for key in [&first, &second, &moved, &next] {
        live.push(scene.is_live(key).await);
    }
    assert_eq!(live, [false, false, true, true]);
}

/// What an administrator may change on one of two logins, and whether it is a login's or its owner's.
const CHANGES: [&str; 10] = [
    "ALTER ROLE app CONNECTION LIMIT 5",
    "ALTER ROLE app VALID UNTIL '2199-01-01'",
    "ALTER ROLE app SET work_mem TO '5MB'",
    "ALTER ROLE app IN DATABASE postgres SET search_path TO a, \"b c\"",
    "ALTER ROLE app_clone SET lock_timeout TO 7",
    "ALTER ROLE app_clone CREATEROLE",
    "ALTER ROLE app_clone IN DATABASE template1 SET role TO none",
    "GRANT reporting TO app_clone",
    "GRANT app TO app_clone; GRANT reporting TO app_clone WITH ADMIN OPTION",
    "ALTER ROLE app CREATEROLE",
];

#[tokio::test]
async fn p6_whatever_differs_between_the_two_is_named_before_anything_is_stored_and_in_the_test() {
    let mut scene = Scene::start().await;
    scene.sql("CREATE ROLE reporting").await;
    let first = scene.put_app();
    let mut current = scene.rotate(&first).await.unwrap();
    for change in CHANGES {
        scene.sql(change).await;
        let before = scene.fingerprint().await;
        let error = scene.ready_error(&current).await;
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Denied, "TwinsDiffer"),
            "{change}"
        );
        // Whether the admin could have given the twin an attribute, a consumer cannot see.
        if change != "ALTER ROLE app CREATEROLE" {
            let tested = scene.provider.verify(&current.secret).await.unwrap_err();
            assert_eq!(tested.code, "TwinsDiffer", "{change}");
        }
        assert_eq!(scene.fingerprint().await, before);
        // One statement after the other, as people do.
        let hint = error.hint.unwrap();
        let mend = hint.split_once("undo it: ").unwrap().1;
        let mended = psql::run(&scene, SUPERUSER, scene.cluster.password(), mend);
        assert!(mended.stderr.is_empty(), "{mended:?}");
        current = scene.rotate(&current).await.unwrap();
    }
}

#[tokio::test]
async fn p6_with_a_third_owner_the_twin_is_granted_what_the_original_was_and_not_the_original() {
    let mut scene = Scene::start().await;
    scene
        .sql(
            "CREATE ROLE shop; CREATE ROLE reporting; CREATE ROLE audit;
             GRANT shop TO app; GRANT reporting TO app; GRANT audit TO app WITH ADMIN OPTION;
             ALTER ROLE app SET role TO shop;",
        )
        .await;
    let options = if scene.cluster.version().0 >= 16 {
        scene
            .sql("GRANT reporting TO app WITH INHERIT FALSE, SET FALSE")
            .await;
        "m.admin_option, m.inherit_option, m.set_option"
    } else {
        "m.admin_option"
    };
    let mut document = scene.document("app");
    document["owner"] = json!("shop");
    let mut current = scene.put(&document);
    for role in ["shop", "reporting", "audit"] {
        if scene.cluster.version().0 >= 16 {
            let error = scene.ready_error(&current).await;
            assert_eq!(error.code, "MissingRight");
        }
        scene.administer(role).await;
    }
    for _ in 0..3 {
        current = scene.rotate(&current).await.unwrap();
    }
    let memberships = |member: &str| {
        format!(
            "SELECT string_agg(concat_ws(' ', m.roleid::regrole, {options}), ', ' ORDER BY m.roleid)
               FROM pg_auth_members m WHERE m.member = '{member}'::regrole"
        )
    };
    let granted = scene.ask(&memberships("app")).await.unwrap();
    assert_eq!(scene.ask(&memberships("app_clone")).await.unwrap(), granted);
    assert_eq!(granted.matches(", ").count(), 2, "{granted}");
    scene.sql("CREATE ROLE late; GRANT late TO app").await;
    let error = scene.ready_error(&current).await;
    assert_eq!(error.code, "TwinsDiffer");
    assert!(error.message.contains("membership in late"), "{error}");
}
