//! Operators: overloads, row comparisons, and the syntax that stands for operators (IN, BETWEEN, LIKE, ANY).

use super::coerce::{call, store, with_position};
use super::{and, lists, null_of};
use crate::bind::overload::{self, Choice, Context};
use crate::bind::tree::{Expr, ExprKind};
use crate::bind::{Binder, names};
use crate::kernels::facts::OperatorRow;
use crate::kernels::{self, OperatorKernel};
use crate::types::array::{element_field, is_record};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator;
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, Node};

impl Binder<'_> {
    pub(super) fn operator_expr(&mut self, node: &AExpr) -> PgResult<Expr> {
        let at = names::offset(node.location);
        let all = names::strings(&node.name);
        if let [schema, _] = all.as_slice()
            && *schema != "pg_catalog"
        {
            let message = format!("schema \"{schema}\" does not exist");
            return Err(with_position(PgError::new(SqlState::INVALID_SCHEMA_NAME, message), at));
        }
        let name = all.last().copied().unwrap_or_default();
        let kind = node.kind();
        if kind == AExprKind::AexprIn {
            return self.in_list(node, name == "<>", at);
        }
        if matches!(
            kind,
            AExprKind::AexprBetween
                | AExprKind::AexprNotBetween
                | AExprKind::AexprBetweenSym
                | AExprKind::AexprNotBetweenSym
        ) {
            return self.between(node, at);
        }
        let right = self.expr(super::some(&node.rexpr, "an operator's operand")?)?;
        let Some(left) = node.lexpr.as_deref() else { return self.prefix(name, right, at) };
        let left = self.expr(left)?;
        match kind {
            AExprKind::AexprOpAny | AExprKind::AexprOpAll => {
                self.quantified(name, left, right, kind == AExprKind::AexprOpAll, at)
            }
            AExprKind::AexprDistinct => self.distinct(left, right, true, at),
            AExprKind::AexprNotDistinct => self.distinct(left, right, false, at),
            AExprKind::AexprNullif => self.nullif(left, right, at),
            // The pattern of SIMILAR TO is already wrapped in similar_to_escape() by the grammar, as is ESCAPE's.
            _ => self.binary(name, left, right, at),
        }
    }

    /// `left name right`.
    pub(in crate::bind) fn binary(&mut self, name: &str, left: Expr, right: Expr, at: Option<usize>) -> PgResult<Expr> {
        if is_row(&left) && is_row(&right) {
            let (ExprKind::Row(left), ExprKind::Row(right)) = (left.kind, right.kind) else {
                return Err(PgError::internal("rows were expected"));
            };
            return self.rows(name, left, right, at);
        }
        let is_record = |e: &Expr| is_record(&e.ty.storage);
        if is_record(&left) && is_record(&right) {
            return self.records(name, left, right, at);
        }
        let (l, r) = (left.ty.pg.oid, right.ty.pg.oid);
        let row = match overload::choose_binary(name, l, r) {
            Choice::One(row) => row,
            choice => {
                let (l, r) = (names::type_name(l), names::type_name(r));
                return Err(with_position(no_operator(&format!("{l} {name} {r}"), &choice, 2), at));
            }
        };
        self.functions.insert(row.code);
        let types = self.concrete(&[l, r], &[row.left, row.right], row.result, at)?;
        let left = self.implicit(left, types.0[0])?;
        let right = self.implicit(right, types.0[1])?;
        self.apply_operator(row, left, right, types.1).map(|e| e.at(at)).map_err(|e| with_position(e, at))
    }

    fn apply_operator(&mut self, row: &OperatorRow, left: Expr, right: Expr, result: Oid) -> PgResult<Expr> {
        let (left, right) = one_form(left, right)?;
        match kernels::operator(row, Some(&left.ty), &right.ty)? {
            OperatorKernel::Native(op, storage) => native(op, left, right, &storage, result),
            OperatorKernel::Scalar(kernel) => {
                // Where equal values may differ in storage, equality is that of keys: joins can hash them.
                let same = left.ty == right.ty && matches!(row.name, "=" | "<>");
                if let Some(key) = same.then(|| kernels::equality_key(&left.ty)).flatten() {
                    let op = if row.name == "=" { Operator::Eq } else { Operator::NotEq };
                    let storage = key.result.storage.clone();
                    let left = call(oid::INVALID, &key, vec![left])?;
                    let right = call(oid::INVALID, &key, vec![right])?;
                    return native(op, left, right, &storage, result);
                }
                call(row.code, &kernel, vec![left, right])
            }
        }
    }

    fn prefix(&mut self, name: &str, right: Expr, at: Option<usize>) -> PgResult<Expr> {
        let r = right.ty.pg.oid;
        let row = match overload::choose_prefix(name, r) {
            Choice::One(row) => row,
            choice => {
                let message = format!("{name} {}", names::type_name(r));
                return Err(with_position(no_operator(&message, &choice, 1), at));
            }
        };
        self.functions.insert(row.code);
        // A negative literal is a constant to everything above.
        if name == "-"
            && let Some(negated) = negate(&right)
        {
            return Ok(negated.at(at));
        }
        let right = self.implicit(right, row.right)?;
        match kernels::operator(row, None, &right.ty).map_err(|e| with_position(e, at))? {
            OperatorKernel::Scalar(kernel) => call(row.code, &kernel, vec![right]).map(|e| e.at(at)),
            OperatorKernel::Native(..) => Err(PgError::internal("a prefix operator cannot be native")),
        }
    }

    /// Concrete argument types and result of a possibly polymorphic operator or function.
    pub(in crate::bind) fn concrete(
        &self,
        actual: &[Oid],
        declared: &[Oid],
        result: Oid,
        at: Option<usize>,
    ) -> PgResult<(Vec<Oid>, Oid)> {
        match overload::resolve_polymorphic(actual, declared, Some(result)) {
            Ok(p) => Ok((p.args, p.result)),
            Err(message) => Err(with_position(PgError::new(SqlState::DATATYPE_MISMATCH, message), at)),
        }
    }

    /// Two records, at least one of them a value rather than a row of expressions: their NULL fields are equal.
    fn records(&mut self, name: &str, left: Expr, right: Expr, at: Option<usize>) -> PgResult<Expr> {
        let (Some(l), Some(r)) = (super::fields_of(&left), super::fields_of(&right)) else {
            return Err(PgError::internal("records were expected"));
        };
        if l.len() != r.len() {
            let message = "cannot compare record types with different numbers of columns";
            return Err(with_position(PgError::new(SqlState::DATATYPE_MISMATCH, message), at));
        }
        let pairs: Vec<(Expr, Expr)> = l.into_iter().zip(r).map(|((_, l), (_, r))| (l, r)).collect();
        let settled = |e: &Expr| if e.ty.pg.oid == oid::UNKNOWN { oid::TEXT } else { e.ty.pg.oid };
        if let Some(i) = pairs.iter().position(|(l, r)| settled(l) != settled(r)) {
            let (l, r) = (names::type_name(settled(&pairs[i].0)), names::type_name(settled(&pairs[i].1)));
            let message = format!("cannot compare dissimilar column types {l} and {r} at record column {}", i + 1);
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
        }
        let same = match name {
            "=" | "<>" => {
                let tests = pairs.into_iter().map(|(l, r)| self.distinct(l, r, false, at));
                let same = and(tests.collect::<PgResult<Vec<_>>>()?);
                if name == "<>" { Expr::boolean(ExprKind::Not(Box::new(same))) } else { same }
            }
            "<" | "<=" | ">" | ">=" => self.record_order(name, pairs, at)?,
            _ => return Err(with_position(PgError::unsupported(format!("{name} of records")), at)),
        };
        let is_null = |e: &Expr| Expr::boolean(ExprKind::IsNull(Box::new(e.clone())));
        let absent: Vec<Expr> =
            [&left, &right].into_iter().filter(|e| !matches!(e.kind, ExprKind::Row(_))).map(is_null).collect();
        if absent.is_empty() {
            return Ok(same.at(at));
        }
        let null = null_of(&same.ty)?;
        let branches = vec![(Expr::boolean(ExprKind::Or(absent)), null)];
        Ok(Expr::boolean(ExprKind::Case { branches, otherwise: Some(Box::new(same)) }).at(at))
    }

    /// The first fields that differ decide; NULL is equal to NULL and greater than all else.
    fn record_order(&mut self, name: &str, pairs: Vec<(Expr, Expr)>, at: Option<usize>) -> PgResult<Expr> {
        let less = name.starts_with('<');
        let mut result = Expr::truth(name.ends_with('='));
        for (l, r) in pairs.into_iter().rev() {
            let same = self.distinct(l.clone(), r.clone(), false, at)?;
            let branches = vec![
                (same, result),
                (self.null_test(l.clone(), true)?, Expr::truth(!less)),
                (self.null_test(r.clone(), true)?, Expr::truth(less)),
            ];
            let compare = self.binary(if less { "<" } else { ">" }, l, r, at)?;
            result = Expr::boolean(ExprKind::Case { branches, otherwise: Some(Box::new(compare)) });
        }
        Ok(result)
    }

    fn rows(&mut self, name: &str, left: Vec<Expr>, right: Vec<Expr>, at: Option<usize>) -> PgResult<Expr> {
        if left.len() != right.len() {
            let error = PgError::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions");
            return Err(with_position(error, at));
        }
        if left.is_empty() {
            let error = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length");
            return Err(with_position(error, at));
        }
        let pairs: Vec<(Expr, Expr)> = left.into_iter().zip(right).collect();
        match name {
            "=" => {
                let tests = pairs.into_iter().map(|(l, r)| self.binary("=", l, r, at)).collect::<PgResult<Vec<_>>>()?;
                Ok(and(tests))
            }
            "<>" => {
                let tests =
                    pairs.into_iter().map(|(l, r)| self.binary("<>", l, r, at)).collect::<PgResult<Vec<_>>>()?;
                Ok(Expr::boolean(ExprKind::Or(tests)))
            }
            "<" | "<=" | ">" | ">=" => {
                // (a, b) < (c, d) is a < c OR (a = c AND b < d); only the last pair may be equal.
                let strict = if name.starts_with('<') { "<" } else { ">" };
                let mut result: Option<Expr> = None;
                for (i, (l, r)) in pairs.into_iter().rev().enumerate() {
                    let compare = self.binary(if i == 0 { name } else { strict }, l.clone(), r.clone(), at)?;
                    result = Some(match result {
                        None => compare,
                        Some(rest) => {
                            let equal = self.binary("=", l, r, at)?;
                            Expr::boolean(ExprKind::Or(vec![compare, and(vec![equal, rest])]))
                        }
                    });
                }
                result.ok_or_else(|| PgError::internal("a row without fields"))
            }
            _ => {
                let message = format!("could not determine interpretation of row comparison operator {name}");
                let error = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
                Err(with_position(error, at))
            }
        }
    }

    fn distinct(&mut self, left: Expr, right: Expr, distinct: bool, at: Option<usize>) -> PgResult<Expr> {
        // PostgreSQL turns a comparison with the NULL constant into a null test.
        let is_null = |e: &Expr| matches!(&e.kind, ExprKind::Literal(v) if v.is_null());
        if is_null(&right) {
            return self.null_test(left, !distinct);
        }
        if is_null(&left) {
            return self.null_test(right, !distinct);
        }
        if let (ExprKind::Row(l), ExprKind::Row(r)) = (&left.kind, &right.kind) {
            let pairs: Vec<(Expr, Expr)> = l.iter().cloned().zip(r.iter().cloned()).collect();
            let tests =
                pairs.into_iter().map(|(l, r)| self.distinct(l, r, distinct, at)).collect::<PgResult<Vec<_>>>()?;
            return Ok(if distinct { Expr::boolean(ExprKind::Or(tests)) } else { and(tests) });
        }
        let equal = self.binary("=", left.clone(), right.clone(), at)?;
        match equal.kind {
            ExprKind::Native { op: Operator::Eq, left, right } => {
                let op = if distinct { Operator::IsDistinctFrom } else { Operator::IsNotDistinctFrom };
                Ok(Expr::boolean(ExprKind::Native { op, left, right }).at(at))
            }
            _ => {
                // Both NULL: the same; one NULL: not; else what "=" says.
                let both = and(vec![self.null_test(left.clone(), true)?, self.null_test(right.clone(), true)?]);
                let either =
                    Expr::boolean(ExprKind::Or(vec![self.null_test(left, true)?, self.null_test(right, true)?]));
                let branches = vec![(both, Expr::truth(true)), (either, Expr::truth(false))];
                let same = Expr::boolean(ExprKind::Case { branches, otherwise: Some(Box::new(equal)) });
                Ok(if distinct { Expr::boolean(ExprKind::Not(Box::new(same))) } else { same }.at(at))
            }
        }
    }

    fn nullif(&mut self, left: Expr, right: Expr, at: Option<usize>) -> PgResult<Expr> {
        // The result has the type that "=" wants of the left operand.
        let (l, r) = (left.ty.pg.oid, right.ty.pg.oid);
        let equal = self.binary("=", left.clone(), right, at)?;
        let value = match l {
            oid::UNKNOWN => match overload::choose_binary("=", l, r) {
                Choice::One(row) => self.implicit(left, row.left)?,
                _ => self.settle_unknown(left)?,
            },
            _ => left,
        };
        let null = null_of(&value.ty)?;
        let ty = value.ty.clone();
        let kind = ExprKind::Case { branches: vec![(equal, null)], otherwise: Some(Box::new(value)) };
        Ok(Expr::new(kind, ty).at(at))
    }

    fn between(&mut self, node: &AExpr, at: Option<usize>) -> PgResult<Expr> {
        let value = self.expr(super::some(&node.lexpr, "BETWEEN's value")?)?;
        let Some(NodeEnum::List(bounds)) = node.rexpr.as_deref().and_then(|n| n.node.as_ref()) else {
            return Err(PgError::internal("BETWEEN without bounds"));
        };
        let mut bounds = self.exprs(&bounds.items)?.into_iter();
        let (Some(low), Some(high)) = (bounds.next(), bounds.next()) else {
            return Err(PgError::internal("BETWEEN without bounds"));
        };
        let negated = matches!(node.kind(), AExprKind::AexprNotBetween | AExprKind::AexprNotBetweenSym);
        let symmetric = matches!(node.kind(), AExprKind::AexprBetweenSym | AExprKind::AexprNotBetweenSym);
        let mut ranges = vec![(low.clone(), high.clone())];
        if symmetric {
            ranges.push((high, low));
        }
        let (above, below) = if negated { ("<", ">") } else { (">=", "<=") };
        let mut tests = Vec::new();
        for (low, high) in ranges {
            let low = self.binary(above, value.clone(), low, at)?;
            let high = self.binary(below, value.clone(), high, at)?;
            tests.push(match negated {
                false => and(vec![low, high]),
                true => Expr::boolean(ExprKind::Or(vec![low, high])),
            });
        }
        Ok(match (tests.len(), negated) {
            (1, _) => tests.remove(0),
            (_, false) => Expr::boolean(ExprKind::Or(tests)),
            (_, true) => and(tests),
        }
        .at(at))
    }

    fn in_list(&mut self, node: &AExpr, negated: bool, at: Option<usize>) -> PgResult<Expr> {
        let value = self.expr(super::some(&node.lexpr, "IN's value")?)?;
        let Some(NodeEnum::List(list)) = node.rexpr.as_deref().and_then(|n| n.node.as_ref()) else {
            return Err(PgError::internal("IN without a list"));
        };
        let list: &[Node] = &list.items;
        let items = self.exprs(list)?;
        let found = self.in_items(value, items, at)?;
        Ok(if negated { Expr::boolean(ExprKind::Not(Box::new(found))) } else { found }.at(at))
    }

    /// `value = item` for any of the items.
    fn in_items(&mut self, value: Expr, items: Vec<Expr>, at: Option<usize>) -> PgResult<Expr> {
        let rows = matches!(value.kind, ExprKind::Row(_));
        let types: Vec<Oid> = std::iter::once(&value).chain(&items).map(|e| e.ty.pg.oid).collect();
        let common = (!rows && items.len() > 1).then(|| overload::common_type(&types)).flatten();
        let items = match common {
            // PostgreSQL compares all with one operator where the items have a common type.
            Some(ty) => items
                .into_iter()
                .map(|i| if i.ty.pg.oid == oid::UNKNOWN { self.implicit(i, ty) } else { Ok(i) })
                .collect::<PgResult<Vec<_>>>()?,
            None => items,
        };
        let mut tests =
            items.into_iter().map(|i| self.binary("=", value.clone(), i, at)).collect::<PgResult<Vec<_>>>()?;
        if tests.len() == 1 {
            return Ok(tests.remove(0));
        }
        // All native on one and the same left side: one look-up in a set.
        let shared = match &tests[0].kind {
            ExprKind::Native { op: Operator::Eq, left, .. } => Some((**left).clone()),
            _ => None,
        };
        if let Some(shared) = shared {
            let fits = |t: &Expr| {
                matches!(&t.kind, ExprKind::Native { op: Operator::Eq, left, right }
                if **left == shared && right.ty.storage == shared.ty.storage)
            };
            if tests.iter().all(fits) {
                let list = tests.into_iter().filter_map(|t| match t.kind {
                    ExprKind::Native { right, .. } => Some(*right),
                    _ => None,
                });
                let list = list.collect();
                return Ok(Expr::boolean(ExprKind::InList { arg: Box::new(shared), list }));
            }
        }
        Ok(Expr::boolean(ExprKind::Or(tests)))
    }

    /// `left op ANY (array)`, `left op ALL (array)`.
    fn quantified(&mut self, name: &str, left: Expr, right: Expr, all: bool, at: Option<usize>) -> PgResult<Expr> {
        let what = if all { "ALL" } else { "ANY" };
        if let (ExprKind::Array(items), false) = (&right.kind, all)
            && name == "="
            && !items.is_empty()
        {
            return self.in_items(left, items.clone(), at);
        }
        let mut right = right;
        let (l, r) = (left.ty.pg.oid, right.ty.pg.oid);
        let element = match r {
            oid::UNKNOWN => oid::UNKNOWN,
            _ => overload::subscript_element(overload::base_type(r)).ok_or_else(|| {
                let message = format!("op {what}/ALL (array) requires array on right side");
                let message = message.replace(&format!("{what}/ALL"), "ANY/ALL");
                with_position(PgError::new(SqlState::WRONG_OBJECT_TYPE, message), at)
            })?,
        };
        let row = match overload::choose_binary(name, l, element) {
            Choice::One(row) => row,
            choice => {
                let (l, r) = (names::type_name(l), names::type_name(element));
                return Err(with_position(no_operator(&format!("{l} {name} {r}"), &choice, 2), at));
            }
        };
        if row.result != oid::BOOL {
            let message = "op ANY/ALL (array) requires operator to yield boolean";
            return Err(with_position(PgError::new(SqlState::WRONG_OBJECT_TYPE, message), at));
        }
        self.functions.insert(row.code);
        let types = self.concrete(&[l, element], &[row.left, row.right], row.result, at)?;
        let left = self.implicit(left, types.0[0])?;
        let array = overload::array_type(types.0[1]).ok_or_else(|| {
            let message = format!("could not find array type for data type {}", names::type_name(types.0[1]));
            with_position(PgError::new(SqlState::UNDEFINED_OBJECT, message), at)
        })?;
        if !matches!(r, oid::OIDVECTOR | oid::INT2VECTOR) || element != types.0[1] {
            right = self.convert(right, PgType::new(array), Context::Implicit)?;
        }
        let right = super::flat_array(right)?;
        let DataType::List(field) = right.ty.storage.clone() else {
            return Err(PgError::internal("an array is a list"));
        };
        let element = ExprType { pg: PgType::new(types.0[1]), storage: field.data_type().clone() };
        let kernel = kernels::operator(row, Some(&left.ty), &element).map_err(|e| with_position(e, at))?;
        let (comparison, left_storage, element_storage) = match kernel {
            OperatorKernel::Native(op, storage) => (lists::Comparison::Native(op), storage.clone(), storage),
            OperatorKernel::Scalar(k) => (lists::Comparison::Scalar(k.udf), k.args[0].clone(), k.args[1].clone()),
        };
        let left = store(left, &left_storage)?;
        let right = match element.storage == element_storage {
            true => right,
            false => {
                let ty = ExprType { pg: right.ty.pg, storage: crate::types::list_of(element_storage) };
                Expr::new(ExprKind::Cast(Box::new(right)), ty)
            }
        };
        let udf = lists::quantified(comparison, all);
        let kind = ExprKind::Scalar { proc: oid::INVALID, udf, args: vec![left, right] };
        Ok(Expr::boolean(kind).at(at))
    }
}

