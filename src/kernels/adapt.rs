//! From a function over single values to a kernel over columns.
//!
//! A [`Kind`] reads and writes the values of one storage form. `map`, `attempt` and `maybe` make strict kernels (NULL in,
//! NULL out) of closures that give a value, a value or an error, or a value, NULL or an error; the digit is the number of
//! arguments. `write1` to `write3` are for text: the closure appends to a buffer, so no row allocates. `checked1` and
//! `checked2` are for overflow-checked arithmetic and run without a branch in the loop.

use super::kernel::{Body, Call, Column};
use crate::types::array::{ArrayValue, Arrays, Shape, Shapes, element_field, is_shaped, shape_lists};
use crate::types::{PgError, PgResult};
use arrow::array::*;
use arrow::buffer::NullBuffer;
use arrow::datatypes::*;
use std::sync::Arc;

/// How values of one storage form are read and written.
pub trait Kind: 'static {
    type Item<'a>;
    type Column<'a>;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>>;
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<Self::Item<'a>>;
    type Value;
    type Builder;
    fn builder(rows: usize, storage: &DataType) -> Self::Builder;
    fn push(builder: &mut Self::Builder, value: Option<Self::Value>) -> PgResult<()>;
    fn finish(builder: Self::Builder) -> ArrayRef;
}

/// `array` as the array type that a kernel was declared with.
pub fn downcast<T: 'static>(array: &ArrayRef) -> PgResult<&T> {
    array.as_any().downcast_ref::<T>().ok_or_else(|| {
        PgError::internal(format!("a kernel got {} where {} was due", array.data_type(), std::any::type_name::<T>()))
    })
}

