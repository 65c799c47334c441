//! Conversions: from one PostgreSQL type to another, and from one storage form of a type to another.

use crate::bind::overload::{self, Context, Path};
use crate::bind::tree::{Expr, ExprKind};
use crate::bind::{Binder, names};
use crate::kernels::{self, CastKernel, ScalarKernel};
use crate::types::array::{element_field, is_shaped, shaped, shaped_of};
use crate::types::codec::parse_literal;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

/// A call of a kernel whose arguments are already of the right PostgreSQL types.
pub fn call(proc: Oid, kernel: &ScalarKernel, args: Vec<Expr>) -> PgResult<Expr> {
    let args = args.into_iter().zip(&kernel.args).map(|(a, want)| store(a, want)).collect::<PgResult<Vec<_>>>()?;
    Ok(Expr::new(ExprKind::Scalar { proc, udf: std::sync::Arc::clone(&kernel.udf), args }, kernel.result.clone()))
}

/// The same value in another storage form of its type.
pub fn store(expr: Expr, want: &DataType) -> PgResult<Expr> {
    if expr.ty.storage == *want {
        return Ok(expr);
    }
    let to = ExprType { pg: PgType::new(expr.ty.pg.oid), storage: want.clone() };
    if let ExprKind::Literal(value) = &expr.kind
        && value.is_null()
    {
        return Ok(Expr::literal(ScalarValue::try_new_null(want)?, to).at(expr.at));
    }
    let kernel = kernels::cast(&expr.ty, &to, true)?;
    apply_cast(expr, kernel, to)
}

pub fn apply_cast(expr: Expr, kernel: CastKernel, to: ExprType) -> PgResult<Expr> {
    let at = expr.at;
    let made = match kernel {
        CastKernel::Nothing => relabel(expr, to)?,
        CastKernel::Native => Expr::new(ExprKind::Cast(Box::new(expr)), to),
        CastKernel::Scalar(kernel) => {
            let mut made = call(oid::INVALID, &kernel, vec![expr])?;
            made.ty.pg = to.pg;
            made
        }
    };
    Ok(made.at(at))
}

/// Another name for the type of the same storage.
fn relabel(mut expr: Expr, to: ExprType) -> PgResult<Expr> {
    if expr.ty.storage != to.storage {
        return store(expr, &to.storage).map(|mut e| {
            e.ty.pg = to.pg;
            e
        });
    }
    expr.ty = to;
    Ok(expr)
}

/// The storage that a value gets when it becomes `target`. Unconstrained numerics of integers stay decimals, whose
/// arithmetic is several times cheaper than that of the general form.
fn storage_of_conversion(from: &ExprType, target: PgType) -> DataType {
    if target.oid == oid::NUMERIC && target.typmod == -1 {
        match from.pg.oid {
            oid::INT2 => return DataType::Decimal128(5, 0),
            oid::INT4 => return DataType::Decimal128(10, 0),
            oid::INT8 => return DataType::Decimal128(19, 0),
            oid::NUMERIC => return from.storage.clone(),
            _ => {}
        }
    }
    let natural = target.storage();
    // Text may be an array of any shape, and a cast keeps an array's.
    let any_shape = is_shaped(&from.storage) || element_field(&from.storage).is_none();
    match shaped(&natural) {
        Some(shaped) if any_shape && !matches!(target.oid, oid::OIDVECTOR | oid::INT2VECTOR) => shaped,
        _ => natural,
    }
}

pub fn null(ty: PgType) -> PgResult<Expr> {
    let ty = ExprType::of(ty);
    Ok(Expr::literal(ScalarValue::try_new_null(&ty.storage)?, ty))
}

