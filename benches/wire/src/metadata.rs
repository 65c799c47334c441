//! What tools ask when they connect: statements of the shape of pgjdbc's DatabaseMetaData, Metabase's sync and
//! SQLAlchemy 1.4's reflection (Superset), with literals in their texts where the tools put them there.

use crate::client::Client;
use crate::server::Server;
use std::time::Instant;

const TABLES: usize = 200;
const COLUMNS: usize = 50;
/// Tables that are looked at one by one.
const SINGLE: usize = 20;

pub fn fill(client: &mut Client) {
    let types =
        ["bigint", "int", "text", "varchar(40)", "numeric(12,2)", "timestamptz", "date", "bool", "float8", "uuid"];
    let table = |t: usize| {
        let columns: Vec<String> = (1..COLUMNS).map(|c| format!("c{c:02} {}", types[c % types.len()])).collect();
        format!(
            "CREATE TABLE shop.t{t:03} (id bigint PRIMARY KEY, {}); CREATE INDEX ON shop.t{t:03} (c01);",
            columns.join(", ")
        )
    };
    client.query("CREATE SCHEMA shop").expect("a schema can be made");
    // All in one transaction.
    let all: String = (0..TABLES).map(table).collect();
    client.query(&all).expect("the tables can be made");
}

fn pgjdbc() -> Vec<String> {
    let mut asked = vec![
        "SET extra_float_digits = 3".to_string(),
        "SET application_name = 'bench'".to_string(),
        "SELECT nspname AS \"TABLE_SCHEM\", NULL AS \"TABLE_CATALOG\" FROM pg_catalog.pg_namespace WHERE nspname <> 'pg_toast' \
         AND (nspname !~ '^pg_temp_' OR nspname = (pg_catalog.current_schemas(true))[1]) AND (nspname !~ '^pg_toast_temp_' \
         OR nspname = replace((pg_catalog.current_schemas(true))[1], 'pg_temp_', 'pg_toast_temp_')) ORDER BY \"TABLE_SCHEM\""
            .to_string(),
        "SELECT current_database() AS \"TABLE_CAT\", n.nspname AS \"TABLE_SCHEM\", c.relname AS \"TABLE_NAME\", \
         CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' \
         WHEN true THEN CASE WHEN n.nspname = 'pg_catalog' OR n.nspname = 'information_schema' THEN CASE c.relkind \
         WHEN 'r' THEN 'SYSTEM TABLE' WHEN 'v' THEN 'SYSTEM VIEW' WHEN 'i' THEN 'SYSTEM INDEX' ELSE NULL END ELSE NULL END \
         WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'i' THEN 'INDEX' \
         WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE NULL END \
         ELSE NULL END AS \"TABLE_TYPE\", d.description AS \"REMARKS\", '' AS \"TYPE_CAT\", '' AS \"TYPE_SCHEM\", '' AS \"TYPE_NAME\" \
         FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 \
         AND d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND (false OR (c.relkind = 'r' AND n.nspname !~ '^pg_' \
         AND n.nspname <> 'information_schema') OR (c.relkind = 'v' AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema') \
         OR (c.relkind = 'm')) ORDER BY \"TABLE_TYPE\", \"TABLE_SCHEM\", \"TABLE_NAME\""
            .to_string(),
    ];
    let columns = |table: &str| {
        format!(
            "SELECT * FROM (SELECT current_database() AS current_database, n.nspname, c.relname, a.attname, a.atttypid, \
             a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod, \
             row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS attidentity, \
             nullif(a.attgenerated, '') AS attgenerated, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, \
             t.typbasetype, t.typtype FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) \
             JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) \
             LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) \
             LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) \
             LEFT JOIN pg_catalog.pg_class dc ON (dc.oid = dsc.classoid AND dc.relname = 'pg_class') \
             LEFT JOIN pg_catalog.pg_namespace dn ON (dc.relnamespace = dn.oid AND dn.nspname = 'pg_catalog') \
             WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE 'shop' \
             AND c.relname LIKE '{table}') c WHERE true ORDER BY nspname, c.relname, attnum"
        )
    };
    asked.push(columns("%"));
    for t in 0..SINGLE {
        let name = format!("t{t:03}");
        asked.push(columns(&name));
        asked.push(format!(
            "SELECT result.table_cat, result.table_schem, result.table_name, result.column_name, result.key_seq, result.pk_name FROM \
             (SELECT current_database() AS table_cat, n.nspname AS table_schem, ct.relname AS table_name, a.attname AS column_name, \
             (information_schema._pg_expandarray(i.indkey)).n AS key_seq, ci.relname AS pk_name, \
             information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS a_attnum FROM pg_catalog.pg_class ct \
             JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) \
             JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) \
             WHERE true AND n.nspname = 'shop' AND ct.relname = '{name}' AND i.indisprimary) result \
             WHERE result.a_attnum = (result.keys).x ORDER BY result.table_name, result.pk_name, result.key_seq"
        ));
        asked.push(format!(
            "SELECT tmp.table_cat, tmp.table_schem, tmp.table_name, tmp.non_unique, tmp.index_name, tmp.type, tmp.ordinal_position, \
             trim(both '\"' from pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.ordinal_position, false)) AS column_name, tmp.cardinality, tmp.pages \
             FROM (SELECT current_database() AS table_cat, n.nspname AS table_schem, ct.relname AS table_name, NOT i.indisunique AS non_unique, \
             ci.relname AS index_name, CASE i.indisclustered WHEN true THEN 1 ELSE CASE am.amname WHEN 'hash' THEN 2 ELSE 3 END END AS type, \
             (information_schema._pg_expandarray(i.indkey)).n AS ordinal_position, ci.reltuples AS cardinality, ci.relpages AS pages, \
             ci.oid AS ci_oid FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) \
             JOIN pg_catalog.pg_index i ON (ct.oid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) \
             JOIN pg_catalog.pg_am am ON (ci.relam = am.oid) WHERE true AND n.nspname = 'shop' AND ct.relname = '{name}') AS tmp \
             ORDER BY non_unique, type, index_name, ordinal_position"
        ));
    }
    asked
}