macro_rules! primitive_kinds {
    ($($(#[$doc:meta])* $name:ident: $arrow:ty;)*) => {$(
        $(#[$doc])*
        pub struct $name;
        impl Kind for $name {
            type Item<'a> = <$arrow as ArrowPrimitiveType>::Native;
            type Column<'a> = &'a PrimitiveArray<$arrow>;
            fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
                downcast(array)
            }
            #[inline]
            fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<Self::Item<'a>> {
                Ok(column.value(row))
            }
            type Value = <$arrow as ArrowPrimitiveType>::Native;
            type Builder = PrimitiveBuilder<$arrow>;
            fn builder(rows: usize, storage: &DataType) -> Self::Builder {
                PrimitiveBuilder::with_capacity(rows).with_data_type(storage.clone())
            }
            #[inline]
            fn push(builder: &mut Self::Builder, value: Option<Self::Value>) -> PgResult<()> {
                builder.append_option(value);
                Ok(())
            }
            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

primitive_kinds! {
    Int2: Int16Type;
    Int4: Int32Type;
    Int8: Int64Type;
    Float4: Float32Type;
    Float8: Float64Type;
    /// oid and the reg types.
    OidKind: UInt32Type;
    /// Days since 1970-01-01.
    Date: Date32Type;
    /// µs since midnight.
    Time: Time64MicrosecondType;
    /// timestamp and timestamptz: µs since 1970-01-01.
    Stamp: TimestampMicrosecondType;
}

/// bool
pub struct Bool;
impl Kind for Bool {
    type Item<'a> = bool;
    type Column<'a> = &'a BooleanArray;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
        downcast(array)
    }
    #[inline]
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<Self::Item<'a>> {
        Ok(column.value(row))
    }
    type Value = bool;
    type Builder = BooleanBuilder;
    fn builder(rows: usize, _storage: &DataType) -> BooleanBuilder {
        BooleanBuilder::with_capacity(rows)
    }
    fn push(builder: &mut BooleanBuilder, value: Option<bool>) -> PgResult<()> {
        builder.append_option(value);
        Ok(())
    }
    fn finish(mut builder: BooleanBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// text and all that is stored as its text.
pub struct Text;
impl Kind for Text {
    type Item<'a> = &'a str;
    type Column<'a> = &'a StringArray;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
        downcast(array)
    }
    #[inline]
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<&'a str> {
        Ok(column.value(row))
    }
    type Value = String;
    type Builder = StringBuilder;
    fn builder(rows: usize, _storage: &DataType) -> StringBuilder {
        StringBuilder::with_capacity(rows, rows * 8)
    }
    fn push(builder: &mut StringBuilder, value: Option<String>) -> PgResult<()> {
        builder.append_option(value);
        Ok(())
    }
    fn finish(mut builder: StringBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// bytea
pub struct Bytea;
impl Kind for Bytea {
    type Item<'a> = &'a [u8];
    type Column<'a> = &'a BinaryArray;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
        downcast(array)
    }
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<&'a [u8]> {
        Ok(column.value(row))
    }
    type Value = Vec<u8>;
    type Builder = BinaryBuilder;
    fn builder(rows: usize, _storage: &DataType) -> BinaryBuilder {
        BinaryBuilder::with_capacity(rows, rows * 16)
    }
    fn push(builder: &mut BinaryBuilder, value: Option<Vec<u8>>) -> PgResult<()> {
        builder.append_option(value);
        Ok(())
    }
    fn finish(mut builder: BinaryBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// jsonb in its storage form.
pub struct JsonbBytes;
impl Kind for JsonbBytes {
    type Item<'a> = &'a [u8];
    type Column<'a> = &'a LargeBinaryArray;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
        downcast(array)
    }
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<&'a [u8]> {
        Ok(column.value(row))
    }
    type Value = Vec<u8>;
    type Builder = LargeBinaryBuilder;
    fn builder(rows: usize, _storage: &DataType) -> LargeBinaryBuilder {
        LargeBinaryBuilder::with_capacity(rows, rows * 32)
    }
    fn push(builder: &mut LargeBinaryBuilder, value: Option<Vec<u8>>) -> PgResult<()> {
        builder.append_option(value);
        Ok(())
    }
    fn finish(mut builder: LargeBinaryBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// uuid, interval, timetz: fixed numbers of bytes.
pub struct Fixed<const N: usize>;
impl<const N: usize> Kind for Fixed<N> {
    type Item<'a> = [u8; N];
    type Column<'a> = &'a FixedSizeBinaryArray;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
        downcast(array)
    }
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<Self::Item<'a>> {
        column.value(row).try_into().map_err(|_| PgError::internal("a fixed value has another width"))
    }
    type Value = [u8; N];
    type Builder = FixedSizeBinaryBuilder;
    fn builder(rows: usize, _storage: &DataType) -> FixedSizeBinaryBuilder {
        FixedSizeBinaryBuilder::with_capacity(rows, N as i32)
    }
    fn push(builder: &mut FixedSizeBinaryBuilder, value: Option<[u8; N]>) -> PgResult<()> {
        match value {
            Some(value) => builder.append_value(value)?,
            None => builder.append_null(),
        }
        Ok(())
    }
    fn finish(mut builder: FixedSizeBinaryBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// Any array: the elements of a row as an array, whatever their shape. As a result, the rows' elements are joined at the
/// end, in one dimension from 1.
pub struct List;
/// Collects the rows of a list column.
pub struct ListRows {
    element: DataType,
    rows: Vec<ArrayRef>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
    /// Where the result has the shaped form.
    shapes: Option<Shapes>,
}
impl Kind for List {
    type Item<'a> = ArrayRef;
    type Column<'a> = &'a ListArray;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
        Ok(Arrays::new(array.as_ref())?.list)
    }
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<Self::Item<'a>> {
        Ok(column.value(row))
    }
    type Value = ArrayRef;
    type Builder = ListRows;
    fn builder(rows: usize, storage: &DataType) -> ListRows {
        let element = element_field(storage).map_or_else(|| storage.clone(), |field| field.data_type().clone());
        ListRows {
            element,
            shapes: is_shaped(storage).then(Shapes::default),
            rows: Vec::with_capacity(rows),
            lengths: Vec::with_capacity(rows),
            valid: Vec::with_capacity(rows),
        }
    }
    fn push(builder: &mut ListRows, value: Option<ArrayRef>) -> PgResult<()> {
        builder.push(value, None);
        Ok(())
    }
    fn finish(mut builder: ListRows) -> ArrayRef {
        let parts: Vec<&dyn Array> = builder.rows.iter().map(|a| a.as_ref()).filter(|a| !a.is_empty()).collect();
        let values = match parts.is_empty() {
            true => new_empty_array(&builder.element),
            false => arrow::compute::concat(&parts).expect("the elements of one list column have one type"),
        };
        let offsets = arrow::buffer::OffsetBuffer::from_lengths(builder.lengths);
        let field = Arc::new(Field::new_list_field(builder.element, true));
        let list = ListArray::new(field, offsets, values, Some(NullBuffer::from(builder.valid)));
        match &mut builder.shapes {
            Some(shapes) => shape_lists(list, shapes.finish()).expect("there is a shape for each list"),
            None => Arc::new(list),
        }
    }
}

impl ListRows {
    fn push(&mut self, value: Option<ArrayRef>, shape: Option<&Shape>) {
        self.valid.push(value.is_some());
        self.lengths.push(value.as_ref().map_or(0, |v| v.len()));
        self.rows.extend(value);
        self.shapes.iter_mut().for_each(|s| s.push(shape));
    }
}

/// Any array with its shape. A result in the plain form must have plain shapes.
pub struct AnyArray;
impl Kind for AnyArray {
    type Item<'a> = ArrayValue;
    type Column<'a> = Arrays<'a>;
    fn column(array: &ArrayRef) -> PgResult<Self::Column<'_>> {
        Arrays::new(array.as_ref())
    }
    fn item<'a>(column: &Self::Column<'a>, row: usize) -> PgResult<Self::Item<'a>> {
        Ok(column.value(row))
    }
    type Value = ArrayValue;
    type Builder = ListRows;
    fn builder(rows: usize, storage: &DataType) -> ListRows {
        List::builder(rows, storage)
    }
    fn push(builder: &mut ListRows, value: Option<ArrayValue>) -> PgResult<()> {
        match value {
            Some(ArrayValue { elements, shape }) => {
                if builder.shapes.is_none() && !shape.is_plain() {
                    return Err(PgError::internal("an array of several dimensions in the plain form"));
                }
                builder.push(Some(elements), Some(&shape));
            }
            None => builder.push(None, None),
        }
        Ok(())
    }
    fn finish(builder: ListRows) -> ArrayRef {
        List::finish(builder)
    }
}

