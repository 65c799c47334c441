//! Aggregates that rows can be taken back from, for many groups at once.
//!
//! | aggregates | what is kept for a group |
//! |---|---|
//! | count | a number |
//! | sum, avg of integers and decimals | exact sum in 128 bits and a count, finished by the aggregate's own code |
//! | sum, avg of floats | exact sum of any doubles ([`ExactSum`]) and a count |
//! | bool_and, bool_or | how many are true, how many false |
//! | min, max, any value of equal ones | the values in order, each with its count |
//! | what else has a running state that takes rows back ([`Folds`]): variance and stddev of integers and numerics, sums of numerics and intervals | that state |
//! | any of these with DISTINCT | each value with its count; the aggregate sees a value when it comes first and when the last goes |
//!
//! What is not here has its groups recomputed ([`super::regroup`]).

use super::aggregate::positive_zero;
use super::delta::RowBytes;
use super::folds::Folds;
use super::ordered::{Key, Ordered};
use crate::kernels::{self, ExactSum, FloatResult};
use crate::types::{PgError, PgResult};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray, UInt32Array, new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Field, Float64Type, Int16Type, Int32Type, Int64Type, Schema,
};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// One aggregate over many groups, each a small number.
pub trait Tally: Send + Sync {
    /// Makes room for groups below `groups`.
    fn grow(&mut self, groups: usize);

    /// A group without rows is gone; its number may come again.
    fn forget(&mut self, group: usize);

    /// Adds rows to groups, or takes them back: one array for each argument.
    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()>;

    /// The values of some groups.
    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef>;

    fn bytes(&self) -> usize;

    /// What is kept for a group, for people.
    fn kept(&self) -> &'static str;
}

/// The tally of an aggregate call, or why there is none. `call`: without its DISTINCT.
pub fn tally(
    call: &Arc<AggregateFunctionExpr>,
    distinct: bool,
    args: &[DataType],
) -> PgResult<Result<Box<dyn Tally>, String>> {
    let shown = base_name(call.fun().name());
    let plain: Box<dyn Tally> = match (call.fun().name(), shown, args) {
        ("count", ..) => Box::new(Count::default()),
        ("bool_and", ..) => Box::new(Truths { all: true, trues: vec![], falses: vec![] }),
        ("bool_or", ..) => Box::new(Truths { all: false, trues: vec![], falses: vec![] }),
        (_, "sum" | "avg", [DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Decimal128(..)])
            if call.groups_accumulator_supported() =>
        {
            Box::new(Sum { call: Arc::clone(call), sums: vec![], counts: vec![] })
        }
        (_, "exact_sum" | "exact_avg", [ty @ (DataType::Float32 | DataType::Float64)]) => {
            let result = match (shown, ty) {
                ("exact_avg", _) => FloatResult::Average,
                (_, DataType::Float32) => FloatResult::Real,
                _ => FloatResult::Double,
            };
            Box::new(FloatSum { result, sums: vec![], counts: vec![] })
        }
        ("first_value", _, [ty]) => Box::new(Extreme::new(ty, false)?),
        ("min" | "max", _, [ty]) | (_, "min" | "max", [ty @ (DataType::Float32 | DataType::Float64)]) => {
            Box::new(Extreme::new(ty, shown == "max")?)
        }
        _ => match kernels::retracting(call.fun()) {
            Some(make) => Box::new(Folds::new(make, call.field().data_type().clone())),
            None => return Ok(Err(format!("{shown} cannot take rows back"))),
        },
    };
    if !distinct || matches!(shown, "min" | "max" | "bool_and" | "bool_or" | "first_value") {
        return Ok(Ok(plain));
    }
    // Equal numerics, and equal intervals, can look different: which of them is the one depends on the order of the rows.
    let alike = |ty: &DataType| ty.is_integer() || ty.is_floating() || matches!(ty, DataType::Decimal128(..));
    if call.fun().name() != "count" && !args.iter().all(alike) {
        return Ok(Err(format!("{shown}(DISTINCT) of values that are equal and not alike cannot take rows back")));
    }
    Ok(Ok(Box::new(Distinct::new(plain, args)?)))
}