impl Binder<'_> {
    /// `expr` as `target`, by implicit conversion; the caller has found that there is one.
    pub(in crate::bind) fn implicit(&mut self, expr: Expr, target: Oid) -> PgResult<Expr> {
        self.convert(expr, PgType::new(target), Context::Implicit)
    }

    /// `expr` as `target` by assignment (INSERT, bind_scalar).
    pub(in crate::bind) fn assign(&mut self, expr: Expr, target: PgType, at: Option<usize>) -> PgResult<Expr> {
        let from = expr.ty.pg.oid;
        if from != oid::UNKNOWN && !overload::can_coerce(&[from], &[target.oid], Context::Assignment) {
            let (to, from) = (names::type_name(target.oid), names::type_name(from));
            let error = PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("expression is of type {from}, but type {to} was expected"),
            )
            .hint("You will need to rewrite or cast the expression.");
            return Err(with_position(error, at.or(expr.at)));
        }
        self.convert(expr, target, Context::Assignment)
    }

    /// Unknown literals and parameters become text.
    pub(in crate::bind) fn settle_unknown(&mut self, expr: Expr) -> PgResult<Expr> {
        match expr.kind {
            _ if expr.ty.pg.oid == oid::UNKNOWN => self.convert(expr, PgType::new(oid::TEXT), Context::Implicit),
            ExprKind::Row(fields) => {
                let fields = fields.into_iter().map(|f| self.settle_unknown(f)).collect::<PgResult<_>>()?;
                Ok(Expr { kind: ExprKind::Row(fields), ..expr })
            }
            _ => Ok(expr),
        }
    }

    /// `expr` as `target`, modifier included.
    pub(in crate::bind) fn convert(&mut self, expr: Expr, target: PgType, context: Context) -> PgResult<Expr> {
        let from = expr.ty.pg;
        if from == target || target.oid == oid::ANY {
            return Ok(expr);
        }
        let at = expr.at;
        if from.oid == oid::UNKNOWN {
            return self.unknown_to(expr, target).map_err(|e| with_position(e, at));
        }
        let explicit = context == Context::Explicit;
        if from.oid == target.oid {
            // Only the modifier differs: none asked for keeps what there is.
            if target.typmod == -1 {
                return Ok(expr);
            }
            let storage = match is_shaped(&expr.ty.storage) {
                true => shaped(&target.storage()).unwrap_or_else(|| target.storage()),
                false => target.storage(),
            };
            let to = ExprType { pg: target, storage };
            let kernel = kernels::cast(&expr.ty, &to, explicit).map_err(|e| with_position(e, at))?;
            return apply_cast(expr, kernel, to);
        }
        if let (ExprKind::Array(_), Some(element)) = (&expr.kind, overload::element_of(target.oid))
            && overload::element_of(from.oid).is_some()
        {
            return self.convert_array(expr, element, target, context);
        }
        let Some(path) = overload::pathway(from.oid, target.oid, context) else {
            let (from, to) = (names::type_name(from.oid), names::type_name(target.oid));
            let error = PgError::new(SqlState::CANNOT_COERCE, format!("cannot cast type {from} to {to}"));
            return Err(with_position(error, at));
        };
        let storage = storage_of_conversion(&expr.ty, target);
        let to = ExprType { pg: target, storage };
        if path == Path::Relabel && target.typmod == -1 && expr.ty.storage == to.storage {
            return relabel(expr, to);
        }
        self.note_cast(from.oid, target.oid);
        let kernel = kernels::cast(&expr.ty, &to, explicit).map_err(|e| with_position(e, at))?;
        apply_cast(expr, kernel, to)
    }

    /// A cast may be as volatile as its function: text → timestamptz depends on the session.
    fn note_cast(&mut self, from: Oid, to: Oid) {
        if let Some(cast) = crate::kernels::facts::facts().cast(from, to)
            && cast.function != oid::INVALID
        {
            self.functions.insert(cast.function);
        }
    }

    fn convert_array(&mut self, expr: Expr, element: Oid, target: PgType, context: Context) -> PgResult<Expr> {
        let ExprKind::Array(items) = expr.kind else { return Err(PgError::internal("an array was expected")) };
        let ty = PgType { oid: element, typmod: target.typmod };
        let items = items.into_iter().map(|i| self.convert(i, ty, context)).collect::<PgResult<Vec<_>>>()?;
        let storage = ty.storage();
        let items = items.into_iter().map(|i| store(i, &storage)).collect::<PgResult<Vec<_>>>()?;
        Ok(Expr::new(ExprKind::Array(items), ExprType::of(target)).at(expr.at))
    }

    fn unknown_to(&mut self, expr: Expr, target: PgType) -> PgResult<Expr> {
        match expr.kind {
            ExprKind::Param(n) => {
                let slot = &mut self.params[n - 1];
                match slot {
                    Some(ty) if ty.oid != oid::UNKNOWN && ty.oid != target.oid => {
                        let detail = format!("{} versus {}", names::type_name(ty.oid), names::type_name(target.oid));
                        let message = format!("inconsistent types deduced for parameter ${n}");
                        return Err(PgError::new(SqlState::AMBIGUOUS_PARAMETER, message).detail(detail));
                    }
                    _ => *slot = Some(PgType::new(target.oid)),
                }
                let typed = Expr::new(ExprKind::Param(n), ExprType::of_parameter(PgType::new(target.oid))).at(expr.at);
                match target.typmod {
                    -1 => Ok(typed),
                    _ => self.convert(typed, target, Context::Implicit),
                }
            }
            ExprKind::Literal(value) if value.is_null() => Ok(null(target)?.at(expr.at)),
            ExprKind::Literal(ScalarValue::Utf8(Some(text))) => {
                let literal = self.literal(&text, target)?;
                Ok(literal.at(expr.at))
            }
            kind => {
                // A column of unknown type cannot be: subqueries settle theirs.
                let text = Expr::new(kind, ExprType::of(PgType::new(oid::TEXT))).at(expr.at);
                self.convert(text, target, Context::Explicit)
            }
        }
    }

    /// A quoted literal as a value of `target`.
    fn literal(&mut self, text: &str, target: PgType) -> PgResult<Expr> {
        let base = overload::base_type(target.oid);
        if base == oid::ANYARRAY || overload::is_polymorphic(base) {
            return Err(PgError::new(SqlState::INDETERMINATE_DATATYPE, "could not determine polymorphic type"));
        }
        if oid::is_reg_type(base) {
            let found = self.object_literal(text, base)?;
            let ty = ExprType::of(PgType::new(target.oid));
            return Ok(Expr::literal(ScalarValue::UInt32(Some(found.0)), ty));
        }
        if base == oid::NUMERIC
            && let Some(number) = super::constant::decimal(text.trim())
        {
            return self.convert(number, target, Context::Explicit);
        }
        // An interval's modifier says what bare numbers mean, so it belongs to reading.
        let read_as = match base {
            oid::INTERVAL => PgType { oid: base, typmod: target.typmod },
            _ => PgType::new(base),
        };
        let value = parse_literal(read_as, text, &self.text)?;
        let storage = value.data_type();
        let literal = Expr::literal(value, ExprType { pg: read_as, storage });
        if target.typmod == read_as.typmod {
            let ty = ExprType { pg: target, storage: literal.ty.storage.clone() };
            return relabel(literal, ty);
        }
        let ty = ExprType { pg: PgType::new(target.oid), storage: literal.ty.storage.clone() };
        let typed = relabel(literal, ty)?;
        self.convert(typed, target, Context::Explicit)
    }

    /// One type for all, and one storage; `what` is CASE, UNION, ….
    pub(in crate::bind) fn unify(&mut self, exprs: Vec<Expr>, what: &str) -> PgResult<(Vec<Expr>, ExprType)> {
        let types: Vec<PgType> = exprs.iter().map(|e| e.ty.pg).collect();
        let at: Vec<Option<usize>> = exprs.iter().map(|e| e.at).collect();
        let target = common_of(&types, &at, what)?;
        let exprs = exprs
            .into_iter()
            .map(|e| match e.ty.pg.oid == target.oid {
                true => Ok(e),
                false => self.convert(e, target, Context::Implicit),
            })
            .collect::<PgResult<Vec<_>>>()?;
        let storage = common_storage(target, exprs.iter());
        let exprs = exprs.into_iter().map(|e| store(e, &storage)).collect::<PgResult<Vec<_>>>()?;
        Ok((exprs, ExprType { pg: target, storage }))
    }

    /// `expr` as a condition of `what` (WHERE, AND, …).
    pub(in crate::bind) fn condition(&mut self, expr: Expr, what: &str) -> PgResult<Expr> {
        let at = expr.at;
        if expr.ty.pg.oid != oid::UNKNOWN && overload::base_type(expr.ty.pg.oid) != oid::BOOL {
            let message =
                format!("argument of {what} must be type boolean, not type {}", names::type_name(expr.ty.pg.oid));
            return Err(with_position(PgError::new(SqlState::DATATYPE_MISMATCH, message), at));
        }
        self.implicit(expr, oid::BOOL)
    }
}

