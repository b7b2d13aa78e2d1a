-- An application, as it may be: what it makes, reads, changes, asks of the server, and does wrong. Run as each
-- of the two roles of a pair, it prints the same to the letter.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset null NULL
SET client_min_messages TO notice;

-- Who it is. session_user is the one name that tells the two apart; the test replaces it.
SELECT session_user AS "the login";
SELECT current_user, current_role, user, current_catalog, current_schema;
SELECT current_schemas(true), current_setting('is_superuser');
SELECT name, setting, source, reset_val FROM pg_settings
 WHERE name NOT IN ('application_name', 'client_min_messages') AND category NOT LIKE 'Preset%' ORDER BY name;
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls, rolconnlimit, rolvaliduntil
  FROM pg_roles WHERE rolname = current_user;

-- What it makes.
CREATE SCHEMA shop;
SET search_path TO shop, "$user", public;
CREATE TYPE size AS ENUM ('small', 'large');
CREATE DOMAIN price AS numeric(8, 2) CHECK (value >= 0);
CREATE SEQUENCE numbers;
CREATE TABLE orders (
    id bigint PRIMARY KEY DEFAULT nextval('numbers'),
    who text NOT NULL DEFAULT current_user,
    size size NOT NULL DEFAULT 'small',
    costs price NOT NULL,
    at timestamptz
) WITH (fillfactor = 90);
CREATE TABLE IF NOT EXISTS orders ();
ALTER SEQUENCE numbers OWNED BY orders.id;
CREATE UNLOGGED TABLE scratch (LIKE orders INCLUDING ALL);
CREATE INDEX by_cost ON orders (costs DESC) INCLUDE (who);
CREATE UNIQUE INDEX CONCURRENTLY by_size ON orders (size, id);
CREATE TABLE lines (order_id bigint REFERENCES orders ON DELETE CASCADE, what text, EXCLUDE USING btree (what WITH =));
CREATE TABLE parts (day int) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE VIEW cheap AS SELECT * FROM orders WHERE costs < 10 WITH CHECK OPTION;
CREATE MATERIALIZED VIEW totals AS SELECT size, sum(costs) FROM orders GROUP BY size WITH NO DATA;
CREATE FUNCTION whoami() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
CREATE FUNCTION whose() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = shop AS 'SELECT current_user::text';
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE NOTICE '% by % on %', TG_OP, current_user, TG_TABLE_NAME; RETURN NEW; END $$;
CREATE TRIGGER tell BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION told();
CREATE PROCEDURE twice() LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO orders (costs) VALUES (1); COMMIT; INSERT INTO orders (costs) VALUES (2); END $$;
CREATE RULE quiet AS ON DELETE TO scratch DO INSTEAD NOTHING;
COMMENT ON TABLE orders IS 'of the shop';
CREATE STATISTICS together ON size, costs FROM orders;

-- What it stores, changes and reads.
INSERT INTO orders (costs) VALUES (3), (30) RETURNING id, who, costs;
INSERT INTO orders (id, costs) VALUES (1, 4) ON CONFLICT (id) DO UPDATE SET costs = excluded.costs RETURNING *;
CALL twice();
COPY orders (id, costs, size) FROM STDIN;
100	7.5	large
101	70	small
\.
COPY (SELECT * FROM orders ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER);
UPDATE cheap SET costs = 50 WHERE id = 1;
UPDATE orders SET costs = costs + 1 WHERE size = 'large' RETURNING id, costs;
DELETE FROM scratch;
REFRESH MATERIALIZED VIEW totals;
SELECT * FROM totals ORDER BY size;
SELECT whoami(), whose(), (SELECT string_agg(DISTINCT who, ',') FROM orders) AS who;
EXPLAIN (COSTS OFF) SELECT * FROM orders WHERE id = 1;
VACUUM (ANALYZE) orders;
CLUSTER orders USING orders_pkey;
TRUNCATE lines;
SELECT lo_create(4711), lo_unlink(4711);
DECLARE within CURSOR FOR SELECT 1;
BEGIN; SAVEPOINT a; SELECT 1/0; ROLLBACK TO a; SELECT pg_advisory_xact_lock(7), txid_current_if_assigned() IS NULL; COMMIT;
SELECT pg_try_advisory_lock(7), pg_advisory_unlock(7), pg_advisory_unlock(8);
CREATE TEMPORARY TABLE mine ON COMMIT PRESERVE ROWS AS SELECT 1 AS a;
SELECT relowner::regrole, relpersistence FROM pg_class WHERE relname = 'mine';
DISCARD TEMP;
NOTIFY channel; LISTEN channel; UNLISTEN *;
PREPARE again (int) AS SELECT $1 * 2; EXECUTE again (21); DEALLOCATE again;
DO $$ BEGIN RAISE WARNING 'by %', current_user; END $$;

-- What it lets others do.
GRANT USAGE ON SCHEMA shop TO reader;
GRANT SELECT ON orders, cheap TO reader WITH GRANT OPTION;
GRANT SELECT (id), UPDATE (what) ON orders, lines TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE TABLE later (a int);
CREATE FUNCTION closed() RETURNS int LANGUAGE sql AS 'SELECT 1';
GRANT SELECT ON missing TO reader;
GRANT reader TO postgres;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON orders USING (who = current_user AND costs > 5) WITH CHECK (true);
SELECT count(*) FROM orders;
SET row_security TO off;
SELECT count(*) FROM orders;
RESET row_security;
ALTER TABLE orders NO FORCE ROW LEVEL SECURITY;
\dn+ shop
\dp shop.*
\ddp
\d+ orders
\dt+ shop.later
\df+ shop.*
\drds
SELECT defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl FROM pg_default_acl ORDER BY 2, 3;
SELECT c.relname, c.relowner::regrole, c.relkind, c.relacl FROM pg_class c
 WHERE relnamespace = 'shop'::regnamespace ORDER BY relname;
