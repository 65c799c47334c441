//! Expressions: a parse node becomes a typed [`Expr`].

pub mod call;
pub mod coerce;
pub mod constant;
pub mod lists;
pub mod operator;

use super::overload::{self, Context};
use super::scope::Clause;
use super::tree::{Expr, ExprKind, Subquery, SubqueryKind, Truth};
use super::{Binder, names};
use crate::types::array::{check_dimensions, element_field, is_record, is_shaped};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::datatypes::DataType;
use coerce::{store, with_position};
use datafusion::common::ScalarValue;
use pg_query::NodeEnum;
use pg_query::protobuf::{self, BoolExprType, BoolTestType, Node, NullTestType, SubLinkType};

/// A row of expressions, its fields called f1, f2, ….
pub fn row(fields: Vec<Expr>) -> Expr {
    let names: Vec<String> = (1..=fields.len()).map(|n| format!("f{n}")).collect();
    named_row(fields, &names)
}

/// A row of expressions with names.
pub fn named_row(fields: Vec<Expr>, names: &[String]) -> Expr {
    let storage = crate::types::record_of(names.iter().map(String::as_str).zip(fields.iter().map(|f| &f.ty)));
    Expr::new(ExprKind::Row(fields), ExprType { pg: PgType::new(oid::RECORD), storage })
}

/// The fields of a record, and their names.
pub fn fields_of(record: &Expr) -> Option<Vec<(String, Expr)>> {
    let DataType::Struct(fields) = &record.ty.storage else { return None };
    if !is_record(&record.ty.storage) {
        return None;
    }
    let names = fields.iter().map(|f| f.name().clone());
    match &record.kind {
        ExprKind::Row(values) => Some(names.zip(values.iter().cloned()).collect()),
        _ => names
            .enumerate()
            .map(|(i, name)| {
                let (udf, ty) = lists::field_at(&record.ty.storage, i)?;
                Some((name, Expr::new(ExprKind::Scalar { proc: Oid(0), udf, args: vec![record.clone()] }, ty)))
            })
            .collect(),
    }
}

/// `coalesce` of arguments of one type and storage.
pub fn coalesce(args: Vec<Expr>) -> Expr {
    let ty = args[0].ty.clone();
    let udf = datafusion::functions::core::coalesce();
    Expr::new(ExprKind::Scalar { proc: oid::INVALID, udf, args }, ty)
}

/// `value` where `there` is not NULL, else NULL.
pub fn when_not_null(there: Expr, value: Expr) -> Expr {
    let ty = value.ty.clone();
    let branches = vec![(Expr::boolean(ExprKind::IsNotNull(Box::new(there))), value)];
    Expr::new(ExprKind::Case { branches, otherwise: None }, ty)
}

pub fn and(mut list: Vec<Expr>) -> Expr {
    match list.len() {
        0 => Expr::truth(true),
        1 => list.remove(0),
        _ => Expr::boolean(ExprKind::And(list)),
    }
}

fn some<'n>(node: &'n Option<Box<Node>>, what: &str) -> PgResult<&'n Node> {
    node.as_deref().ok_or_else(|| PgError::internal(format!("{what} is missing from the parse tree")))
}