/// Which rows of a strict call have no NULL argument.
pub enum Valid {
    All,
    None,
    Some(NullBuffer),
}

impl Valid {
    pub fn of(call: &Call<'_>) -> Self {
        let mut nulls: Option<NullBuffer> = None;
        for Column { array, constant } in &call.args {
            match constant {
                true if array.is_null(0) => return Self::None,
                true => {}
                false => nulls = NullBuffer::union(nulls.as_ref(), array.logical_nulls().as_ref()),
            }
        }
        match nulls {
            Some(nulls) if nulls.null_count() == call.rows => Self::None,
            Some(nulls) if nulls.null_count() > 0 => Self::Some(nulls),
            _ => Self::All,
        }
    }

    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(nulls) => nulls.is_valid(row),
        }
    }
}

/// A column of NULLs.
pub fn all_null(call: &Call<'_>) -> ArrayRef {
    new_null_array(&call.result.storage, call.rows)
}

/// Fills a column row by row, strictly.
pub fn strict_rows<R: Kind>(
    call: &Call<'_>,
    mut row: impl FnMut(usize) -> PgResult<Option<R::Value>>,
) -> PgResult<ArrayRef> {
    let valid = Valid::of(call);
    if matches!(valid, Valid::None) {
        return Ok(all_null(call));
    }
    let mut builder = R::builder(call.rows, &call.result.storage);
    for i in 0..call.rows {
        let value = if valid.is_valid(i) { row(i)? } else { None };
        R::push(&mut builder, value)?;
    }
    Ok(R::finish(builder))
}

