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
        let mut builders: Vec<_> =
            columns.iter().map(|c| crate::types::codec::ColumnBuilder::new(c.ty)).collect();
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
