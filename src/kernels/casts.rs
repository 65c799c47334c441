//! Casts: between PostgreSQL's types, to a type modifier, and between the storage forms of one type.
//!
//! A cast is a chain of steps: the function that `pg_cast` names, or the types' text, then the target's modifier.

use super::adapt::*;
use super::facts::facts;
use super::kernel::{Body, Call, Column, Nature, ScalarKernel, kernel, type_name};
use super::keys::{self, element_type};
use super::names;
use super::numerics::Num;
use super::registry::body_of;
use crate::types::array::{Arrays, element_field, is_shaped};
use crate::types::interval::Interval;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, datetime, oid};
use arrow::array::{Array, ArrayRef, ListArray, StructArray, UInt32Array};
use arrow::datatypes::{DataType, Field};
use std::sync::Arc;

/// How a cast is computed.
#[derive(Debug, Clone)]
pub enum CastKernel {
    /// The storage already is what it should be.
    Nothing,
    /// DataFusion's cast to the target's storage cannot fail and gives PostgreSQL's value.
    Native,
    Scalar(ScalarKernel),
}

/// One step: what computes it and the type it gives.
pub struct Step {
    body: Body,
    result: ExprType,
    /// Reads or writes text that depends on the session.
    stable: bool,
}

/// The kernel of a cast. `explicit` is `CAST` and `::`, which truncate where an assignment complains.
///
/// Which casts are allowed is the binder's to know, from `pg_cast`; any two types are tried through their text here.
pub fn cast(from: &ExprType, to: &ExprType, explicit: bool) -> PgResult<CastKernel> {
    if from.storage == to.storage && (from.pg == to.pg || (from.pg.oid == to.pg.oid && to.pg.typmod < 0)) {
        return Ok(CastKernel::Nothing);
    }
    if is_native(from, to) {
        return Ok(CastKernel::Native);
    }
    let mut steps = Vec::new();
    chain(from, to, explicit, &mut steps)?;
    if steps.is_empty() {
        return Ok(CastKernel::Nothing);
    }
    let stable = steps.iter().any(|s| s.stable);
    let name = format!("cast{}_{}_{}", if explicit { "" } else { "_assign" }, from.pg.oid, to.pg.oid);
    let nature = Nature { strict: true, volatility: if stable { 's' } else { 'i' } };
    let body = run(from.clone(), steps);
    Ok(CastKernel::Scalar(kernel(&name, nature, vec![from.clone()], to.clone(), body)))
}

/// Widenings that lose nothing and cannot fail.
fn is_native(from: &ExprType, to: &ExprType) -> bool {
    use DataType::*;
    // Money counts hundredths.
    if from.pg.oid == oid::MONEY || to.pg.oid == oid::MONEY {
        return false;
    }
    match (&from.storage, &to.storage) {
        (Int16, Int32 | Int64) | (Int32, Int64) | (Float32, Float64) => true,
        (Int16 | Int32 | Int64, Float64) => true,
        (Int16, Decimal128(p, s)) => i16::from(*p) - i16::from(*s) >= 5,
        (Int32, Decimal128(p, s)) => i16::from(*p) - i16::from(*s) >= 10,
        (Int64, Decimal128(p, s)) => i16::from(*p) - i16::from(*s) >= 19,
        (Decimal128(p1, s1), Decimal128(p2, s2)) => {
            s2 >= s1 && i16::from(*p2) - i16::from(*s2) >= i16::from(*p1) - i16::from(*s1)
        }
        _ => false,
    }
}

/// Runs the steps one after the other.
fn run(from: ExprType, steps: Vec<Step>) -> Body {
    Arc::new(move |call| {
        let mut column = call.args[0].clone();
        let mut ty = &from;
        for step in &steps {
            let rows = if column.constant { 1 } else { call.rows };
            let inner = Call {
                rows,
                args: vec![Column { constant: false, ..column.clone() }],
                arg_types: std::slice::from_ref(ty),
                result: &step.result,
                config: call.config,
            };
            column.array = (step.body)(&inner)?;
            ty = &step.result;
        }
        match column.constant && call.rows != 1 {
            false => Ok(column.array),
            true => Ok(arrow::compute::take(&column.array, &UInt32Array::from(vec![0; call.rows]), None)?),
        }
    })
}

fn is_text(ty: Oid) -> bool {
    matches!(ty, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | oid::UNKNOWN | oid::CSTRING)
}