impl Binder<'_> {
    pub(super) fn expr(&mut self, node: &Node) -> PgResult<Expr> {
        let Some(inner) = &node.node else { return Err(PgError::internal("an empty expression")) };
        let at = names::location(node);
        match inner {
            NodeEnum::ColumnRef(n) => self.column_ref(n),
            NodeEnum::AConst(n) => self.constant(n),
            NodeEnum::ParamRef(n) => self.param(n),
            NodeEnum::AExpr(n) => self.operator_expr(n),
            NodeEnum::FuncCall(n) => self.func_call(n),
            NodeEnum::TypeCast(n) => self.type_cast(n),
            NodeEnum::BoolExpr(n) => self.bool_expr(n),
            NodeEnum::NullTest(n) => {
                let arg = self.expr(some(&n.arg, "IS NULL's argument")?)?;
                self.null_test(arg, n.nulltesttype() == NullTestType::IsNull).map(|e| e.at(at))
            }
            NodeEnum::BooleanTest(n) => {
                let (what, test) = match n.booltesttype() {
                    BoolTestType::IsTrue => ("IS TRUE", Truth::True),
                    BoolTestType::IsNotTrue => ("IS NOT TRUE", Truth::NotTrue),
                    BoolTestType::IsFalse => ("IS FALSE", Truth::False),
                    BoolTestType::IsNotFalse => ("IS NOT FALSE", Truth::NotFalse),
                    BoolTestType::IsNotUnknown => ("IS NOT UNKNOWN", Truth::NotUnknown),
                    _ => ("IS UNKNOWN", Truth::Unknown),
                };
                let arg = self.expr(some(&n.arg, what)?)?;
                let arg = self.condition(arg, what)?;
                Ok(Expr::boolean(ExprKind::Truth { test, arg: Box::new(arg) }).at(at))
            }
            NodeEnum::CaseExpr(n) => self.case(n),
            NodeEnum::CoalesceExpr(n) => {
                let args = self.exprs(&n.args)?;
                let (args, _) = self.unify(args, "COALESCE")?;
                without_sets(&args, "COALESCE")?;
                Ok(match args.len() {
                    1 => args.into_iter().next().expect("there is one"),
                    _ => coalesce(args).at(at),
                })
            }
            NodeEnum::MinMaxExpr(n) => self.min_max(n),
            NodeEnum::SqlvalueFunction(n) => self.value_function(n),
            NodeEnum::AArrayExpr(n) => self.array(n),
            NodeEnum::AIndirection(n) => self.indirection(n),
            NodeEnum::RowExpr(n) => {
                let mut fields = Vec::with_capacity(n.args.len());
                for arg in &n.args {
                    let field = self.expr(arg)?;
                    match (names::is_star(arg), fields_of(&field)) {
                        (true, Some(inner)) => fields.extend(inner.into_iter().map(|(_, f)| f)),
                        _ => fields.push(field),
                    }
                }
                Ok(row(fields).at(at))
            }
            NodeEnum::SubLink(n) => self.sub_link(n),
            NodeEnum::CollateClause(n) => self.collate(n),
            NodeEnum::GroupingFunc(n) => {
                let args = self.exprs(&n.args)?;
                Ok(Expr::new(ExprKind::Grouping(args), ExprType::of(PgType::new(oid::INT4))).at(at))
            }
            NodeEnum::NamedArgExpr(n) => self.expr(some(&n.arg, "a named argument")?),
            NodeEnum::SetToDefault(_) => {
                Err(with_position(PgError::new(SqlState::SYNTAX_ERROR, "DEFAULT is not allowed in this context"), at))
            }
            NodeEnum::XmlExpr(_) | NodeEnum::XmlSerialize(_) => Err(with_position(PgError::unsupported("XML"), at)),
            NodeEnum::CurrentOfExpr(_) => Err(PgError::unsupported("WHERE CURRENT OF")),
            _ => Err(with_position(PgError::unsupported("this kind of expression"), at)),
        }
    }

    pub(super) fn exprs(&mut self, nodes: &[Node]) -> PgResult<Vec<Expr>> {
        nodes.iter().map(|n| self.expr(n)).collect()
    }

    fn param(&mut self, node: &protobuf::ParamRef) -> PgResult<Expr> {
        let at = names::offset(node.location);
        let n = usize::try_from(node.number).ok().filter(|n| (1..=65535).contains(n));
        let Some(n) = n else {
            let message = format!("there is no parameter ${}", node.number);
            return Err(with_position(PgError::new(SqlState::UNDEFINED_PARAMETER, message), at));
        };
        if self.params.len() < n {
            self.params.resize(n, None);
        }
        let ty = match self.params[n - 1] {
            Some(ty) if ty.oid != oid::UNKNOWN && ty.oid != oid::INVALID => ExprType::of_parameter(PgType::new(ty.oid)),
            _ => ExprType { pg: PgType::new(oid::UNKNOWN), storage: DataType::Utf8 },
        };
        Ok(Expr::new(ExprKind::Param(n), ty).at(at))
    }

    fn type_cast(&mut self, node: &protobuf::TypeCast) -> PgResult<Expr> {
        let name = node.type_name.as_ref().ok_or_else(|| PgError::internal("a cast without a type"))?;
        let target = self.type_name(name)?;
        let arg = some(&node.arg, "a cast's argument")?;
        // ARRAY[…]::type[] gives its elements the type at once; so may an empty ARRAY[] have one.
        if let (Some(NodeEnum::AArrayExpr(array)), Some(element)) = (&arg.node, overload::element_of(target.oid)) {
            return self.typed_array(array, PgType { oid: element, typmod: target.typmod }, target);
        }
        let at = names::offset(node.location);
        let arg = self.expr(arg)?;
        let had = arg.at;
        let cast = self.convert(arg, target, Context::Explicit).map_err(|mut e| {
            // PostgreSQL points at the cast for a missing cast, at the literal for a literal that cannot be read.
            if e.state == SqlState::CANNOT_COERCE
                && let Some(fields) = &mut e.rest
            {
                fields.position = at.or(had);
            }
            e
        })?;
        Ok(cast.at(at.or(had)))
    }

    /// `ARRAY[…]` whose type is known, which parts of it that are arrays have too.
    fn typed_array(&mut self, node: &protobuf::AArrayExpr, element: PgType, target: PgType) -> PgResult<Expr> {
        let at = names::offset(node.location);
        let mut items = Vec::with_capacity(node.elements.len());
        for item in &node.elements {
            items.push(match &item.node {
                Some(NodeEnum::AArrayExpr(inner)) => self.typed_array(inner, element, target)?,
                _ => self.expr(item)?,
            });
        }
        if items.iter().any(|i| oid::array_element(i.ty.pg.oid).is_some()) {
            let items = items.into_iter().map(|i| self.convert(i, target, Context::Explicit));
            return stacked(items.collect::<PgResult<Vec<_>>>()?).map(|e| e.at(at));
        }
        let storage = element.storage();
        let items = items
            .into_iter()
            .map(|i| self.convert(i, element, Context::Explicit).and_then(|i| store(i, &storage)))
            .collect::<PgResult<Vec<_>>>()?;
        Ok(Expr::new(ExprKind::Array(items), ExprType::of(target)).at(at))
    }

    fn bool_expr(&mut self, node: &protobuf::BoolExpr) -> PgResult<Expr> {
        let what = match node.boolop() {
            BoolExprType::OrExpr => "OR",
            BoolExprType::NotExpr => "NOT",
            _ => "AND",
        };
        let mut args = Vec::with_capacity(node.args.len());
        for arg in &node.args {
            let arg = self.expr(arg)?;
            args.push(self.condition(arg, what)?);
        }
        let kind = match node.boolop() {
            BoolExprType::OrExpr => ExprKind::Or(args),
            BoolExprType::NotExpr => ExprKind::Not(Box::new(args.remove(0))),
            _ => ExprKind::And(args),
        };
        Ok(Expr::boolean(kind).at(names::offset(node.location)))
    }

    pub(super) fn null_test(&mut self, arg: Expr, null: bool) -> PgResult<Expr> {
        if let ExprKind::Row(fields) = arg.kind {
            let tests = fields.into_iter().map(|f| self.null_test(f, null)).collect::<PgResult<Vec<_>>>()?;
            return Ok(and(tests));
        }
        if is_record(&arg.ty.storage) {
            let udf = lists::record_null(!null);
            return Ok(Expr::boolean(ExprKind::Scalar { proc: Oid(0), udf, args: vec![arg] }));
        }
        let arg = Box::new(self.settle_unknown(arg)?);
        Ok(Expr::boolean(if null { ExprKind::IsNull(arg) } else { ExprKind::IsNotNull(arg) }))
    }

    fn case(&mut self, node: &protobuf::CaseExpr) -> PgResult<Expr> {
        let operand = match node.arg.as_deref() {
            Some(arg) => {
                let arg = self.expr(arg)?;
                Some(self.settle_unknown(arg)?)
            }
            None => None,
        };
        let mut conditions = Vec::new();
        let mut results = Vec::new();
        // PostgreSQL looks at ELSE first when it chooses the common type.
        let otherwise = match node.defresult.as_deref() {
            Some(result) => Some(self.expr(result)?),
            None => None,
        };
        for when in &node.args {
            let Some(NodeEnum::CaseWhen(when)) = &when.node else { continue };
            let condition = self.expr(some(&when.expr, "WHEN")?)?;
            let condition = match &operand {
                Some(operand) => {
                    let at = condition.at;
                    self.binary("=", operand.clone(), condition, at)?
                }
                None => condition,
            };
            conditions.push(self.condition(condition, "CASE/WHEN")?);
            results.push(self.expr(some(&when.result, "THEN")?)?);
        }
        without_sets(&conditions, "CASE")?;
        without_sets(&results, "CASE")?;
        without_sets(otherwise.as_slice(), "CASE")?;
        let has_else = otherwise.is_some();
        let otherwise = otherwise.unwrap_or_else(|| constant::unknown(None));
        let all = std::iter::once(otherwise).chain(results).collect();
        let (mut all, ty) = self.unify(all, "CASE")?;
        let otherwise = all.remove(0);
        let branches = conditions.into_iter().zip(all).collect();
        let otherwise = has_else.then(|| Box::new(otherwise));
        Ok(Expr::new(ExprKind::Case { branches, otherwise }, ty).at(names::offset(node.location)))
    }

    fn min_max(&mut self, node: &protobuf::MinMaxExpr) -> PgResult<Expr> {
        let least = node.op() == protobuf::MinMaxOp::IsLeast;
        let name = if least { "LEAST" } else { "GREATEST" };
        let args = self.exprs(&node.args)?;
        let (args, ty) = self.unify(args, name)?;
        if crate::kernels::equality_key(&ty).is_some() && ty.pg.oid != oid::NUMERIC {
            return Err(PgError::unsupported(format!("{name} of {}", names::type_name(ty.pg.oid))));
        }
        let udf = match least {
            true => datafusion::functions::core::least(),
            false => datafusion::functions::core::greatest(),
        };
        let at = names::offset(node.location);
        Ok(Expr::new(ExprKind::Scalar { proc: oid::INVALID, udf, args }, ty).at(at))
    }

    fn value_function(&mut self, node: &protobuf::SqlValueFunction) -> PgResult<Expr> {
        use protobuf::SqlValueFunctionOp as Op;
        let at = names::offset(node.location);
        let (function, ty) = match node.op() {
            Op::SvfopCurrentDate => ("now", Some(oid::DATE)),
            Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => ("now", Some(oid::TIMETZ)),
            Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => ("now", Some(oid::TIMESTAMPTZ)),
            Op::SvfopLocaltime | Op::SvfopLocaltimeN => ("now", Some(oid::TIME)),
            Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => ("now", Some(oid::TIMESTAMP)),
            Op::SvfopSessionUser => ("session_user", None),
            Op::SvfopCurrentCatalog => ("current_database", None),
            Op::SvfopCurrentSchema => ("current_schema", None),
            _ => ("current_user", None),
        };
        let value = self.call_named(function, Vec::new(), at)?;
        match ty {
            Some(ty) => self.convert(value, PgType { oid: ty, typmod: node.typmod }, Context::Explicit),
            None => Ok(value),
        }
    }

    fn array(&mut self, node: &protobuf::AArrayExpr) -> PgResult<Expr> {
        let at = names::offset(node.location);
        if node.elements.is_empty() {
            let error = PgError::new(SqlState::INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                .hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].");
            return Err(with_position(error, at));
        }
        let items = self.exprs(&node.elements)?;
        let (items, ty) = self.unify(items, "ARRAY")?;
        if oid::array_element(ty.pg.oid).is_some() {
            return stacked(items).map(|e| e.at(at));
        }
        let array = overload::array_type(ty.pg.oid).ok_or_else(|| {
            let message = format!("could not find array type for data type {}", names::type_name(ty.pg.oid));
            with_position(PgError::new(SqlState::UNDEFINED_OBJECT, message), at)
        })?;
        let pg = PgType { oid: array, typmod: ty.pg.typmod };
        let ty = match ty.pg.oid {
            // What a record is made of is in its storage alone.
            oid::RECORD => ExprType { pg, storage: crate::types::list_of(ty.storage) },
            _ => ExprType::of(pg),
        };
        let DataType::List(field) = &ty.storage else { return Err(PgError::internal("an array is a list")) };
        let items = items.into_iter().map(|i| store(i, field.data_type())).collect::<PgResult<Vec<_>>>()?;
        Ok(Expr::new(ExprKind::Array(items), ty).at(at))
    }

    fn indirection(&mut self, node: &protobuf::AIndirection) -> PgResult<Expr> {
        let arg = some(&node.arg, "what is subscripted")?;
        let at = names::location(arg);
        // (srf(…)).column over a function with several result columns.
        if let [field] = node.indirection.as_slice()
            && let (Some(NodeEnum::String(field)), Some(NodeEnum::FuncCall(call))) = (&field.node, &arg.node)
            && let Some(found) = self.field_of_function(call, &field.sval)?
        {
            return Ok(found.at(at));
        }
        let mut value = self.expr(arg)?;
        let mut steps = node.indirection.iter().peekable();
        while let Some(step) = steps.next() {
            value = match &step.node {
                Some(NodeEnum::AIndices(indices)) => {
                    // An array takes all the subscripts that follow each other; jsonb one after the other.
                    let mut all = vec![&**indices];
                    let array = overload::element_of(value.ty.pg.oid).is_some();
                    while array && let Some(Some(NodeEnum::AIndices(next))) = steps.peek().map(|n| &n.node) {
                        all.push(next);
                        steps.next();
                    }
                    match all.as_slice() {
                        [one] if !one.is_slice => {
                            let index = self.expr(some(&one.uidx, "a subscript")?)?;
                            self.subscript(value, index)?
                        }
                        _ if all.iter().any(|i| i.is_slice) => self.slice(value, &all)?,
                        _ => self.subscripts(value, &all)?,
                    }
                }
                Some(NodeEnum::String(field)) if is_record(&value.ty.storage) => {
                    let found = fields_of(&value).into_iter().flatten().find(|(name, _)| *name == field.sval);
                    let (_, found) = found.ok_or_else(|| {
                        let error = match names::column_name(arg) {
                            Some(table) => {
                                let message = format!("column {table}.{} does not exist", field.sval);
                                PgError::new(SqlState::UNDEFINED_COLUMN, message)
                            }
                            None => call::no_field(&field.sval),
                        };
                        with_position(error, names::location(arg).or(at))
                    })?;
                    self.settle_unknown(found)?
                }
                Some(NodeEnum::String(field)) if value.ty.pg.oid != oid::RECORD => {
                    let message = format!(
                        "column notation .{} applied to type {}, which is not a composite type",
                        field.sval,
                        names::type_name(value.ty.pg.oid)
                    );
                    return Err(with_position(PgError::new(SqlState::WRONG_OBJECT_TYPE, message), at));
                }
                _ => return Err(with_position(PgError::unsupported("selecting a field of a record"), at)),
            };
        }
        Ok(value.at(at))
    }

    fn subscript(&mut self, value: Expr, index: Expr) -> PgResult<Expr> {
        let at = value.at;
        if value.ty.pg.oid == oid::JSONB {
            return self.binary("->", value, index, at);
        }
        if value.ty.pg.oid == oid::NAME {
            let index = self.array_index(index)?;
            let ty = ExprType::of(PgType::new(oid::CHAR));
            let kind = ExprKind::Scalar { proc: oid::INVALID, udf: lists::name_byte(), args: vec![value, index] };
            return Ok(Expr::new(kind, ty).at(at));
        }
        let Some(element) = overload::subscript_element(value.ty.pg.oid) else {
            let name = names::type_name(value.ty.pg.oid);
            let message = format!("cannot subscript type {name} because it does not support subscripting");
            return Err(with_position(PgError::new(SqlState::DATATYPE_MISMATCH, message), at));
        };
        let index = self.array_index(index)?;
        if is_shaped(&value.ty.storage) {
            let kernel = crate::kernels::array_element(&value.ty, 1)?;
            return coerce::call(oid::INVALID, &kernel, vec![value, index]).map(|e| e.at(at));
        }
        // The vectors of the catalogs count from 0, arrays from 1.
        let base = if matches!(value.ty.pg.oid, oid::INT2VECTOR | oid::OIDVECTOR) { 0 } else { 1 };
        let ty = PgType { oid: element, typmod: value.ty.pg.typmod };
        let DataType::List(field) = &value.ty.storage else { return Err(PgError::internal("an array is a list")) };
        let ty = ExprType { pg: ty, storage: field.data_type().clone() };
        let udf = lists::element_at(base);
        Ok(Expr::new(ExprKind::Scalar { proc: oid::INVALID, udf, args: vec![value, index] }, ty).at(at))
    }

    fn array_index(&mut self, index: Expr) -> PgResult<Expr> {
        if index.ty.pg.oid != oid::UNKNOWN
            && !overload::can_coerce(&[index.ty.pg.oid], &[oid::INT4], Context::Assignment)
        {
            let message = "array subscript must have type integer";
            return Err(with_position(PgError::new(SqlState::DATATYPE_MISMATCH, message), index.at));
        }
        self.convert(index, PgType::new(oid::INT4), Context::Assignment)
    }

    /// `array[i][j]…`
    fn subscripts(&mut self, value: Expr, indices: &[&protobuf::AIndices]) -> PgResult<Expr> {
        let at = value.at;
        check_dimensions(indices.len())?;
        let kernel = crate::kernels::array_element(&value.ty, indices.len())?;
        let mut args = vec![value];
        for index in indices {
            let index = self.expr(some(&index.uidx, "a subscript")?)?;
            args.push(self.array_index(index)?);
        }
        coerce::call(oid::INVALID, &kernel, args).map(|e| e.at(at))
    }

    /// `array[from:to]…`; a bound that is left out is the array's own, and beside a slice `n` means `1:n`.
    fn slice(&mut self, value: Expr, indices: &[&protobuf::AIndices]) -> PgResult<Expr> {
        let at = value.at;
        if value.ty.pg.oid == oid::JSONB {
            let message = "jsonb subscript does not support slices";
            return Err(with_position(PgError::new(SqlState::DATATYPE_MISMATCH, message), at));
        }
        if overload::element_of(value.ty.pg.oid).is_none() {
            return Err(with_position(PgError::unsupported("a slice of what is no array"), at));
        }
        check_dimensions(indices.len())?;
        let mut open = Vec::with_capacity(indices.len());
        let mut args = Vec::with_capacity(indices.len() * 2 + 1);
        for index in indices {
            let mut bound = |node: Option<&Node>| -> PgResult<Expr> {
                let Some(node) = node else { return Ok(constant::int4(1)) };
                let index = self.expr(node)?;
                self.array_index(index)
            };
            open.push((index.is_slice && index.lidx.is_none(), index.uidx.is_none()));
            args.push(bound(index.lidx.as_deref())?);
            args.push(bound(index.uidx.as_deref())?);
        }
        let kernel = crate::kernels::array_slice(&value.ty, &open)?;
        args.insert(0, value);
        coerce::call(oid::INVALID, &kernel, args).map(|e| e.at(at))
    }

    fn collate(&mut self, node: &protobuf::CollateClause) -> PgResult<Expr> {
        let arg = self.expr(some(&node.arg, "COLLATE's argument")?)?;
        let arg = self.settle_unknown(arg)?;
        let at = names::offset(node.location);
        let name = names::strings(&node.collname);
        match name.last() {
            // All text is compared by its bytes.
            Some(&("default" | "C" | "POSIX" | "ucs_basic")) => Ok(arg),
            _ => {
                let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", name.join("."));
                Err(with_position(PgError::new(SqlState::UNDEFINED_OBJECT, message), at))
            }
        }
    }

    fn sub_link(&mut self, node: &protobuf::SubLink) -> PgResult<Expr> {
        let at = names::offset(node.location);
        let Some(NodeEnum::SelectStmt(select)) = node.subselect.as_deref().and_then(|n| n.node.as_ref()) else {
            return Err(PgError::internal("a subquery that is no SELECT"));
        };
        let kind = node.sub_link_type();
        let test = match node.testexpr.as_deref() {
            Some(test) => Some(self.expr(test)?),
            None => None,
        };
        let query = self.query(select, kind != SubLinkType::ExistsSublink)?;
        let one_column = || match query.columns.as_slice() {
            [one] => Ok(one.clone()),
            _ => {
                let message = "subquery must return only one column";
                Err(with_position(PgError::new(SqlState::SYNTAX_ERROR, message), at))
            }
        };
        match kind {
            SubLinkType::ExistsSublink => {
                let subquery = Subquery { kind: SubqueryKind::Exists, rel: query.rel };
                Ok(Expr::boolean(ExprKind::Subquery(Box::new(subquery))).at(at))
            }
            SubLinkType::ExprSublink => {
                let column = one_column()?;
                let subquery = Subquery { kind: SubqueryKind::Scalar(column.id), rel: query.rel };
                Ok(Expr::new(ExprKind::Subquery(Box::new(subquery)), column.ty).at(at))
            }
            SubLinkType::ArraySublink => {
                let column = one_column()?;
                self.array_subquery(query.rel, column.id, column.ty).map(|e| e.at(at))
            }
            SubLinkType::AnySublink | SubLinkType::AllSublink => {
                let test = test.ok_or_else(|| PgError::internal("a quantified subquery without a test"))?;
                let names = names::strings(&node.oper_name);
                let operator = names.last().copied().unwrap_or("=");
                let right: Vec<Expr> = query.columns.iter().map(|c| Expr::column(c.id, c.ty.clone())).collect();
                let left = match test.kind {
                    ExprKind::Row(fields) => fields,
                    _ => vec![test],
                };
                if left.len() != right.len() {
                    let what = if left.len() < right.len() { "many" } else { "few" };
                    let message = format!("subquery has too {what} columns");
                    return Err(with_position(PgError::new(SqlState::SYNTAX_ERROR, message), at));
                }
                let right_row = if right.len() == 1 { right.into_iter().next() } else { Some(row(right)) };
                let left_row = if left.len() == 1 { left.into_iter().next() } else { Some(row(left)) };
                let (Some(left), Some(right)) = (left_row, right_row) else {
                    return Err(PgError::internal("a row without fields"));
                };
                let test = self.binary(operator, left, right, at)?;
                let test = self.condition(test, "a subquery's operator")?;
                let all = kind == SubLinkType::AllSublink;
                let test = if all { Expr::boolean(ExprKind::Not(Box::new(test))) } else { test };
                let subquery = Subquery { kind: SubqueryKind::Any(Box::new(test)), rel: query.rel };
                let any = Expr::boolean(ExprKind::Subquery(Box::new(subquery))).at(at);
                Ok(if all { Expr::boolean(ExprKind::Not(Box::new(any))).at(at) } else { any })
            }
            _ => Err(with_position(PgError::unsupported("this kind of subquery"), at)),
        }
    }

    /// `ARRAY(SELECT …)`: the column gathered in the order of the subquery; no rows give an empty array.
    fn array_subquery(&mut self, rel: super::Rel, id: super::tree::ColId, ty: ExprType) -> PgResult<Expr> {
        use super::tree::{Aggregate, AggregateCall, Rel};
        const ARRAY_AGG: crate::types::Oid = crate::types::Oid(2335);
        const ARRAY_AGG_OF_ARRAYS: crate::types::Oid = crate::types::Oid(4053);
        let proc = if oid::array_element(ty.pg.oid).is_some() { ARRAY_AGG_OF_ARRAYS } else { ARRAY_AGG };
        let kernel = crate::kernels::aggregate(proc, std::slice::from_ref(&ty))?;
        let mut rel = rel;
        let order_by = super::aggregate::row_order(&mut rel);
        let arg = store(Expr::column(id, ty), &kernel.args[0])?;
        let call = AggregateCall {
            proc,
            udf: std::sync::Arc::clone(&kernel.udf),
            args: vec![arg],
            distinct: false,
            filter: None,
            order_by,
        };
        let out = self.new_id();
        let ty = kernel.result.clone();
        let aggregate = Aggregate { input: rel, keys: Vec::new(), sets: None, calls: vec![(out, ty.clone(), call)] };
        let subquery = Subquery { kind: SubqueryKind::Scalar(out), rel: Rel::Aggregate(Box::new(aggregate)) };
        let value = Expr::new(ExprKind::Subquery(Box::new(subquery)), ty.clone());
        let plain = ExprType { storage: plain_storage(&ty.storage), ..ty.clone() };
        let empty = store(Expr::new(ExprKind::Array(Vec::new()), plain), &ty.storage)?;
        Ok(coalesce(vec![value, empty]))
    }

    /// A whole-number constant's value, for things that DataFusion wants as constants.
    pub(super) fn as_bigint(&mut self, node: &Node, what: &str) -> PgResult<Expr> {
        let expr = self.within(Clause::Limit, |b| b.expr(node))?;
        if expr.any(&mut |e| matches!(e.kind, ExprKind::Column(_))) {
            let message = format!("argument of {what} must not contain variables");
            return Err(with_position(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message), expr.at));
        }
        let from = expr.ty.pg.oid;
        if from != oid::UNKNOWN && !overload::can_coerce(&[from], &[oid::INT8], Context::Assignment) {
            let message = format!("argument of {what} must be type bigint, not type {}", names::type_name(from));
            return Err(with_position(PgError::new(SqlState::DATATYPE_MISMATCH, message), expr.at));
        }
        let expr = self.convert(expr, PgType::new(oid::INT8), Context::Assignment)?;
        Ok(match super::window::constant_of(&expr) {
            Ok(value) => Expr::literal(value, expr.ty).at(expr.at),
            Err(_) => expr,
        })
    }
}

