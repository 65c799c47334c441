//! Queries through parse, bind, lower and DataFusion, against the answers that PostgreSQL 15 gave.
//!
//! `cases.txt` holds statements with PostgreSQL's columns (`name:type`), rows or error; `tests/scripts/bind_cases.py`
//! writes it from a running server.

use super::*;
use crate::catalog::{NewRelation, PUBLIC};
use crate::types::codec::text_of;
use crate::types::{Column, TableSchema};
use arrow::array::{ArrayRef, RecordBatch};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

struct Tables(HashMap<Oid, RecordBatch>);

impl Relations for Tables {
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        _filters: &[datafusion::logical_expr::Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let batch = self.0[&oid].clone();
        let plan = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), projection.cloned())?;
        Ok(plan)
    }
}

/// The tables of `cases/tables.txt`, and a view.
fn fixture() -> (Catalog, Tables) {
    let mut catalog = Catalog::new([]);
    let mut tables = HashMap::new();
    let mut lines = include_str!("cases/tables.txt").lines().peekable();
    while let Some(head) = lines.next() {
        let words: Vec<&str> = head.split(' ').collect();
        let columns: Vec<Column> = lines
            .next()
            .unwrap()
            .split('|')
            .map(|c| {
                let (name, ty) = c.split_once(' ').unwrap();
                Column::new(name, type_of(ty), true)
            })
            .collect();
        let key = if words[3] == "1" { vec![0] } else { Vec::new() };
        let schema = TableSchema::new(columns.clone(), key);
        let mut builders: Vec<_> = columns.iter().map(|c| crate::types::codec::ColumnBuilder::new(c.ty)).collect();
        while lines.peek().is_some_and(|l| !l.starts_with("table ")) {
            for (builder, cell) in builders.iter_mut().zip(lines.next().unwrap().split('|')) {
                match cell {
                    "\\N" => builder.push_null(),
                    text => builder.push_text(text).unwrap(),
                }
            }
        }
        let arrays: Vec<ArrayRef> = builders.into_iter().map(|mut b| b.finish().unwrap()).collect();
        let batch = RecordBatch::try_new(Arc::clone(schema.arrow()), arrays).unwrap();
        let new = NewRelation {
            schema: PUBLIC,
            name: words[1].to_string(),
            kind: crate::catalog::RelationKind::Silver,
            table: schema,
            definition: None,
            search_path: Vec::new(),
            depends_on: Vec::new(),
        };
        tables.insert(catalog.create(new).unwrap(), batch);
    }
    (catalog, Tables(tables))
}

fn type_of(text: &str) -> PgType {
    let statement = parse(&format!("SELECT NULL::{text}")).unwrap().remove(0);
    let pg_query::NodeEnum::SelectStmt(select) = statement.node else { panic!("a SELECT") };
    let Some(pg_query::NodeEnum::ResTarget(target)) = &select.target_list[0].node else { panic!("a target") };
    let Some(pg_query::NodeEnum::TypeCast(cast)) = &target.val.as_ref().unwrap().node else { panic!("a cast") };
    typename::resolve(cast.type_name.as_ref().unwrap()).unwrap()
}

fn bound(catalog: &Catalog, sql: &str) -> PgResult<BoundQuery> {
    let statement = parse(sql)?.remove(0);
    let pg_query::NodeEnum::SelectStmt(select) = statement.node else { panic!("a SELECT") };
    let path = vec!["public".to_string()];
    bind_query(&select, &mut BindContext::new(catalog, &path))
}

/// What PostgreSQL would print, in the form of the case files.
async fn answer(catalog: &Catalog, tables: Arc<Tables>, sql: &str) -> PgResult<String> {
    let query = bound(catalog, sql)?;
    let heads: Vec<String> =
        query.columns.iter().map(|c| format!("{}:{}", c.name, names::type_name(c.ty.pg.oid))).collect();
    let plan = lower(&query)?;
    let config = optimize::session_config(2);
    let context = optimize::session_context(config, Arc::new(RuntimeEnv::default()), tables);
    let state = context.state();
    let plan = optimize(plan, &state)?;
    let physical = state.query_planner().create_physical_plan(&plan, &state).await?;
    let batches = datafusion::physical_plan::collect(physical, context.task_ctx()).await?;
    let mut out = format!("= {}\n", heads.join(", "));
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let mut cells = Vec::new();
            for (i, column) in query.columns.iter().enumerate() {
                let array = batch.column(i);
                assert_eq!(*array.data_type(), column.ty.storage, "storage of {} in {sql}", column.name);
                let text = text_of(column.ty.pg, &column.ty.storage, array, row, &TextSettings::default())?;
                // psycopg's names for booleans are PostgreSQL's.
                cells.push(text.unwrap_or_else(|| "\\N".into()));
            }
            out.push_str(&format!("| {}\n", cells.join("|")));
        }
    }
    Ok(out)
}

