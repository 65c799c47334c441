//! Ranges and multiranges: constructors, bounds, relations, unions and their like.
//!
//! All functions are polymorphic over six types (`types::range::RangeType`): a kernel is made for the one of a call.

use super::adapt::*;
use super::arrays::array_at;
use super::facts::{ProcRow, facts};
use super::kernel::{Body, Call, Column, ScalarKernel, kernel, no_kernel};
use super::numerics::{Num, NumColumn};
use super::registry::{Registry, nature_of, unique_name};
use crate::types::numeric::Numeric;
use crate::types::range::{Combination, Multirange, Point, Range, RangeType, Relation};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, oid};
use arrow::array::*;
use std::sync::Arc;

/// A column of bounds' values.
enum Points<'a> {
    Int4(&'a Int32Array),
    Int8(&'a Int64Array),
    Numeric(NumColumn<'a>),
    Date(&'a Date32Array),
    Stamp(&'a TimestampMicrosecondArray),
}

impl<'a> Points<'a> {
    fn new(element: Oid, array: &'a ArrayRef) -> PgResult<Self> {
        Ok(match element {
            oid::INT4 => Points::Int4(downcast(array)?),
            oid::INT8 => Points::Int8(downcast(array)?),
            oid::DATE => Points::Date(downcast(array)?),
            oid::NUMERIC => Points::Numeric(Num::column(array)?),
            _ => Points::Stamp(downcast(array)?),
        })
    }

    fn at(&self, row: usize) -> PgResult<Point> {
        Ok(match self {
            Points::Int4(a) => Point::Whole(i64::from(a.value(row))),
            Points::Int8(a) => Point::Whole(a.value(row)),
            Points::Date(a) => Point::Whole(i64::from(a.value(row))),
            Points::Stamp(a) => Point::Whole(a.value(row)),
            Points::Numeric(a) => Point::Numeric(Num::item(a, row)?),
        })
    }
}

/// Values of bounds as a column of the element type.
fn point_column(ty: &ExprType, points: Vec<Option<Point>>) -> PgResult<ArrayRef> {
    if ty.pg.oid == oid::NUMERIC {
        let mut out = Num::builder(points.len(), &ty.storage);
        for point in points {
            let number = |p| match p {
                Point::Numeric(n) => n,
                Point::Whole(v) => Numeric::from(v),
            };
            Num::push(&mut out, point.map(number))?;
        }
        return Ok(Num::finish(out));
    }
    let whole = points.into_iter().map(|p| match p {
        Some(Point::Whole(v)) => Some(v),
        _ => None,
    });
    Ok(match ty.pg.oid {
        oid::INT4 => Arc::new(whole.map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        oid::DATE => Arc::new(whole.map(|v| v.map(|v| v as i32)).collect::<Date32Array>()),
        oid::INT8 => Arc::new(whole.collect::<Int64Array>()),
        _ => Arc::new(whole.collect::<TimestampMicrosecondArray>().with_data_type(ty.storage.clone())),
    })
}

/// One argument of ranges or multiranges, each value as its ranges.
struct Sets<'a> {
    ty: RangeType,
    many: bool,
    column: &'a Column,
    values: &'a BinaryArray,
}

impl<'a> Sets<'a> {
    fn new(call: &'a Call<'_>, arg: usize) -> PgResult<Self> {
        let given = call.arg_types[arg].pg.oid;
        let ty = RangeType::of(given).ok_or_else(|| PgError::internal("a range was expected"))?;
        let column = &call.args[arg];
        Ok(Self { ty, many: ty.multirange == given, column, values: downcast(&column.array)? })
    }

    fn at(&self, row: usize) -> PgResult<Vec<Range>> {
        let bytes = self.values.value(self.column.at(row));
        match self.many {
            true => Ok(self.ty.read_many(bytes)?.0),
            false => Ok(vec![self.ty.read(bytes)?]),
        }
    }
}

/// Bytes of one range or multirange.
fn range_bytes(ty: &RangeType, range: &Range) -> Vec<u8> {
    let mut out = Vec::new();
    ty.write(range, &mut out);
    out
}

fn many_bytes(ty: &RangeType, ranges: &Multirange) -> Vec<u8> {
    let mut out = Vec::new();
    ty.write_many(ranges, &mut out);
    out
}

/// The range type that a call is of.
fn range_type(row: &ProcRow, args: &[ExprType]) -> PgResult<RangeType> {
    args.iter().find_map(|a| RangeType::of(a.pg.oid)).ok_or_else(|| no_kernel(row.name, args))
}

/// A kernel over the concrete types of a polymorphic row.
fn of_ranges(row: &'static ProcRow, args: &[ExprType], body: Body) -> PgResult<ScalarKernel> {
    let ty = range_type(row, args)?;
    let concrete = |declared: Oid| {
        ExprType::of(PgType::new(match declared {
            oid::ANYRANGE => ty.range,
            oid::ANYMULTIRANGE => ty.multirange,
            oid::ANYELEMENT => ty.element,
            other => other,
        }))
    };
    let types = row.args.iter().map(|d| concrete(*d)).collect();
    Ok(kernel(&unique_name(row), nature_of(row), types, concrete(row.result), body))
}

fn relation(relation: Relation) -> Body {
    Arc::new(move |call| {
        let (a, b) = (Sets::new(call, 0)?, Sets::new(call, 1)?);
        strict_rows::<Bool>(call, |i| Ok(Some(a.ty.relates(relation, &a.at(i)?, &b.at(i)?))))
    })
}

/// Whether the ranges of one argument have the value of the other.
fn has_point(set: usize, point: usize) -> Body {
    Arc::new(move |call| {
        let sets = Sets::new(call, set)?;
        let points = Points::new(sets.ty.element, &call.args[point].array)?;
        strict_rows::<Bool>(call, |i| {
            Ok(Some(sets.ty.contains_point(&sets.at(i)?, &points.at(call.args[point].at(i))?)))
        })
    })
}

fn combination(how: Combination) -> Body {
    Arc::new(move |call| {
        let (a, b) = (Sets::new(call, 0)?, Sets::new(call, 1)?);
        strict_rows::<Bytea>(call, |i| {
            let (x, y) = (a.at(i)?, b.at(i)?);
            Ok(Some(match (a.many, x.as_slice(), y.as_slice()) {
                (false, [x], [y]) => range_bytes(&a.ty, &a.ty.combine(how, x, y)?),
                (_, x, y) => many_bytes(&a.ty, &a.ty.combine_many(how, x, y)?),
            }))
        })
    })
}

/// The smallest range that has all of the arguments.
fn merge(call: &Call<'_>) -> PgResult<ArrayRef> {
    let sets = (0..call.args.len()).map(|arg| Sets::new(call, arg)).collect::<PgResult<Vec<_>>>()?;
    strict_rows::<Bytea>(call, |i| {
        let mut whole = Range::EMPTY;
        for set in &sets {
            whole = set.at(i)?.iter().fold(whole, |sum, r| sum.span(r));
        }
        Ok(Some(range_bytes(&sets[0].ty, &whole)))
    })
}

/// The value of the first lower or of the last upper bound.
fn end(lower: bool) -> Body {
    Arc::new(move |call| {
        let sets = Sets::new(call, 0)?;
        let valid = Valid::of(call);
        let mut points = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            points.push(match valid.is_valid(row) {
                true => bound_of(&sets.at(row)?, lower).and_then(|b| b.value),
                false => None,
            });
        }
        point_column(call.result, points)
    })
}

fn bound_of(ranges: &[Range], lower: bool) -> Option<crate::types::range::Bound> {
    match lower {
        true => ranges.first()?.0.clone().map(|(l, _)| l),
        false => ranges.last()?.0.clone().map(|(_, u)| u),
    }
}

/// Something of the first lower or last upper bound; false for what is empty.
fn end_is(lower: bool, test: fn(&crate::types::range::Bound) -> bool) -> Body {
    Arc::new(move |call| {
        let sets = Sets::new(call, 0)?;
        strict_rows::<Bool>(call, |i| Ok(Some(bound_of(&sets.at(i)?, lower).is_some_and(|b| test(&b)))))
    })
}

fn is_empty(call: &Call<'_>) -> PgResult<ArrayRef> {
    let sets = Sets::new(call, 0)?;
    strict_rows::<Bool>(call, |i| Ok(Some(sets.at(i)?.iter().all(|r| r.0.is_none()))))
}

/// `int4range(lower, upper [, flags])`: a NULL bound is unbounded.
fn construct(call: &Call<'_>) -> PgResult<ArrayRef> {
    let ty = RangeType::of(call.result.pg.oid).ok_or_else(|| PgError::internal("a range was expected"))?;
    let points = [Points::new(ty.element, &call.args[0].array)?, Points::new(ty.element, &call.args[1].array)?];
    let flags = call.args.get(2).map(|f| Text::column(&f.array)).transpose()?;
    all_rows::<Bytea>(call, |i| {
        let at = |n: usize| match call.args[n].is_null(i) {
            true => Ok(None),
            false => points[n].at(call.args[n].at(i)).map(Some),
        };
        let flags = match flags {
            None => "[)",
            Some(_) if call.args[2].is_null(i) => {
                let message = "range constructor flags argument must not be null";
                return Err(PgError::new(crate::types::SqlState(*b"22000"), message));
            }
            Some(flags) => flags.value(call.args[2].at(i)),
        };
        Ok(Some(range_bytes(&ty, &ty.with_flags(at(0)?, at(1)?, flags)?)))
    })
}

/// A multirange of nothing, of one range, or of an array of ranges.
fn construct_many(call: &Call<'_>) -> PgResult<ArrayRef> {
    let ty = RangeType::of(call.result.pg.oid).ok_or_else(|| PgError::internal("a multirange was expected"))?;
    let null =
        || PgError::new(crate::types::SqlState::NULL_NOT_ALLOWED, "multirange values cannot contain null members");
    strict_rows::<Bytea>(call, |i| {
        let ranges = match call.args.first() {
            None => Vec::new(),
            Some(arg) if arg.array.data_type() == &arrow::datatypes::DataType::Binary => Sets::new(call, 0)?.at(i)?,
            Some(_) => {
                let Some(array) = array_at(call, 0, i)? else { return Ok(None) };
                if array.shape.dimensions() > 1 {
                    let message = "multiranges cannot be constructed from multidimensional arrays";
                    return Err(PgError::new(crate::types::SqlState(*b"21000"), message));
                }
                let items = downcast::<BinaryArray>(&array.elements)?;
                items.iter().map(|r| ty.read(r.ok_or_else(null)?)).collect::<PgResult<_>>()?
            }
        };
        Ok(Some(many_bytes(&ty, &ty.multirange(ranges))))
    })
}

fn order(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = |arg: usize| -> PgResult<(RangeType, &BinaryArray)> {
        let sets = Sets::new(call, arg)?;
        Ok((sets.ty, sets.values))
    };
    let ((ty, a), (_, b)) = (keys(0)?, keys(1)?);
    strict_rows::<Int4>(call, |i| {
        let (x, y) = (a.value(call.args[0].at(i)), b.value(call.args[1].at(i)));
        Ok(Some(ty.key(x)?.cmp(&ty.key(y)?) as i32))
    })
}

/// How far apart two values are, in the unit of the type: seconds for timestamps.
fn distance(call: &Call<'_>) -> PgResult<ArrayRef> {
    let element = call.arg_types[0].pg.oid;
    let (a, b) = (Points::new(element, &call.args[0].array)?, Points::new(element, &call.args[1].array)?);
    strict_rows::<Float8>(call, |i| {
        Ok(Some(match (a.at(call.args[0].at(i))?, b.at(call.args[1].at(i))?) {
            (Point::Whole(x), Point::Whole(y)) if matches!(element, oid::TIMESTAMP | oid::TIMESTAMPTZ) => {
                (x as f64 - y as f64) / 1e6
            }
            (Point::Whole(x), Point::Whole(y)) => x as f64 - y as f64,
            (Point::Numeric(x), Point::Numeric(y)) => x.sub(&y)?.to_f64()?,
            _ => return Err(PgError::internal("two values of one type were expected")),
        }))
    })
}

pub fn declare(r: &mut Registry) {
    macro_rules! over {
        ($body:expr; $($signature:literal),+) => {
            r.make(&[$($signature),+], |row, args| of_ranges(row, args, $body))
        };
    }
    use Relation::*;
    over!(relation(Overlaps); "range_overlaps(anyrange,anyrange)", "range_overlaps_multirange(anyrange,anymultirange)",
        "multirange_overlaps_range(anymultirange,anyrange)", "multirange_overlaps_multirange(anymultirange,anymultirange)");
    over!(relation(Contains); "range_contains(anyrange,anyrange)", "range_contains_multirange(anyrange,anymultirange)",
        "multirange_contains_range(anymultirange,anyrange)", "multirange_contains_multirange(anymultirange,anymultirange)");
    over!(relation(ContainedBy); "range_contained_by(anyrange,anyrange)",
        "range_contained_by_multirange(anyrange,anymultirange)", "multirange_contained_by_range(anymultirange,anyrange)",
        "multirange_contained_by_multirange(anymultirange,anymultirange)");
    over!(relation(Adjacent); "range_adjacent(anyrange,anyrange)", "range_adjacent_multirange(anyrange,anymultirange)",
        "multirange_adjacent_range(anymultirange,anyrange)", "multirange_adjacent_multirange(anymultirange,anymultirange)");
    over!(relation(Before); "range_before(anyrange,anyrange)", "range_before_multirange(anyrange,anymultirange)",
        "multirange_before_range(anymultirange,anyrange)", "multirange_before_multirange(anymultirange,anymultirange)");
    over!(relation(After); "range_after(anyrange,anyrange)", "range_after_multirange(anyrange,anymultirange)",
        "multirange_after_range(anymultirange,anyrange)", "multirange_after_multirange(anymultirange,anymultirange)");
    over!(relation(OverLeft); "range_overleft(anyrange,anyrange)", "range_overleft_multirange(anyrange,anymultirange)",
        "multirange_overleft_range(anymultirange,anyrange)", "multirange_overleft_multirange(anymultirange,anymultirange)");
    over!(relation(OverRight); "range_overright(anyrange,anyrange)",
        "range_overright_multirange(anyrange,anymultirange)", "multirange_overright_range(anymultirange,anyrange)",
        "multirange_overright_multirange(anymultirange,anymultirange)");
    over!(has_point(0, 1); "range_contains_elem(anyrange,anyelement)", "multirange_contains_elem(anymultirange,anyelement)");
    over!(has_point(1, 0); "elem_contained_by_range(anyelement,anyrange)",
        "elem_contained_by_multirange(anyelement,anymultirange)");
    over!(combination(Combination::Union); "range_union(anyrange,anyrange)",
        "multirange_union(anymultirange,anymultirange)");
    over!(combination(Combination::Minus); "range_minus(anyrange,anyrange)",
        "multirange_minus(anymultirange,anymultirange)");
    over!(combination(Combination::Intersection); "range_intersect(anyrange,anyrange)",
        "multirange_intersect(anymultirange,anymultirange)");
    over!(Arc::new(merge); "range_merge(anyrange,anyrange)", "range_merge(anymultirange)");
    over!(end(true); "lower(anyrange)", "lower(anymultirange)");
    over!(end(false); "upper(anyrange)", "upper(anymultirange)");
    over!(Arc::new(is_empty); "isempty(anyrange)", "isempty(anymultirange)");
    over!(end_is(true, |b| b.inclusive); "lower_inc(anyrange)", "lower_inc(anymultirange)");
    over!(end_is(false, |b| b.inclusive); "upper_inc(anyrange)", "upper_inc(anymultirange)");
    over!(end_is(true, |b| b.value.is_none()); "lower_inf(anyrange)", "lower_inf(anymultirange)");
    over!(end_is(false, |b| b.value.is_none()); "upper_inf(anyrange)", "upper_inf(anymultirange)");
    over!(Arc::new(order); "range_cmp(anyrange,anyrange)", "multirange_cmp(anymultirange,anymultirange)");
    over!(Arc::new(construct_many); "multirange(anyrange)");
    over!(comparison("="); "range_eq(anyrange,anyrange)", "multirange_eq(anymultirange,anymultirange)");
    over!(comparison("<>"); "range_ne(anyrange,anyrange)", "multirange_ne(anymultirange,anymultirange)");
    over!(comparison("<"); "range_lt(anyrange,anyrange)", "multirange_lt(anymultirange,anymultirange)");
    over!(comparison("<="); "range_le(anyrange,anyrange)", "multirange_le(anymultirange,anymultirange)");
    over!(comparison(">"); "range_gt(anyrange,anyrange)", "multirange_gt(anymultirange,anymultirange)");
    over!(comparison(">="); "range_ge(anyrange,anyrange)", "multirange_ge(anymultirange,anymultirange)");
    let types = ["int4", "int8", "num", "date", "ts", "tstz"];
    for name in types {
        let ty = |suffix: &str| facts().type_named(&format!("{name}{suffix}")).map(|t| t.oid);
        let Some(range) = ty("range").and_then(RangeType::of) else { continue };
        let element = facts().type_row(range.element).map_or("", |t| t.name);
        r.fun(&format!("{name}range({element},{element})"), Arc::new(construct));
        r.fun(&format!("{name}range({element},{element},text)"), Arc::new(construct));
        r.fun(&format!("{name}multirange()"), Arc::new(construct_many));
        r.fun(&format!("{name}multirange({name}range)"), Arc::new(construct_many));
        r.fun(&format!("{name}multirange(_{name}range)"), Arc::new(construct_many));
        r.fun(&format!("{name}range_subdiff({element},{element})"), Arc::new(distance));
    }
}

/// A comparison that is called by its function's name.
fn comparison(name: &'static str) -> Body {
    Arc::new(move |call| {
        let orders = order(&Call { result: &ExprType::of(PgType::new(oid::INT4)), args: call.args.clone(), ..*call })?;
        let orders = downcast::<Int32Array>(&orders)?;
        let test = |o: i32| match name {
            "=" => o == 0,
            "<>" => o != 0,
            "<" => o < 0,
            "<=" => o <= 0,
            ">" => o > 0,
            _ => o >= 0,
        };
        Ok(Arc::new(orders.iter().map(|o| o.map(test)).collect::<BooleanArray>()))
    })
}

/// `range_agg` and `range_intersect_agg`: of the rows' ranges or multiranges those that are not NULL; NULL for none.
pub fn aggregate(name: &str, arg: &ExprType, rows: &[ArrayRef]) -> PgResult<Option<Vec<u8>>> {
    let ty = RangeType::of(arg.pg.oid).ok_or_else(|| PgError::internal("a range was expected"))?;
    let many = ty.multirange == arg.pg.oid;
    let values = downcast::<BinaryArray>(&rows[0])?;
    let mut sets = Vec::new();
    for value in values.iter().flatten() {
        sets.push(if many { ty.read_many(value)?.0 } else { vec![ty.read(value)?] });
    }
    if sets.is_empty() {
        return Ok(None);
    }
    if name == "range_agg" {
        return Ok(Some(many_bytes(&ty, &ty.multirange(sets.concat()))));
    }
    let mut left = sets.remove(0);
    for next in &sets {
        left = match (many, left.as_slice(), next.as_slice()) {
            (false, [a], [b]) => vec![ty.combine(Combination::Intersection, a, b)?],
            (_, a, b) => ty.combine_many(Combination::Intersection, a, b)?.0,
        };
    }
    Ok(Some(match left.as_slice() {
        [one] if !many => range_bytes(&ty, one),
        _ => many_bytes(&ty, &Multirange(left)),
    }))
}

/// The ranges of a multirange as a column.
pub fn ranges_of(ty: &RangeType, multirange: &[u8]) -> PgResult<ArrayRef> {
    let ranges = ty.read_many(multirange)?;
    Ok(Arc::new(BinaryArray::from_iter_values(ranges.0.iter().map(|r| range_bytes(ty, r)))))
}