SELECT proname, proowner::regrole, prosecdef, proacl FROM pg_proc WHERE pronamespace = 'shop'::regnamespace ORDER BY 1;
SELECT typname, typowner::regrole FROM pg_type WHERE typnamespace = 'shop'::regnamespace ORDER BY 1;
SELECT grantor, grantee, table_name, privilege_type, is_grantable FROM information_schema.role_table_grants
 WHERE table_schema IN ('shop', 'theirs') ORDER BY 1, 2, 3, 4;
SELECT table_name, table_type, is_insertable_into FROM information_schema.tables
 WHERE table_schema IN ('shop', 'theirs') ORDER BY 1;

-- What it may do.
SELECT has_database_privilege(current_database(), right_) AS database, right_
  FROM unnest(ARRAY['CREATE', 'CONNECT', 'TEMP']) AS right_;
SELECT nspname, has_schema_privilege(nspname, 'USAGE'), has_schema_privilege(nspname, 'CREATE') FROM pg_namespace
 WHERE nspname !~ '^pg_(toast_)?temp' ORDER BY 1;
SELECT relname, has_table_privilege(oid, 'SELECT'), has_table_privilege(oid, 'INSERT'), has_table_privilege(oid, 'TRUNCATE')
  FROM pg_class WHERE relnamespace::regnamespace::text IN ('shop', 'theirs', 'public') AND relkind = 'r' ORDER BY 1;
SELECT has_table_privilege('pg_authid', 'SELECT'), has_function_privilege('pg_reload_conf()', 'EXECUTE'),
       has_parameter_privilege('log_statement', 'SET') FROM pg_proc WHERE proname = 'has_parameter_privilege' LIMIT 1;
SELECT pg_has_role('reader', 'MEMBER'), pg_has_role(current_user, 'USAGE'), pg_has_role('pg_monitor', 'USAGE');

-- The objects of the other one, made by the same application some time ago.
\dp theirs.*
ALTER TABLE theirs.things ADD COLUMN size int DEFAULT 5, ALTER COLUMN name SET NOT NULL;
ALTER TABLE theirs.things RENAME COLUMN name TO title;
ALTER TABLE theirs.things OWNER TO CURRENT_USER;
CREATE INDEX ON theirs.things (size);
INSERT INTO theirs.things (title) VALUES ('of mine') RETURNING *;
CREATE OR REPLACE FUNCTION theirs.count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM theirs.things';
SELECT theirs.count();
CREATE OR REPLACE VIEW theirs.titles AS SELECT title FROM theirs.things;
REVOKE ALL ON theirs.things FROM reader;
GRANT SELECT ON theirs.things TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA theirs GRANT INSERT ON TABLES TO reader;
CREATE TRIGGER tell BEFORE INSERT ON theirs.things FOR EACH ROW EXECUTE FUNCTION told();
INSERT INTO theirs.things (title) VALUES ('told');
ALTER SCHEMA theirs RENAME TO ours;
SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'ours';
DROP SCHEMA ours CASCADE;

-- What it does wrong, or may not.
SELECT * FROM nowhere;
SELECT nothing FROM orders;
SELECT 1/0;
SELECT 'x'::int;
SELECT * FROM postgres_only.things;
SELECT rolpassword FROM pg_authid;
INSERT INTO orders (costs) VALUES (-1);
INSERT INTO orders (id, costs) VALUES (100, 1);
INSERT INTO lines VALUES (999999, 'x');
CREATE ROLE another;
CREATE DATABASE another;
ALTER ROLE CURRENT_USER SET lock_timeout TO '8s';
ALTER ROLE CURRENT_USER RESET lock_timeout;
ALTER ROLE reader LOGIN;
ALTER ROLE CURRENT_USER SUPERUSER;
DROP ROLE reader;
DROP TABLE postgres_only.things;
ALTER TABLE postgres_only.things ADD a int;
CREATE EXTENSION adminpack;
CREATE SCHEMA postgres_only;
CREATE TABLE pg_catalog.mine ();
SET ROLE postgres;
SET SESSION AUTHORIZATION postgres;
SET log_statement TO 'none';
SET statement_timeout TO '10s'; SHOW statement_timeout; RESET statement_timeout;
ALTER SYSTEM SET work_mem TO '1MB';
COPY orders TO '/tmp/orders';
COPY orders FROM PROGRAM 'id';
SELECT pg_read_file('PG_VERSION');
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres';
CREATE EVENT TRIGGER everything ON ddl_command_start EXECUTE FUNCTION told();
CREATE PUBLICATION everything FOR ALL TABLES;
REASSIGN OWNED BY reader TO CURRENT_USER;
LOCK TABLE postgres_only.things;
RESET ROLE;
SELECT current_user;
DISCARD ALL;
SELECT current_user, current_setting('search_path');

-- And cleans up.
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
DROP SCHEMA shop CASCADE;
SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole AND relpersistence <> 't';
