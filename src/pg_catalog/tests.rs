//! System relations over a catalog made by hand: what clients join must join, and values are PostgreSQL's.

use super::*;
use crate::catalog::{BOOTSTRAP_ROLE, Catalog, FIRST_USER_OID, NewRelation};
use crate::kernels::context::{CatalogLookup, PrivilegeOn, RelationSize};
use crate::types::{Column, PgType, oid};
use arrow::array::{Array, Int16Array, UInt32Array};
use arrow::util::display::array_value_to_string;
use std::collections::{HashMap, HashSet};

/// A schema with a table of every common type, a gold view and a view over it.
struct World {
    catalog: Arc<Catalog>,
    orders: Oid,
    totals: Oid,
    recent: Oid,
    state: State,
    session: SessionFacts,
    sessions: Vec<SessionRow>,
}

const NOW: i64 = 1_700_000_000_000_000;

fn new_relation(schema: Oid, name: &str, kind: RelationKind, table: TableSchema) -> NewRelation {
    let (definition, search_path, depends_on) = (None, Vec::new(), Vec::new());
    NewRelation { schema, name: name.to_string(), kind, table, definition, search_path, depends_on }
}

fn world() -> World {
    let mut catalog = Catalog::new(system_relations());
    let schema = |catalog: &Catalog, name: &str| catalog.namespace_named(name).expect("a schema").oid;
    let (silver, gold) = (schema(&catalog, "silver"), schema(&catalog, "gold"));
    let typed = |oid: Oid, typmod: i32| PgType { oid, typmod };
    let columns = vec![
        Column::new("id", PgType::new(oid::INT8), false),
        Column::new("code", typed(oid::VARCHAR, 14), false),
        Column::new("note", PgType::new(oid::TEXT), true),
        Column::new("total", PgType::numeric(12, 2), true),
        Column::new("free", PgType::new(oid::NUMERIC), true),
        Column::new("at", PgType::new(oid::TIMESTAMPTZ), true),
        Column::new("at3", typed(oid::TIMESTAMP, 3), true),
        Column::new("day", PgType::new(oid::DATE), true),
        Column::new("flag", PgType::new(oid::BOOL), true),
        Column::new("tags", PgType::new(Oid(1009)), true),
        Column::new("doc", PgType::new(oid::JSONB), true),
        Column::new("uid", PgType::new(oid::UUID), true),
        Column::new("ratio", PgType::new(oid::FLOAT8), true),
        Column::new("name", PgType::new(oid::NAME), true),
        Column::new("pad", typed(oid::BPCHAR, 7), true),
        Column::new("span", PgType::new(oid::INTERVAL), true),
    ];
    let table = TableSchema::new(columns, vec![0, 1]);
    let orders = catalog.create(new_relation(silver, "Orders", RelationKind::Silver, table)).expect("a table");
    let total = || TableSchema::new(vec![Column::new("total", PgType::new(oid::NUMERIC), true)], Vec::new());
    let totals = NewRelation {
        definition: Some("SELECT sum(total) AS total FROM silver.\"Orders\"".to_string()),
        depends_on: vec![orders],
        ..new_relation(gold, "totals", RelationKind::Gold, total())
    };
    let totals = catalog.create(totals).expect("a gold view");
    let recent = NewRelation {
        definition: Some("SELECT total FROM gold.totals ;".to_string()),
        depends_on: vec![totals],
        ..new_relation(catalog::PUBLIC, "recent", RelationKind::View, total())
    };
    let recent = catalog.create(recent).expect("a view");
    let comment = |relation: &mut Relation| {
        relation.comment = Some("all orders".to_string());
        relation.column_comments.insert(3, "free text".to_string());
    };
    catalog.change(orders, comment).expect("the table is there");
    World {
        catalog: Arc::new(catalog),
        orders,
        totals,
        recent,
        state: state(orders, totals),
        session: session(),
        sessions: vec![other_session()],
    }
}

