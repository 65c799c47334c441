//! Kernels against PostgreSQL's answers: `cases.tsv` holds calls and what PostgreSQL 15 gave for them, written by
//! `tests/scripts/kernel_cases.py`.

use super::context::*;
use super::*;
use crate::types::codec::{TextSettings, parse_text, text_of};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::Field;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use std::sync::Arc;

/// A session of user `postgres` in database `postgres`, over a catalog with one table `orders` (16384).
#[derive(Debug)]
struct Alone {
    path: Vec<String>,
}

impl Context for Alone {
    fn transaction_us(&self) -> i64 {
        1_700_000_000_000_000
    }
    fn statement_us(&self) -> i64 {
        1_700_000_000_000_000
    }
    fn start_us(&self) -> i64 {
        0
    }
    fn session_user(&self) -> &str {
        "postgres"
    }
    fn current_user(&self) -> &str {
        "postgres"
    }
    fn current_user_oid(&self) -> Oid {
        Oid(10)
    }
    fn database(&self) -> &str {
        "postgres"
    }
    fn search_path(&self) -> &[String] {
        &self.path
    }
    fn setting(&self, name: &str) -> Option<String> {
        match name.to_ascii_lowercase().as_str() {
            "timezone" => Some("Europe/Berlin".to_string()),
            _ => None,
        }
    }
    fn set_setting(&self, _: &str, value: &str, _: bool) -> PgResult<String> {
        Ok(value.to_string())
    }
    fn backend_pid(&self) -> i32 {
        7
    }
    fn transaction_id(&self) -> i64 {
        1
    }
    fn client_address(&self) -> Option<(String, i32)> {
        None
    }
    fn server_address(&self) -> Option<(String, i32)> {
        None
    }
    fn catalog(&self) -> &dyn CatalogLookup {
        self
    }
}

impl CatalogLookup for Alone {
    fn relation_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        (schema.is_none_or(|s| s == "public") && name == "orders").then_some(Oid(16384))
    }
    fn relation_name(&self, relation: Oid) -> Option<(String, String)> {
        (relation == Oid(16384)).then(|| ("public".to_string(), "orders".to_string()))
    }
    fn relation_visible(&self, relation: Oid) -> Option<bool> {
        (relation == Oid(16384)).then_some(true)
    }
    fn type_oid(&self, _: Option<&str>, _: &str) -> Option<Oid> {
        None
    }
    fn type_name(&self, _: Oid) -> Option<(String, String)> {
        None
    }
    fn type_visible(&self, _: Oid) -> Option<bool> {
        None
    }
    fn namespace_oid(&self, name: &str) -> Option<Oid> {
        (name == "public").then_some(Oid(2200))
    }
    fn namespace_name(&self, namespace: Oid) -> Option<String> {
        (namespace == Oid(2200)).then(|| "public".to_string())
    }
    fn role_oid(&self, name: &str) -> Option<Oid> {
        (name == "postgres").then_some(Oid(10))
    }
    fn role_name(&self, role: Oid) -> Option<String> {
        (role == Oid(10)).then(|| "postgres".to_string())
    }
    fn database_oid(&self, _: &str) -> Option<Oid> {
        None
    }
    fn database_name(&self, _: Oid) -> Option<String> {
        None
    }
    fn column_number(&self, _: Oid, column: &str) -> Option<i16> {
        (column == "id").then_some(1)
    }
    fn column_name(&self, _: Oid, _: i16) -> Option<String> {
        None
    }
    fn column_type(&self, _: Oid, _: i16) -> Option<PgType> {
        None
    }
    fn view_definition(&self, _: Oid, _: bool) -> Option<String> {
        None
    }
    fn index_definition(&self, _: Oid, _: i32, _: bool) -> Option<String> {
        None
    }
    fn constraint_definition(&self, _: Oid, _: bool) -> Option<String> {
        None
    }
    fn description(&self, _: Oid, _: Option<&str>, _: i32) -> Option<String> {
        None
    }
    fn shared_description(&self, _: Oid, _: &str) -> Option<String> {
        None
    }
    fn has_privilege(&self, role: Oid, _: PrivilegeOn, _: &str, _: bool) -> Option<bool> {
        Some(role == Oid(10))
    }
    fn relation_size(&self, _: Oid, _: RelationSize) -> Option<i64> {
        None
    }
    fn database_size(&self) -> i64 {
        0
    }
}

