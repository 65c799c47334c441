CREATE ROLE anna LOGIN PASSWORD 'secret';
-- CREATE ROLE

CREATE USER bert WITH CONNECTION LIMIT 5 VALID UNTIL '2030-01-01 00:00+00';
-- CREATE ROLE

CREATE GROUP staff ROLE anna;
-- CREATE ROLE

CREATE ROLE boss NOINHERIT CREATEROLE IN ROLE staff;
-- CREATE ROLE

CREATE ROLE anna;
-- ERROR 42710 @ role "anna" already exists

CREATE ROLE pg_mine;
-- ERROR 42939 @ role name "pg_mine" is reserved
-- DETAIL Role names starting with "pg_" are reserved.

CREATE ROLE twice LOGIN NOLOGIN;
-- ERROR 42601 @25 conflicting or redundant options

SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, rolvaliduntil, rolpassword FROM pg_roles WHERE rolname IN ('anna', 'bert', 'staff', 'boss') ORDER BY 1;
-- rolname:name | rolsuper:bool | rolinherit:bool | rolcreaterole:bool | rolcreatedb:bool | rolcanlogin:bool | rolconnlimit:int4 | rolvaliduntil:timestamptz | rolpassword:text
-- anna | f | t | f | f | t | -1 | ∅ | ********
-- bert | f | t | f | f | t | 5 | 2030-01-01 00:00:00+00 | ********
-- boss | f | f | t | f | f | -1 | ∅ | ********
-- staff | f | t | f | f | f | -1 | ∅ | ********

SELECT rolname, rolpassword LIKE 'SCRAM-SHA-256$4096:%$%:%' AS hashed FROM pg_authid WHERE rolname IN ('anna', 'bert') ORDER BY 1;
-- rolname:name | hashed:bool
-- anna | t
-- bert | ∅

SELECT usename, usesuper, usecreatedb, valuntil FROM pg_user WHERE usename IN ('anna', 'bert', 'staff') ORDER BY 1;
-- usename:name | usesuper:bool | usecreatedb:bool | valuntil:timestamptz
-- anna | f | f | ∅
-- bert | f | f | 2030-01-01 00:00:00+00

SELECT r.rolname, m.rolname, g.rolname, admin_option FROM pg_auth_members a JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member JOIN pg_roles g ON g.oid = a.grantor WHERE r.rolname = 'staff' ORDER BY 2;
-- rolname:name | rolname:name | rolname:name | admin_option:bool
-- staff | anna | sluice | f
-- staff | boss | sluice | f

GRANT staff TO staff;
-- ERROR 0LP01 @ role "staff" is a member of role "staff"

GRANT anna TO staff;
-- ERROR 0LP01 @ role "anna" is a member of role "staff"

GRANT nobody TO anna;
-- ERROR 42704 @ role "nobody" does not exist

CREATE SCHEMA hr;
-- CREATE SCHEMA

CREATE TABLE hr.people (id int PRIMARY KEY, name text, salary int);
-- CREATE TABLE

INSERT INTO hr.people VALUES (1, 'Zoe', 100), (2, 'Max', 200);
-- INSERT 0 2

CREATE VIEW hr.names AS SELECT id, name FROM hr.people;
-- CREATE VIEW

CREATE SEQUENCE hr.ids;
-- CREATE SEQUENCE

CREATE TABLE open_to (a int);
-- CREATE TABLE

SELECT relname, relacl FROM pg_class WHERE relname IN ('people', 'names', 'ids') ORDER BY 1;
-- relname:name | relacl:_aclitem
-- ids | ∅
-- names | ∅
-- people | ∅

SELECT nspname, nspacl, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname IN ('hr', 'public', 'pg_catalog') ORDER BY 1;
-- nspname:name | nspacl:_aclitem | pg_get_userbyid:name
-- hr | ∅ | sluice
-- pg_catalog | {sluice=UC/sluice,=U/sluice} | sluice
-- public | {pg_database_owner=UC/pg_database_owner,=U/pg_database_owner} | pg_database_owner

SET ROLE anna;
-- SET

SELECT current_user, session_user, user, current_role;
-- current_user:name | session_user:name | user:name | current_role:name
-- anna | sluice | anna | anna

SHOW role;
-- role:text
-- anna

SHOW is_superuser;
-- is_superuser:text
-- off