fn state(orders: Oid, totals: Oid) -> State {
    let stream = |partition: i32, position: i64, high: i64| StreamRow {
        source: "shop".into(),
        stream: format!("shop/orders/{partition}"),
        topic: Some("orders".to_string()),
        partition: Some(partition),
        state: "streaming",
        message: String::new(),
        position: Some(position),
        fetched: Some(position + 1),
        high: Some(high),
        checkpoint: Some(position - 2),
        newest_source_us: Some(NOW - 5_000_000),
        applied_us: Some(NOW - 1_000_000),
        events: 10,
        bytes: 1000,
        dead_letters: 1,
        gaps: vec![(3, 7)],
    };
    let table = |oid: Oid, rows: u64| TableRow {
        evicted_rows: 0,
        evicted_bytes: 0,
        oid,
        rows,
        bytes: 100,
        unflushed_rows: 2,
        durable_tick: 6,
        delta_version: Some(3),
        changed_tick: 7,
        memory: vec![MemoryRow { kind: "table", columns: vec![], rows, bytes: 100 }],
    };
    State {
        tick: 9,
        published_us: NOW - 250_000,
        sources: vec![SourceRow {
            name: "shop".into(),
            kind: "kafka",
            state: "streaming",
            message: String::new(),
            since_us: NOW - 60_000_000,
        }],
        streams: vec![stream(0, 10, 10), stream(1, 20, 24)],
        tables: vec![table(orders, 42), table(totals, 1)],
        views: vec![ViewRow {
            oid: totals,
            state: "error",
            error: Some("division by zero".to_string()),
            maintenance: "incremental",
            reason: None,
            plan: ["scan: changed rows of silver.orders".to_string()].into(),
            state_bytes: 0,
            progress: None,
            rows: 1,
            changed_tick: 8,
            runs: 4,
            total_us: 2_000_000,
            last_us: 500_000,
        }],
        ..State::default()
    }
}

fn session() -> SessionFacts {
    SessionFacts { user: "anna".to_string(), access: None, database: "shop".to_string() }
}

impl Facts for World {
    fn state(&self) -> &State {
        &self.state
    }

    fn session(&self) -> &SessionFacts {
        &self.session
    }

    fn settings(&self) -> Vec<SettingRow> {
        vec![SettingRow { name: "search_path".to_string(), ..SettingRow::default() }]
    }

    fn prepared(&self) -> Vec<PreparedRow> {
        let (name, statement) = ("s1".to_string(), "SELECT $1".to_string());
        vec![PreparedRow { name, statement, prepared_us: NOW, parameter_types: vec![oid::INT4], from_sql: false }]
    }

    fn cursors(&self) -> Vec<CursorRow> {
        vec![CursorRow {
            name: "c1".to_string(),
            statement: "SELECT 1".to_string(),
            holdable: false,
            binary: false,
            scrollable: true,
            created_us: NOW,
        }]
    }

    fn sessions(&self) -> Vec<SessionRow> {
        self.sessions.clone()
    }

    fn now_us(&self) -> i64 {
        NOW
    }
}

fn other_session() -> SessionRow {
    SessionRow { pid: 8, user: "bert".to_string(), database: "shop".to_string(), ..SessionRow::default() }
}

impl World {
    fn read(&self, schema: &str, name: &str) -> RecordBatch {
        let namespace = self.catalog.namespace_named(schema).expect("a schema");
        let relation = self.catalog.relation_named(namespace.oid, name).unwrap_or_else(|| panic!("{schema}.{name}"));
        self.rows_of(relation.oid).unwrap_or_else(|error| panic!("{schema}.{name}: {error}"))
    }

    fn rows_of(&self, oid: Oid) -> PgResult<RecordBatch> {
        let cx = SystemContext::new(&self.catalog, self);
        rows(oid, &cx)
    }

    fn lookup(&self) -> Lookup {
        let path = vec!["public".to_string(), "gold".to_string()];
        let users = vec!["anna".to_string()];
        let sizes = HashMap::from([(self.orders, 100)]);
        Lookup::new(Arc::clone(&self.catalog), path.into(), "shop".into(), users.into(), Arc::new(sizes))
    }
}

fn oids(batch: &RecordBatch, column: &str) -> Vec<u32> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("column {column}"));
    let array = array.as_any().downcast_ref::<UInt32Array>().expect("a column of OIDs");
    array.values().to_vec()
}

fn numbers(batch: &RecordBatch, column: &str) -> Vec<i16> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("column {column}"));
    array.as_any().downcast_ref::<Int16Array>().expect("a column of int2").values().to_vec()
}