/// The common type with the common modifier, if all have it.
pub fn common_of(types: &[PgType], at: &[Option<usize>], what: &str) -> PgResult<PgType> {
    let oids: Vec<Oid> = types.iter().map(|t| t.oid).collect();
    let Some(common) = overload::common_type(&oids) else {
        // Name the first two that do not fit.
        let mut chosen = oids[0];
        for (i, next) in oids.iter().enumerate().skip(1) {
            match overload::common_type(&[chosen, *next]) {
                Some(both) => chosen = both,
                None => {
                    let (a, b) = (names::type_name(chosen), names::type_name(*next));
                    let message = format!("{what} types {a} and {b} cannot be matched");
                    let error = PgError::new(SqlState::DATATYPE_MISMATCH, message);
                    return Err(with_position(error, at.get(i).copied().flatten()));
                }
            }
        }
        let (to, from) = (names::type_name(chosen), names::type_name(oids[0]));
        let message = format!("{what} could not convert type {from} to {to}");
        return Err(PgError::new(SqlState::CANNOT_COERCE, message));
    };
    let typmod = match types.first() {
        Some(first) if first.oid == common && types.iter().all(|t| t == first) => first.typmod,
        _ => -1,
    };
    Ok(PgType { oid: common, typmod })
}

/// A storage form that holds all of these values as they are.
pub fn common_storage<'e>(ty: PgType, exprs: impl Iterator<Item = &'e Expr>) -> DataType {
    let mut common: Option<DataType> = None;
    for expr in exprs {
        if matches!(&expr.kind, ExprKind::Literal(v) if v.is_null()) {
            continue;
        }
        common = Some(match (common, &expr.ty.storage) {
            (None, storage) => storage.clone(),
            (Some(a), b) => common_of_storages(&a, b).unwrap_or_else(|| {
                let natural = PgType::new(ty.oid).storage();
                let any = is_shaped(&a) || is_shaped(b);
                shaped(&natural).filter(|_| any).unwrap_or(natural)
            }),
        });
    }
    common.unwrap_or_else(|| ty.storage())
}