async fn compare(cases: &str) {
    let (catalog, tables) = fixture();
    let tables = Arc::new(tables);
    let mut different = Vec::new();
    let mut total = 0;
    let cases = format!("\n{cases}");
    for case in cases.split("\n> ").filter(|c| !c.trim().is_empty()) {
        let (sql, expected) = case.split_once('\n').unwrap();
        let expected = format!("{}\n", expected.trim_end_matches('\n'));
        total += 1;
        let got = match answer(&catalog, Arc::clone(&tables), sql).await {
            Ok(text) => text,
            Err(e) => format!("! {} {}\n", e.state.as_str(), e.message),
        };
        if got != expected {
            different.push(format!("{sql}\nexpected\n{expected}got\n{got}"));
        }
    }
    assert!(different.is_empty(), "{} of {total} differ:\n\n{}", different.len(), different.join("\n"));
}

#[tokio::test]
async fn expressions_have_postgresqls_names_types_and_values() {
    compare(include_str!("cases/select.txt")).await;
}

#[tokio::test]
async fn queries_give_postgresqls_rows() {
    compare(include_str!("cases/queries.txt")).await;
}

/// For trying clients' catalog queries by hand: `BIND_COLUMNS` names a file of `schema.relation`, column and type by tabs,
/// `BIND_QUERIES` one of statements between lines of `@@`. Prints what does not bind and lower.
#[test]
#[ignore = "needs files that the environment names"]
fn statements_of_a_file_bind() {
    let columns = std::fs::read_to_string(std::env::var("BIND_COLUMNS").unwrap()).unwrap();
    let queries = std::fs::read_to_string(std::env::var("BIND_QUERIES").unwrap()).unwrap();
    let mut catalog = Catalog::new([]);
    let mut relations: Vec<(String, Vec<Column>)> = Vec::new();
    for line in columns.lines() {
        let mut cells = line.split('\t');
        let (relation, name, ty) = (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap());
        let column = Column::new(name, type_of(ty.trim_start_matches("information_schema.")), true);
        match relations.last_mut() {
            Some((last, columns)) if last == relation => columns.push(column),
            _ => relations.push((relation.to_string(), vec![column])),
        }
    }
    for (relation, columns) in relations {
        let (schema, name) = relation.split_once('.').unwrap();
        let new = NewRelation {
            schema: catalog.namespace_named(schema).unwrap().oid,
            name: name.to_string(),
            kind: crate::catalog::RelationKind::Silver,
            table: TableSchema::new(columns, Vec::new()),
            definition: None,
            search_path: Vec::new(),
            depends_on: Vec::new(),
        };
        catalog.create(new).unwrap();
    }
    let state = session_state(optimize::session_config(1), Arc::new(RuntimeEnv::default()));
    let (mut failed, mut total) = (0, 0);
    for sql in queries.split("@@").map(str::trim).filter(|s| !s.is_empty()) {
        total += 1;
        let done = bound(&catalog, sql).and_then(|q| lower(&q)).and_then(|p| optimize(p, &state));
        if let Err(e) = done {
            failed += 1;
            let at = e.rest.as_ref().and_then(|r| r.position).and_then(|p| sql.get(p..)).unwrap_or_default();
            let at: String = at.chars().take(60).collect();
            println!("{} {}\n  at {at}\n  in {}\n", e.state.as_str(), e.message, sql.replace('\n', " "));
        }
    }
    println!("{failed} of {total} failed");
}

#[test]
fn a_syntax_error_points_at_its_token() {
    let error = parse("SELECT a FROM b WHERE FROM c").unwrap_err();
    assert_eq!(error.message, "syntax error at or near \"FROM\"");
    assert_eq!(error.rest.unwrap().position, Some(22));
    let error = parse("SELECT").map(|s| s.len());
    assert_eq!(error.ok(), Some(1));
    assert_eq!(parse("SELECT (").unwrap_err().rest.unwrap().position, Some(8));
}