/// The cells of some columns of the rows in which a column has a text.
fn table(batch: &RecordBatch, whose: (&str, &str), columns: &[&str]) -> Vec<String> {
    let cell = |column: &str, row: usize| {
        let array = batch.column_by_name(column).unwrap_or_else(|| panic!("column {column}"));
        match array.is_null(row) {
            true => String::new(),
            false => array_value_to_string(array, row).expect("a value"),
        }
    };
    let wanted = (0..batch.num_rows()).filter(|row| cell(whose.0, *row) == whose.1);
    wanted.map(|row| columns.iter().map(|c| cell(c, row)).collect::<Vec<_>>().join("|")).collect()
}

#[test]
fn every_system_relation_can_be_read_with_the_columns_that_it_declares() {
    let world = world();
    for relation in system_relations() {
        let batch = world.rows_of(relation.oid).unwrap_or_else(|error| panic!("{}: {error}", relation.name));
        assert_eq!(&batch.schema(), relation.table_schema().arrow(), "{}", relation.name);
        assert_eq!(schema(relation.oid).expect("a schema").arrow(), &batch.schema(), "{}", relation.name);
    }
}

#[test]
fn oids_of_system_relations_are_fixed_unique_and_below_those_of_users() {
    let relations = system_relations();
    let mut seen = HashSet::new();
    for relation in &relations {
        assert!(relation.oid.0 < FIRST_USER_OID, "{}", relation.name);
        assert!(seen.insert(relation.oid), "{} has the OID of another", relation.name);
    }
    let row_types: HashSet<u32> = relations.iter().map(|r| r.row_type_oid).collect();
    assert_eq!(row_types.len(), relations.len(), "row types are unique");
    for (name, oid) in [("pg_class", 1259), ("pg_attribute", 1249), ("pg_type", 1247), ("pg_proc", 1255)] {
        assert!(relations.iter().any(|r| r.name == name && r.oid == Oid(oid)), "{name}");
    }
}

#[test]
fn system_relations_have_the_columns_of_postgresql() {
    let postgres = system_relations().into_iter().filter(|r| r.schema != catalog::SLUICE);
    let mut checked = 0;
    for relation in postgres {
        let schema = if relation.schema == catalog::PG_CATALOG { "pg_catalog" } else { "information_schema" };
        let name: &'static str = relation.name.clone().leak();
        let layout = layout::layouts().get(schema, name).expect("a layout");
        assert_eq!(relation.columns, layout.columns, "{schema}.{name}");
        assert!(!relation.columns.is_empty(), "{schema}.{name}");
        checked += 1;
    }
    assert!(checked > 150, "{checked} relations");
    let class = layout::layouts().get("pg_catalog", "pg_class").expect("pg_class");
    let names: Vec<&str> = class.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), 33);
    assert_eq!(names[..4], ["oid", "relname", "relnamespace", "reltype"]);
}

#[test]
fn every_relation_of_pg_class_has_its_columns_in_pg_attribute() {
    let world = world();
    let (class, attribute) = (world.read("pg_catalog", "pg_class"), world.read("pg_catalog", "pg_attribute"));
    let mut attnums: HashMap<u32, Vec<i16>> = HashMap::new();
    for (relation, attnum) in oids(&attribute, "attrelid").into_iter().zip(numbers(&attribute, "attnum")) {
        attnums.entry(relation).or_default().push(attnum);
    }
    for (relation, natts) in oids(&class, "oid").into_iter().zip(numbers(&class, "relnatts")) {
        let found = attnums.remove(&relation).unwrap_or_default();
        assert_eq!(found, (1..=natts).collect::<Vec<_>>(), "relation {relation}");
    }
    assert!(attnums.is_empty(), "columns of no relation: {attnums:?}");
    assert!(oids(&class, "oid").contains(&1259), "pg_class lists itself");
}

#[test]
fn every_type_that_is_named_is_in_pg_type() {
    let world = world();
    let types = world.read("pg_catalog", "pg_type");
    let known: HashSet<u32> = oids(&types, "oid").into_iter().collect();
    assert_eq!(known.len(), types.num_rows(), "types are unique");
    let attribute = world.read("pg_catalog", "pg_attribute");
    for ty in oids(&attribute, "atttypid") {
        assert!(known.contains(&ty), "type {ty} of a column");
    }
    let class = world.read("pg_catalog", "pg_class");
    for ty in oids(&class, "reltype").into_iter().filter(|ty| *ty != 0) {
        assert!(known.contains(&ty), "row type {ty}");
    }
}

