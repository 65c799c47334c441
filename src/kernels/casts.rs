//! Casts: between PostgreSQL's types, to a type modifier, and between the storage forms of one type.

use super::kernel::{ScalarKernel, type_name};
use crate::types::{ExprType, PgError, PgResult};

/// How a cast is computed.
#[derive(Debug, Clone)]
pub enum CastKernel {
    /// The storage already is what it should be.
    Nothing,
    /// DataFusion's cast to the target's storage cannot fail and gives PostgreSQL's value.
    Native,
    Scalar(ScalarKernel),
}

/// The kernel of a cast.
pub fn cast(from: &ExprType, to: &ExprType, _explicit: bool) -> PgResult<CastKernel> {
    if from == to {
        return Ok(CastKernel::Nothing);
    }
    Err(PgError::unsupported(format!("a cast from {} to {}", type_name(from.pg.oid), type_name(to.pg.oid))))
}

/// For types whose storage equality is not PostgreSQL's: a kernel to a key that is equal, and sorts, as PostgreSQL says.
pub fn equality_key(_ty: &ExprType) -> Option<ScalarKernel> {
    None
}