#[test]
fn statements_keep_their_own_text() {
    let statements = parse(" SELECT 1 ;\n SELECT 2; ").unwrap();
    let texts: Vec<(&str, usize)> = statements.iter().map(|s| (s.text.as_str(), s.offset)).collect();
    assert_eq!(texts, [("SELECT 1", 1), ("SELECT 2", 13)]);
    assert_eq!(deparse(&statements[0].node).unwrap(), "SELECT 1");
}

#[test]
fn errors_point_at_what_is_wrong() {
    let (catalog, _) = fixture();
    for (sql, at) in [
        ("SELECT nothing FROM customers", 7),
        ("SELECT 1 FROM missing", 14),
        ("SELECT nosuch(1)", 7),
        ("SELECT 1 + true", 9),
        ("SELECT id FROM customers WHERE 'x'::int = 1", 31),
    ] {
        let error = bound(&catalog, sql).unwrap_err();
        assert_eq!(error.rest.and_then(|r| r.position), Some(at), "{sql}: {}", error.message);
    }
}

#[test]
fn parameters_take_the_types_of_where_they_stand() {
    let (catalog, _) = fixture();
    let query = bound(&catalog, "SELECT $1, name FROM customers WHERE id = $2 AND born > $3 LIMIT $4").unwrap();
    let types: Vec<Oid> = query.params.iter().map(|p| p.oid).collect();
    assert_eq!(types, [oid::TEXT, oid::INT4, oid::DATE, oid::INT8]);
    lower(&query).unwrap();
    let error = bound(&catalog, "SELECT $1 IS NULL, $2 + 1 FROM customers WHERE id = $3 AND name = $3").unwrap_err();
    assert_eq!(error.message, "operator does not exist: text = integer");
}

#[test]
fn columns_know_their_table() {
    let (catalog, _) = fixture();
    let query =
        bound(&catalog, "SELECT c.name AS n, c.id + 1, x.id FROM customers c, (SELECT id FROM orders) x").unwrap();
    let origins: Vec<i16> = query.columns.iter().map(|c| c.attnum).collect();
    assert_eq!(origins, [2, 0, 1]);
    assert_eq!(query.relations.len(), 2);
}

#[tokio::test]
async fn a_view_is_bound_under_its_own_search_path() {
    let (mut catalog, tables) = fixture();
    let schema = catalog.create_schema("other").unwrap();
    let column = Column::new("total", PgType::new(oid::INT8), true);
    let view = NewRelation {
        schema,
        name: "counts".into(),
        kind: crate::catalog::RelationKind::View,
        table: TableSchema::new(vec![column], Vec::new()),
        definition: Some("SELECT count(*) FROM orders".into()),
        search_path: vec!["public".into()],
        depends_on: Vec::new(),
    };
    catalog.create(view).unwrap();
    let got = answer(&catalog, Arc::new(tables), "SELECT v.total FROM other.counts v").await.unwrap();
    assert_eq!(got, "= total:bigint\n| 5\n");
    let query = bound(&catalog, "SELECT * FROM other.counts").unwrap();
    assert_eq!(query.relations.len(), 2, "the view and what it reads");
}

#[test]
fn what_moves_by_itself_is_named() {
    let (catalog, _) = fixture();
    let query = bound(&catalog, "SELECT lower(name) FROM customers").unwrap();
    assert!(query.volatile_functions.is_empty(), "{:?}", query.volatile_functions);
    match bound(&catalog, "SELECT now(), lower(name) FROM customers") {
        Ok(query) => assert_eq!(query.volatile_functions, ["now"]),
        Err(e) => assert_eq!(e.state, SqlState::FEATURE_NOT_SUPPORTED, "{}", e.message),
    }
}

#[test]
fn a_scalar_is_assigned_to_its_target() {
    let catalog = Catalog::new([]);
    let pg_query::NodeEnum::SelectStmt(select) = parse("SELECT 1 + 1").unwrap().remove(0).node else {
        panic!("a SELECT")
    };
    let Some(pg_query::NodeEnum::ResTarget(target)) = &select.target_list[0].node else { panic!("a target") };
    let node = target.val.as_deref().unwrap();
    let query = bind_scalar(node, Some(PgType::new(oid::INT8)), &mut BindContext::new(&catalog, &[])).unwrap();
    assert_eq!(query.columns[0].ty.pg.oid, oid::INT8);
    lower(&query).unwrap();
}