/// The lists of an array's elements, whatever its shape.
fn plain_storage(storage: &DataType) -> DataType {
    element_field(storage).map_or_else(|| storage.clone(), |f| crate::types::list_of(f.data_type().clone()))
}

/// The array as a list of its elements, for whom its shape does not count.
pub fn flat_array(array: Expr) -> PgResult<Expr> {
    if !is_shaped(&array.ty.storage) {
        return Ok(array);
    }
    let at = array.at;
    let kernel = crate::kernels::array_elements(&array.ty)?;
    coerce::call(oid::INVALID, &kernel, vec![array]).map(|e| e.at(at))
}

/// `ARRAY[…]` of arrays, all of one type and storage.
fn stacked(items: Vec<Expr>) -> PgResult<Expr> {
    let ty = items[0].ty.pg;
    let storage = coerce::common_storage(ty, items.iter());
    let items = items.into_iter().map(|i| store(i, &storage)).collect::<PgResult<Vec<_>>>()?;
    let kernel = crate::kernels::array_of_arrays(&ExprType { pg: ty, storage }, items.len())?;
    coerce::call(oid::INVALID, &kernel, items)
}

/// NULL of a storage form.
pub fn null_of(ty: &ExprType) -> PgResult<Expr> {
    Ok(Expr::literal(ScalarValue::try_new_null(&ty.storage)?, ty.clone()))
}

/// Sets of rows have no place where not all arguments are looked at.
fn without_sets(exprs: &[Expr], what: &str) -> PgResult<()> {
    match exprs.iter().find(|e| e.any(&mut |e| matches!(e.kind, ExprKind::Unnest(_)))) {
        None => Ok(()),
        Some(set) => {
            let message = format!("set-returning functions are not allowed in {what}");
            let hint = "You might be able to move the set-returning function into a LATERAL FROM item.";
            let error = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).hint(hint);
            Err(coerce::with_position(error, set.at))
        }
    }
}