/// Appends the steps from one type to another.
fn chain(from: &ExprType, to: &ExprType, explicit: bool, steps: &mut Vec<Step>) -> PgResult<()> {
    let mut step = |body: Body, result: ExprType, stable: bool| steps.push(Step { body, result, stable });
    let (source, target) = (from.pg.oid, to.pg.oid);
    let base = ExprType::of(PgType::new(target));

    if from.storage != to.storage && element_field(&from.storage).is_some() && plainly(from) == plainly(to) {
        // Another form of the same array.
        let shaped = is_shaped(&to.storage);
        let body: Body = Arc::new(move |call| {
            let arrays = Arrays::new(call.args[0].array.as_ref())?;
            if shaped { arrays.to_shaped() } else { arrays.to_plain() }
        });
        step(body, to.clone(), false);
        return Ok(());
    }
    if let (oid::RECORD, oid::RECORD, DataType::Struct(_), DataType::Struct(_)) =
        (source, target, &from.storage, &to.storage)
        && element_field(&from.storage).is_none()
    {
        steps.push(fields(from, to)?);
        return Ok(());
    }
    if source == target && element_field(&from.storage).is_none() {
        return modifier(from, to, explicit, steps);
    }
    // numeric is made in the storage, and with the modifier, that is asked for.
    if target == oid::NUMERIC
        && let Some(body) = facts().cast(source, target).and_then(|row| body_of(row.function))
    {
        let made = if matches!(to.storage, DataType::Decimal128(..)) { to.clone() } else { base };
        step(body, made.clone(), false);
        return modifier(&made, to, explicit, steps);
    }
    if let (Some(a), Some(b)) = (element_type(from), element_type(to)) {
        return match cast(&a, &b, explicit)? {
            CastKernel::Nothing if from.storage == to.storage => Ok(()),
            inner => {
                steps.push(elements(a, b, to.clone(), inner)?);
                Ok(())
            }
        };
    }
    if matches!(source, oid::INT4 | oid::INT8) && target == oid::BIT {
        let length = to.pg.typmod.max(1) as usize;
        let body = match source {
            oid::INT4 => map1::<Int4, Text>(move |v| super::bits::of_integer(i64::from(v), length)),
            _ => map1::<Int8, Text>(move |v| super::bits::of_integer(v, length)),
        };
        step(body, to.clone(), false);
        return Ok(());
    }
    if is_text(source) && is_text(target) {
        match (source, target) {
            (oid::BPCHAR, _) => step(writes(|s| s.trim_end_matches(' ')), base.clone(), false),
            (_, oid::NAME) => step(writes(|s| truncate_bytes(s, 63)), base.clone(), false),
            (_, oid::CHAR) => {
                let read = super::text_io::input(base.clone())?;
                step(read.body, read.result, read.stable);
            }
            _ => {}
        }
        return modifier(&base, to, explicit, steps);
    }
    if let Some(row) = facts().cast(source, target) {
        let by_function = (row.method == 'f').then(|| body_of(row.function)).flatten();
        if let Some(body) = by_function {
            let stable = facts().proc_row(row.function).is_some_and(|p| p.volatility == 's');
            step(body, base.clone(), stable);
            return modifier(&base, to, explicit, steps);
        }
        if row.method == 'b' {
            match (&from.storage, &base.storage) {
                (a, b) if a == b => {}
                // The bits of an int4 and of an oid are the same.
                (DataType::Int32, DataType::UInt32) => step(map1::<Int4, OidKind>(|v| v as u32), base.clone(), false),
                (DataType::UInt32, DataType::Int32) => step(map1::<OidKind, Int4>(|v| v as i32), base.clone(), false),
                _ => return Err(no_cast(from, to)),
            }
            return modifier(&base, to, explicit, steps);
        }
    }
    through_text(from, to, explicit, steps)
}

fn no_cast(from: &ExprType, to: &ExprType) -> PgError {
    PgError::unsupported(format!("a cast from {} to {}", type_name(from.pg.oid), type_name(to.pg.oid)))
}

/// The storage of the array without its shape, and its type.
fn plainly(ty: &ExprType) -> (PgType, Option<DataType>) {
    (ty.pg, element_field(&ty.storage).map(|f| f.data_type().clone()))
}

