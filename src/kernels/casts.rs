//! Casts: between PostgreSQL's types, to a type modifier, and between the storage forms of one type.

use super::kernel::{Body, Nature, ScalarKernel, kernel, type_name};
use super::keys;
use crate::types::{ExprType, PgError, PgResult};
use arrow::array::UInt32Array;
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

/// The kernel of a cast.
pub fn cast(from: &ExprType, to: &ExprType, _explicit: bool) -> PgResult<CastKernel> {
    if from == to {
        return Ok(CastKernel::Nothing);
    }
    Err(PgError::unsupported(format!("a cast from {} to {}", type_name(from.pg.oid), type_name(to.pg.oid))))
}

/// For types whose storage equality is not PostgreSQL's: a kernel to a key that is equal, and sorts, as PostgreSQL says.
/// The key has the kernel's result storage; the type that the result names is that of the value.
pub fn equality_key(ty: &ExprType) -> Option<ScalarKernel> {
    let storage = keys::key_storage(ty)?;
    let body: Body = Arc::new(|call| {
        let [column] = call.args.as_slice() else { return Err(PgError::internal("a key is made of one value")) };
        let key = keys::keys(&call.arg_types[0], &column.array)?;
        match column.constant && call.rows != 1 {
            false => Ok(key),
            true => Ok(arrow::compute::take(&key, &UInt32Array::from(vec![0; call.rows]), None)?),
        }
    });
    let result = ExprType { pg: ty.pg, storage };
    Some(kernel("equality_key", Nature::STRICT, vec![ty.clone()], result, body))
}
