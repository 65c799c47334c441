use super::*;
use crate::kernels::registry::proc_with_signature;
use crate::types::codec::{ColumnBuilder, TextSettings, text_of};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};

/// The aggregate over rows of text values, in two partitions; `order`: by the last column, descending.
async fn run(signature: &str, columns: &[(PgType, &[&str])], distinct: bool, order: bool) -> PgResult<String> {
    let row = aggregate_named(signature);
    let types: Vec<ExprType> = columns.iter().map(|(ty, _)| ExprType::of(*ty)).collect();
    let arguments = facts().proc_row(row).map_or(0, |r| r.args.len());
    let kernel = aggregate(row, &types[..arguments])?;
    let mut arrays = Vec::new();
    for (ty, values) in columns {
        let mut builder = ColumnBuilder::new(*ty);
        values.iter().try_for_each(|v| match *v {
            "NULL" => {
                builder.push_null();
                Ok(())
            }
            text => builder.push_text(text),
        })?;
        arrays.push(builder.finish()?);
    }
    let names: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
    let fields: Vec<Field> = names.iter().zip(&types).map(|(n, t)| Field::new(n, t.storage.clone(), true)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    let half = batch.num_rows() / 2;
    let parts = vec![vec![batch.slice(0, half)], vec![batch.slice(half, batch.num_rows() - half)]];
    let table = datafusion::datasource::MemTable::try_new(batch.schema(), parts)?;
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let args: Vec<Expr> = match arguments {
        0 => vec![lit(1i64)],
        n => names[..n].iter().map(col).collect(),
    };
    let order_by = if order { vec![col(names.last().expect("a column")).sort(false, false)] } else { vec![] };
    let call = AggregateFunction::new_udf(Arc::clone(&kernel.udf), args, distinct, None, order_by, None);
    let frame = session.read_table(Arc::new(table))?;
    let frame = frame.aggregate(vec![], vec![Expr::AggregateFunction(call).alias("a")])?;
    let batches = frame.collect().await?;
    let array = batches[0].column(0);
    assert_eq!(array.data_type(), &kernel.result.storage, "{signature}");
    let text = text_of(kernel.result.pg, &kernel.result.storage, array, 0, &TextSettings::default())?;
    Ok(text.unwrap_or_else(|| "NULL".to_string()))
}

fn aggregate_named(signature: &str) -> Oid {
    proc_with_signature(signature).unwrap_or_else(|| panic!("pg_proc has no {signature}")).oid
}

const INT4: PgType = PgType::new(oid::INT4);
const INT8: PgType = PgType::new(oid::INT8);
const FLOAT8: PgType = PgType::new(oid::FLOAT8);
const TEXT: PgType = PgType::new(oid::TEXT);

#[tokio::test]
async fn aggregates_answer_as_postgresql_does() {
    let numeric = PgType::new(oid::NUMERIC);
    let money = PgType::numeric(12, 2);
    let cases: &[(&str, PgType, &[&str], bool, &str)] = &[
        ("count(any)", INT4, &["1", "NULL", "3"], false, "2"),
        ("sum(int4)", INT4, &["2147483647", "NULL", "1"], false, "2147483648"),
        ("sum(int8)", INT8, &["9223372036854775807", "9223372036854775807"], false, "18446744073709551614"),
        ("sum(int4)", INT4, &[], false, "NULL"),
        ("sum(int4)", INT4, &["1", "1", "2"], true, "3"),
        ("avg(int4)", INT4, &["1", "2", "2"], false, "1.6666666666666667"),
        ("avg(int8)", INT8, &["1", "2"], false, "1.5000000000000000"),
        ("sum(numeric)", money, &["1.10", "2.25", "NULL"], false, "3.35"),
        ("sum(numeric)", numeric, &["1.10", "2.255"], false, "3.355"),
        ("sum(numeric)", numeric, &["1.0", "1.00", "2"], true, "3.0"),
        ("avg(numeric)", money, &["1.10", "2.25"], false, "1.6750000000000000"),
        ("sum(float8)", FLOAT8, &["1.5", "2.25"], false, "3.75"),
        ("avg(float8)", FLOAT8, &["1.5", "2.25"], false, "1.875"),
        ("max(float8)", FLOAT8, &["1.5", "NaN", "2.25"], false, "NaN"),
        ("min(numeric)", numeric, &["10", "9.5", "1e3"], false, "9.5"),
        ("max(text)", TEXT, &["a", "b", "B"], false, "b"),
        ("stddev(int4)", INT4, &["1", "2", "4"], false, "1.5275252316519467"),
        ("var_pop(int4)", INT4, &["1", "2", "4"], false, "1.5555555555555556"),
        ("variance(int4)", INT4, &["1"], false, "NULL"),
        ("variance(float8)", FLOAT8, &["1", "3"], false, "2"),
        ("bool_and(bool)", PgType::new(oid::BOOL), &["t", "f", "NULL"], false, "f"),
        ("sum(interval)", PgType::new(oid::INTERVAL), &["1 day", "25:00"], false, "1 day 25:00:00"),
        ("max(interval)", PgType::new(oid::INTERVAL), &["1 mon", "29 days"], false, "1 mon"),
        ("bit_or(int4)", INT4, &["1", "4"], false, "5"),
        ("array_agg(anynonarray)", INT4, &["3", "1", "3"], true, "{1,3}"),
        ("jsonb_agg(anyelement)", TEXT, &["x", "x"], false, "[\"x\", \"x\"]"),
    ];
    for (signature, ty, values, distinct, expected) in cases {
        let got = run(signature, &[(*ty, values)], *distinct, false).await;
        assert_eq!(got.as_deref(), Ok(*expected), "{signature} of {values:?}");
    }
}

#[tokio::test]
async fn an_ordered_aggregate_keeps_its_order_over_partitions() {
    let columns: [(PgType, &[&str]); 3] =
        [(TEXT, &["a", "b", "c", "d"]), (TEXT, &["-", "-", "-", "-"]), (INT4, &["2", "4", "1", "3"])];
    assert_eq!(run("string_agg(text,text)", &columns, false, true).await.as_deref(), Ok("b-d-a-c"));
}

#[tokio::test]
async fn a_sum_out_of_range_is_an_error() {
    let values: &[&str] = &["1e308", "1e308"];
    let error = run("sum(float8)", &[(FLOAT8, values)], false, false).await.expect_err("it overflows");
    assert_eq!(error.state, crate::types::SqlState::NUMERIC_OUT_OF_RANGE);
}