/// One cast over the elements of arrays.
fn elements(from: ExprType, element: ExprType, to: ExprType, inner: CastKernel) -> PgResult<Step> {
    let mut inner_steps = Vec::new();
    if matches!(inner, CastKernel::Scalar(_)) {
        chain(&from, &element, true, &mut inner_steps)?;
    }
    let stable = inner_steps.iter().any(|s| s.stable);
    let cast_values = run(from.clone(), inner_steps);
    let shaped = is_shaped(&to.storage);
    let body: Body = Arc::new(move |call| {
        let arrays = Arrays::new(call.args[0].array.as_ref())?;
        let list = arrays.list;
        let values = list.values();
        let inner_call = Call {
            rows: values.len(),
            args: vec![Column { array: Arc::clone(values), constant: false }],
            arg_types: std::slice::from_ref(&from),
            result: &element,
            config: call.config,
        };
        let mut cast = cast_values(&inner_call)?;
        if cast.data_type() != &element.storage {
            cast = arrow::compute::cast(&cast, &element.storage)?;
        }
        let field = Arc::new(Field::new_list_field(element.storage.clone(), true));
        let list = ListArray::try_new(field, list.offsets().clone(), cast, list.nulls().cloned())?;
        let cast = arrays.reshaped(list)?;
        let arrays = Arrays::new(cast.as_ref())?;
        if shaped { arrays.to_shaped() } else { arrays.to_plain() }
    });
    Ok(Step { body, result: to, stable })
}

/// A record in another storage form, field by field.
fn fields(from: &ExprType, to: &ExprType) -> PgResult<Step> {
    let (DataType::Struct(theirs), DataType::Struct(ours)) = (&from.storage, &to.storage) else {
        return Err(no_cast(from, to));
    };
    if theirs.len() != ours.len() {
        return Err(no_cast(from, to));
    }
    let mut casts = Vec::with_capacity(ours.len());
    let mut stable = false;
    for (a, b) in theirs.iter().zip(ours) {
        let types = crate::types::record_field_type(a).zip(crate::types::record_field_type(b));
        let (a, b) = types.filter(|(a, b)| a.pg.oid == b.pg.oid).ok_or_else(|| no_cast(from, to))?;
        let mut steps = Vec::new();
        if a.storage != b.storage {
            chain(&a, &b, true, &mut steps)?;
        }
        stable |= steps.iter().any(|s| s.stable);
        casts.push((a.clone(), b, run(a, steps)));
    }
    let fields = ours.clone();
    let body: Body = Arc::new(move |call| {
        let record = downcast::<StructArray>(&call.args[0].array)?;
        let column = |(column, (from, to, cast)): (&ArrayRef, &(ExprType, ExprType, Body))| {
            let inner = Call {
                rows: column.len(),
                args: vec![Column { array: Arc::clone(column), constant: false }],
                arg_types: std::slice::from_ref(from),
                result: to,
                config: call.config,
            };
            let made = cast(&inner)?;
            match made.data_type() == &to.storage {
                true => Ok(made),
                false => Ok(arrow::compute::cast(&made, &to.storage)?),
            }
        };
        let columns = record.columns().iter().zip(&casts).map(column).collect::<PgResult<Vec<_>>>()?;
        Ok(Arc::new(StructArray::try_new(fields.clone(), columns, record.nulls().cloned())?))
    });
    Ok(Step { body, result: to.clone(), stable })
}

fn writes(f: for<'a> fn(&'a str) -> &'a str) -> Body {
    write1::<Text>(move |s, out| {
        out.push_str(f(s));
        Ok(())
    })
}

/// At most `limit` bytes, of whole characters.
fn truncate_bytes(s: &str, limit: usize) -> &str {
    let mut end = s.len().min(limit);
    while !s.is_char_boundary(end) {
        end -= 1;
    }
    &s[..end]
}

fn too_long(name: &str, limit: usize) -> PgError {
    PgError::new(SqlState::STRING_TRUNCATION, format!("value too long for type {name}({limit})"))
}

/// At most `limit` characters: cut where the cast is explicit or only blanks are lost.
fn limited<'a>(s: &'a str, limit: usize, explicit: bool, name: &str) -> PgResult<&'a str> {
    let Some((end, _)) = s.char_indices().nth(limit) else { return Ok(s) };
    if explicit || s[end..].bytes().all(|b| b == b' ') { Ok(&s[..end]) } else { Err(too_long(name, limit)) }
}