#[test]
fn keys_are_indexes_and_constraints_of_existing_relations_and_columns() {
    let world = world();
    let class: HashSet<u32> = oids(&world.read("pg_catalog", "pg_class"), "oid").into_iter().collect();
    let index = world.read("pg_catalog", "pg_index");
    let constraint = world.read("pg_catalog", "pg_constraint");
    assert_eq!(index.num_rows(), 1);
    for oid in oids(&index, "indexrelid").into_iter().chain(oids(&index, "indrelid")) {
        assert!(class.contains(&oid), "relation {oid}");
    }
    assert_eq!(oids(&constraint, "conindid"), oids(&index, "indexrelid"));
    assert_eq!(oids(&constraint, "conrelid"), [world.orders.0]);
    let key = table(
        &index,
        ("indrelid", &world.orders.to_string()),
        &["indkey", "indclass", "indcollation", "indoption", "indisprimary"],
    );
    // int8_ops and text_ops, the default collation for text.
    assert_eq!(key, ["[1, 2]|[3124, 3126]|[0, 100]|[0, 0]|true"]);
    let entry =
        table(&world.read("pg_catalog", "pg_class"), ("relname", "Orders_pkey"), &["relkind", "relam", "relnatts"]);
    assert_eq!(entry, ["i|403|2"]);
    let indexes = table(&world.read("pg_catalog", "pg_indexes"), ("tablename", "Orders"), &["indexdef"]);
    assert_eq!(indexes, ["CREATE UNIQUE INDEX \"Orders_pkey\" ON silver.\"Orders\" USING btree (id, code)"]);
}

#[test]
fn columns_say_of_their_types_what_postgresql_says() {
    let world = world();
    let columns = [
        "attname",
        "atttypid",
        "atttypmod",
        "attlen",
        "attbyval",
        "attalign",
        "attstorage",
        "attndims",
        "attcollation",
        "attnotnull",
    ];
    let found = table(&world.read("pg_catalog", "pg_attribute"), ("attrelid", &world.orders.to_string()), &columns);
    // Printed by PostgreSQL 15 for the same table.
    let expected = "\
id|20|-1|8|true|d|p|0|0|true
code|1043|14|-1|false|i|x|0|100|true
note|25|-1|-1|false|i|x|0|100|false
total|1700|786438|-1|false|i|m|0|0|false
free|1700|-1|-1|false|i|m|0|0|false
at|1184|-1|8|true|d|p|0|0|false
at3|1114|3|8|true|d|p|0|0|false
day|1082|-1|4|true|i|p|0|0|false
flag|16|-1|1|true|c|p|0|0|false
tags|1009|-1|-1|false|i|x|1|100|false
doc|3802|-1|-1|false|i|x|0|0|false
uid|2950|-1|16|false|c|p|0|0|false
ratio|701|-1|8|true|d|p|0|0|false
name|19|-1|64|false|c|p|0|950|false
pad|1042|7|-1|false|i|x|0|100|false
span|1186|-1|16|false|d|p|0|0|false";
    assert_eq!(found.join("\n"), expected);
}