SELECT * FROM hr.people;
-- ERROR 42501 @15 permission denied for schema hr

SELECT * FROM open_to;
-- ERROR 42501 @ permission denied for table open_to

SELECT count(*) FROM open_to;
-- ERROR 42501 @ permission denied for table open_to

INSERT INTO open_to VALUES (1);
-- ERROR 42501 @ permission denied for table open_to

CREATE TABLE mine (a int);
-- ERROR 42501 @14 permission denied for schema public

CREATE VIEW v AS SELECT 1;
-- ERROR 42501 @ permission denied for schema public

DROP TABLE open_to;
-- ERROR 42501 @ must be owner of table open_to

ALTER TABLE open_to ADD COLUMN b int;
-- ERROR 42501 @ must be owner of table open_to

CREATE INDEX ON open_to (a);
-- ERROR 42501 @ must be owner of table open_to

TRUNCATE open_to;
-- ERROR 42501 @ permission denied for table open_to

COMMENT ON TABLE open_to IS 'x';
-- ERROR 42501 @ must be owner of table open_to

GRANT SELECT ON open_to TO bert;
-- ERROR 42501 @ permission denied for table open_to

ALTER TABLE open_to OWNER TO anna;
-- ERROR 42501 @ must be owner of table open_to

CREATE ROLE eve;
-- ERROR 42501 @ permission denied to create role

DROP ROLE bert;
-- ERROR 42501 @ permission denied to drop role

GRANT staff TO bert;
-- ERROR 42501 @ must have admin option on role "staff"

ALTER ROLE bert PASSWORD 'x';
-- ERROR 42501 @ permission denied

ALTER ROLE bert SUPERUSER;
-- ERROR 42501 @ must be superuser to alter superuser roles or change superuser attribute

SELECT rolname FROM pg_authid;
-- ERROR 42501 @ permission denied for table pg_authid

SELECT has_table_privilege('open_to', 'SELECT'), has_schema_privilege('hr', 'USAGE'), has_schema_privilege('public', 'CREATE'), has_schema_privilege('pg_catalog', 'USAGE');
-- has_table_privilege:bool | has_schema_privilege:bool | has_schema_privilege:bool | has_schema_privilege:bool
-- f | f | f | t

SELECT table_name FROM information_schema.tables WHERE table_schema IN ('hr', 'public') ORDER BY 1;
-- table_name:name

RESET ROLE;
-- RESET

GRANT USAGE ON SCHEMA hr TO staff;
-- GRANT

GRANT SELECT ON hr.names TO staff;
-- GRANT

GRANT SELECT (id, name), UPDATE (name) ON hr.people TO bert;
-- GRANT

GRANT USAGE ON SCHEMA hr TO bert;
-- GRANT

GRANT INSERT, DELETE ON open_to TO anna WITH GRANT OPTION;
-- GRANT

GRANT SELECT ON open_to TO PUBLIC;
-- GRANT

GRANT ALL ON SEQUENCE hr.ids TO anna;
-- GRANT

GRANT EXECUTE ON TABLE open_to TO anna;
-- ERROR 0LP01 @ invalid privilege type EXECUTE for relation

GRANT SELECT ON TABLE missing TO anna;
-- ERROR 42P01 @ relation "missing" does not exist

GRANT SELECT ON open_to TO missing;
-- ERROR 42704 @ role "missing" does not exist

SELECT relname, relacl FROM pg_class WHERE relname IN ('people', 'names', 'ids', 'open_to') ORDER BY 1;
-- relname:name | relacl:_aclitem
-- ids | {sluice=rwU/sluice,anna=rwU/sluice}
-- names | {sluice=arwdDxt/sluice,staff=r/sluice}
-- open_to | {sluice=arwdDxt/sluice,anna=a*d*/sluice,=r/sluice}
-- people | ∅

SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'hr.people'::regclass AND attnum > 0 ORDER BY attnum;
-- attname:name | attacl:_aclitem
-- id | {bert=r/sluice}
-- name | {bert=rw/sluice}
-- salary | ∅

SELECT nspacl FROM pg_namespace WHERE nspname = 'hr';
-- nspacl:_aclitem
-- {sluice=UC/sluice,staff=U/sluice,bert=U/sluice}

SET ROLE anna;
-- SET

SELECT * FROM hr.names ORDER BY 1;
-- id:int4 | name:text
-- 1 | Zoe
-- 2 | Max

