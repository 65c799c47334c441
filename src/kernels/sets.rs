//! Functions that return sets of rows: from columns of arguments to the rows that each of their rows gives.

use super::facts::{ProcRow, facts};
use super::kernel::no_kernel;
use crate::types::{ExprType, Oid, PgResult};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::DataType;
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

fn make(row: &'static ProcRow, args: &[ExprType]) -> PgResult<SetKernel> {
    Err(no_kernel(row.name, args))
}