/// A function's name without what our registry appends to tell overloads apart.
pub fn base_name(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((base, oid)) if !oid.is_empty() && oid.bytes().all(|b| b.is_ascii_digit()) => base,
        _ => name,
    }
}

#[derive(Default)]
struct Count {
    counts: Vec<i64>,
}

impl Tally for Count {
    fn kept(&self) -> &'static str {
        "a number"
    }

    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn forget(&mut self, group: usize) {
        self.counts[group] = 0;
    }

    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()> {
        let counted = |row: usize| args.iter().all(|arg| arg.is_valid(row));
        let nulls = args.iter().any(|arg| arg.null_count() > 0);
        for (row, (group, weight)) in groups.iter().zip(weights).enumerate() {
            if !nulls || counted(row) {
                self.counts[*group as usize] += weight;
            }
        }
        Ok(())
    }

    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(groups.iter().map(|group| self.counts[*group as usize]))))
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// sum and avg of what is summed exactly. Sums may pass 128 bits on the way and come back: they wrap.
struct Sum {
    call: Arc<AggregateFunctionExpr>,
    sums: Vec<i128>,
    counts: Vec<i64>,
}

impl Sum {
    fn add<T: ArrowPrimitiveType>(&mut self, values: &ArrayRef, groups: &[u32], weights: &[i64])
    where
        T::Native: Into<i128>,
    {
        let values: &PrimitiveArray<T> = values.as_primitive();
        for (row, (group, weight)) in groups.iter().zip(weights).enumerate() {
            if values.is_valid(row) {
                let group = *group as usize;
                let value = Into::<i128>::into(values.value(row)).wrapping_mul(i128::from(*weight));
                self.sums[group] = self.sums[group].wrapping_add(value);
                self.counts[group] += weight;
            }
        }
    }
}

impl Tally for Sum {
    fn kept(&self) -> &'static str {
        "the exact sum"
    }

    fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.counts.resize(groups, 0);
    }

    fn forget(&mut self, group: usize) {
        (self.sums[group], self.counts[group]) = (0, 0);
    }

    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()> {
        match args[0].data_type() {
            DataType::Int16 => self.add::<Int16Type>(&args[0], groups, weights),
            DataType::Int32 => self.add::<Int32Type>(&args[0], groups, weights),
            DataType::Int64 => self.add::<Int64Type>(&args[0], groups, weights),
            DataType::Decimal128(..) => self.add::<Decimal128Type>(&args[0], groups, weights),
            other => return Err(PgError::internal(format!("an exact sum of {other}"))),
        }
        Ok(())
    }

    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef> {
        // The aggregate's own states are sums in plain 128 bits and counts: it makes the result of them.
        let sums = groups.iter().map(|group| self.sums[*group as usize]);
        let sums = Decimal128Array::from_iter_values(sums).with_data_type(DataType::Decimal128(38, 0));
        let counts = Int64Array::from_iter_values(groups.iter().map(|group| self.counts[*group as usize]));
        let places: Vec<usize> = (0..groups.len()).collect();
        let mut finish = self.call.create_groups_accumulator()?;
        finish.merge_batch(&[Arc::new(sums), Arc::new(counts)], &places, groups.len())?;
        Ok(finish.evaluate(EmitTo::All)?)
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * 16 + self.counts.capacity() * 8
    }
}

/// sum and avg of floats.
struct FloatSum {
    result: FloatResult,
    sums: Vec<ExactSum>,
    counts: Vec<i64>,
}

