//! Functions that return sets of rows: from columns of arguments to the rows that each of their rows gives.

use super::adapt::{Bool, Fixed, JsonbBytes, Kind, List, Stamp, Text, downcast};
use super::arrays::string_parts;
use super::context::context_of;
use super::facts::{ProcRow, facts};
use super::jsonpath;
use super::jsontext;
use super::kernel::no_kernel;
use super::keys::element_type;
use super::numerics::{Num, sortable};
use super::regexp::{self, Flags};
use super::registry::unique_name;
use super::search;
use super::text::invalid;
use crate::catalog::Acl;
use crate::types::array::Arrays;
use crate::types::datetime::{Zone, add_interval, add_interval_tz};
use crate::types::interval::Interval;
use crate::types::jsonb::{JsonKind, JsonbRef};
use crate::types::numeric::Numeric;
use crate::types::range::RangeType;
use crate::types::search::Vector;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::*;
use arrow::datatypes::*;
use datafusion::common::config::ConfigOptions;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a set-returning function makes of `rows` rows of arguments: which of them each output row came from, ascending,
/// and the output columns.
pub type SetRows = (UInt32Array, Vec<ArrayRef>);

/// Arguments are whole columns of `rows` values.
pub type SetBody = Arc<dyn Fn(&[ArrayRef], usize, &ConfigOptions) -> PgResult<SetRows> + Send + Sync>;

/// A set-returning function for arguments of given types. Equal name and arguments: the same function.
#[derive(Clone)]
pub struct SetKernel {
    pub name: String,
    /// The storage that each argument must have.
    pub args: Vec<DataType>,
    /// Output columns, under the names that they have in a FROM clause without aliases.
    pub columns: Vec<(String, ExprType)>,
    pub body: SetBody,
}

impl SetKernel {
    pub fn run(&self, args: &[ArrayRef], rows: usize, config: &ConfigOptions) -> PgResult<SetRows> {
        (self.body)(args, rows, config)
    }
}

impl fmt::Debug for SetKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetKernel").field("name", &self.name).field("args", &self.args).finish_non_exhaustive()
    }
}

impl PartialEq for SetKernel {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.args, &self.columns) == (&other.name, &other.args, &other.columns)
    }
}

impl Eq for SetKernel {}

impl Hash for SetKernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.args).hash(state);
    }
}

/// The kernel of a set-returning function by its `pg_proc` OID.
pub fn set_returning(proc: Oid, args: &[ExprType]) -> PgResult<SetKernel> {
    let Some(row) = facts().proc_row(proc).filter(|r| r.returns_set) else {
        return Err(no_kernel(&proc.to_string(), args));
    };
    make(row, args)
}

/// Joins the rows that each row of arguments gives.
fn gathered(
    rows: usize,
    element: &DataType,
    mut each: impl FnMut(usize) -> PgResult<Option<ArrayRef>>,
) -> PgResult<SetRows> {
    let mut from = Vec::new();
    let mut parts = Vec::new();
    for row in 0..rows {
        if let Some(values) = each(row)? {
            from.extend(std::iter::repeat_n(row as u32, values.len()));
            parts.push(values);
        }
    }
    let parts: Vec<&dyn Array> = parts.iter().map(|p| p.as_ref()).collect();
    let values = if parts.is_empty() { new_empty_array(element) } else { arrow::compute::concat(&parts)? };
    Ok((UInt32Array::from(from), vec![values]))
}

fn any_null(args: &[ArrayRef], row: usize) -> bool {
    args.iter().any(|a| a.is_null(row))
}

fn zero_step() -> PgError {
    invalid("step size cannot equal zero")
}

