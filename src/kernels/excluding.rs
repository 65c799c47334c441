//! Window functions over frames that DataFusion has not, computed for each row over the rows of its frame: those with EXCLUDE, and
//! those that move away from rows under an aggregate that cannot take rows back.
//!
//! The function is given its own arguments, then FILTER's condition where there is one, then, for EXCLUDE, the keys of the
//! window's ORDER BY, which say who a row's peers are. Costs for each row what its frame has rows.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, new_empty_array};
use arrow::compute::{and, filter, is_not_null, partition};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{AggregateUDF, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use std::ops::Range;
use std::sync::Arc;

/// Which rows of a frame do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exclusion {
    CurrentRow,
    /// The row and its peers.
    Group,
    /// Its peers, but not the row.
    Ties,
}

/// What is computed over the rows that are left.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Over {
    Aggregate(Arc<AggregateUDF>),
    First,
    Last,
    /// The second argument says which, from 1.
    Nth,
}

/// The window function; `args` are the storages of the function's own arguments, and `exclusion` is `None` where all rows of a
/// frame count.
pub fn excluding(
    over: Over,
    exclusion: Option<Exclusion>,
    args: Vec<DataType>,
    filtered: bool,
    result: DataType,
) -> Arc<WindowUDF> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    // Two calls of one window must not have one name.
    let of = match &over {
        Over::Aggregate(udaf) => udaf.name().to_string(),
        other => format!("{other:?}").to_lowercase(),
    };
    let how = exclusion.map_or_else(|| "framed".to_string(), |exclusion| format!("excluding_{exclusion:?}"));
    let name = format!("{of}_{how}{}", if filtered { "_filtered" } else { "" }).to_lowercase();
    Arc::new(WindowUDF::from(Excluding { name, over, exclusion, args, filtered, result, signature }))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Excluding {
    name: String,
    over: Over,
    exclusion: Option<Exclusion>,
    args: Vec<DataType>,
    filtered: bool,
    result: DataType,
    signature: Signature,
}

impl WindowUDFImpl for Excluding {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Rows { function: self.clone(), row: 0, groups: Vec::new() }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), self.result.clone(), true)))
    }
}

/// Goes through the rows of one partition.
#[derive(Debug)]
struct Rows {
    function: Excluding,
    row: usize,
    /// The partition's groups of peers, in order.
    groups: Vec<Range<usize>>,
}

impl PartitionEvaluator for Rows {
    fn uses_window_frame(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let row = self.row;
        self.row += 1;
        let Some(exclusion) = self.function.exclusion else {
            return self.function.compute(values, std::slice::from_ref(frame), row);
        };
        let keys = &values[self.function.args.len() + usize::from(self.function.filtered)..];
        if self.groups.is_empty() {
            let all = 0..values.first().map_or(0, |v| v.len());
            self.groups = if keys.is_empty() { vec![all] } else { partition(keys)?.ranges() };
        }
        let group = self.groups.partition_point(|g| g.end <= row);
        let group = self.groups.get(group).cloned().unwrap_or(row..row + 1);
        let rows = match exclusion {
            Exclusion::CurrentRow => vec![frame.start..row.min(frame.end), (row + 1).max(frame.start)..frame.end],
            Exclusion::Group => {
                vec![frame.start..group.start.min(frame.end), group.end.max(frame.start)..frame.end]
            }
            Exclusion::Ties => {
                let own = if frame.contains(&row) { row..row + 1 } else { 0..0 };
                vec![frame.start..group.start.min(frame.end), own, group.end.max(frame.start)..frame.end]
            }
        };
        let rows: Vec<Range<usize>> = rows.into_iter().filter(|r| r.start < r.end).collect();
        self.function.compute(values, &rows, row)
    }
}

/// Whether rows can be taken back from the aggregate's state, so that a frame may move away from them.
pub fn slides(udaf: &AggregateUDF, args: &[DataType], result: &DataType) -> bool {
    let made = with_accumulator_args(args, result, |args| udaf.inner().create_sliding_accumulator(args));
    made.is_ok_and(|accumulator| accumulator.supports_retract_batch())
}

/// Makes the state of an aggregate over columns of these types.
fn with_accumulator_args<T>(
    args: &[DataType],
    result: &DataType,
    make: impl FnOnce(AccumulatorArgs) -> Result<T>,
) -> Result<T> {
    let field = |(i, ty): (usize, &DataType)| Field::new(format!("a{i}"), ty.clone(), true);
    // count(*) counts ones.
    let types = if args.is_empty() { vec![DataType::Int64] } else { args.to_vec() };
    let schema = Schema::new(types.iter().enumerate().map(field).collect::<Vec<_>>());
    let exprs: Vec<Arc<dyn PhysicalExpr>> =
        (0..types.len()).map(|i| Arc::new(Column::new(&format!("a{i}"), i)) as Arc<dyn PhysicalExpr>).collect();
    make(AccumulatorArgs {
        return_field: Arc::new(Field::new("r", result.clone(), true)),
        schema: &schema,
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "framed",
        is_distinct: false,
        exprs: &exprs,
        expr_fields: schema.fields(),
    })
}

impl Excluding {
    fn compute(&self, values: &[ArrayRef], rows: &[Range<usize>], row: usize) -> Result<ScalarValue> {
        let udaf = match &self.over {
            Over::Aggregate(udaf) => udaf,
            other => {
                let mut places = rows.iter().cloned().flatten();
                let place = match other {
                    Over::First => places.next(),
                    Over::Last => places.last(),
                    _ => match ScalarValue::try_from_array(&values[1], row)? {
                        ScalarValue::Int64(Some(n)) if n > 0 => places.nth(n as usize - 1),
                        ScalarValue::Int64(None) => None,
                        _ => {
                            let message = "argument of nth_value must be greater than zero";
                            return Err(crate::types::PgError::new(crate::types::SqlState(*b"22016"), message).into());
                        }
                    },
                };
                return match place {
                    Some(place) => ScalarValue::try_from_array(&values[0], place),
                    None => ScalarValue::try_from(&self.result),
                };
            }
        };
        let mut accumulator = with_accumulator_args(&self.args, &self.result, |args| udaf.accumulator(args))?;
        for range in rows {
            let mut parts: Vec<ArrayRef> = match self.args.is_empty() {
                true => vec![Arc::new(Int64Array::from(vec![1; range.len()]))],
                false => values[..self.args.len()].iter().map(|v| v.slice(range.start, range.len())).collect(),
            };
            if self.filtered {
                let mask = values[self.args.len()].slice(range.start, range.len());
                let mask = mask.as_boolean_opt().ok_or_else(|| DataFusionError::Internal("a condition".into()))?;
                let mask = and(mask, &is_not_null(mask)?)?;
                parts = parts.iter().map(|p| filter(p, &mask)).collect::<std::result::Result<_, _>>()?;
            }
            if parts.iter().all(|p| !p.is_empty()) {
                accumulator.update_batch(&parts)?;
            }
        }
        let value = accumulator.evaluate()?;
        debug_assert_eq!(value.data_type(), *new_empty_array(&self.result).data_type());
        Ok(value)
    }
}
