//! Queries that need no DataFusion to run: one row of constants, and the row of one key.
//!
//! Which they are follows from the optimised plan, once for a plan; running one is a look-up in the snapshot's index.

use super::storage::StorageSnapshot;
use crate::bind::RelationProvider;
use crate::catalog::Catalog;
use crate::types::{Oid, PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, FetchType, LogicalPlan, Operator, SkipType, TableScan};
use std::sync::{Arc, OnceLock};

/// A value that is known when the query starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Constant(ScalarValue),
    /// `$n`, from 0.
    Parameter(usize),
}

/// See the module.
#[derive(Debug)]
pub enum Direct {
    Row {
        values: Vec<Value>,
        schema: SchemaRef,
        /// The row, where no parameter is in it and it was asked for.
        made: OnceLock<RecordBatch>,
    },
    KeyLookup {
        relation: Oid,
        /// Columns of the relation and what they must equal.
        conditions: Vec<(usize, Value)>,
        /// Columns of the relation that are asked for.
        outputs: Vec<usize>,
    },
}

impl Direct {
    /// `plan`: optimised, so that what is constant is a literal; one that is not has fewer of these forms.
    pub fn of(plan: &LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::Projection(projection) if is_one_row(&projection.input) => {
                let values = projection.expr.iter().map(value).collect::<Option<Vec<_>>>()?;
                Some(Self::Row { values, schema: Arc::clone(plan.schema().inner()), made: OnceLock::new() })
            }
            _ => {
                let Found { relation, outputs, conditions } = Found::of(plan)?;
                (!conditions.is_empty()).then_some(Self::KeyLookup { relation, conditions, outputs })
            }
        }
    }

    /// Whether it will run so: a row of constants, or conditions on the relation's whole key and nothing else.
    pub fn is_by_key(&self, catalog: &Catalog) -> bool {
        let Self::KeyLookup { relation, conditions, .. } = self else { return true };
        catalog.relation(*relation).is_some_and(|relation| {
            let named = |column: &usize| conditions.iter().any(|(c, _)| c == column);
            !relation.key.is_empty() && conditions.len() == relation.key.len() && relation.key.iter().all(named)
        })
    }

    /// The rows; `None` where this snapshot has no index for the conditions.
    pub fn run(&self, snapshot: &dyn StorageSnapshot, params: &[ScalarValue]) -> PgResult<Option<RecordBatch>> {
        match self {
            Self::Row { values, schema, made } => {
                if let Some(row) = made.get() {
                    return Ok(Some(row.clone()));
                }
                let array = |value: &Value| Ok(value.get(params)?.to_array()?);
                let arrays = values.iter().map(array).collect::<PgResult<Vec<ArrayRef>>>()?;
                let fits = arrays.iter().zip(schema.fields()).all(|(a, f)| a.data_type() == f.data_type());
                let options = RecordBatchOptions::new().with_row_count(Some(1));
                if !fits {
                    return Ok(None);
                }
                let row = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?;
                if values.iter().all(|value| matches!(value, Value::Constant(_))) {
                    made.get_or_init(|| row.clone());
                }
                Ok(Some(row))
            }
            Self::KeyLookup { relation, conditions, outputs } => {
                let mut known = Vec::with_capacity(conditions.len());
                for (column, value) in conditions {
                    known.push((*column, value.get(params)?));
                }
                snapshot.look_up(*relation, &known, outputs).transpose()
            }
        }
    }
}

impl Value {
    fn get<'a>(&'a self, params: &'a [ScalarValue]) -> PgResult<&'a ScalarValue> {
        match self {
            Self::Constant(value) => Ok(value),
            Self::Parameter(number) => {
                params.get(*number).ok_or_else(|| PgError::internal(format!("parameter ${} has no value", number + 1)))
            }
        }
    }
}

