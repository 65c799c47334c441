//! A kernel as DataFusion sees it: a `ScalarUDF` of exact types around a [`Body`].
//!
//! What a kernel may rely on: arguments come in the storage that [`ScalarKernel::args`] names (the binder casts), a
//! column of one repeated value comes once with [`Column::constant`] set, and the result has the type that was declared.

use super::context::{Context, SessionExtension, context_of};
use crate::types::{ExprType, Oid, PgError, PgResult};
use arrow::array::{Array, ArrayRef, new_empty_array};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A function, ready to be put into a plan.
#[derive(Debug, Clone)]
pub struct ScalarKernel {
    pub udf: Arc<ScalarUDF>,
    /// The storage that each argument must have.
    pub args: Vec<DataType>,
    pub result: ExprType,
}

/// One argument of a call.
#[derive(Debug, Clone)]
pub struct Column {
    pub array: ArrayRef,
    /// One value for all rows; `array` has length 1.
    pub constant: bool,
}

impl Column {
    /// Where the value of row `row` lies in `array`.
    #[inline]
    pub fn at(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.array.is_null(self.at(row))
    }
}

/// What a kernel is called with.
pub struct Call<'a> {
    pub rows: usize,
    pub args: Vec<Column>,
    pub arg_types: &'a [ExprType],
    pub result: &'a ExprType,
    pub config: &'a ConfigOptions,
}

impl Call<'_> {
    pub fn context(&self) -> PgResult<&dyn Context> {
        context_of(self.config).map(|c| &**c)
    }
}

/// Computes `call.rows` values of the declared result type.
pub type Body = Arc<dyn Fn(&Call<'_>) -> PgResult<ArrayRef> + Send + Sync>;

/// What makes one kernel different from another; two with equal identity compute the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    name: String,
    args: Vec<ExprType>,
    result: ExprType,
}

struct KernelUdf {
    identity: Identity,
    signature: Signature,
    stable: bool,
    strict: bool,
    body: Body,
}

impl fmt::Debug for KernelUdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelUdf").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl PartialEq for KernelUdf {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for KernelUdf {}

impl Hash for KernelUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity.hash(state);
    }
}

impl ScalarUDFImpl for KernelUdf {
    fn name(&self) -> &str {
        &self.identity.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> datafusion::error::Result<DataType> {
        Ok(self.identity.result.storage.clone())
    }

    fn is_strict(&self) -> bool {
        self.strict
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion::error::Result<ColumnarValue> {
        // DataFusion folds stable functions while it plans. A plan that is kept must not carry one moment's answer, so
        // whoever makes such a plan leaves the session out, and the folding fails here and is left undone.
        if self.stable && args.config_options.extensions.get::<SessionExtension>().is_none() {
            let message = format!("{} depends on the session and ran without one", self.identity.name);
            return Err(PgError::internal(message).into());
        }
        let volatile = self.signature.volatility == Volatility::Volatile;
        let once = !volatile && args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if once { 1 } else { args.number_rows };
        let columns = args.args.into_iter().map(|arg| match arg {
            ColumnarValue::Array(array) => Ok(Column { array, constant: false }),
            ColumnarValue::Scalar(value) => Ok(Column { array: value.to_array_of_size(1)?, constant: true }),
        });
        let call = Call {
            rows,
            args: columns.collect::<datafusion::error::Result<_>>()?,
            arg_types: &self.identity.args,
            result: &self.identity.result,
            config: &args.config_options,
        };
        let result = match (self.body)(&call) {
            // A CASE over no rows gives its first value: no row has it.
            Err(error) if args.number_rows == 0 && error.state.as_str().starts_with("22") => {
                return Ok(ColumnarValue::Array(new_empty_array(&self.identity.result.storage)));
            }
            result => result?,
        };
        debug_assert_eq!(result.len(), rows, "{} made another number of rows", self.identity.name);
        debug_assert_eq!(result.data_type(), &self.identity.result.storage, "{}", self.identity.name);
        Ok(match once {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?),
            false => ColumnarValue::Array(result),
        })
    }
}

/// What a kernel promises to the optimizer.
#[derive(Debug, Clone, Copy)]
pub struct Nature {
    /// NULL in, NULL out.
    pub strict: bool,
    /// i, s or v, as in `pg_proc`.
    pub volatility: char,
}

impl Nature {
    pub const STRICT: Nature = Nature { strict: true, volatility: 'i' };
    pub const LENIENT: Nature = Nature { strict: false, volatility: 'i' };
    pub const STABLE: Nature = Nature { strict: true, volatility: 's' };
}

/// A kernel from its parts. `name` must tell different bodies over equal types apart.
pub fn kernel(name: &str, nature: Nature, args: Vec<ExprType>, result: ExprType, body: Body) -> ScalarKernel {
    let storages: Vec<DataType> = args.iter().map(|a| a.storage.clone()).collect();
    let volatility = match nature.volatility {
        'i' => Volatility::Immutable,
        's' => Volatility::Stable,
        _ => Volatility::Volatile,
    };
    let shape = match storages.is_empty() {
        true => TypeSignature::Nullary,
        false => TypeSignature::Exact(storages.clone()),
    };
    let udf = KernelUdf {
        signature: Signature::new(shape, volatility),
        stable: nature.volatility == 's',
        strict: nature.strict && !args.is_empty(),
        identity: Identity { name: name.to_string(), args, result: result.clone() },
        body,
    };
    ScalarKernel { udf: Arc::new(ScalarUDF::from(udf)), args: storages, result }
}

/// `0A000` for a function that PostgreSQL has and Sluice has not.
pub fn no_kernel(name: &str, args: &[ExprType]) -> PgError {
    let args: Vec<String> = args.iter().map(|a| type_name(a.pg.oid)).collect();
    PgError::unsupported(format!("function {name}({})", args.join(", ")))
}

/// A type as messages spell it: `integer`, `text[]`.
pub fn type_name(oid: Oid) -> String {
    super::typename::format_type(oid, None)
}