impl Tally for FloatSum {
    fn kept(&self) -> &'static str {
        "the exact sum"
    }

    fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, ExactSum::default());
        self.counts.resize(groups, 0);
    }

    fn forget(&mut self, group: usize) {
        (self.sums[group], self.counts[group]) = (ExactSum::default(), 0);
    }

    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()> {
        let values = cast(&args[0], &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        for (row, (group, weight)) in groups.iter().zip(weights).enumerate() {
            if values.is_valid(row) {
                self.sums[*group as usize].add(values.value(row), *weight);
                self.counts[*group as usize] += weight;
            }
        }
        Ok(())
    }

    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef> {
        let value = |group: &u32| self.result.finish(&self.sums[*group as usize], self.counts[*group as usize]);
        Ok(self.result.column(groups.iter().map(value).collect::<PgResult<_>>()?))
    }

    fn bytes(&self) -> usize {
        self.sums.iter().map(ExactSum::bytes).sum::<usize>() + self.counts.capacity() * 8
    }
}

struct Truths {
    all: bool,
    trues: Vec<i64>,
    falses: Vec<i64>,
}

impl Tally for Truths {
    fn kept(&self) -> &'static str {
        "how many are true, how many false"
    }

    fn grow(&mut self, groups: usize) {
        self.trues.resize(groups, 0);
        self.falses.resize(groups, 0);
    }

    fn forget(&mut self, group: usize) {
        (self.trues[group], self.falses[group]) = (0, 0);
    }

    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()> {
        let values = args[0].as_boolean();
        for (row, (group, weight)) in groups.iter().zip(weights).enumerate() {
            if values.is_valid(row) {
                let counts = if values.value(row) { &mut self.trues } else { &mut self.falses };
                counts[*group as usize] += weight;
            }
        }
        Ok(())
    }

    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef> {
        let value = |group: &u32| match (self.trues[*group as usize], self.falses[*group as usize]) {
            (0, 0) => None,
            (trues, falses) => Some(if self.all { falses == 0 } else { trues > 0 }),
        };
        Ok(Arc::new(groups.iter().map(value).collect::<BooleanArray>()))
    }

    fn bytes(&self) -> usize {
        (self.trues.capacity() + self.falses.capacity()) * 8
    }
}

/// Values in order, with how often each is there.
enum Values {
    /// Encodings of up to 16 bytes, all of one length.
    Short(Ordered<u128>),
    Long(Ordered<Key>),
}

impl Values {
    fn add(&mut self, bytes: &[u8], weight: i64) {
        match self {
            Self::Short(values) => {
                let mut key = [0; 16];
                key[..bytes.len()].copy_from_slice(bytes);
                values.add(u128::from_be_bytes(key), weight);
            }
            Self::Long(values) => values.add(bytes.into(), weight),
        }
    }

    /// The bytes of the last or first value, of `width` where they are short.
    fn end(&self, last: bool, width: usize) -> Option<Vec<u8>> {
        match self {
            Self::Short(values) => Some(values.end(last)?.to_be_bytes()[..width].to_vec()),
            Self::Long(values) => Some(values.end(last)?.bytes().to_vec()),
        }
    }
}

/// min and max of types whose bytes sort as their values do.
struct Extreme {
    ty: DataType,
    greatest: bool,
    encoding: RowBytes,
    /// The length of an encoding, where it is always the same and short.
    width: Option<usize>,
    values: Vec<Values>,
    entries: usize,
}

impl Extreme {
    fn new(ty: &DataType, greatest: bool) -> PgResult<Self> {
        let encoding = RowBytes::new(&Schema::new(vec![Field::new("value", ty.clone(), true)]))?;
        let width = match ty.is_primitive() {
            true => Some(encoding.encode(&[new_null_array(ty, 1)])?.row(0).data().len()).filter(|width| *width <= 16),
            false => None,
        };
        Ok(Self { ty: ty.clone(), greatest, encoding, width, values: vec![], entries: 0 })
    }

    fn empty(&self) -> Values {
        if self.width.is_some() { Values::Short(Ordered::default()) } else { Values::Long(Ordered::default()) }
    }
}