/// The steps from a type to the same with a modifier, and from one storage form of it to another.
fn modifier(from: &ExprType, to: &ExprType, explicit: bool, steps: &mut Vec<Step>) -> PgResult<()> {
    let typmod = to.pg.typmod;
    let same = from.storage == to.storage && (typmod < 0 || typmod == from.pg.typmod);
    if same {
        return Ok(());
    }
    let body: Body = match to.pg.oid {
        oid::NUMERIC => match to.pg.numeric_typmod() {
            Some((precision, scale)) => attempt1::<Num, Num>(move |n| n.apply_typmod(precision, scale)),
            None => map1::<Num, Num>(|n| n),
        },
        oid::VARCHAR if typmod >= 4 => {
            let limit = (typmod - 4) as usize;
            write1::<Text>(move |s, out| {
                out.push_str(limited(s, limit, explicit, "character varying")?);
                Ok(())
            })
        }
        oid::BPCHAR if typmod >= 4 => {
            let limit = (typmod - 4) as usize;
            write1::<Text>(move |s, out| {
                let kept = limited(s, limit, explicit, "character")?;
                out.push_str(kept);
                out.extend(std::iter::repeat_n(' ', limit - kept.chars().count().min(limit)));
                Ok(())
            })
        }
        oid::BIT if typmod >= 1 => {
            attempt1::<Text, Text>(move |s| super::bits::fixed_length(s, typmod as usize, explicit))
        }
        oid::VARBIT if typmod >= 1 => {
            attempt1::<Text, Text>(move |s| super::bits::limited_length(s, typmod as usize, explicit))
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ if typmod >= 0 => {
            map1::<Stamp, Stamp>(move |t| datetime::round_timestamp(t, typmod))
        }
        oid::TIME if typmod >= 0 => map1::<Time, Time>(move |t| datetime::round_micros(t, typmod)),
        oid::INTERVAL if typmod >= 0 && (typmod >> 16) & 0x7fff == 0x7fff => {
            let precision = typmod & 0xffff;
            map1::<Fixed<16>, Fixed<16>>(move |i| {
                let i = Interval::from_bytes(&i);
                Interval::new(i.months, i.days, datetime::round_micros(i.micros, precision)).to_bytes()
            })
        }
        oid::INTERVAL if typmod >= 0 => return Err(PgError::unsupported("a cast to an interval of some fields")),
        _ if from.storage == to.storage => return Ok(()),
        _ => return Err(no_cast(from, to)),
    };
    steps.push(Step { body, result: to.clone(), stable: false });
    Ok(())
}

/// Casts of text to a type and of a type to text.
fn through_text(from: &ExprType, to: &ExprType, explicit: bool, steps: &mut Vec<Step>) -> PgResult<()> {
    let (source, target) = (from.pg.oid, to.pg.oid);
    let base = ExprType::of(PgType::new(target));
    if is_text(source) {
        if oid::is_reg_type(target) {
            let body = session1::<Text, OidKind>(move |call, text| {
                names::reg_in(call.context()?, target, text).map(|o| Some(o.0))
            });
            steps.push(Step { body, result: base, stable: true });
            return Ok(());
        }
        let made = match &to.storage {
            DataType::Decimal128(..) => to.clone(),
            storage if is_shaped(storage) => {
                // The elements are read in their natural form first.
                let natural = crate::types::array::shaped(&base.storage).ok_or_else(|| no_cast(from, to))?;
                ExprType { storage: natural, ..base }
            }
            _ => base,
        };
        steps.push(super::text_io::input(made.clone())?);
        if element_field(&made.storage).is_some() {
            return if made == *to { Ok(()) } else { chain(&made, to, explicit, steps) };
        }
        return modifier(&made, to, explicit, steps);
    }
    if is_text(target) {
        let text = ExprType::of(PgType::new(oid::TEXT));
        if oid::is_reg_type(source) {
            let body = session1::<OidKind, Text>(move |call, value| {
                Ok(Some(names::reg_out(call.context()?, source, Oid(value))))
            });
            steps.push(Step { body, result: text.clone(), stable: true });
        } else {
            steps.push(super::text_io::output(from.clone())?);
        }
        return chain(&text, to, explicit, steps);
    }
    Err(no_cast(from, to))
}

impl Step {
    pub fn new(body: Body, result: ExprType, stable: bool) -> Self {
        Self { body, result, stable }
    }
}

/// The type of keys of a storage.
fn key_type(storage: &DataType) -> PgType {
    PgType::new(match storage {
        DataType::Utf8 => oid::TEXT,
        DataType::List(field) => oid::array_of(key_type(field.data_type()).oid).unwrap_or(oid::ANYARRAY),
        _ => oid::BYTEA,
    })
}

/// For types whose storage equality is not PostgreSQL's: a kernel to a key that is equal, and sorts, as PostgreSQL says.
/// The key is of a type whose storage is its own key.
pub fn equality_key(ty: &ExprType) -> Option<ScalarKernel> {
    let storage = keys::key_storage(ty)?;
    let body: Body = Arc::new(|call| {
        let [column] = call.args.as_slice() else { return Err(PgError::internal("a key is made of one value")) };
        let key: ArrayRef = keys::keys(&call.arg_types[0], &column.array)?;
        match column.constant && call.rows != 1 {
            false => Ok(key),
            true => Ok(arrow::compute::take(&key, &UInt32Array::from(vec![0; call.rows]), None)?),
        }
    });
    let result = ExprType { pg: key_type(&storage), storage };
    Some(kernel("equality_key", Nature::STRICT, vec![ty.clone()], result, body))
}