fn value(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Alias(alias) => value(&alias.expr),
        Expr::Literal(value, _) => Some(Value::Constant(value.clone())),
        Expr::Placeholder(placeholder) => {
            let number: usize = placeholder.id.strip_prefix('$')?.parse().ok()?;
            Some(Value::Parameter(number.checked_sub(1)?))
        }
        _ => None,
    }
}

fn is_one_row(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row)
}

/// Types whose equality is that of the key index.
fn is_plain(ty: &DataType) -> bool {
    ty.is_integer()
        || matches!(ty, DataType::Utf8 | DataType::Boolean | DataType::Date32 | DataType::FixedSizeBinary(_))
}

/// Columns of one relation, where they equal given values.
struct Found {
    relation: Oid,
    outputs: Vec<usize>,
    conditions: Vec<(usize, Value)>,
}

impl Found {
    fn of(plan: &LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::TableScan(scan) => Self::of_scan(scan),
            LogicalPlan::SubqueryAlias(alias) => Self::of(&alias.input),
            LogicalPlan::Sort(sort) if sort.fetch.is_none_or(|rows| rows > 0) => Self::of(&sort.input),
            // A key has one row at most.
            LogicalPlan::Limit(limit) => {
                let rows = matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(rows))) if rows > 0);
                let whole = matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)));
                (rows && whole).then(|| Self::of(&limit.input)).flatten()
            }
            LogicalPlan::Filter(filter) => {
                let mut found = Self::of(&filter.input)?;
                let schema = filter.input.schema();
                for part in split_conjunction(&filter.predicate) {
                    let (column, value) = equality(part, |column| schema.index_of_column(column).ok())?;
                    let field = schema.field(column);
                    let column = *found.outputs.get(column)?;
                    found.require(column, field.data_type(), value)?;
                }
                Some(found)
            }
            LogicalPlan::Projection(projection) => {
                let mut found = Self::of(&projection.input)?;
                let schema = projection.input.schema();
                let column = |expr: &Expr| match expr {
                    Expr::Column(column) => found.outputs.get(schema.index_of_column(column).ok()?).copied(),
                    _ => None,
                };
                let outputs = projection.expr.iter().map(|e| column(unaliased(e))).collect::<Option<Vec<_>>>()?;
                found.outputs = outputs;
                Some(found)
            }
            _ => None,
        }
    }

    fn of_scan(scan: &TableScan) -> Option<Self> {
        let provider = source_as_provider(&scan.source).ok()?;
        let provider = provider.as_ref().downcast_ref::<RelationProvider>()?;
        let all = || (0..provider.schema.fields().len()).collect();
        let outputs = scan.projection.clone().unwrap_or_else(all);
        let mut found = Self { relation: provider.oid, outputs, conditions: Vec::new() };
        for filter in scan.filters.iter().flat_map(split_conjunction) {
            let (column, value) = equality(filter, |column| provider.schema.index_of(&column.name).ok())?;
            found.require(column, provider.schema.field(column).data_type(), value)?;
        }
        Some(found)
    }

    fn require(&mut self, column: usize, ty: &DataType, value: Value) -> Option<()> {
        let typed = match &value {
            Value::Constant(value) => value.data_type() == *ty,
            // Looked at when the value is there.
            Value::Parameter(_) => true,
        };
        if !typed || !is_plain(ty) {
            return None;
        }
        // The optimizer leaves a filter both above the scan and in it.
        if !self.conditions.contains(&(column, value.clone())) {
            self.conditions.push((column, value));
        }
        Some(())
    }
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

/// `column = value`, either way round.
fn equality(expr: &Expr, column: impl Fn(&datafusion::common::Column) -> Option<usize>) -> Option<(usize, Value)> {
    let Expr::BinaryExpr(binary) = expr else { return None };
    if binary.op != Operator::Eq {
        return None;
    }
    match (binary.left.as_ref(), binary.right.as_ref()) {
        (Expr::Column(name), other) | (other, Expr::Column(name)) => Some((column(name)?, value(other)?)),
        _ => None,
    }
}
