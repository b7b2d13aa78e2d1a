//! An application that has lived with one role for a while, and what adoption says of it.

use serde_json::{Value, json};
use twinkey_core::SecretValue;
use twinkey_postgres::adoption::{Adoption, AdoptionReport};
use twinkey_test_postgres::Options;

use crate::scene::{PASSWORD, Scene, Stored};

/// What stands at a server when twinkey comes: things of the role's own, things of others that it may
/// use by a grant, a membership and a policy, and readers of what it makes.
const LIFE: &str = "
    CREATE ROLE reader LOGIN PASSWORD 'TEST-first-password';
    CREATE ROLE reporting NOLOGIN;
    GRANT reporting TO app;
    GRANT CREATE ON DATABASE postgres TO app;
    CREATE SCHEMA base;
    GRANT USAGE ON SCHEMA base TO app, reporting;
    CREATE TABLE base.theirs (id int, secret text);
    GRANT SELECT (id), INSERT ON base.theirs TO app;
    CREATE TABLE base.reports AS SELECT 1 AS id;
    GRANT SELECT ON base.reports TO reporting;
    CREATE TABLE base.guarded AS SELECT generate_series(1, 4) AS id;
    ALTER TABLE base.guarded ENABLE ROW LEVEL SECURITY;
    CREATE POLICY \"even for app\" ON base.guarded TO app USING (id % 2 = 0);
    GRANT SELECT ON base.guarded TO app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA base GRANT SELECT ON TABLES TO app;
    SET ROLE app;
    CREATE SCHEMA shop;
    GRANT USAGE ON SCHEMA shop TO reader;
    ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reader;
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    CREATE SEQUENCE shop.numbers;
    CREATE TYPE shop.state AS ENUM ('open', 'paid');
    CREATE TABLE shop.orders (
        id int PRIMARY KEY DEFAULT nextval('shop.numbers'), state shop.state DEFAULT 'open');
    CREATE VIEW shop.open_orders AS SELECT * FROM shop.orders WHERE state = 'open';
    CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    RESET ROLE;
";

/// What the application does all day. It ends as it began.
const WORK: &str = "
    INSERT INTO shop.orders DEFAULT VALUES;
    DELETE FROM shop.orders;
    SELECT setval('shop.numbers', 1);
    ALTER TABLE shop.orders ADD COLUMN note text;
    ALTER TABLE shop.orders DROP COLUMN note;
    CREATE OR REPLACE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    INSERT INTO base.theirs VALUES (1);
    CREATE TABLE shop.made (id int);
    CREATE FUNCTION shop.made() RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE SCHEMA made;
    DROP SCHEMA made;
";

/// What it sees, also of what others may now do.
const SIGHT: &str = "
    SELECT concat_ws(' ', current_user, (SELECT count(*) FROM shop.open_orders), shop.one(),
        (SELECT string_agg(id::text, ',') FROM base.guarded), (SELECT count(*) FROM base.reports),
        (SELECT count(id) > 0 FROM base.theirs), has_table_privilege('base.theirs', 'UPDATE'),
        has_column_privilege('base.theirs', 'secret', 'SELECT'), has_table_privilege('base.later', 'SELECT'),
        has_table_privilege('reader', 'shop.made', 'SELECT'),
        has_function_privilege('reader', 'shop.made()', 'EXECUTE'),
        (SELECT tableowner FROM pg_tables WHERE tablename = 'made'))
";

/// What is owned and granted, to the letter.
const HOLDINGS: &str = "
    SELECT concat_ws(E'\\n',
        (SELECT string_agg(concat_ws(' ', oid::regclass, relowner::regrole, relacl), E'\\n' ORDER BY oid)
           FROM pg_class WHERE relnamespace::regnamespace::text IN ('shop', 'base', 'public')),
        (SELECT string_agg(concat_ws(' ', nspname, nspowner::regrole, nspacl), E'\\n' ORDER BY oid)
           FROM pg_namespace WHERE nspname IN ('shop', 'base', 'public')),
        (SELECT string_agg(concat_ws(' ', proname, proowner::regrole, proacl), E'\\n' ORDER BY oid)
           FROM pg_proc WHERE pronamespace = 'shop'::regnamespace),
        (SELECT string_agg(d::text, E'\\n' ORDER BY oid) FROM pg_default_acl d),
        (SELECT string_agg(p::text, E'\\n' ORDER BY oid) FROM pg_policy p))