fn metabase() -> Vec<String> {
    let one = |text: &str| text.to_string();
    vec![
        one("SHOW TIMEZONE"),
        one("SELECT n.nspname FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
             AND has_schema_privilege(n.nspname, 'USAGE')"),
        one(
            "SELECT n.nspname AS schema, c.relname AS name, CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' \
             WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' END AS type, d.description, \
             st.n_live_tup AS estimated_row_count FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid \
             LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass \
             LEFT JOIN pg_stat_user_tables st ON n.nspname = st.schemaname AND c.relname = st.relname \
             WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname = 'shop' ORDER BY type, schema, name",
        ),
        one("WITH table_privileges AS (SELECT n.nspname AS schema, c.relname AS table, \
             pg_catalog.has_any_column_privilege(current_user, c.oid, 'update') AS update, \
             pg_catalog.has_any_column_privilege(current_user, c.oid, 'select') AS select, \
             pg_catalog.has_any_column_privilege(current_user, c.oid, 'insert') AS insert, \
             pg_catalog.has_table_privilege(current_user, c.oid, 'delete') AS delete FROM pg_class c JOIN pg_namespace n ON c.relnamespace = n.oid \
             WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm')) \
             SELECT NULL AS role, t.* FROM table_privileges t WHERE t.select OR t.update OR t.insert OR t.delete"),
        one(
            "SELECT c.column_name AS name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name) \
             ELSE format('%I.%I', c.udt_schema, c.udt_name) END AS database_type, c.ordinal_position - 1 AS position, c.table_schema, \
             c.table_name, pk.column_name IS NOT NULL AS pk, \
             col_description(format('%I.%I', c.table_schema, c.table_name)::regclass, c.ordinal_position) AS comment, \
             c.column_default IS NULL AND c.is_nullable = 'NO' AND c.is_identity = 'NO' AS required, c.is_identity = 'YES' AS auto_increment \
             FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name \
             FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kc ON tc.constraint_name = kc.constraint_name \
             AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name WHERE tc.constraint_type = 'PRIMARY KEY') pk \
             ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name \
             WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('shop') \
             ORDER BY table_schema, table_name, position",
        ),
        one(
            "SELECT fk_ns.nspname, fk_table.relname, fk_column.attname, pk_ns.nspname, pk_table.relname, pk_column.attname FROM pg_constraint c \
             JOIN pg_class fk_table ON c.conrelid = fk_table.oid JOIN pg_namespace fk_ns ON c.connamespace = fk_ns.oid \
             JOIN pg_attribute fk_column ON c.conrelid = fk_column.attrelid JOIN pg_class pk_table ON c.confrelid = pk_table.oid \
             JOIN pg_namespace pk_ns ON pk_table.relnamespace = pk_ns.oid JOIN pg_attribute pk_column ON c.confrelid = pk_column.attrelid \
             WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f' AND fk_column.attnum = ANY (c.conkey) \
             AND pk_column.attnum = ANY (c.confkey) AND fk_ns.nspname IN ('shop') ORDER BY 1, 2",
        ),
        one(
            "SELECT n.nspname AS table_schema, tc.relname AS table_name, trim(both '\"' from pg_catalog.pg_get_indexdef(ic.oid, pos.n, false)) \
             AS field_name FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class tc ON i.indrelid = tc.oid \
             JOIN pg_catalog.pg_class ic ON i.indexrelid = ic.oid JOIN pg_catalog.pg_namespace n ON tc.relnamespace = n.oid \
             CROSS JOIN LATERAL (SELECT 1 AS n) pos WHERE i.indpred IS NULL AND n.nspname = 'shop' AND n.nspname !~ '^pg_'",
        ),
    ]
}

fn superset() -> Vec<String> {
    let mut asked: Vec<String> = [
        "SELECT pg_catalog.version()",
        "SHOW standard_conforming_strings",
        "SHOW transaction isolation level",
        "SELECT CAST('test plain returns' AS VARCHAR(60)) AS anon_1",
        "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname",
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'shop' AND c.relkind IN ('r', 'p')",
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'shop' AND c.relkind IN ('v', 'm')",
    ]
    .map(str::to_string)
    .into();
    for t in 0..SINGLE {
        let oid = format!("(SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid = 'shop.t{t:03}'::regclass)");
        asked.push(format!(
            "SELECT c.oid FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE (n.nspname = 'shop') AND c.relname = 't{t:03}' AND c.relkind IN ('r', 'v', 'm', 'f', 'p')"
        ));
        asked.push(format!(
            "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) \
             FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS default_, a.attnotnull, \
             a.attrelid AS table_oid, pgd.description AS comment, a.attgenerated AS generated, \
             (SELECT json_build_object('always', a.attidentity = 'a', 'start', s.seqstart, 'increment', s.seqincrement) \
             FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON s.seqrelid = c.oid WHERE c.relkind = 'S' AND a.attidentity <> '' \
             AND s.seqrelid = pg_catalog.pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid) AS identity_options \
             FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_description pgd ON (pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum) \
             WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        ));
        asked.push(format!(
            "SELECT a.attname FROM pg_attribute a JOIN (SELECT unnest(ix.indkey) AS attnum, generate_subscripts(ix.indkey, 1) AS ord, ix.indrelid \
             FROM pg_index ix WHERE ix.indrelid = {oid} AND ix.indisprimary) k ON a.attnum = k.attnum AND a.attrelid = k.indrelid \
             WHERE a.attrelid = {oid} ORDER BY k.ord"
        ));
        asked.push(format!(
            "SELECT r.conname, pg_catalog.pg_get_constraintdef(r.oid, true) AS condef, n.nspname AS conschema FROM pg_catalog.pg_constraint r, \
             pg_namespace n, pg_class c WHERE r.conrelid = {oid} AND r.contype = 'f' AND c.oid = confrelid AND n.oid = c.relnamespace ORDER BY 1"
        ));
        asked.push(format!(
            "SELECT i.relname AS relname, ix.indisunique, ix.indexprs, a.attname, a.attnum, c.conrelid, ix.indkey::varchar, ix.indoption::varchar, \
             i.reloptions, am.amname, pg_get_expr(ix.indpred, ix.indrelid), ix.indnkeyatts AS indnkeyatts FROM pg_class t \
             JOIN pg_index ix ON t.oid = ix.indrelid JOIN pg_class i ON i.oid = ix.indexrelid \
             LEFT OUTER JOIN pg_attribute a ON t.oid = a.attrelid AND a.attnum = ANY (ix.indkey) \
             LEFT OUTER JOIN pg_constraint c ON (ix.indrelid = c.conrelid AND ix.indexrelid = c.conindid AND c.contype IN ('p', 'u', 'x')) \
             LEFT OUTER JOIN pg_am am ON i.relam = am.oid WHERE t.relkind IN ('r', 'v', 'f', 'm', 'p') AND t.oid = {oid} \
             AND ix.indisprimary = 'f' ORDER BY t.relname, i.relname"
        ));
        asked.push(format!(
            "SELECT pgd.description AS table_comment FROM pg_catalog.pg_description pgd WHERE pgd.objsubid = 0 AND pgd.objoid = {oid}"
        ));
    }
    asked
}

/// Connects and asks everything once: ms of time, ms of the server's CPU, rows.
fn once(server: &Server, asked: &[String]) -> (f64, f64, Vec<u64>) {
    // What the connection before has left is gone.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let (cpu, begun) = (server.cpu(), Instant::now());
    let mut client = server.client();
    let rows = asked.iter().map(|sql| {
        let answer = client.query(sql).unwrap_or_else(|e| panic!("{}: {e}\n{sql}", server.name()));
        answer.rows
    });
    let rows = rows.collect();
    let took = begun.elapsed().as_secs_f64() * 1e3;
    (took, (server.cpu() - cpu) * 1e3, rows)
}

pub fn run(servers: &[Server; 2]) {
    println!(
        "connect and first metadata on {TABLES} tables of {COLUMNS} columns, ms; target: not slower. The first time, then the middle of 9"
    );
    for (what, asked) in [("pgjdbc", pgjdbc()), ("Metabase's sync", metabase()), ("Superset's sync", superset())] {
        if std::env::var("BENCH_ONLY").is_ok_and(|only| !what.contains(&only)) {
            continue;
        }
        let [postgres, sluice] = servers.each_ref().map(|server| {
            let first = once(server, &asked);
            let mut later: Vec<(f64, f64)> =
                (0..9).map(|_| once(server, &asked)).map(|(time, cpu, _)| (time, cpu)).collect();
            later.sort_by(|a, b| a.0.total_cmp(&b.0));
            (first, later[4])
        });
        println!(
            "  {what:16} {:3} statements   first {:.0} : {:.0} = {:.2} x   later {:.0} : {:.0} = {:.2} x (CPU {:.0} : {:.0})",
            asked.len(),
            postgres.0.0,
            sluice.0.0,
            sluice.0.0 / postgres.0.0,
            postgres.1.0,
            sluice.1.0,
            sluice.1.0 / postgres.1.0,
            postgres.1.1,
            sluice.1.1,
        );
        let differing = asked.iter().zip(postgres.0.2.iter().zip(&sluice.0.2)).filter(|(_, (p, s))| p != s);
        for (sql, (p, s)) in differing.take(3) {
            println!("    {p} rows from PostgreSQL, {s} from Sluice: {}", &sql[..sql.len().min(100)]);
        }
        if std::env::var_os("BENCH_EACH").is_some() {
            each(servers, &asked);
        }
    }
}

/// Which statements take long, each on a connection that has asked them all before.
fn each(servers: &[Server; 2], asked: &[String]) {
    let times = servers.each_ref().map(|server| {
        let mut client = server.client();
        let mut time = |sql: &String| {
            let begun = Instant::now();
            client.query(sql).expect("it was answered before");
            begun.elapsed().as_secs_f64() * 1e3
        };
        asked.iter().for_each(|sql| _ = time(sql));
        asked.iter().map(time).collect::<Vec<f64>>()
    });
    for (i, sql) in asked.iter().enumerate().take(16) {
        println!("    {:8.2} : {:8.2} ms  {}", times[0][i], times[1][i], &sql[..sql.len().min(90)]);
    }
}