fn config() -> Arc<ConfigOptions> {
    let mut options = ConfigOptions::new();
    options.extensions.insert(SessionExtension(Arc::new(Alone { path: vec!["public".to_string()] })));
    Arc::new(options)
}

fn berlin() -> TextSettings {
    Alone { path: vec![] }.text_settings()
}

fn call(kernel: &ScalarKernel, args: Vec<ColumnarValue>, rows: usize) -> PgResult<ArrayRef> {
    let field = |ty: &arrow::datatypes::DataType| Arc::new(Field::new("", ty.clone(), true));
    let arguments = ScalarFunctionArgs {
        arg_fields: kernel.args.iter().map(field).collect(),
        args,
        number_rows: rows,
        return_field: field(&kernel.result.storage),
        config_options: config(),
    };
    Ok(kernel.udf.invoke_with_args(arguments)?.into_array(rows)?)
}

fn cast_value(value: ScalarValue, from: &ExprType, to: &ExprType) -> PgResult<ScalarValue> {
    Ok(match cast(from, to, true)? {
        CastKernel::Nothing => value,
        CastKernel::Native => value.cast_to(&to.storage)?,
        CastKernel::Scalar(kernel) => ScalarValue::try_from_array(&call(&kernel, vec![value.into()], 1)?, 0)?,
    })
}

/// A type as the cases spell it: `int4`, `_text`, `numeric(10,2)`.
fn type_named(name: &str) -> PgType {
    if let Some(modifier) = name.strip_prefix("numeric(").and_then(|n| n.strip_suffix(')')) {
        let (p, s) = modifier.split_once(',').expect("precision and scale");
        return PgType::numeric(p.parse().expect("a precision"), s.parse().expect("a scale"));
    }
    if let Some(length) = name.strip_prefix("varchar(").and_then(|n| n.strip_suffix(')')) {
        return PgType { oid: oid::VARCHAR, typmod: length.parse::<i32>().expect("a length") + 4 };
    }
    if let Some(length) = name.strip_prefix("bpchar(").and_then(|n| n.strip_suffix(')')) {
        return PgType { oid: oid::BPCHAR, typmod: length.parse::<i32>().expect("a length") + 4 };
    }
    PgType::new(facts().type_named(name).unwrap_or_else(|| panic!("no type {name}")).oid)
}

fn literal(spelled: &str) -> PgResult<(ScalarValue, ExprType)> {
    let (text, name) = spelled.rsplit_once("::").unwrap_or_else(|| panic!("no type in {spelled}"));
    let ty = ExprType::of(type_named(name));
    let value = match text {
        "NULL" => ScalarValue::try_from(&ty.storage)?,
        text => parse_text(ty.pg, &text.replace("\\n", "\n"), &berlin())?,
    };
    Ok((value, ty))
}