SELECT * FROM hr.people;
-- ERROR 42501 @ permission denied for table people

SELECT name FROM hr.names WHERE id = 2;
-- name:text
-- Max

INSERT INTO open_to VALUES (1), (2);
-- INSERT 0 2

SELECT * FROM open_to ORDER BY 1;
-- a:int4
-- 1
-- 2

UPDATE open_to SET a = 3;
-- ERROR 42501 @ permission denied for table open_to

DELETE FROM open_to WHERE a = 1;
-- DELETE 1

SELECT nextval('hr.ids');
-- nextval:int8
-- 1

SELECT currval('hr.ids');
-- currval:int8
-- 1

GRANT INSERT ON open_to TO bert WITH GRANT OPTION;
-- GRANT

GRANT SELECT, UPDATE ON open_to TO bert;
-- GRANT

GRANT TRUNCATE ON hr.people TO bert;
-- ERROR 42501 @ permission denied for table people

SET ROLE bert;
-- SET

SET SESSION AUTHORIZATION bert;
-- SET

SELECT id, name FROM hr.people ORDER BY 1;
-- id:int4 | name:text
-- 1 | Zoe
-- 2 | Max

SELECT * FROM hr.people;
-- ERROR 42501 @ permission denied for table people

SELECT p FROM hr.people p;
-- ERROR 42501 @ permission denied for table people

SELECT salary FROM hr.people;
-- ERROR 42501 @ permission denied for table people

SELECT count(*) FROM hr.people;
-- count:int8
-- 2

SELECT id FROM hr.people WHERE salary > 100;
-- ERROR 42501 @ permission denied for table people

SELECT a.id FROM hr.people a JOIN hr.people b USING (salary);
-- ERROR 42501 @ permission denied for table people

SELECT a.name FROM hr.people a JOIN hr.people b USING (id) ORDER BY 1;
-- name:text
-- Max
-- Zoe

UPDATE hr.people SET name = 'Eva' WHERE id = 1;
-- UPDATE 1

UPDATE hr.people SET salary = 0 WHERE id = 1;
-- ERROR 42501 @ permission denied for table people

UPDATE hr.people SET name = salary::text;
-- ERROR 42501 @ permission denied for table people

UPDATE hr.people SET name = 'X' RETURNING salary;
-- ERROR 42501 @ permission denied for table people

DELETE FROM hr.people;
-- ERROR 42501 @ permission denied for table people

INSERT INTO hr.people VALUES (3);
-- ERROR 42501 @ permission denied for table people

SELECT * FROM hr.names;
-- ERROR 42501 @ permission denied for view names

INSERT INTO open_to VALUES (7) RETURNING a;
-- a:int4
-- 7

INSERT INTO open_to (a) SELECT id FROM hr.people;
-- INSERT 0 2

INSERT INTO open_to (a) SELECT salary FROM hr.people;
-- ERROR 42501 @ permission denied for table people

SELECT nextval('hr.ids');
-- ERROR 42501 @ permission denied for sequence ids

SELECT has_column_privilege('hr.people', 'name', 'UPDATE'), has_column_privilege('hr.people', 'salary', 'SELECT'), has_any_column_privilege('hr.people', 'SELECT'), has_table_privilege('hr.people', 'SELECT'), has_sequence_privilege('hr.ids', 'USAGE');
-- has_column_privilege:bool | has_column_privilege:bool | has_any_column_privilege:bool | has_table_privilege:bool | has_sequence_privilege:bool
-- t | f | t | f | f

SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('hr', 'public') ORDER BY 1, 2;
-- table_schema:name | table_name:name
-- hr | people
-- public | open_to

SELECT column_name FROM information_schema.columns WHERE table_name = 'people' ORDER BY 1;
-- column_name:name
-- id
-- name

SELECT grantor, grantee, table_name, privilege_type, is_grantable FROM information_schema.table_privileges WHERE table_schema = 'public' ORDER BY 1, 2, 4;
-- grantor:name | grantee:name | table_name:name | privilege_type:varchar | is_grantable:varchar(7)
-- anna | bert | open_to | INSERT | YES
-- sluice | PUBLIC | open_to | SELECT | NO

