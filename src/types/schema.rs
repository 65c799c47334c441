//! The columns of a relation.

use super::{PgType, oid};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// One column: name, type, whether NULL may occur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub ty: PgType,
    pub nullable: bool,
    /// An array column that holds arrays of any shape: see [`super::array`].
    pub any_shape: bool,
}

impl Column {
    pub fn new(name: impl Into<String>, ty: PgType, nullable: bool) -> Self {
        Self { name: name.into(), ty, nullable, any_shape: false }
    }

    /// The same column, where `any_shape` and it is an array for arrays of any shape.
    pub fn of_any_shape(self, any_shape: bool) -> Self {
        let any_shape = any_shape && takes_shapes(self.ty);
        Self { any_shape, ..self }
    }

    /// How its values lie.
    pub fn storage(&self) -> DataType {
        column_storage(self.ty, self.any_shape)
    }
}

/// Whether this is an array type, the vectors of the catalogs aside.
pub fn takes_shapes(ty: PgType) -> bool {
    oid::array_element(ty.oid).is_some()
}

/// The storage of a column of this type.
pub fn column_storage(ty: PgType, any_shape: bool) -> DataType {
    let natural = ty.storage();
    match any_shape {
        true => super::array::shaped(&natural).unwrap_or(natural),
        false => natural,
    }
}

/// The columns of a table in order, and which of them are its key.
///
/// `arrow` is derived from `columns`: field *i* has the name and the storage form of column *i* and is always nullable
/// to Arrow (a delete carries only the key; NOT NULL is checked where rows are stored).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    pub columns: Vec<Column>,
    /// Indexes into `columns`, in key order. Empty: no key, rows are only appended.
    pub key: Vec<usize>,
    arrow: SchemaRef,
}

impl TableSchema {
    pub fn new(columns: Vec<Column>, key: Vec<usize>) -> Self {
        let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, c.storage(), true)).collect();
        Self { columns, key, arrow: Arc::new(Schema::new(fields)) }
    }

    /// Columns that have a storage form but no type of PostgreSQL's: intermediate results of a view. No key. Values are
    /// compared as they are stored, but for -0 and 0, which are equal.
    pub fn of_storage(storage: &Schema) -> Self {
        let columns = storage.fields().iter().map(|field| {
            let oid = match field.data_type() {
                DataType::Float32 => oid::FLOAT4,
                DataType::Float64 => oid::FLOAT8,
                _ => oid::UNKNOWN,
            };
            Column::new(field.name(), PgType::new(oid), true)
        });
        let nullable = |field: &Arc<Field>| Field::new(field.name(), field.data_type().clone(), true);
        let fields: Vec<Field> = storage.fields().iter().map(nullable).collect();
        Self { columns: columns.collect(), key: vec![], arrow: Arc::new(Schema::new(fields)) }
    }

    pub fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}
