CREATE TABLE shown (id serial, a int NOT NULL DEFAULT 7, t text DEFAULT 'x', c int CHECK (c > 0), g int GENERATED ALWAYS AS (a * 2) STORED, i int GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (id), UNIQUE (a, t));
-- CREATE TABLE

CREATE INDEX ON shown (t);
-- CREATE INDEX

CREATE INDEX shown_lower ON shown USING btree (lower(t), a DESC) WHERE a > 1;
-- CREATE INDEX

CREATE UNIQUE INDEX shown_i ON shown (i);
-- CREATE INDEX

COMMENT ON TABLE shown IS 'what is shown';
-- COMMENT

COMMENT ON COLUMN shown.a IS 'seven';
-- COMMENT

SELECT column_name, ordinal_position, column_default, is_nullable, data_type, is_identity, identity_generation, is_generated FROM information_schema.columns WHERE table_name = 'shown' ORDER BY ordinal_position;
-- column_name:name | ordinal_position:int4 | column_default:varchar | is_nullable:varchar(7) | data_type:varchar | is_identity:varchar(7) | identity_generation:varchar | is_generated:varchar
-- id | 1 | nextval('shown_id_seq'::regclass) | NO | integer | NO | ∅ | NEVER
-- a | 2 | 7 | NO | integer | NO | ∅ | NEVER
-- t | 3 | 'x'::text | YES | text | NO | ∅ | NEVER
-- c | 4 | ∅ | YES | integer | NO | ∅ | NEVER
-- g | 5 | ∅ | YES | integer | NO | ∅ | ALWAYS
-- i | 6 | ∅ | NO | integer | YES | ALWAYS | NEVER

SELECT conname, contype, conkey, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shown'::regclass ORDER BY conname;
-- conname:name | contype:char | conkey:_int2 | pg_get_constraintdef:text
-- shown_a_t_key | u | {2,3} | UNIQUE (a, t)
-- shown_c_check | c | {4} | CHECK ((c > 0))
-- shown_pkey | p | {1} | PRIMARY KEY (id)

SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'shown' ORDER BY 1;
-- indexname:name | indexdef:text
-- shown_a_t_key | CREATE UNIQUE INDEX shown_a_t_key ON public.shown USING btree (a, t)
-- shown_i | CREATE UNIQUE INDEX shown_i ON public.shown USING btree (i)
-- shown_lower | CREATE INDEX shown_lower ON public.shown USING btree (lower(t), a DESC) WHERE (a > 1)
-- shown_pkey | CREATE UNIQUE INDEX shown_pkey ON public.shown USING btree (id)
-- shown_t_idx | CREATE INDEX shown_t_idx ON public.shown USING btree (t)

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = 'shown'::regclass AND a.attnum > 0 ORDER BY a.attnum;
-- attname:name | format_type:text | attnotnull:bool | atthasdef:bool | attidentity:char | attgenerated:char | pg_get_expr:text
-- id | integer | t | t |  |  | nextval('shown_id_seq'::regclass)
-- a | integer | t | t |  |  | 7
-- t | text | f | t |  |  | 'x'::text
-- c | integer | f | f |  |  | ∅
-- g | integer | f | t |  | s | (a * 2)
-- i | integer | t | f | a |  | ∅

SELECT relname, relkind, relhasindex, relchecks FROM pg_class WHERE relname LIKE 'shown%' ORDER BY 1;
-- relname:name | relkind:char | relhasindex:bool | relchecks:int2
-- shown | r | t | 1
-- shown_a_t_key | i | f | 0
-- shown_i | i | f | 0
-- shown_i_seq | S | f | 0
-- shown_id_seq | S | f | 0
-- shown_lower | i | f | 0
-- shown_pkey | i | f | 0
-- shown_t_idx | i | f | 0

SELECT constraint_name, constraint_type FROM information_schema.table_constraints WHERE table_name = 'shown' AND constraint_name NOT LIKE '%not_null' ORDER BY 1;
-- constraint_name:name | constraint_type:varchar
-- shown_a_t_key | UNIQUE
-- shown_c_check | CHECK
-- shown_pkey | PRIMARY KEY

SELECT sequencename, data_type, start_value, increment_by, last_value FROM pg_sequences WHERE sequencename LIKE 'shown%' ORDER BY 1;
-- sequencename:name | data_type:regtype | start_value:int8 | increment_by:int8 | last_value:int8
-- shown_i_seq | integer | 1 | 1 | ∅
-- shown_id_seq | integer | 1 | 1 | ∅

SELECT obj_description('shown'::regclass), col_description('shown'::regclass, 2);
-- obj_description:text | col_description:text
-- what is shown | seven

DROP INDEX shown_a_t_key;
-- ERROR 2BP01 @ cannot drop index shown_a_t_key because constraint shown_a_t_key on table shown requires it
-- HINT You can drop constraint shown_a_t_key on table shown instead.

DROP INDEX shown_lower;
-- DROP INDEX

DROP INDEX nosuch;
-- ERROR 42704 @ index "nosuch" does not exist

ALTER TABLE shown RENAME CONSTRAINT shown_a_t_key TO renamed;
-- ALTER TABLE

SELECT conname FROM pg_constraint WHERE conrelid = 'shown'::regclass ORDER BY conname;
-- conname:name
-- renamed
-- shown_c_check
-- shown_pkey
