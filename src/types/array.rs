//! Arrays of any shape.
//!
//! An array lies in one of two storage forms. The *plain* form is `List(element)`: one dimension, subscripts from 1, or
//! no element at all. The *shaped* form is `Struct { elements: List(element), shape: Binary }` and holds any array: the
//! elements row by row, and for each dimension its length and its first subscript as big-endian `i32`s; the shape is
//! NULL where the plain form would do. An expression that can only give plain arrays stays plain, so that one dimension
//! costs what a list costs.

use super::list_of;
use super::{PgError, PgResult, SqlState};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, ListArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use std::sync::Arc;

/// PostgreSQL's `MAXDIM`.
pub const MAX_DIMENSIONS: usize = 6;
/// PostgreSQL's limit of an array's elements.
const MAX_ELEMENTS: i64 = (0x3fff_ffff / 8) as i64;

/// One dimension of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimension {
    pub length: i32,
    /// The first subscript.
    pub lower: i32,
}

impl Dimension {
    /// The last subscript.
    pub fn upper(&self) -> i32 {
        self.lower.wrapping_add(self.length - 1)
    }
}

/// The dimensions of one array, outermost first; none where it has no element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape(pub Vec<Dimension>);

pub fn subscript_error(message: impl Into<String>) -> PgError {
    PgError::new(SqlState(*b"2202E"), message)
}

/// 54000 for more dimensions than an array can have.
pub fn check_dimensions(count: usize) -> PgResult<()> {
    if count <= MAX_DIMENSIONS {
        return Ok(());
    }
    let message = format!("number of array dimensions ({count}) exceeds the maximum allowed ({MAX_DIMENSIONS})");
    Err(PgError::new(SqlState(*b"54000"), message))
}

impl Shape {
    /// One dimension from 1.
    pub fn plain(length: usize) -> Self {
        match length {
            0 => Self::default(),
            _ => Self(vec![Dimension { length: length as i32, lower: 1 }]),
        }
    }

    /// Of these lengths and first subscripts; empty where there is no element. 54000 beyond PostgreSQL's limits.
    pub fn new(dimensions: Vec<Dimension>) -> PgResult<Self> {
        check_dimensions(dimensions.len())?;
        let too_large = || {
            let message = format!("array size exceeds the maximum allowed ({MAX_ELEMENTS})");
            PgError::new(SqlState(*b"54000"), message)
        };
        let mut count = 1i64;
        for d in &dimensions {
            if d.length < 0 {
                return Err(too_large());
            }
            count *= i64::from(d.length);
            if count > MAX_ELEMENTS {
                return Err(too_large());
            }
        }
        if dimensions.iter().any(|d| d.lower.checked_add(d.length).is_none()) {
            let lower = dimensions.iter().find(|d| d.lower.checked_add(d.length).is_none()).map_or(0, |d| d.lower);
            let message = format!("array lower bound is too large: {lower}");
            return Err(PgError::new(SqlState(*b"54000"), message));
        }
        Ok(if count == 0 { Self::default() } else { Self(dimensions) })
    }

    pub fn dimensions(&self) -> usize {
        self.0.len()
    }

    pub fn elements(&self) -> usize {
        if self.0.is_empty() { 0 } else { self.0.iter().map(|d| d.length as usize).product() }
    }

    /// Whether the plain form says it all.
    pub fn is_plain(&self) -> bool {
        match self.0.as_slice() {
            [] => true,
            [one] => one.lower == 1,
            _ => false,
        }
    }