/// Decimals of one scale fit into the wider one; of two scales they do not, because the scale is part of the value.
pub fn common_of_storages(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (DataType::Decimal128(p, s), DataType::Decimal128(q, t)) if s == t => Some(DataType::Decimal128(*p.max(q), *s)),
        (a, b) if is_shaped(a) || is_shaped(b) => {
            let (a, b) = (element_field(a)?.data_type(), element_field(b)?.data_type());
            common_of_storages(a, b).map(shaped_of)
        }
        // Records of the same types, field by field.
        (DataType::Struct(a), DataType::Struct(b)) if a.len() == b.len() => {
            let fields = a.iter().zip(b).map(|(a, b)| {
                let (of_a, of_b) = (crate::types::record_field_type(a)?, crate::types::record_field_type(b)?);
                let same = of_a.pg.oid == of_b.pg.oid;
                let storage = common_of_storages(&of_a.storage, &of_b.storage).filter(|_| same).or_else(|| {
                    // Numerics of two scales have their common form.
                    (same && of_a.pg.oid == oid::NUMERIC).then(|| PgType::new(oid::NUMERIC).storage())
                })?;
                Some(a.as_ref().clone().with_data_type(storage))
            });
            Some(DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into()))
        }
        _ => None,
    }
}

pub fn with_position(error: PgError, at: Option<usize>) -> PgError {
    match at {
        Some(at) => error.at(at),
        None => error,
    }
}