impl Tally for Extreme {
    fn kept(&self) -> &'static str {
        "the values in order"
    }

    fn grow(&mut self, groups: usize) {
        while self.values.len() < groups {
            self.values.push(self.empty());
        }
    }

    fn forget(&mut self, group: usize) {
        self.values[group] = self.empty();
    }

    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()> {
        let rows = self.encoding.encode(&args[..1])?;
        for (row, (group, weight)) in groups.iter().zip(weights).enumerate() {
            if args[0].is_valid(row) {
                self.values[*group as usize].add(rows.row(row).data(), *weight);
            }
        }
        self.entries = self.entries.saturating_add_signed(weights.iter().sum::<i64>() as isize);
        Ok(())
    }

    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef> {
        let width = self.width.unwrap_or(0);
        let ends: Vec<Option<Vec<u8>>> =
            groups.iter().map(|group| self.values[*group as usize].end(self.greatest, width)).collect();
        let values = self.encoding.decode(ends.iter().flatten().map(Vec::as_slice))?;
        if ends.iter().all(Option::is_some) && !ends.is_empty() {
            return Ok(Arc::clone(&values[0]));
        }
        let Some(found) = values.first().filter(|found| !found.is_empty()) else {
            return Ok(new_null_array(&self.ty, groups.len()));
        };
        let mut next = 0;
        let picks = ends.iter().map(|end| {
            end.as_ref().map(|_| {
                next += 1;
                next - 1
            })
        });
        Ok(take(found, &picks.collect::<UInt32Array>(), None)?)
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<Values>() + self.entries * if self.width.is_some() { 32 } else { 64 }
    }
}

/// An aggregate of distinct values.
struct Distinct {
    inner: Box<dyn Tally>,
    encoding: RowBytes,
    counts: HashMap<(u32, Box<[u8]>), i64, RandomState>,
}

impl Distinct {
    fn new(inner: Box<dyn Tally>, args: &[DataType]) -> PgResult<Self> {
        let field = |ty: &DataType| Field::new("value", ty.clone(), true);
        let encoding = RowBytes::new(&Schema::new(args.iter().map(field).collect::<Vec<_>>()))?;
        Ok(Self { inner, encoding, counts: HashMap::default() })
    }
}

impl Tally for Distinct {
    fn kept(&self) -> &'static str {
        "each value with its count"
    }

    fn grow(&mut self, groups: usize) {
        self.inner.grow(groups);
    }

    fn forget(&mut self, group: usize) {
        self.inner.forget(group);
    }

    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()> {
        let args: Vec<ArrayRef> = args.iter().map(|arg| positive_zero(Arc::clone(arg))).collect::<PgResult<_>>()?;
        let rows = self.encoding.encode(&args)?;
        // Which values were there before this batch, by one row of each.
        let mut touched: HashMap<(u32, &[u8]), (u32, bool), RandomState> = HashMap::default();
        for (row, (group, weight)) in groups.iter().zip(weights).enumerate() {
            let bytes = rows.row(row).data();
            let count = self.counts.entry((*group, bytes.into())).or_insert(0);
            touched.entry((*group, bytes)).or_insert((row as u32, *count > 0));
            *count += weight;
        }
        let (mut picks, mut their_groups, mut signs) = (vec![], vec![], vec![]);
        for ((group, bytes), (row, before)) in touched {
            let key = (group, Box::from(bytes));
            let after = self.counts.get(&key).is_some_and(|count| *count > 0);
            if self.counts.get(&key) == Some(&0) {
                self.counts.remove(&key);
            }
            if before != after {
                picks.push(row);
                their_groups.push(group);
                signs.push(if after { 1 } else { -1 });
            }
        }
        let picks = UInt32Array::from(picks);
        let args = args.iter().map(|arg| take(arg, &picks, None)).collect::<Result<Vec<_>, _>>()?;
        self.inner.update(&args, &their_groups, &signs)
    }

    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef> {
        self.inner.evaluate(groups)
    }

    fn bytes(&self) -> usize {
        self.inner.bytes() + self.counts.capacity() * 64
    }
}