/// Fills a column row by row; the closure sees NULLs itself.
pub fn all_rows<R: Kind>(
    call: &Call<'_>,
    mut row: impl FnMut(usize) -> PgResult<Option<R::Value>>,
) -> PgResult<ArrayRef> {
    let mut builder = R::builder(call.rows, &call.result.storage);
    for i in 0..call.rows {
        R::push(&mut builder, row(i)?)?;
    }
    Ok(R::finish(builder))
}

macro_rules! strict_adaptors {
    ($map:ident $attempt:ident $maybe:ident $session:ident $write:ident: $($kind:ident $column:ident $index:tt),+) => {
        pub fn $maybe<$($kind: Kind,)+ R: Kind>(
            f: impl for<'a> Fn($($kind::Item<'a>),+) -> PgResult<Option<R::Value>> + Send + Sync + 'static,
        ) -> Body {
            Arc::new(move |call| {
                if matches!(Valid::of(call), Valid::None) {
                    return Ok(all_null(call));
                }
                $(let $column = $kind::column(&call.args[$index].array)?;)+
                strict_rows::<R>(call, |i| f($($kind::item(&$column, call.args[$index].at(i))?),+))
            })
        }

        pub fn $attempt<$($kind: Kind,)+ R: Kind>(
            f: impl for<'a> Fn($($kind::Item<'a>),+) -> PgResult<R::Value> + Send + Sync + 'static,
        ) -> Body {
            Arc::new(move |call| {
                if matches!(Valid::of(call), Valid::None) {
                    return Ok(all_null(call));
                }
                $(let $column = $kind::column(&call.args[$index].array)?;)+
                strict_rows::<R>(call, |i| f($($kind::item(&$column, call.args[$index].at(i))?),+).map(Some))
            })
        }

        pub fn $map<$($kind: Kind,)+ R: Kind>(
            f: impl for<'a> Fn($($kind::Item<'a>),+) -> R::Value + Send + Sync + 'static,
        ) -> Body {
            Arc::new(move |call| {
                if matches!(Valid::of(call), Valid::None) {
                    return Ok(all_null(call));
                }
                $(let $column = $kind::column(&call.args[$index].array)?;)+
                strict_rows::<R>(call, |i| Ok(Some(f($($kind::item(&$column, call.args[$index].at(i))?),+))))
            })
        }

        /// As `maybe`, with the call first: its context, its types.
        pub fn $session<$($kind: Kind,)+ R: Kind>(
            f: impl for<'a> Fn(&Call<'_>, $($kind::Item<'a>),+) -> PgResult<Option<R::Value>> + Send + Sync + 'static,
        ) -> Body {
            Arc::new(move |call| {
                if matches!(Valid::of(call), Valid::None) {
                    return Ok(all_null(call));
                }
                $(let $column = $kind::column(&call.args[$index].array)?;)+
                strict_rows::<R>(call, |i| f(call, $($kind::item(&$column, call.args[$index].at(i))?),+))
            })
        }

        /// A strict kernel whose text the closure appends to a buffer.
        pub fn $write<$($kind: Kind),+>(
            f: impl for<'a> Fn($($kind::Item<'a>),+, &mut String) -> PgResult<()> + Send + Sync + 'static,
        ) -> Body {
            Arc::new(move |call| {
                let valid = Valid::of(call);
                if matches!(valid, Valid::None) {
                    return Ok(all_null(call));
                }
                $(let $column = $kind::column(&call.args[$index].array)?;)+
                let mut builder = StringBuilder::with_capacity(call.rows, call.rows * 8);
                let mut buffer = String::new();
                for i in 0..call.rows {
                    if valid.is_valid(i) {
                        buffer.clear();
                        f($($kind::item(&$column, call.args[$index].at(i))?),+, &mut buffer)?;
                        builder.append_value(&buffer);
                    } else {
                        builder.append_null();
                    }
                }
                Ok(Arc::new(builder.finish()))
            })
        }
    };
}