/// The values of a series of integers; the end of the type's range ends it.
fn integer_series<K>(args: &[ArrayRef], rows: usize, to: impl Fn(i128) -> Option<K::Native>) -> PgResult<SetRows>
where
    K: ArrowPrimitiveType,
    K::Native: Into<i128>,
{
    let columns = args.iter().map(downcast::<PrimitiveArray<K>>).collect::<PgResult<Vec<_>>>()?;
    gathered(rows, &K::DATA_TYPE, |row| {
        if any_null(args, row) {
            return Ok(None);
        }
        let at = |i: usize| -> i128 { columns.get(i).map_or(1, |c| c.value(row).into()) };
        let (start, stop, step) = (at(0), at(1), at(2));
        if step == 0 {
            return Err(zero_step());
        }
        let count = if step > 0 { (stop - start).div_euclid(step) } else { (start - stop).div_euclid(-step) } + 1;
        let values = (0..count.max(0)).map_while(|n| to(start + n * step));
        Ok(Some(Arc::new(PrimitiveArray::<K>::from_iter_values(values)) as ArrayRef))
    })
}

fn numeric_series(args: &[ArrayRef], rows: usize) -> PgResult<SetRows> {
    let columns = args.iter().map(Num::column).collect::<PgResult<Vec<_>>>()?;
    gathered(rows, &DataType::Binary, |row| {
        if any_null(args, row) {
            return Ok(None);
        }
        let at = |i: usize| columns.get(i).map_or(Ok(Numeric::from(1)), |c| Num::item(c, row));
        let (mut value, stop, step) = (at(0)?, at(1)?, at(2)?);
        for (bound, name) in [(&value, "start"), (&stop, "stop"), (&step, "step size")] {
            if !bound.is_finite() {
                let what = if bound.is_nan() { "NaN" } else { "infinity" };
                let name = if name == "step size" { name.to_string() } else { format!("{name} value") };
                return Err(invalid(format!("{name} cannot be {what}")));
            }
        }
        if step.is_zero() {
            return Err(zero_step());
        }
        let mut out = BinaryBuilder::new();
        while if step.signum() > 0 { value <= stop } else { value >= stop } {
            out.append_value(sortable(&value));
            value = value.add(&step)?;
        }
        Ok(Some(Arc::new(out.finish()) as ArrayRef))
    })
}

/// The values of a series of timestamps; with a zone, days and months count in its local time.
fn timestamp_series(args: &[ArrayRef], rows: usize, zone: Option<Zone>) -> PgResult<SetRows> {
    let (starts, stops) = (Stamp::column(&args[0])?, Stamp::column(&args[1])?);
    let steps = Fixed::<16>::column(&args[2])?;
    gathered(rows, starts.data_type(), |row| {
        if any_null(args, row) {
            return Ok(None);
        }
        let step = Interval::from_bytes(&Fixed::<16>::item(&steps, row)?);
        let (mut value, stop, sign) = (starts.value(row), stops.value(row), step.cmp_value().signum());
        if sign == 0 {
            return Err(zero_step());
        }
        let mut values = Vec::new();
        while if sign > 0 { value <= stop } else { value >= stop } {
            values.push(value);
            value = match &zone {
                Some(zone) => add_interval_tz(value, &step, zone)?,
                None => add_interval(value, &step)?,
            };
        }
        let values = TimestampMicrosecondArray::from(values).with_data_type(starts.data_type().clone());
        Ok(Some(Arc::new(values) as ArrayRef))
    })
}

/// The session's zone.
fn zone_of(config: &ConfigOptions) -> PgResult<Zone> {
    Ok(context_of(config)?.text_settings().timezone)
}

fn subscripts(args: &[ArrayRef], rows: usize, vector: bool) -> PgResult<SetRows> {
    let (arrays, dimension) = (Arrays::new(args[0].as_ref())?, downcast::<Int32Array>(&args[1])?);
    gathered(rows, &DataType::Int32, |row| {
        if any_null(args, row) {
            return Ok(None);
        }
        let shape = arrays.shape(row);
        let place = usize::try_from(dimension.value(row)).ok().and_then(|n| n.checked_sub(1));
        let Some(d) = place.and_then(|place| shape.0.get(place)) else { return Ok(None) };
        let reverse = args.get(2).map(|a| downcast::<BooleanArray>(a).map(|b| b.value(row))).transpose()?;
        let less = i32::from(vector);
        let mut values: Vec<i32> = (d.lower - less..=d.upper() - less).collect();
        if reverse == Some(true) {
            values.reverse();
        }
        Ok(Some(Arc::new(Int32Array::from(values)) as ArrayRef))
    })
}