#[test]
fn information_schema_says_what_postgresql_says() {
    let world = world();
    let columns = [
        "column_name",
        "ordinal_position",
        "is_nullable",
        "data_type",
        "character_maximum_length",
        "character_octet_length",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "datetime_precision",
        "collation_name",
        "udt_name",
        "dtd_identifier",
        "is_updatable",
    ];
    let found = table(&world.read("information_schema", "columns"), ("table_name", "Orders"), &columns);
    // Printed by PostgreSQL 15 for the same table.
    let expected = "\
id|1|NO|bigint|||64|2|0|||int8|1|YES
code|2|NO|character varying|10|40||||||varchar|2|YES
note|3|YES|text||1073741824||||||text|3|YES
total|4|YES|numeric|||12|10|2|||numeric|4|YES
free|5|YES|numeric||||10||||numeric|5|YES
at|6|YES|timestamp with time zone||||||6||timestamptz|6|YES
at3|7|YES|timestamp without time zone||||||3||timestamp|7|YES
day|8|YES|date||||||0||date|8|YES
flag|9|YES|boolean||||||||bool|9|YES
tags|10|YES|ARRAY||||||||_text|10|YES
doc|11|YES|jsonb||||||||jsonb|11|YES
uid|12|YES|uuid||||||||uuid|12|YES
ratio|13|YES|double precision|||53|2||||float8|13|YES
name|14|YES|name|||||||C|name|14|YES
pad|15|YES|character|3|12||||||bpchar|15|YES
span|16|YES|interval||||||6||interval|16|YES";
    assert_eq!(found.join("\n"), expected);
    let elements = table(
        &world.read("information_schema", "element_types"),
        ("object_name", "Orders"),
        &["data_type", "collection_type_identifier", "udt_name", "dtd_identifier", "object_type"],
    );
    assert_eq!(elements, ["text|10|text|a10|TABLE"]);
    let key = table(
        &world.read("information_schema", "key_column_usage"),
        ("table_name", "Orders"),
        &["constraint_name", "column_name", "ordinal_position"],
    );
    assert_eq!(key, ["Orders_pkey|id|1", "Orders_pkey|code|2"]);
    let constraints = table(
        &world.read("information_schema", "table_constraints"),
        ("constraint_type", "PRIMARY KEY"),
        &["table_schema", "table_name", "constraint_name"],
    );
    assert_eq!(constraints, ["silver|Orders|Orders_pkey"]);
}

#[test]
fn a_materialized_view_is_listed_where_postgresql_lists_it() {
    let world = world();
    let tables = world.read("information_schema", "tables");
    assert_eq!(table(&tables, ("table_name", "totals"), &["table_type"]), Vec::<String>::new());
    assert_eq!(table(&tables, ("table_name", "Orders"), &["table_type"]), ["BASE TABLE"]);
    assert_eq!(table(&tables, ("table_name", "recent"), &["table_type"]), ["VIEW"]);
    assert_eq!(table(&tables, ("table_name", "pg_class"), &["table_type"]), ["BASE TABLE"]);
    assert_eq!(table(&tables, ("table_name", "pg_tables"), &["table_type"]), ["VIEW"]);
    let gold = table(&world.read("pg_catalog", "pg_matviews"), ("schemaname", "gold"), &["matviewname", "definition"]);
    assert_eq!(gold, ["totals| SELECT sum(total) AS total FROM silver.\"Orders\";"]);
    let kinds = |name| table(&world.read("pg_catalog", "pg_class"), ("relname", name), &["relkind", "reltuples"]);
    assert_eq!(kinds("totals"), ["m|1.0"]);
    assert_eq!(kinds("Orders"), ["r|42.0"]);
}

#[test]
fn what_a_view_reads_is_found_through_its_rule() {
    let world = world();
    let rewrite = world.read("pg_catalog", "pg_rewrite");
    let rule = table(&rewrite, ("ev_class", &world.recent.to_string()), &["oid"]);
    assert_eq!(rule.len(), 1);
    let depend = world.read("pg_catalog", "pg_depend");
    let mut reads = table(&depend, ("objid", &rule[0]), &["classid", "refclassid", "refobjid", "deptype"]);
    // The row type has the rule's OID in its own catalog.
    reads.retain(|row| row.starts_with("2618|"));
    let expected = [format!("2618|1259|{}|i", world.recent), format!("2618|1259|{}|n", world.totals)];
    assert_eq!(reads, expected);
}

#[test]
fn streams_and_sources_say_how_far_behind_they_are() {
    let world = world();
    let streams = table(
        &world.read("sluice", "streams"),
        ("source", "shop"),
        &["partition", "position", "high_watermark", "checkpoint", "lag_events", "gaps"],
    );
    assert_eq!(streams, ["0|10|10|8|0|[3-7]", "1|20|24|18|4|[3-7]"]);
    assert_eq!(world.state.streams[0].lag_us(NOW), Some(0), "all that there is is visible");
    assert_eq!(world.state.streams[1].lag_us(NOW), Some(5_000_000));
    let source = table(
        &world.read("sluice", "sources"),
        ("name", "shop"),
        &["kind", "state", "streams", "events", "dead_letters", "lag_events"],
    );
    assert_eq!(source, ["kafka|streaming|2|20|2|4"]);
    let ticks = table(&world.read("sluice", "ticks"), ("tick", "9"), &["durable_tick", "flushed_at"]);
    assert_eq!(ticks, ["0|"]);
}