strict_adaptors!(map1 attempt1 maybe1 session1 write1: A a 0);
strict_adaptors!(map2 attempt2 maybe2 session2 write2: A a 0, B b 1);
strict_adaptors!(map3 attempt3 maybe3 session3 write3: A a 0, B b 1, C c 2);
strict_adaptors!(map4 attempt4 maybe4 session4 write4: A a 0, B b 1, C c 2, D d 3);

/// A function of nothing but the call.
pub fn session0<R: Kind>(f: impl Fn(&Call<'_>) -> PgResult<Option<R::Value>> + Send + Sync + 'static) -> Body {
    Arc::new(move |call| all_rows::<R>(call, |_| f(call)))
}

/// Overflow-checked arithmetic on one primitive column: `op` gives the value and whether it is wrong.
pub fn checked1<A, R>(
    op: impl Fn(A::Native) -> (R::Native, bool) + Send + Sync + 'static,
    error: impl Fn(A::Native) -> PgError + Send + Sync + 'static,
) -> Body
where
    A: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
{
    Arc::new(move |call| {
        let valid = Valid::of(call);
        if matches!(valid, Valid::None) {
            return Ok(all_null(call));
        }
        let a = downcast::<PrimitiveArray<A>>(&call.args[0].array)?;
        let at = |i: usize| a.values()[call.args[0].at(i)];
        let mut wrong = false;
        let values: Vec<R::Native> = match call.args[0].constant {
            true => {
                let (value, bad) = op(at(0));
                wrong = bad;
                vec![value; call.rows]
            }
            false => {
                let each = a.values().iter().map(|&v| {
                    let (value, bad) = op(v);
                    wrong |= bad;
                    value
                });
                each.collect()
            }
        };
        if wrong {
            // Slots under a NULL hold anything: only a wrong value that is seen is an error.
            if let Some(i) = (0..call.rows).find(|&i| valid.is_valid(i) && op(at(i)).1) {
                return Err(error(at(i)));
            }
        }
        Ok(primitive::<R>(call, values, valid))
    })
}

/// Overflow-checked arithmetic on two primitive columns.
pub fn checked2<A, B, R>(
    op: impl Fn(A::Native, B::Native) -> (R::Native, bool) + Send + Sync + 'static,
    error: impl Fn(A::Native, B::Native) -> PgError + Send + Sync + 'static,
) -> Body
where
    A: ArrowPrimitiveType,
    B: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
{
    Arc::new(move |call| {
        let valid = Valid::of(call);
        if matches!(valid, Valid::None) {
            return Ok(all_null(call));
        }
        let [left, right] = call.args.as_slice() else {
            return Err(PgError::internal("a binary kernel got another number of arguments"));
        };
        let (a, b) = (downcast::<PrimitiveArray<A>>(&left.array)?, downcast::<PrimitiveArray<B>>(&right.array)?);
        let (a, b) = (a.values(), b.values());
        let mut wrong = false;
        let mut step = |x, y| {
            let (value, bad) = op(x, y);
            wrong |= bad;
            value
        };
        let values: Vec<R::Native> = match (left.constant, right.constant) {
            (false, false) => a.iter().zip(b.iter()).map(|(&x, &y)| step(x, y)).collect(),
            (true, false) => b.iter().map(|&y| step(a[0], y)).collect(),
            (false, true) => a.iter().map(|&x| step(x, b[0])).collect(),
            (true, true) => vec![step(a[0], b[0]); call.rows],
        };
        if wrong {
            let at = |i: usize| (a[left.at(i)], b[right.at(i)]);
            let seen = (0..call.rows).filter(|&i| valid.is_valid(i)).map(at).find(|&(x, y)| op(x, y).1);
            if let Some((x, y)) = seen {
                return Err(error(x, y));
            }
        }
        Ok(primitive::<R>(call, values, valid))
    })
}

fn primitive<R: ArrowPrimitiveType>(call: &Call<'_>, values: Vec<R::Native>, valid: Valid) -> ArrayRef {
    let nulls = match valid {
        Valid::Some(nulls) => Some(nulls),
        Valid::All | Valid::None => None,
    };
    Arc::new(PrimitiveArray::<R>::new(values.into(), nulls).with_data_type(call.result.storage.clone()))
}