fn texts(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn keywords(rows: usize) -> SetRows {
    let all = super::keywords::KEYWORDS;
    let from: Vec<u32> = (0..rows as u32).flat_map(|r| std::iter::repeat_n(r, all.len())).collect();
    let each = |f: &dyn Fn(&(&'static str, char, bool)) -> String| -> ArrayRef {
        Arc::new((0..rows).flat_map(|_| all).map(|k| Some(f(k))).collect::<StringArray>())
    };
    let category = |c: char| match c {
        'U' => "unreserved",
        'C' => "unreserved (cannot be function or type name)",
        'T' => "reserved (can be function or type name)",
        _ => "reserved",
    };
    let bare: BooleanArray = (0..rows).flat_map(|_| all).map(|k| Some(k.2)).collect();
    let columns = vec![
        each(&|k| k.0.to_string()),
        each(&|k| k.1.to_string()),
        Arc::new(bare) as ArrayRef,
        each(&|k| category(k.1).to_string()),
        each(&|k| if k.2 { "can be bare label".to_string() } else { "requires AS".to_string() }),
    ];
    (UInt32Array::from(from), columns)
}

fn not_an(what: &str, kind: JsonKind, function: &str) -> PgError {
    let message = match (what, kind) {
        ("array", JsonKind::Object) => "cannot extract elements from an object".to_string(),
        ("array", _) => "cannot extract elements from a scalar".to_string(),
        ("keys", JsonKind::Array) => format!("cannot call {function} on an array"),
        ("keys", _) => format!("cannot call {function} on a scalar"),
        _ => format!("cannot call {function} on a non-object"),
    };
    invalid(message)
}

/// Key and value columns of jsonb objects; the values as jsonb or as text.
fn each_pair(args: &[ArrayRef], rows: usize, as_text: bool, function: &str) -> PgResult<SetRows> {
    let input = downcast::<LargeBinaryArray>(&args[0])?;
    let (mut from, mut keys) = (Vec::new(), Vec::new());
    let (mut texts_out, mut values) = (Vec::new(), LargeBinaryBuilder::new());
    for row in (0..rows).filter(|&r| input.is_valid(r)) {
        let object = JsonbRef::new(input.value(row));
        if object.kind() != JsonKind::Object {
            return Err(not_an("object", object.kind(), function));
        }
        for (key, value) in object.pairs() {
            from.push(row as u32);
            keys.push(Some(key.to_string()));
            if as_text {
                texts_out.push(value.text().map(|t| t.into_owned()))
            } else {
                values.append_value(value.bytes())
            }
        }
    }
    let values: ArrayRef = if as_text { texts(texts_out) } else { Arc::new(values.finish()) };
    Ok((UInt32Array::from(from), vec![texts(keys), values]))
}

fn json_elements(args: &[ArrayRef], rows: usize, as_text: bool) -> PgResult<SetRows> {
    let input = downcast::<LargeBinaryArray>(&args[0])?;
    let storage = if as_text { DataType::Utf8 } else { DataType::LargeBinary };
    gathered(rows, &storage, |row| {
        if input.is_null(row) {
            return Ok(None);
        }
        let array = JsonbRef::new(input.value(row));
        if array.kind() != JsonKind::Array {
            return Err(not_an("array", array.kind(), ""));
        }
        Ok(Some(match as_text {
            true => texts(array.elements().map(|e| e.text().map(|t| t.into_owned())).collect()),
            false => Arc::new(LargeBinaryArray::from_iter_values(array.elements().map(|e| e.bytes()))),
        }))
    })
}

fn object_keys(args: &[ArrayRef], rows: usize) -> PgResult<SetRows> {
    let input = downcast::<LargeBinaryArray>(&args[0])?;
    gathered(rows, &DataType::Utf8, |row| {
        if input.is_null(row) {
            return Ok(None);
        }
        let object = JsonbRef::new(input.value(row));
        if object.kind() != JsonKind::Object {
            return Err(not_an("keys", object.kind(), "jsonb_object_keys"));
        }
        Ok(Some(texts(object.pairs().map(|(k, _)| Some(k.to_string())).collect())))
    })
}

/// Elements of json arrays, as json or as text.
fn json_text_elements(args: &[ArrayRef], rows: usize, as_text: bool, function: &str) -> PgResult<SetRows> {
    let input = downcast::<StringArray>(&args[0])?;
    gathered(rows, &DataType::Utf8, |row| {
        if input.is_null(row) {
            return Ok(None);
        }
        let json = input.value(row);
        match jsontext::kind(json) {
            jsontext::Kind::Array => {}
            jsontext::Kind::Object => return Err(invalid(format!("cannot call {function} on a non-array"))),
            _ => return Err(invalid(format!("cannot call {function} on a scalar"))),
        }
        let all = jsontext::elements(json).into_iter();
        Ok(Some(match as_text {
            true => texts(all.map(jsontext::as_text).collect::<PgResult<_>>()?),
            false => texts(all.map(|e| Some(e.to_string())).collect()),
        }))
    })
}

/// Keys, and with `values` the values, of json objects.
fn json_text_members(args: &[ArrayRef], rows: usize, values: Option<bool>) -> PgResult<SetRows> {
    let input = downcast::<StringArray>(&args[0])?;
    let (mut from, mut keys, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for row in (0..rows).filter(|&r| input.is_valid(r)) {
        let json = input.value(row);
        match (jsontext::kind(json), values) {
            (jsontext::Kind::Object, _) => {}
            (jsontext::Kind::Array, None) => return Err(invalid("cannot call json_object_keys on an array")),
            (_, None) => return Err(invalid("cannot call json_object_keys on a scalar")),
            (jsontext::Kind::Array, _) => return Err(invalid("cannot deconstruct an array as an object")),
            _ => return Err(invalid("cannot deconstruct a scalar")),
        }
        for (key, value) in jsontext::members(json) {
            from.push(row as u32);
            keys.push(Some(jsontext::unquoted(key)?));
            parts.push(match values {
                Some(true) => jsontext::as_text(value)?,
                _ => Some(value.to_string()),
            });
        }
    }
    let mut columns = vec![texts(keys)];
    if values.is_some() {
        columns.push(texts(parts));
    }
    Ok((UInt32Array::from(from), columns))
}

/// Lexemes of vectors with their positions and weights; NULL where there are none.
fn lexeme_rows(args: &[ArrayRef], rows: usize) -> PgResult<SetRows> {
    let vectors = downcast::<StringArray>(&args[0])?;
    let (mut from, mut words) = (Vec::new(), Vec::new());
    let mut positions = ListBuilder::new(Int16Builder::new());
    let mut weights = ListBuilder::new(StringBuilder::new());
    for row in (0..rows).filter(|&r| vectors.is_valid(r)) {
        for lexeme in Vector::parse(vectors.value(row))?.lexemes {
            from.push(row as u32);
            words.push(Some(lexeme.word));
            for place in &lexeme.places {
                positions.values().append_value(place.at as i16);
                weights.values().append_value(Vector::weight_letter(place.weight).to_string());
            }
            positions.append(!lexeme.places.is_empty());
            weights.append(!lexeme.places.is_empty());
        }
    }
    Ok((UInt32Array::from(from), vec![texts(words), Arc::new(positions.finish()), Arc::new(weights.finish())]))
}

/// The default parser is the only one.
fn text_parser(arg: &ArrayRef, row: usize) -> PgResult<()> {
    let missing = |name: String| Err(PgError::new(SqlState::UNDEFINED_OBJECT, name));
    if let Some(names) = arg.as_any().downcast_ref::<StringArray>() {
        return match names.value(row) {
            "default" | "pg_catalog.default" => Ok(()),
            name => missing(format!("text search parser \"{name}\" does not exist")),
        };
    }
    match Oid(downcast::<UInt32Array>(arg)?.value(row)) {
        search::DEFAULT_PARSER => Ok(()),
        oid => Err(PgError::internal(format!("cache lookup failed for text search parser {oid}"))),
    }
}

fn token_types(args: &[ArrayRef], rows: usize) -> PgResult<SetRows> {
    let mut from = Vec::new();
    for row in (0..rows).filter(|&r| args[0].is_valid(r)) {
        text_parser(&args[0], row)?;
        from.extend(search::KINDS.map(|_| row as u32));
    }
    let sets = from.len() / search::KINDS.len();
    let each = || (0..sets).flat_map(|_| search::KINDS.iter().enumerate());
    let numbers: Int32Array = each().map(|(i, _)| Some(i as i32 + 1)).collect();
    let columns = vec![
        Arc::new(numbers) as ArrayRef,
        texts(each().map(|(_, k)| Some(k.0.to_string())).collect()),
        texts(each().map(|(_, k)| Some(k.1.to_string())).collect()),
    ];
    Ok((UInt32Array::from(from), columns))
}

fn tokens(args: &[ArrayRef], rows: usize) -> PgResult<SetRows> {
    let documents = downcast::<StringArray>(&args[1])?;
    let (mut from, mut kinds, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for row in (0..rows).filter(|&r| !any_null(args, r)) {
        text_parser(&args[0], row)?;
        let mut parser = search::Parser::new(documents.value(row));
        while let Some(token) = parser.token()? {
            from.push(row as u32);
            kinds.push(token.kind as i32 + 1);
            found.push(Some(token.text.to_string()));
        }
    }
    Ok((UInt32Array::from(from), vec![Arc::new(Int32Array::from(kinds)), texts(found)]))
}

fn flags_at(args: &[ArrayRef], row: usize) -> PgResult<Flags> {
    args.get(2).map_or(Ok(Flags::default()), |f| Flags::parse(Text::column(f)?.value(row)))
}

fn make(row: &'static ProcRow, args: &[ExprType]) -> PgResult<SetKernel> {
    let own = |ty| ExprType::of(PgType::new(ty));
    let declared: Vec<ExprType> = row.args.iter().map(|a| own(*a)).collect();
    let kernel = |args: Vec<ExprType>, columns: Vec<(&str, ExprType)>, body: SetBody| {
        Ok(SetKernel {
            name: unique_name(row),
            args: args.into_iter().map(|a| a.storage).collect(),
            columns: columns.into_iter().map(|(n, t)| (n.to_string(), t)).collect(),
            body,
        })
    };
    let one = |column: &'static str, body: SetBody| kernel(declared.clone(), vec![(column, own(row.result))], body);
    match (row.name, row.args.as_slice()) {
        ("generate_series", [oid::INT4, ..]) => one(
            "generate_series",
            Arc::new(|args, rows, _| integer_series::<Int32Type>(args, rows, |v| i32::try_from(v).ok())),
        ),
        ("generate_series", [oid::INT8, ..]) => one(
            "generate_series",
            Arc::new(|args, rows, _| integer_series::<Int64Type>(args, rows, |v| i64::try_from(v).ok())),
        ),
        ("generate_series", [oid::NUMERIC, ..]) => {
            one("generate_series", Arc::new(|args, rows, _| numeric_series(args, rows)))
        }
        ("generate_series", [oid::TIMESTAMP, ..]) => {
            one("generate_series", Arc::new(|args, rows, _| timestamp_series(args, rows, None)))
        }
        ("generate_series", [oid::TIMESTAMPTZ, ..]) => {
            one("generate_series", Arc::new(|args, rows, config| timestamp_series(args, rows, Some(zone_of(config)?))))
        }
        ("generate_subscripts", _) => {
            let array = args.first().cloned().ok_or_else(|| no_kernel(row.name, args))?;
            let vector = matches!(array.pg.oid, oid::OIDVECTOR | oid::INT2VECTOR);
            let types = std::iter::once(array).chain(declared[1..].iter().cloned()).collect();
            let body: SetBody = Arc::new(move |args, rows, _| subscripts(args, rows, vector));
            kernel(types, vec![("generate_subscripts", own(oid::INT4))], body)
        }
        ("unnest", [oid::ANYARRAY]) => {
            let array = args.first().cloned().ok_or_else(|| no_kernel(row.name, args))?;
            let element = element_type(&array).ok_or_else(|| no_kernel(row.name, args))?;
            let storage = element.storage.clone();
            let body: SetBody = Arc::new(move |args, rows, _| {
                let arrays = Arrays::new(args[0].as_ref())?;
                gathered(rows, &storage, |row| Ok((!arrays.is_null(row)).then(|| arrays.elements(row))))
            });
            kernel(vec![array], vec![("unnest", element)], body)
        }
        ("unnest", [oid::ANYMULTIRANGE]) => {
            let given = args.first().cloned().ok_or_else(|| no_kernel(row.name, args))?;
            let ty = RangeType::of(given.pg.oid).ok_or_else(|| no_kernel(row.name, args))?;
            let body: SetBody = Arc::new(move |args, rows, _| {
                let values = downcast::<BinaryArray>(&args[0])?;
                gathered(rows, &DataType::Binary, |row| match values.is_null(row) {
                    true => Ok(None),
                    false => super::ranges::ranges_of(&ty, values.value(row)).map(Some),
                })
            });
            kernel(vec![given], vec![("unnest", own(ty.range))], body)
        }
        ("unnest", [oid::TSVECTOR]) => {
            let arrays = |element| ExprType::of(PgType::new(oid::array_of(element).unwrap_or(oid::ANYARRAY)));
            kernel(
                declared.clone(),
                vec![("lexeme", own(oid::TEXT)), ("positions", arrays(oid::INT2)), ("weights", arrays(oid::TEXT))],
                Arc::new(|args, rows, _| lexeme_rows(args, rows)),
            )
        }
        ("ts_token_type", _) => kernel(
            declared.clone(),
            vec![("tokid", own(oid::INT4)), ("alias", own(oid::TEXT)), ("description", own(oid::TEXT))],
            Arc::new(|args, rows, _| token_types(args, rows)),
        ),
        ("ts_parse", _) => kernel(
            declared.clone(),
            vec![("tokid", own(oid::INT4)), ("token", own(oid::TEXT))],
            Arc::new(|args, rows, _| tokens(args, rows)),
        ),
        ("_pg_expandarray", _) => {
            let array = args.first().cloned().ok_or_else(|| no_kernel(row.name, args))?;
            expand_array(&array)
        }
        ("jsonb_array_elements", _) => one("value", Arc::new(|args, rows, _| json_elements(args, rows, false))),
        ("jsonb_array_elements_text", _) => one("value", Arc::new(|args, rows, _| json_elements(args, rows, true))),
        ("jsonb_object_keys", _) => one("jsonb_object_keys", Arc::new(|args, rows, _| object_keys(args, rows))),
        ("json_array_elements", _) => {
            one("value", Arc::new(|args, rows, _| json_text_elements(args, rows, false, "json_array_elements")))
        }
        ("json_array_elements_text", _) => {
            one("value", Arc::new(|args, rows, _| json_text_elements(args, rows, true, "json_array_elements_text")))
        }
        ("json_object_keys", _) => {
            one("json_object_keys", Arc::new(|args, rows, _| json_text_members(args, rows, None)))
        }
        ("json_each", _) => kernel(
            declared.clone(),
            vec![("key", own(oid::TEXT)), ("value", own(oid::JSON))],
            Arc::new(|args, rows, _| json_text_members(args, rows, Some(false))),
        ),
        ("json_each_text", _) => kernel(
            declared.clone(),
            vec![("key", own(oid::TEXT)), ("value", own(oid::TEXT))],
            Arc::new(|args, rows, _| json_text_members(args, rows, Some(true))),
        ),
        ("jsonb_each", _) => kernel(
            declared.clone(),
            vec![("key", own(oid::TEXT)), ("value", own(oid::JSONB))],
            Arc::new(|args, rows, _| each_pair(args, rows, false, "jsonb_each")),
        ),
        ("jsonb_each_text", _) => kernel(
            declared.clone(),
            vec![("key", own(oid::TEXT)), ("value", own(oid::TEXT))],
            Arc::new(|args, rows, _| each_pair(args, rows, true, "jsonb_each_text")),
        ),
        ("regexp_split_to_table", _) => one(
            "regexp_split_to_table",
            Arc::new(|args, rows, _| {
                let (values, patterns) = (Text::column(&args[0])?, Text::column(&args[1])?);
                gathered(rows, &DataType::Utf8, |row| {
                    if any_null(args, row) {
                        return Ok(None);
                    }
                    let flags = flags_at(args, row)?.no_global("regexp_split_to_table()")?;
                    let pieces = regexp::split(values.value(row), patterns.value(row), flags)?;
                    Ok(Some(Arc::new(StringArray::from(pieces)) as ArrayRef))
                })
            }),
        ),
        ("regexp_matches", _) => one(
            "regexp_matches",
            Arc::new(|args, rows, _| {
                let (values, patterns) = (Text::column(&args[0])?, Text::column(&args[1])?);
                let storage = crate::types::list_of(DataType::Utf8);
                gathered(rows, &storage, |row| {
                    if any_null(args, row) {
                        return Ok(None);
                    }
                    let found = regexp::all_groups(values.value(row), patterns.value(row), flags_at(args, row)?)?;
                    let mut lists = List::builder(found.len(), &storage);
                    found.into_iter().try_for_each(|groups| List::push(&mut lists, Some(groups)))?;
                    Ok(Some(List::finish(lists)))
                })
            }),
        ),
        (name @ ("jsonb_path_query" | "jsonb_path_query_tz"), _) => {
            let zoned = name.ends_with("_tz");
            one(
                if zoned { "jsonb_path_query_tz" } else { "jsonb_path_query" },
                Arc::new(move |args, rows, config| {
                    let zone = if zoned { Some(zone_of(config)?) } else { None };
                    let (json, vars) = (JsonbBytes::column(&args[0])?, JsonbBytes::column(&args[2])?);
                    let (paths, silent) = (Text::column(&args[1])?, Bool::column(&args[3])?);
                    gathered(rows, &DataType::LargeBinary, |row| {
                        if any_null(args, row) {
                            return Ok(None);
                        }
                        let (path, silent) = (paths.value(row), silent.value(row));
                        let (json, vars) = (json.value(row), Some(vars.value(row)));
                        let found = jsonpath::Search { json, path, vars, silent, zone: zone.as_ref() }.all()?;
                        Ok(Some(Arc::new(LargeBinaryArray::from_iter_values(found)) as ArrayRef))
                    })
                }),
            )
        }
        ("string_to_table", _) => one(
            "string_to_table",
            Arc::new(|args, rows, _| gathered(rows, &DataType::Utf8, |row| string_parts(args, row))),
        ),
        ("pg_get_keywords", _) => {
            let text = || own(oid::TEXT);
            let columns = vec![
                ("word", text()),
                ("catcode", own(oid::CHAR)),
                ("barelabel", own(oid::BOOL)),
                ("catdesc", text()),
                ("baredesc", text()),
            ];
            kernel(vec![], columns, Arc::new(|_, rows, _| Ok(keywords(rows))))
        }
        // No relation is partitioned, no tablespace holds other databases.
        ("pg_partition_tree", _) => {
            let columns = vec![
                ("relid", own(oid::REGCLASS)),
                ("parentrelid", own(oid::REGCLASS)),
                ("isleaf", own(oid::BOOL)),
                ("level", own(oid::INT4)),
            ];
            let storages: Vec<DataType> = columns.iter().map(|(_, ty)| ty.storage.clone()).collect();
            let body = move || storages.iter().map(new_empty_array).collect::<Vec<ArrayRef>>();
            kernel(declared.clone(), columns, Arc::new(move |_, _, _| Ok((Vec::<u32>::new().into(), body()))))
        }
        ("pg_options_to_table", _) => kernel(
            declared.clone(),
            vec![("option_name", own(oid::TEXT)), ("option_value", own(oid::TEXT))],
            Arc::new(|args, rows, _| options(args, rows)),
        ),
        ("pg_partition_ancestors", _) => one("relid", empty(DataType::UInt32)),
        ("pg_listening_channels", _) => one(
            "pg_listening_channels",
            Arc::new(|_, rows, config| {
                let channels = context_of(config)?.listened_channels();
                gathered(rows, &DataType::Utf8, |_| Ok(Some(Arc::new(StringArray::from(channels.clone())) as ArrayRef)))
            }),
        ),
        ("pg_tablespace_databases", _) => one("pg_tablespace_databases", empty(DataType::UInt32)),
        ("aclexplode", _) => kernel(
            vec![args.first().cloned().ok_or_else(|| no_kernel(row.name, args))?],
            vec![
                ("grantor", own(oid::OID)),
                ("grantee", own(oid::OID)),
                ("privilege_type", own(oid::TEXT)),
                ("is_grantable", own(oid::BOOL)),
            ],
            Arc::new(|args, rows, config| {
                let lists = downcast::<ListArray>(&args[0])?;
                let context = context_of(config)?;
                let mut from = UInt32Builder::new();
                let (mut grantors, mut grantees) = (UInt32Builder::new(), UInt32Builder::new());
                let (mut types, mut grantable) = (StringBuilder::new(), BooleanBuilder::new());
                for i in (0..rows).filter(|i| lists.is_valid(*i)) {
                    let items = lists.value(i);
                    let items = downcast::<StringArray>(&items)?;
                    for item in items.iter().flatten() {
                        let grant = Acl::parse_item(item, &|name| context.catalog().role_oid(name))?;
                        for (bit, name) in grant.privileges.each() {
                            from.append_value(i as u32);
                            grantors.append_value(grant.grantor.0);
                            grantees.append_value(grant.grantee.0);
                            types.append_value(name);
                            grantable.append_value(grant.grantable.contains(bit));
                        }
                    }
                }
                let columns: Vec<ArrayRef> = vec![
                    Arc::new(grantors.finish()),
                    Arc::new(grantees.finish()),
                    Arc::new(types.finish()),
                    Arc::new(grantable.finish()),
                ];
                Ok((from.finish(), columns))
            }),
        ),
        _ => Err(no_kernel(row.name, args)),
    }
}

/// `name=value` of each element, as foreign-data objects and relations keep their options.
fn options(args: &[ArrayRef], rows: usize) -> PgResult<(UInt32Array, Vec<ArrayRef>)> {
    let arrays = Arrays::new(args[0].as_ref())?;
    let (mut from, mut names, mut values) = (UInt32Builder::new(), StringBuilder::new(), StringBuilder::new());
    for row in (0..rows).filter(|row| !arrays.is_null(*row)) {
        let elements = arrays.elements(row);
        for option in downcast::<StringArray>(&elements)?.iter().flatten() {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            from.append_value(row as u32);
            names.append_value(name);
            values.append_option(value);
        }
    }
    Ok((from.finish(), vec![Arc::new(names.finish()), Arc::new(values.finish())]))
}

fn empty(storage: DataType) -> SetBody {
    Arc::new(move |_, _, _| Ok((UInt32Array::from(Vec::<u32>::new()), vec![new_empty_array(&storage)])))
}

/// `information_schema._pg_expandarray(array)`: (x, n), the elements and their positions from 1. It has no fixed OID, so
/// the binder asks by name.
pub fn expand_array(array: &ExprType) -> PgResult<SetKernel> {
    let element = element_type(array).ok_or_else(|| no_kernel("_pg_expandarray", std::slice::from_ref(array)))?;
    let storage = element.storage.clone();
    let body: SetBody = Arc::new(move |args, rows, _| {
        let arrays = Arrays::new(args[0].as_ref())?;
        let (from, mut columns) =
            gathered(rows, &storage, |row| Ok((!arrays.is_null(row)).then(|| arrays.elements(row))))?;
        let (_, numbers) = gathered(rows, &DataType::Int32, |row| {
            let count = if arrays.is_null(row) { 0 } else { arrays.range(row).len() as i32 };
            Ok(Some(Arc::new(Int32Array::from_iter_values(1..=count)) as ArrayRef))
        })?;
        columns.extend(numbers);
        Ok((from, columns))
    });
    Ok(SetKernel {
        name: "_pg_expandarray".to_string(),
        args: vec![array.storage.clone()],
        columns: vec![("x".to_string(), element), ("n".to_string(), ExprType::of(PgType::new(oid::INT4)))],
        body,
    })
}