SELECT grantee, column_name, privilege_type FROM information_schema.column_privileges WHERE table_name = 'people' ORDER BY 1, 2, 3;
-- grantee:name | column_name:name | privilege_type:varchar
-- bert | id | SELECT
-- bert | name | SELECT
-- bert | name | UPDATE

SET SESSION AUTHORIZATION anna;
-- SET

SET ROLE staff;
-- SET

SET ROLE bert;
-- ERROR 42501 @ permission denied to set role "bert"

RESET SESSION AUTHORIZATION;
-- RESET

SELECT current_user, session_user;
-- current_user:name | session_user:name
-- sluice | sluice

BEGIN;
-- BEGIN

SET LOCAL ROLE anna;
-- SET

SELECT current_user;
-- current_user:name
-- anna

ROLLBACK;
-- ROLLBACK

SELECT current_user;
-- current_user:name
-- sluice

BEGIN;
-- BEGIN

SET ROLE anna;
-- SET

ROLLBACK;
-- ROLLBACK

SELECT current_user;
-- current_user:name
-- sluice

SET ROLE nobody;
-- ERROR 22023 @ role "nobody" does not exist

SELECT set_config('role', 'bert', false);
-- set_config:text
-- bert

SELECT current_user;
-- current_user:name
-- bert

RESET ROLE;
-- RESET

REVOKE INSERT ON open_to FROM anna;
-- ERROR 2BP01 @ dependent privileges exist
-- HINT Use CASCADE to revoke them too.

REVOKE GRANT OPTION FOR INSERT ON open_to FROM anna CASCADE;
-- REVOKE

SELECT relacl FROM pg_class WHERE relname = 'open_to';
-- relacl:_aclitem
-- {sluice=arwdDxt/sluice,anna=ad*/sluice,=r/sluice}

REVOKE ALL ON open_to FROM anna, bert, PUBLIC;
-- REVOKE

SELECT relacl FROM pg_class WHERE relname = 'open_to';
-- relacl:_aclitem
-- {sluice=arwdDxt/sluice}

REVOKE ALL ON hr.people FROM bert;
-- REVOKE

SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'hr.people'::regclass AND attnum > 0 ORDER BY attnum;
-- attname:name | attacl:_aclitem
-- id | ∅
-- name | ∅
-- salary | ∅

GRANT INSERT, SELECT (id), UPDATE (name) ON hr.people TO anna;
-- GRANT

SET ROLE anna;
-- SET

INSERT INTO hr.people (id, name) VALUES (1, 'a') ON CONFLICT DO NOTHING;
-- INSERT 0 0

INSERT INTO hr.people (id, name) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
-- ERROR 42501 @ permission denied for table people

INSERT INTO hr.people (id, name) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = people.name;
-- ERROR 42501 @ permission denied for table people

INSERT INTO hr.people (id, name) VALUES (1, 'a') ON CONFLICT (name) DO NOTHING;
-- ERROR 42P10 @ there is no unique or exclusion constraint matching the ON CONFLICT specification

INSERT INTO hr.people VALUES (9, 'i', 1) RETURNING id;
-- id:int4
-- 9

INSERT INTO hr.people VALUES (8, 'h', 1) RETURNING name;
-- ERROR 42501 @ permission denied for table people

RESET ROLE;
-- RESET

GRANT CREATE ON SCHEMA hr TO anna;
-- GRANT

GRANT SELECT ON hr.people TO anna;
-- GRANT

SET ROLE anna;
-- SET

CREATE TABLE hr.own (id int);
-- CREATE TABLE

CREATE VIEW hr.all_of_it AS SELECT * FROM hr.people;
-- CREATE VIEW

GRANT SELECT ON hr.all_of_it TO bert;
-- GRANT

RESET ROLE;
-- RESET

SET ROLE bert;
-- SET

SELECT count(*) FROM hr.all_of_it;
-- count:int8
-- 3

SELECT count(*) FROM hr.own;
-- ERROR 42501 @ permission denied for table own

RESET ROLE;
-- RESET

REVOKE SELECT ON hr.people FROM anna;
-- REVOKE

SELECT count(*) FROM hr.all_of_it;
-- ERROR 42501 @ permission denied for table people

SELECT tableowner FROM pg_tables WHERE tablename = 'own';
-- tableowner:name
-- anna