/// Arrays in one storage form.
fn one_form(left: Expr, right: Expr) -> PgResult<(Expr, Expr)> {
    let both = element_field(&left.ty.storage).is_some() && element_field(&right.ty.storage).is_some();
    if !both || left.ty.storage == right.ty.storage {
        return Ok((left, right));
    }
    match super::coerce::common_of_storages(&left.ty.storage, &right.ty.storage) {
        Some(storage) => Ok((store(left, &storage)?, store(right, &storage)?)),
        None => Ok((left, right)),
    }
}

/// Whether this is written as a row of expressions; the row of a table is a value, like any record.
fn is_row(expr: &Expr) -> bool {
    let DataType::Struct(fields) = &expr.ty.storage else { return false };
    let numbered = fields.iter().enumerate().all(|(i, f)| *f.name() == format!("f{}", i + 1));
    matches!(expr.kind, ExprKind::Row(_)) && numbered
}

fn native(op: Operator, left: Expr, right: Expr, storage: &DataType, result: Oid) -> PgResult<Expr> {
    let left = Box::new(store(left, storage)?);
    let right = Box::new(store(right, storage)?);
    Ok(Expr::new(ExprKind::Native { op, left, right }, ExprType::of(PgType::new(result))))
}

/// A numeric literal with its sign turned.
fn negate(expr: &Expr) -> Option<Expr> {
    use datafusion::common::ScalarValue as V;
    let ExprKind::Literal(value) = &expr.kind else { return None };
    let value = match value {
        V::Int32(Some(v)) => V::Int32(Some(v.checked_neg()?)),
        // The only int8 literal whose negative is an int4: PostgreSQL keeps it an int8.
        V::Int64(Some(v)) => V::Int64(Some(v.checked_neg()?)),
        V::Decimal128(Some(v), p, s) => V::Decimal128(Some(v.checked_neg()?), *p, *s),
        _ => return None,
    };
    Some(Expr::literal(value, expr.ty.clone()))
}

fn no_operator<T>(shown: &str, choice: &Choice<T>, operands: usize) -> PgError {
    match choice {
        Choice::Ambiguous => {
            let hint = "Could not choose a best candidate operator. You might need to add explicit type casts.";
            PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("operator is not unique: {shown}")).hint(hint)
        }
        _ => {
            let hint = match operands {
                1 => {
                    "No operator matches the given name and argument type. You might need to add an explicit type cast."
                }
                _ => {
                    "No operator matches the given name and argument types. You might need to add explicit type casts."
                }
            };
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {shown}")).hint(hint)
        }
    }
}