#[test]
fn a_view_in_error_says_why() {
    let world = world();
    let views = table(
        &world.read("sluice", "views"),
        ("view_name", "totals"),
        &["schema_name", "state", "error", "maintenance", "tick", "changed_tick", "runs", "total_seconds", "inputs"],
    );
    assert_eq!(views, ["gold|error|division by zero|incremental|9|8|4|2.0|[silver.Orders]"]);
}

#[test]
fn roles_are_the_owner_and_whoever_has_a_session() {
    let world = world();
    let roles = world.read("pg_catalog", "pg_roles");
    let found = oids(&roles, "oid");
    let found: Vec<u32> = found.into_iter().filter(|oid| *oid >= FIRST_USER_OID || *oid == BOOTSTRAP_ROLE.0).collect();
    let mut expected = vec![BOOTSTRAP_ROLE.0, role_oid(&world.catalog, "anna").0, role_oid(&world.catalog, "bert").0];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let activity = world.read("pg_catalog", "pg_stat_activity");
    assert_eq!(oids(&activity, "usesysid"), [role_oid(&world.catalog, "bert").0]);
}

#[test]
fn names_are_looked_up_through_the_search_path() {
    let world = world();
    let lookup = world.lookup();
    assert_eq!(lookup.relation_oid(None, "totals"), Some(world.totals));
    assert_eq!(lookup.relation_oid(None, "Orders"), None, "silver is not on the path");
    assert_eq!(lookup.relation_oid(Some("silver"), "Orders"), Some(world.orders));
    assert_eq!(lookup.relation_oid(None, "pg_class"), Some(Oid(1259)), "pg_catalog is searched first");
    assert_eq!(lookup.relation_visible(world.orders), Some(false));
    assert_eq!(lookup.relation_visible(world.totals), Some(true));
    assert_eq!(lookup.relation_visible(Oid(1)), None);
    let index = lookup.relation_oid(Some("silver"), "Orders_pkey").expect("the key's index");
    assert_eq!(lookup.relation_name(index), Some(("silver".to_string(), "Orders_pkey".to_string())));
    assert_eq!(lookup.column_number(world.orders, "note"), Some(3));
    assert_eq!(lookup.column_name(index, 2), Some("code".to_string()));
    assert_eq!(lookup.column_type(world.orders, 4), Some(PgType::numeric(12, 2)));
    assert_eq!(lookup.role_name(role_oid(&world.catalog, "anna")), Some("anna".to_string()));
    assert_eq!(lookup.database_name(DATABASE), Some("shop".to_string()));
}

#[test]
fn definitions_and_comments_are_given_back() {
    let world = world();
    let lookup = world.lookup();
    assert_eq!(lookup.view_definition(world.recent, true).as_deref(), Some(" SELECT total FROM gold.totals;"));
    assert_eq!(lookup.view_definition(world.orders, true), None);
    let relation = world.catalog.relation(world.orders).expect("the table");
    let (index, constraint) = (Oid(relation.key_index_oid), Oid(relation.key_constraint_oid));
    assert_eq!(lookup.index_definition(index, 2, false).as_deref(), Some("code"));
    assert_eq!(lookup.constraint_definition(constraint, false).as_deref(), Some("PRIMARY KEY (id, code)"));
    assert_eq!(lookup.description(world.orders, Some("pg_class"), 0).as_deref(), Some("all orders"));
    assert_eq!(lookup.description(world.orders, Some("pg_class"), 3).as_deref(), Some("free text"));
    assert_eq!(lookup.description(world.orders, Some("pg_type"), 0), None);
    let comments = world.read("pg_catalog", "pg_description");
    let columns = ["classoid", "objsubid", "description"];
    let found = table(&comments, ("objoid", &world.orders.to_string()), &columns);
    assert_eq!(found, ["1259|0|all orders", "1259|3|free text"]);
    assert_eq!(lookup.relation_size(world.orders, RelationSize::Total), Some(100));
    assert_eq!(
        lookup.has_privilege(role_oid(&world.catalog, "anna"), PrivilegeOn::Relation(world.orders), "SELECT", false),
        Some(true)
    );
    assert_eq!(
        lookup.has_privilege(role_oid(&world.catalog, "anna"), PrivilegeOn::Relation(Oid(1)), "SELECT", false),
        None
    );
}