/// `func: name(types) | value::type | …` or `op: … | name | …` or `cast: value::type | type`.
fn evaluate(case: &str) -> PgResult<Option<String>> {
    let (kind, rest) = case.split_once(": ").expect("a kind of case");
    let parts: Vec<&str> = rest.split(" | ").collect();
    let (kernel, args) = match kind {
        "func" => {
            let row = proc_with_signature(parts[0]).unwrap_or_else(|| panic!("pg_proc has no {}", parts[0]));
            let args = parts[1..].iter().map(|a| literal(a)).collect::<PgResult<Vec<_>>>()?;
            let types: Vec<ExprType> = args.iter().map(|a| a.1.clone()).collect();
            (scalar(row.oid, &types)?, args)
        }
        "op" => {
            let (left, right) = (literal(parts[0])?, literal(parts[2])?);
            let row = facts().operators_named(parts[1]);
            let matches = |declared: Oid, given: Oid| {
                declared == given
                    || (declared == oid::ANYARRAY && oid::array_element(given).is_some())
                    || (declared == oid::TEXT && given == oid::VARCHAR)
            };
            let row = row.into_iter().find(|o| matches(o.left, left.1.pg.oid) && matches(o.right, right.1.pg.oid));
            let row = row.unwrap_or_else(|| panic!("no operator for {case}"));
            match operator(row, Some(&left.1), &right.1)? {
                OperatorKernel::Scalar(kernel) => (kernel, vec![left, right]),
                OperatorKernel::Native(op, storage) => {
                    let (l, r) = (left.0.cast_to(&storage)?.to_array()?, right.0.cast_to(&storage)?.to_array()?);
                    let column = |array| kernel::Column { array, constant: false };
                    let result = compare::compare_columns(op, &column(l), &column(r), 1)?;
                    return text_of(PgType::new(oid::BOOL), result.data_type(), &result, 0, &berlin());
                }
            }
        }
        "cast" => {
            let (value, from) = literal(parts[0])?;
            let to = ExprType::of(type_named(parts[1]));
            let cast = cast_value(value, &from, &to)?.to_array()?;
            return text_of(to.pg, &to.storage, &cast, 0, &berlin());
        }
        other => panic!("unknown kind {other}"),
    };
    let cast_args = args.into_iter().enumerate().map(|(i, (value, ty))| {
        if ty.storage == kernel.args[i] {
            return Ok(value);
        }
        let to = ExprType { pg: ty.pg, storage: kernel.args[i].clone() };
        cast_value(value, &ty, &to)
    });
    let values = cast_args.collect::<PgResult<Vec<ScalarValue>>>()?;
    let once = call(&kernel, values.iter().cloned().map(ColumnarValue::Scalar).collect(), 1)?;
    // A column gives what a constant gives, in every row.
    let columns = values.iter().map(|v| Ok(ColumnarValue::Array(v.to_array_of_size(3)?)));
    let thrice = call(&kernel, columns.collect::<PgResult<_>>()?, 3)?;
    let text = |array: &ArrayRef, row| text_of(kernel.result.pg, &kernel.result.storage, array, row, &berlin());
    let first = text(&once, 0)?;
    assert_eq!(first, text(&thrice, 2)?, "{case}: a column differs from a constant");
    Ok(first)
}

#[test]
fn kernels_answer_as_postgresql_does() {
    let mut wrong = Vec::new();
    for line in include_str!("cases.tsv").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (case, expected) = line.split_once('\t').unwrap_or_else(|| panic!("no answer in {line}"));
        let got = match evaluate(case) {
            Ok(Some(text)) => text.replace('\n', "\\n"),
            Ok(None) => "NULL".to_string(),
            Err(PgError { state, message, .. }) => format!("ERROR {}: {message}", state.as_str()),
        };
        if got != expected {
            wrong.push(format!("{case}\n    PostgreSQL {expected}\n    Sluice     {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_declared_function_is_a_row_of_pg_proc() {
    let mistakes = registry::declaration_mistakes();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    let declared = declared_functions();
    assert!(declared.len() > 500, "{} functions are declared", declared.len());
    for oid in declared {
        assert!(facts().proc_row(oid).is_some_and(|p| p.kind == 'f' && !p.returns_set), "{oid}");
    }
}

#[test]
fn a_function_without_a_kernel_is_not_supported() {
    let row = proc_with_signature("pg_ls_dir(text)").expect("PostgreSQL has it");
    let error = scalar(row.oid, &[ExprType::of(PgType::new(oid::TEXT))]).expect_err("Sluice has not");
    assert_eq!(error.state, SqlState::FEATURE_NOT_SUPPORTED);
    assert_eq!(error.message, "function pg_ls_dir(text) is not supported");
}
