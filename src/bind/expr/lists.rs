//! Functions over lists that are syntax in SQL and have no `pg_proc` row: `a[i]`, `x op ANY (list)`, and the rows of
//! set-returning functions as lists.

use crate::kernels::SetKernel;
use crate::types::{ExprType, PgType, oid};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Int64Array, ListArray, StringArray, StructArray,
    UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::kernels::cmp;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::sync::Arc;

fn signature() -> Signature {
    Signature::one_of(vec![TypeSignature::VariadicAny, TypeSignature::Nullary], Volatility::Immutable)
}

fn internal(message: &str) -> DataFusionError {
    DataFusionError::Internal(message.to_string())
}

fn arrays(args: &ScalarFunctionArgs) -> Result<Vec<ArrayRef>> {
    args.args.iter().map(|a| a.to_array(args.number_rows)).collect()
}

/// `list[index]`, `base` being the first subscript; NULL outside the bounds.
pub fn element_at(base: i64) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(ElementAt { base, signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ElementAt {
    base: i64,
    signature: Signature,
}

impl ScalarUDFImpl for ElementAt {
    fn name(&self) -> &str {
        if self.base == 0 { "element_at_from_0" } else { "element_at" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args.first() {
            Some(DataType::List(field)) => Ok(field.data_type().clone()),
            _ => Err(internal("a subscript needs a list")),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arrays(&args)?;
        let [list, index] = arrays.as_slice() else { return Err(internal("a subscript has two operands")) };
        let list = list.as_list::<i32>();
        let index = index.as_primitive::<Int32Type>();
        let places: UInt32Array = (0..list.len())
            .map(|row| {
                if list.is_null(row) || index.is_null(row) {
                    return None;
                }
                let place = i64::from(index.value(row)) - self.base;
                let length = i64::from(list.value_length(row));
                (0..length).contains(&place).then(|| (i64::from(list.value_offsets()[row]) + place) as u32)
            })
            .collect();
        Ok(ColumnarValue::Array(take(list.values(), &places, None)?))
    }
}

/// `name[index]`: the byte at this place, from 0; a name is an array of 64 `"char"`.
pub fn name_byte() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(NameByte { signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NameByte {
    signature: Signature,
}

impl ScalarUDFImpl for NameByte {
    fn name(&self) -> &str {
        "name_byte"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        const LENGTH: usize = 64;
        let arrays = arrays(&args)?;
        let [name, index] = arrays.as_slice() else { return Err(internal("a subscript has two operands")) };
        let (names, indices) = (name.as_string::<i32>(), index.as_primitive::<Int32Type>());
        let byte = |row: usize| {
            if names.is_null(row) || indices.is_null(row) {
                return None;
            }
            let place = usize::try_from(indices.value(row)).ok().filter(|place| *place < LENGTH)?;
            // What is behind the end of the name is 0, which is shown as nothing.
            Some(match names.value(row).as_bytes().get(place) {
                None | Some(0) => String::new(),
                Some(byte) if byte.is_ascii() => char::from(*byte).to_string(),
                Some(byte) => format!("\\{byte:03o}"),
            })
        };
        let bytes: StringArray = (0..names.len()).map(byte).collect();
        Ok(ColumnarValue::Array(Arc::new(bytes)))
    }
}

/// How an element is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Comparison {
    Native(Operator),
    /// A function of (left, element) → bool.
    Scalar(Arc<ScalarUDF>),
}

/// `left op ANY (list)` or, with `all`, `left op ALL (list)`: three-valued, as SQL has it.
pub fn quantified(comparison: Comparison, all: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Quantified { comparison, all, signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantified {
    comparison: Comparison,
    all: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Quantified {
    fn name(&self) -> &str {
        if self.all { "op_all" } else { "op_any" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arrays(&args)?;
        let [left, list] = arrays.as_slice() else { return Err(internal("a quantifier has two operands")) };
        let list = list.as_list::<i32>();
        // One row for each element, the left operand beside it.
        let mut rows = Vec::new();
        let mut places = Vec::new();
        for row in 0..list.len() {
            if list.is_valid(row) {
                let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
                rows.extend(std::iter::repeat_n(row as u32, (to - from) as usize));
                places.extend((from..to).map(|p| p as u32));
            }
        }
        let count = places.len();
        let lefts = take(left, &UInt32Array::from(rows), None)?;
        let elements = take(list.values(), &UInt32Array::from(places), None)?;
        let verdicts = self.compare(lefts, elements, count, &args)?;
        let mut out = BooleanBuilder::with_capacity(list.len());
        let mut at = 0;
        for row in 0..list.len() {
            if list.is_null(row) {
                out.append_null();
                continue;
            }
            let length = list.value_length(row) as usize;
            let (mut decided, mut unknown) = (false, false);
            for i in at..at + length {
                match verdicts.is_null(i) {
                    true => unknown = true,
                    false => decided |= verdicts.value(i) != self.all,
                }
            }
            at += length;
            match (decided, unknown) {
                (true, _) => out.append_value(!self.all),
                (false, true) => out.append_null(),
                (false, false) => out.append_value(self.all),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish())))
    }
}

impl Quantified {
    fn compare(&self, left: ArrayRef, right: ArrayRef, rows: usize, args: &ScalarFunctionArgs) -> Result<BooleanArray> {
        match &self.comparison {
            Comparison::Native(op) => {
                let compare = match op {
                    Operator::Eq => cmp::eq,
                    Operator::NotEq => cmp::neq,
                    Operator::Lt => cmp::lt,
                    Operator::LtEq => cmp::lt_eq,
                    Operator::Gt => cmp::gt,
                    Operator::GtEq => cmp::gt_eq,
                    _ => return Err(internal("a quantifier needs a comparison")),
                };
                Ok(compare(&left, &right)?)
            }
            Comparison::Scalar(udf) => {
                let fields = [&left, &right].map(|a| Arc::new(Field::new("a", a.data_type().clone(), true))).to_vec();
                let call = ScalarFunctionArgs {
                    args: vec![ColumnarValue::Array(left), ColumnarValue::Array(right)],
                    arg_fields: fields,
                    number_rows: rows,
                    return_field: Arc::new(Field::new("b", DataType::Boolean, true)),
                    config_options: Arc::clone(&args.config_options),
                };
                Ok(udf.invoke_with_args(call)?.to_array(rows)?.as_boolean().clone())
            }
        }
    }
}

/// Column `column` of a set-returning function's rows, as a list for each row of arguments.
pub fn set_column(kernel: SetKernel, column: usize) -> Arc<ScalarUDF> {
    let name = format!("{}_{column}", kernel.name);
    Arc::new(ScalarUDF::from(SetColumn { kernel, column, name, signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SetColumn {
    kernel: SetKernel,
    column: usize,
    name: String,
    signature: Signature,
}

impl ScalarUDFImpl for SetColumn {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(crate::types::list_of(self.kernel.columns[self.column].1.storage.clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arrays(&args)?;
        let (rows, columns) = self.kernel.run(&arrays, args.number_rows, &args.config_options)?;
        let mut lengths = vec![0usize; args.number_rows];
        for row in rows.values() {
            lengths[*row as usize] += 1;
        }
        let values = Arc::clone(&columns[self.column]);
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, None::<NullBuffer>)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// The rows of a set-returning function as records, a list for each row of arguments; see [`record_type`].
pub fn set_records(kernel: SetKernel) -> Arc<ScalarUDF> {
    let name = format!("{}_records", kernel.name);
    Arc::new(ScalarUDF::from(SetRecords { kernel, name, signature: signature() }))
}

/// The type of a set-returning function's row.
pub fn record_type(kernel: &SetKernel) -> ExprType {
    let storage = crate::types::record_of(kernel.columns.iter().map(|(name, ty)| (name.as_str(), ty)));
    ExprType { pg: PgType::new(oid::RECORD), storage }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SetRecords {
    kernel: SetKernel,
    name: String,
    signature: Signature,
}

impl ScalarUDFImpl for SetRecords {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(crate::types::list_of(record_type(&self.kernel).storage))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arrays(&args)?;
        let (rows, columns) = self.kernel.run(&arrays, args.number_rows, &args.config_options)?;
        let mut lengths = vec![0usize; args.number_rows];
        for row in rows.values() {
            lengths[*row as usize] += 1;
        }
        let DataType::Struct(fields) = record_type(&self.kernel).storage else {
            return Err(internal("a record is a struct"));
        };
        let values: ArrayRef = Arc::new(StructArray::try_new(fields, columns, None)?);
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, None::<NullBuffer>)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// The function that selects the field at this place.
pub fn field_at(record: &DataType, at: usize) -> Option<(Arc<ScalarUDF>, ExprType)> {
    let DataType::Struct(fields) = record else { return None };
    let ty = crate::types::record_field_type(fields.get(at)?)?;
    let udf = RecordField { at, storage: ty.storage.clone(), signature: signature() };
    Some((Arc::new(ScalarUDF::from(udf)), ty))
}

/// `ROW(…)` of this storage.
pub fn make_record(storage: DataType) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(MakeRecord { storage, signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MakeRecord {
    storage: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for MakeRecord {
    fn name(&self) -> &str {
        "record"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.storage.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Struct(fields) = &self.storage else { return Err(internal("a record is a struct")) };
        if fields.is_empty() {
            return Ok(ColumnarValue::Array(Arc::new(StructArray::new_empty_fields(args.number_rows, None))));
        }
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(fields.clone(), arrays(&args)?, None)?)))
    }
}

/// `record IS NULL` (or, with `negated`, IS NOT NULL): whether all of its fields are (or none of them is).
pub fn record_null(negated: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(RecordNull { negated, signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RecordNull {
    negated: bool,
    signature: Signature,
}

impl ScalarUDFImpl for RecordNull {
    fn name(&self) -> &str {
        if self.negated { "record_is_not_null" } else { "record_is_null" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arrays(&args)?;
        let record = arrays.first().and_then(|a| a.as_struct_opt()).ok_or_else(|| internal("a record is a struct"))?;
        let test = |row: usize| match record.is_null(row) {
            true => !self.negated,
            false => record.columns().iter().all(|c| c.is_null(row) != self.negated),
        };
        Ok(ColumnarValue::Array(Arc::new((0..record.len()).map(|row| Some(test(row))).collect::<BooleanArray>())))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RecordField {
    at: usize,
    storage: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for RecordField {
    fn name(&self) -> &str {
        "record_field"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.storage.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arrays(&args)?;
        let record = arrays.first().and_then(|a| a.as_struct_opt()).ok_or_else(|| internal("a record is a struct"))?;
        let values = Arc::clone(record.column(self.at));
        let Some(nulls) = record.nulls() else { return Ok(ColumnarValue::Array(values)) };
        let masked = arrow::compute::nullif(&values, &BooleanArray::new(!nulls.inner(), None))?;
        Ok(ColumnarValue::Array(masked))
    }
}

/// `[1, 2, … n]` as bigint, n being the length of the longest argument: WITH ORDINALITY.
pub fn ordinality() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Ordinality { signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ordinality {
    signature: Signature,
}

impl ScalarUDFImpl for Ordinality {
    fn name(&self) -> &str {
        "ordinality"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(crate::types::list_of(DataType::Int64))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arrays(&args)?;
        let length = |array: &ArrayRef, row: usize| {
            let list = array.as_list::<i32>();
            if list.is_null(row) { 0 } else { list.value_length(row) as usize }
        };
        let lengths: Vec<usize> =
            (0..args.number_rows).map(|row| arrays.iter().map(|a| length(a, row)).max().unwrap_or(0)).collect();
        let values: Int64Array = lengths.iter().flat_map(|n| 1..=*n as i64).collect::<Vec<i64>>().into();
        let field = Arc::new(Field::new_list_field(DataType::Int64, true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), Arc::new(values), None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// `value` as it is where `count` is at most 1; `21000` where it is more. Guards scalar subqueries.
pub fn single_row() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(SingleRow { signature: signature() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleRow {
    signature: Signature,
}

impl ScalarUDFImpl for SingleRow {
    fn name(&self) -> &str {
        "single_row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        args.first().cloned().ok_or_else(|| internal("single_row has two operands"))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use crate::types::{PgError, SqlState};
        let arrays = arrays(&args)?;
        let [value, count] = arrays.as_slice() else { return Err(internal("single_row has two operands")) };
        let count = count.as_primitive::<arrow::datatypes::Int64Type>();
        if count.iter().flatten().any(|c| c > 1) {
            let message = "more than one row returned by a subquery used as an expression";
            return Err(PgError::new(SqlState::CARDINALITY_VIOLATION, message).into());
        }
        Ok(ColumnarValue::Array(Arc::clone(value)))
    }
}