DROP ROLE anna;
-- ERROR 2BP01 @ role "anna" cannot be dropped because some objects depend on it
-- DETAIL privileges for schema hr\nprivileges for table hr.people\nprivileges for column name of table hr.people\nprivileges for sequence hr.ids\nowner of table hr.own\nowner of view hr.all_of_it

ALTER DEFAULT PRIVILEGES FOR ROLE anna IN SCHEMA hr GRANT SELECT ON TABLES TO bert;
-- ALTER DEFAULT PRIVILEGES

SET ROLE anna;
-- SET

CREATE TABLE hr.later (id int);
-- CREATE TABLE

RESET ROLE;
-- RESET

SELECT relname, relacl FROM pg_class WHERE relname = 'later';
-- relname:name | relacl:_aclitem
-- later | {anna=arwdDxt/anna,bert=r/anna}

SELECT defaclobjtype, defaclacl FROM pg_default_acl;
-- defaclobjtype:char | defaclacl:_aclitem
-- r | {bert=r/anna}

GRANT SELECT ON ALL TABLES IN SCHEMA hr TO staff;
-- GRANT

SELECT relname, relacl FROM pg_class WHERE relnamespace = 'hr'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1;
-- relname:name | relacl:_aclitem
-- all_of_it | {anna=arwdDxt/anna,bert=r/anna,staff=r/anna}
-- later | {anna=arwdDxt/anna,bert=r/anna,staff=r/anna}
-- names | {sluice=arwdDxt/sluice,staff=r/sluice}
-- own | {anna=arwdDxt/anna,staff=r/anna}
-- people | {sluice=arwdDxt/sluice,anna=a/sluice,staff=r/sluice}

SELECT grantee::regrole, privilege_type, is_grantable FROM pg_class, aclexplode(relacl) WHERE relname = 'later' ORDER BY 1, 2;
-- grantee:regrole | privilege_type:text | is_grantable:bool
-- anna | DELETE | f
-- anna | INSERT | f
-- anna | REFERENCES | f
-- anna | SELECT | f
-- anna | TRIGGER | f
-- anna | TRUNCATE | f
-- anna | UPDATE | f
-- bert | SELECT | f
-- staff | SELECT | f

SELECT acldefault('r', 10), acldefault('n', 10), acldefault('s', 10), acldefault('d', 10), acldefault('c', 10);
-- acldefault:_aclitem | acldefault:_aclitem | acldefault:_aclitem | acldefault:_aclitem | acldefault:_aclitem
-- {sluice=arwdDxt/sluice} | {sluice=UC/sluice} | {sluice=rwU/sluice} | {=Tc/sluice,sluice=CTc/sluice} | {}

ALTER TABLE hr.own OWNER TO bert;
-- ALTER TABLE

SELECT tableowner FROM pg_tables WHERE tablename = 'own';
-- tableowner:name
-- bert

ALTER ROLE bert RENAME TO robert;
-- ALTER ROLE

SELECT tableowner FROM pg_tables WHERE tablename = 'own';
-- tableowner:name
-- robert

ALTER ROLE robert SET search_path = hr, public;
-- ALTER ROLE

SELECT rolconfig FROM pg_roles WHERE rolname = 'robert';
-- rolconfig:_text
-- {"search_path=hr, public"}

GRANT pg_read_all_data TO robert;
-- GRANT ROLE

SET ROLE robert;
-- SET

SELECT count(*) FROM hr.people;
-- count:int8
-- 3

DELETE FROM hr.people;
-- ERROR 42501 @ permission denied for table people

RESET ROLE;
-- RESET

REVOKE staff FROM robert;
-- REVOKE ROLE

REASSIGN OWNED BY anna TO sluice;
-- REASSIGN OWNED

DROP OWNED BY anna CASCADE;
-- DROP OWNED

DROP OWNED BY robert CASCADE;
-- DROP OWNED

DROP ROLE anna, robert;
-- DROP ROLE

DROP ROLE sluice;
-- ERROR 55006 @ current user cannot be dropped

DROP ROLE IF EXISTS anna;
-- DROP ROLE

DROP OWNED BY staff;
-- DROP OWNED

DROP ROLE boss, staff;
-- DROP ROLE

SELECT count(*) FROM pg_auth_members WHERE roleid >= 16384;
-- count:int8
-- 0

DROP SCHEMA hr CASCADE;
-- DROP SCHEMA

DROP TABLE open_to;
-- DROP TABLE