";

/// What another tool's clone has made as itself.
const MADE: &str = "
    SET ROLE app_clone;
    CREATE SCHEMA cloned;
    CREATE TABLE cloned.made (id serial);
    CREATE VIEW cloned.seen AS SELECT * FROM cloned.made;
    CREATE FUNCTION cloned.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER DEFAULT PRIVILEGES IN SCHEMA cloned GRANT SELECT ON TABLES TO PUBLIC;
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;";

pub(crate) async fn lived_in() -> Scene {
    let scene = Scene::start_with(&Options::default()).await;
    scene.sql(LIFE).await;
    scene.sql("CREATE TABLE base.later ()").await;
    scene
}

impl Scene {
    pub(crate) fn adoption(&self, document: &Value) -> Adoption {
        let value = SecretValue::new(document.to_string());
        let address = self.address.clone();
        self.provider.adoption(&value, address).unwrap()
    }

    pub(crate) async fn report(&self, document: &Value) -> AdoptionReport {
        self.adoption(document).look().await.unwrap()
    }

    pub(crate) async fn holdings(&self) -> String {
        self.ask(HOLDINGS).await.unwrap()
    }

    /// Does a day's work as a consumer of this key, and says what it saw.
    pub(crate) async fn work(&self, key: &Stored) -> String {
        let consumer = self.consumer(key).await;
        consumer.batch_execute(WORK).await.unwrap();
        let seen = consumer.query_one(SIGHT, &[]).await.unwrap().get(0);
        let tidied = "DROP TABLE shop.made; DROP FUNCTION shop.made()";
        consumer.batch_execute(tidied).await.unwrap();
        seen
    }

    /// Rotates twice: the work is the same with each key, and the former one still does it.
    pub(crate) async fn rotate_and_work(&mut self, first: &Stored, sight: &str) {
        let second = self.rotate(first).await.unwrap();
        assert_eq!(self.work(first).await, sight);
        assert_eq!(self.work(&second).await, sight);
        let third = self.rotate(&second).await.unwrap();
        assert_eq!(third.user(), first.user());
        assert_eq!(self.work(&second).await, sight);
        assert_eq!(self.work(&third).await, sight);
    }

    /// From now on the admin secret is the superuser's.
    pub(crate) fn root_is_admin(&self) {
        let mut admin = self.admin_document();
        admin["username"] = json!("postgres");
        admin["password"] = json!(self.cluster.password());
        self.memory.put("admin", &admin);
    }

    /// The clone that another tool has made for `app`, which has worked in two databases as itself.
    pub(crate) async fn clone_of_another_tool(&self) {
        self.sql(&format!(
            "CREATE ROLE app_clone LOGIN PASSWORD '{PASSWORD}'; GRANT app TO app_clone"
        ))
        .await;
        self.sql("CREATE DATABASE \"se cond\"").await;
        self.sql("GRANT ALL ON DATABASE \"se cond\" TO app").await;
        self.administer("app_clone").await;
        self.sql(&format!("GRANT CREATE ON DATABASE postgres TO app; {MADE}"))
            .await;
        let second = self.cluster.superuser("se cond").await.unwrap();
        second.batch_execute(MADE).await.unwrap();
    }

    pub(crate) fn is_before_16(&self) -> bool {
        self.cluster.version().0 < 16
    }
}

pub(crate) fn sql(report: &AdoptionReport) -> Vec<&str> {
    let statements = report.statements.iter();
    statements.map(|statement| statement.sql.as_str()).collect()
}

pub(crate) fn owned(report: &AdoptionReport, role: &str, database: &str) -> Vec<String> {
    let owned = report.owned.iter();
    owned
        .filter(|it| it.role == role && it.database.as_deref() == Some(database))
        .map(|it| format!("{} {}", it.count, it.kind))
        .collect()
}