    fn read(bytes: &[u8]) -> Self {
        let word = |at: usize| bytes.get(at..at + 4).map_or(0, |b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        Self((0..bytes.len() / 8).map(|i| Dimension { length: word(i * 8), lower: word(i * 8 + 4) }).collect())
    }

    /// As it is stored: `None` for a plain one.
    pub fn stored(&self) -> Option<Vec<u8>> {
        if self.is_plain() {
            return None;
        }
        Some(self.0.iter().flat_map(|d| [d.length.to_be_bytes(), d.lower.to_be_bytes()].concat()).collect())
    }

    /// The dimensions as PostgreSQL orders arrays of equal elements: how many, how long, from where.
    pub fn sort_key(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        self.0.iter().for_each(|d| out.extend_from_slice(&d.length.to_be_bytes()));
        self.0.iter().for_each(|d| out.extend_from_slice(&((d.lower as u32) ^ (1 << 31)).to_be_bytes()));
    }

    /// `[1:2][0:3]`
    pub fn bounds(&self) -> String {
        self.0.iter().map(|d| format!("[{}:{}]", d.lower, d.upper())).collect()
    }
}

/// The shaped storage form over an element's storage.
pub fn shaped_of(element: DataType) -> DataType {
    DataType::Struct(shaped_fields(&list_of(element)))
}

fn shaped_fields(list: &DataType) -> Fields {
    vec![Field::new("elements", list.clone(), true), Field::new("shape", DataType::Binary, true)].into()
}

pub fn is_shaped(storage: &DataType) -> bool {
    match storage {
        // The fields of records say their types; these do not.
        DataType::Struct(fields) => match &fields[..] {
            [list, shape] => {
                list.metadata().is_empty()
                    && shape.metadata().is_empty()
                    && matches!(list.data_type(), DataType::List(_))
                    && *shape.data_type() == DataType::Binary
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether this is the storage of a record.
pub fn is_record(storage: &DataType) -> bool {
    matches!(storage, DataType::Struct(_)) && !is_shaped(storage)
}

/// The field of the elements, in either form.
pub fn element_field(storage: &DataType) -> Option<&FieldRef> {
    match storage {
        DataType::List(field) => Some(field),
        DataType::Struct(fields) if is_shaped(storage) => element_field(fields[0].data_type()),
        _ => None,
    }
}

/// A storage form of the same elements that holds any shape.
pub fn shaped(storage: &DataType) -> Option<DataType> {
    element_field(storage).map(|field| shaped_of(field.data_type().clone()))
}

/// One array.
#[derive(Debug, Clone)]
pub struct ArrayValue {
    pub elements: ArrayRef,
    pub shape: Shape,
}

impl ArrayValue {
    pub fn plain(elements: ArrayRef) -> Self {
        Self { shape: Shape::plain(elements.len()), elements }
    }
}

/// A column of arrays in either form.
pub struct Arrays<'a> {
    pub list: &'a ListArray,
    shapes: Option<&'a BinaryArray>,
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Arrays<'a> {
    pub fn new(array: &'a dyn Array) -> PgResult<Self> {
        let wrong = || PgError::internal(format!("{} came where an array was due", array.data_type()));
        if let Some(list) = array.as_list_opt::<i32>() {
            return Ok(Self { list, shapes: None, nulls: list.nulls() });
        }
        let shaped = array.as_struct_opt().filter(|_| is_shaped(array.data_type())).ok_or_else(wrong)?;
        Ok(Self {
            list: shaped.column(0).as_list_opt().ok_or_else(wrong)?,
            shapes: Some(shaped.column(1).as_binary_opt().ok_or_else(wrong)?),
            nulls: shaped.nulls(),
        })
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|n| n.is_null(row)) || self.list.is_null(row)
    }

    /// Where the row's elements lie among the list's values.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.list.value_offsets()[row] as usize..self.list.value_offsets()[row + 1] as usize
    }

    pub fn elements(&self, row: usize) -> ArrayRef {
        self.list.value(row)
    }

    /// Whether the plain form would do for the row.
    pub fn is_plain(&self, row: usize) -> bool {
        self.shapes.is_none_or(|s| s.is_null(row))
    }

    pub fn shape(&self, row: usize) -> Shape {
        match self.shapes {
            Some(shapes) if shapes.is_valid(row) => Shape::read(shapes.value(row)),
            _ => Shape::plain(self.list.value_length(row) as usize),
        }
    }

    pub fn value(&self, row: usize) -> ArrayValue {
        ArrayValue { elements: self.elements(row), shape: self.shape(row) }
    }

    /// The lists alone, with the rows that are NULL.
    pub fn lists(&self) -> PgResult<ListArray> {
        let DataType::List(field) = self.list.data_type() else { return Err(PgError::internal("a list is a list")) };
        let nulls = NullBuffer::union(self.nulls, self.list.nulls());
        let values = Arc::clone(self.list.values());
        Ok(ListArray::try_new(Arc::clone(field), self.list.offsets().clone(), values, nulls)?)
    }

    /// Other lists of as many elements in the same shapes, in the same form.
    pub fn reshaped(&self, list: ListArray) -> PgResult<ArrayRef> {
        match self.shapes {
            None => Ok(Arc::new(list)),
            Some(shapes) => {
                let nulls = self.nulls.cloned();
                let columns: Vec<ArrayRef> = vec![Arc::new(list), Arc::new(shapes.clone())];
                Ok(Arc::new(StructArray::try_new(shaped_fields(columns[0].data_type()), columns, nulls)?))
            }
        }
    }

    /// The shapes as they are stored.
    pub fn shapes(&self) -> ArrayRef {
        match self.shapes {
            Some(shapes) => Arc::new(shapes.clone()),
            None => Arc::new(BinaryArray::new_null(self.len())),
        }
    }

    /// In the plain form; `0A000` where a row needs the other one.
    pub fn to_plain(&self) -> PgResult<ArrayRef> {
        if self.shapes.is_some_and(|s| (0..self.len()).any(|i| !self.is_null(i) && s.is_valid(i))) {
            return Err(PgError::unsupported("an array of several dimensions, or with subscripts not from 1, here"));
        }
        Ok(Arc::new(self.lists()?))
    }

    /// In the shaped form.
    pub fn to_shaped(&self) -> PgResult<ArrayRef> {
        let list = self.lists()?;
        let shapes = match self.shapes {
            Some(shapes) => shapes.clone(),
            None => BinaryArray::new_null(list.len()),
        };
        shape_lists(list, shapes)
    }
}

/// Lists and their shapes as a column of the shaped form.
pub fn shape_lists(list: ListArray, shapes: BinaryArray) -> PgResult<ArrayRef> {
    let nulls = list.nulls().cloned();
    let columns: Vec<ArrayRef> = vec![Arc::new(list), Arc::new(shapes)];
    Ok(Arc::new(StructArray::try_new(shaped_fields(columns[0].data_type()), columns, nulls)?))
}

/// Collects the shapes of a column.
#[derive(Debug, Default)]
pub struct Shapes(BinaryBuilder);

impl Shapes {
    pub fn push(&mut self, shape: Option<&Shape>) {
        self.0.append_option(shape.and_then(Shape::stored));
    }

    pub fn finish(&mut self) -> BinaryArray {
        self.0.finish()
    }
}
