//! Calls: scalar functions, aggregates, window functions, set-returning functions.

use super::coerce::{call, store, with_position};
use super::constant::unknown;
use super::lists;
use crate::bind::overload::{self, Candidate, Choice, Context};
use crate::bind::scope::Clause;
use crate::bind::tree::{AggregateCall, Expr, ExprKind, SortKey, WindowCall, WindowFunction};
use crate::bind::{Binder, names};
use crate::kernels::facts::{ProcRow, facts};
use crate::kernels::{self, Over, SetKernel};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::Array;
use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node};
use std::sync::Arc;

const UNNEST: Oid = Oid(2331);

/// A call whose function is chosen and whose arguments are of its types.
pub(in crate::bind) struct Resolved {
    pub row: &'static ProcRow,
    pub args: Vec<Expr>,
}

/// A set-returning call in a FROM clause: the lists that become its columns.
pub(in crate::bind) struct SetCall {
    /// The function's own name for each column, its type, and the list of its values.
    pub columns: Vec<(String, ExprType, Expr)>,
}

impl Binder<'_> {
    pub(super) fn func_call(&mut self, node: &FuncCall) -> PgResult<Expr> {
        let at = names::offset(node.location);
        let name = self.function_name(node)?;
        let is = |kind: char| facts().procs_named(&name).any(|p| p.kind == kind);
        let windowed = node.over.is_some();
        let aggregate = node.agg_star
            || node.agg_distinct
            || node.agg_within_group
            || node.agg_filter.is_some()
            || !node.agg_order.is_empty()
            || is('a');
        if windowed {
            return self.window_call(node, &name, at).map_err(|e| with_position(e, at));
        }
        if is('w') && !is('f') && !node.agg_within_group && !is('a') {
            let message = format!("window function {name} requires an OVER clause");
            return Err(with_position(PgError::new(SqlState::WRONG_OBJECT_TYPE, message), at));
        }
        if aggregate {
            return self.aggregate_call(node, &name, at).map_err(|e| with_position(e, at));
        }
        let (args, arg_names) = self.call_args(node)?;
        let made = self.call_with(&name, args, &arg_names, node.func_variadic, at);
        made.map(|e| e.at(at)).map_err(|e| with_position(e, at))
    }

    fn function_name(&self, node: &FuncCall) -> PgResult<String> {
        let at = names::offset(node.location);
        let parts = names::strings(&node.funcname);
        let (schema, name) = match parts.as_slice() {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            [_, schema, name] => (Some(*schema), *name),
            _ => return Err(PgError::new(SqlState::SYNTAX_ERROR, "improper qualified name (too many dotted names)")),
        };
        match schema {
            None | Some("pg_catalog" | "information_schema" | "sluice") => Ok(name.to_string()),
            Some(schema) if self.catalog.namespace_named(schema).is_none() => {
                let message = format!("schema \"{schema}\" does not exist");
                Err(with_position(PgError::new(SqlState::INVALID_SCHEMA_NAME, message), at))
            }
            Some(schema) => {
                let message = format!("function {schema}.{name}() does not exist");
                Err(with_position(PgError::new(SqlState::UNDEFINED_FUNCTION, message), at))
            }
        }
    }

    fn call_args(&mut self, node: &FuncCall) -> PgResult<(Vec<Expr>, Vec<String>)> {
        let mut args = Vec::with_capacity(node.args.len());
        let mut arg_names = Vec::new();
        for arg in &node.args {
            match &arg.node {
                Some(NodeEnum::NamedArgExpr(named)) => {
                    if arg_names.contains(&named.name) {
                        let message = format!("argument name \"{}\" used more than once", named.name);
                        let error = PgError::new(SqlState::SYNTAX_ERROR, message);
                        return Err(with_position(error, names::offset(named.location)));
                    }
                    arg_names.push(named.name.clone());
                }
                _ if !arg_names.is_empty() => {
                    let message = "positional argument cannot follow named argument";
                    let error = PgError::new(SqlState::SYNTAX_ERROR, message);
                    return Err(with_position(error, names::location(arg)));
                }
                _ => {}
            }
            args.push(self.expr(arg)?);
        }
        Ok((args, arg_names))
    }

    /// A call of an immutable or session function by name, for syntax that stands for one.
    pub(in crate::bind) fn call_named(&mut self, name: &str, args: Vec<Expr>, at: Option<usize>) -> PgResult<Expr> {
        self.call_with(name, args, &[], false, at).map(|e| e.at(at)).map_err(|e| with_position(e, at))
    }

    fn call_with(
        &mut self,
        name: &str,
        args: Vec<Expr>,
        arg_names: &[String],
        variadic: bool,
        at: Option<usize>,
    ) -> PgResult<Expr> {
        if let Some(kernel) = own_set(name, &args)? {
            return self.records_in_select(kernel, args, at);
        }
        let found = overload::candidates(name, args.len(), arg_names, variadic);
        if let Some(cast) = self.call_as_cast(name, &found, &args)? {
            return Ok(cast);
        }
        let resolved = self.resolve(name, found, args, arg_names, variadic)?;
        if resolved.row.returns_set {
            return self.set_in_select(resolved, at);
        }
        let types: Vec<ExprType> = resolved.args.iter().map(|a| a.ty.clone()).collect();
        let kernel = kernels::scalar(resolved.row.oid, &types)?;
        call(resolved.row.oid, &kernel, resolved.args)
    }

    /// `text(x)`, `int4(x)`: a type's name called like a function is a cast, where no function fits exactly.
    fn call_as_cast(&mut self, name: &str, found: &[Candidate], args: &[Expr]) -> PgResult<Option<Expr>> {
        let [arg] = args else { return Ok(None) };
        let Some(ty) = facts().type_named(name) else { return Ok(None) };
        let from = arg.ty.pg.oid;
        if found.iter().any(|c| c.args == [from]) {
            return Ok(None);
        }
        let castable = match from {
            oid::UNKNOWN => true,
            oid::RECORD if overload::category(ty.oid) == 'S' => false,
            _ => matches!(
                overload::pathway(from, ty.oid, Context::Explicit),
                Some(overload::Path::Relabel | overload::Path::Text)
            ),
        };
        if !castable {
            return Ok(None);
        }
        self.convert(arg.clone(), PgType::new(ty.oid), Context::Explicit).map(Some)
    }

    fn resolve(
        &mut self,
        name: &str,
        found: Vec<Candidate>,
        args: Vec<Expr>,
        arg_names: &[String],
        variadic: bool,
    ) -> PgResult<Resolved> {
        // The elements of a written array are as good as arguments of their own where any type will do.
        let mut args = args;
        if variadic && found.iter().any(|c| c.row.variadic == oid::ANY) {
            let spread = match args.pop() {
                Some(Expr { kind: ExprKind::Array(items), .. }) => Some(items),
                Some(expr @ Expr { kind: ExprKind::Literal(_), .. }) => literal_elements(&expr)?,
                _ => None,
            };
            let refused = || PgError::unsupported(format!("VARIADIC of a computed array with {name}()"));
            let spread = spread.ok_or_else(refused)?;
            args.extend(spread);
            let found = overload::candidates(name, args.len(), arg_names, false);
            return self.resolve(name, found, args, arg_names, false);
        }
        let inputs: Vec<Oid> = args.iter().map(|a| a.ty.pg.oid).collect();
        let chosen = match overload::choose_function(&found, &inputs) {
            Choice::One(candidate) => candidate,
            choice => return Err(no_function(name, &inputs, arg_names, &choice)),
        };
        self.functions.insert(chosen.row.oid);
        let args: Vec<Expr> = match &chosen.order {
            None => args,
            Some(order) => {
                let given = |(place, from): (usize, &usize)| match args.get(*from) {
                    Some(arg) => arg.clone(),
                    None => unknown(overload::default_at(chosen.row, place).map(str::to_string)),
                };
                order.iter().enumerate().map(given).collect()
            }
        };
        let (mut args, mut declared) = (args, chosen.args.clone());
        if chosen.defaults > 0 {
            let defaults = overload::defaults(chosen.row);
            let absent = &defaults[defaults.len().saturating_sub(chosen.defaults)..];
            declared.truncate(args.len());
            declared.extend(chosen.row.args.iter().skip(args.len()).take(absent.len()));
            args.extend(absent.iter().map(|text| unknown(Some(text.to_string()))));
        }
        let inputs: Vec<Oid> = args.iter().map(|a| a.ty.pg.oid).collect();
        let (types, _) = self.concrete(&inputs, &declared, chosen.row.result, None)?;
        let mut converted = Vec::with_capacity(args.len());
        for (arg, ty) in args.into_iter().zip(types) {
            converted.push(match ty {
                // What the type of a literal is may be asked before it has one.
                oid::ANY if chosen.row.name == "pg_typeof" && arg.ty.pg.oid == oid::UNKNOWN => arg,
                oid::ANY => self.settle_unknown(arg)?,
                ty => self.implicit(arg, ty)?,
            });
        }
        if chosen.variadic > 0 && chosen.row.variadic != oid::ANY {
            let spread = converted.split_off(converted.len() - chosen.variadic);
            let element = spread.first().map_or(chosen.row.variadic, |e| e.ty.pg.oid);
            let array = overload::array_type(element)
                .ok_or_else(|| PgError::internal("a variadic argument without an array type"))?;
            let ty = ExprType::of(PgType::new(array));
            let storage = PgType::new(element).storage();
            let spread = spread.into_iter().map(|e| store(e, &storage)).collect::<PgResult<Vec<_>>>()?;
            converted.push(Expr::new(ExprKind::Array(spread), ty));
        }
        Ok(Resolved { row: chosen.row, args: converted })
    }

    fn sets_are_allowed(&self, at: Option<usize>) -> PgResult<()> {
        if self.clause() == Clause::Select {
            return Ok(());
        }
        let what = self.clause().without_aggregates().unwrap_or("this clause");
        let message = format!("set-returning functions are not allowed in {what}");
        Err(with_position(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message), at))
    }

    /// A set of records in the select list: one column of records.
    fn records_in_select(&mut self, kernel: SetKernel, args: Vec<Expr>, at: Option<usize>) -> PgResult<Expr> {
        self.sets_are_allowed(at)?;
        let ty = lists::record_type(&kernel);
        let list_ty = ExprType {
            pg: PgType::new(oid::array_of(oid::RECORD).unwrap_or(oid::ANYARRAY)),
            storage: crate::types::list_of(ty.storage.clone()),
        };
        let args = args.into_iter().zip(&kernel.args).map(|(a, s)| store(a, s)).collect::<PgResult<Vec<_>>>()?;
        let udf = lists::set_records(kernel);
        let list = Expr::new(ExprKind::Scalar { proc: Oid(0), udf, args }, list_ty);
        Ok(Expr::new(ExprKind::Unnest(Box::new(list)), ty))
    }

    /// A set-returning function in the select list: one column of it.
    fn set_in_select(&mut self, resolved: Resolved, at: Option<usize>) -> PgResult<Expr> {
        self.sets_are_allowed(at)?;
        if resolved.row.oid != UNNEST {
            let types: Vec<ExprType> = resolved.args.iter().map(|a| a.ty.clone()).collect();
            let kernel = kernels::set_returning(resolved.row.oid, &types)?;
            if kernel.columns.len() != 1 {
                return self.records_in_select(kernel, resolved.args, at);
            }
        }
        let mut columns = self.set_columns(resolved)?.columns;
        let (_, ty, list) = columns.remove(0);
        Ok(Expr::new(ExprKind::Unnest(Box::new(list)), ty))
    }

    fn set_columns(&mut self, resolved: Resolved) -> PgResult<SetCall> {
        let Resolved { row, args } = resolved;
        if row.oid == UNNEST {
            let list = args.into_iter().next().ok_or_else(|| PgError::internal("unnest without an argument"))?;
            let element = overload::subscript_element(list.ty.pg.oid)
                .ok_or_else(|| PgError::unsupported(format!("unnest({})", names::type_name(list.ty.pg.oid))))?;
            let list = super::flat_array(list)?;
            let arrow::datatypes::DataType::List(field) = &list.ty.storage else {
                return Err(PgError::internal("an array is a list"));
            };
            let pg = PgType { oid: element, typmod: list.ty.pg.typmod };
            let ty = ExprType { pg, storage: field.data_type().clone() };
            return Ok(SetCall { columns: vec![(row.name.to_string(), ty, list)] });
        }
        let types: Vec<ExprType> = args.iter().map(|a| a.ty.clone()).collect();
        columns_of(row.oid, kernels::set_returning(row.oid, &types)?, args)
    }

    /// A function in FROM. A function that gives one value is a set of one row.
    pub(in crate::bind) fn set_call(&mut self, node: &Node, definitions: &[Node]) -> PgResult<(String, SetCall)> {
        let Some(NodeEnum::FuncCall(function)) = &node.node else {
            // CURRENT_DATE and its like are functions too.
            let value = self.expr(node)?;
            let ty = value.ty.clone();
            let name = names::figure(node);
            let list = singleton(value)?;
            return Ok((name.clone(), SetCall { columns: vec![(name, ty, list)] }));
        };
        let at = names::offset(function.location);
        let name = self.function_name(function)?;
        let (args, arg_names) = self.call_args(function)?;
        // unnest(a, b, …) of several arrays runs them side by side.
        if name == "unnest" && args.len() > 1 {
            let mut columns = Vec::new();
            for arg in args {
                let found = overload::candidates(&name, 1, &[], false);
                let resolved = self.resolve(&name, found, vec![arg], &[], false).map_err(|e| with_position(e, at))?;
                columns.extend(self.set_columns(resolved)?.columns);
            }
            return Ok((name, SetCall { columns }));
        }
        let found = overload::candidates(&name, args.len(), &arg_names, function.func_variadic);
        let resolved =
            self.resolve(&name, found, args, &arg_names, function.func_variadic).map_err(|e| with_position(e, at))?;
        if resolved.row.kind != 'f' {
            let message = match resolved.row.kind {
                'a' => "aggregate functions are not allowed in functions in FROM",
                _ => "window functions are not allowed in functions in FROM",
            };
            return Err(with_position(PgError::new(SqlState::GROUPING_ERROR, message), at));
        }
        // A base record of no named type is what the query declares.
        let base = resolved.args.first().filter(|arg| {
            resolved.row.result == oid::ANYELEMENT
                && resolved.row.args.first() == Some(&oid::ANYELEMENT)
                && arg.ty.pg.oid == oid::RECORD
                && resolved.row.name.contains("populate_record")
        });
        let base = base.map(|arg| arg.ty.clone());
        let is_record = base.is_some()
            || resolved.row.result == oid::RECORD && !resolved.row.modes.iter().any(|m| matches!(m, 'o' | 't'));
        if is_record == definitions.is_empty() {
            let message = match is_record {
                true => "a column definition list is required for functions returning \"record\"",
                false => "a column definition list is only allowed for functions returning \"record\"",
            };
            let at = match definitions.first().and_then(|d| d.node.as_ref()) {
                Some(NodeEnum::ColumnDef(column)) => names::offset(column.location),
                _ => at,
            };
            return Err(with_position(PgError::new(SqlState::SYNTAX_ERROR, message), at));
        }
        if is_record {
            let mut columns = Vec::with_capacity(definitions.len());
            for definition in definitions {
                let Some(NodeEnum::ColumnDef(column)) = &definition.node else { continue };
                let ty = column.type_name.as_ref().ok_or_else(|| PgError::internal("a column without a type"))?;
                columns.push((column.colname.clone(), self.type_name(ty)?));
            }
            let kernel =
                kernels::json_records(resolved.row, columns, base.as_ref()).map_err(|e| with_position(e, at))?;
            return Ok((name, columns_of(resolved.row.oid, kernel, resolved.args)?));
        }
        if resolved.row.returns_set {
            let set = self.set_columns(resolved).map_err(|e| with_position(e, at))?;
            return Ok((name, set));
        }
        let types: Vec<ExprType> = resolved.args.iter().map(|a| a.ty.clone()).collect();
        let kernel = kernels::scalar(resolved.row.oid, &types).map_err(|e| with_position(e, at))?;
        let value = call(resolved.row.oid, &kernel, resolved.args)?;
        let ty = value.ty.clone();
        let list = singleton(value)?;
        Ok((name.clone(), SetCall { columns: vec![(name, ty, list)] }))
    }

    /// `(f(…)).column` of a set-returning function with several columns.
    pub(super) fn field_of_function(&mut self, node: &FuncCall, field: &str) -> PgResult<Option<Expr>> {
        if node.over.is_some() || node.agg_star {
            return Ok(None);
        }
        let name = self.function_name(node)?;
        if name != "_pg_expandarray" && !facts().procs_named(&name).any(|p| p.returns_set) {
            return Ok(None);
        }
        let (args, arg_names) = self.call_args(node)?;
        let set = match own_set(&name, &args)? {
            Some(kernel) => columns_of(Oid(0), kernel, args)?,
            None => {
                let found = overload::candidates(&name, args.len(), &arg_names, node.func_variadic);
                let resolved = self.resolve(&name, found, args, &arg_names, node.func_variadic)?;
                if !resolved.row.returns_set {
                    return Ok(None);
                }
                self.set_columns(resolved)?
            }
        };
        let column = set.columns.into_iter().find(|(n, _, _)| n == field);
        let (_, ty, list) = column.ok_or_else(|| no_field(field))?;
        Ok(Some(Expr::new(ExprKind::Unnest(Box::new(list)), ty)))
    }

    /// The function, the order of its rows, and its arguments as they were written.
    fn aggregate_parts(&mut self, node: &FuncCall, name: &str) -> PgResult<(Resolved, Vec<SortKey>, Vec<Expr>)> {
        let (mut args, arg_names) = self.call_args(node)?;
        let order_by = match node.agg_within_group {
            false => self.sort_keys_plain(&node.agg_order)?,
            true => {
                let keys = self.sort_keys_plain(&node.agg_order)?;
                args.extend(keys.iter().map(|k| k.expr.clone()));
                keys
            }
        };
        let found = overload::candidates(name, args.len(), &arg_names, node.func_variadic);
        let written = args.clone();
        let resolved = self.resolve(name, found, args, &arg_names, node.func_variadic)?;
        Ok((resolved, order_by, written))
    }

    /// `rank(1, 'x') WITHIN GROUP (ORDER BY a, b)`: each direct argument is of the type of its place in the order.
    fn hypothetical_call(&mut self, node: &FuncCall, name: &str, at: Option<usize>) -> PgResult<Expr> {
        let row = hypothetical_row(name).ok_or_else(|| PgError::internal("a hypothetical-set aggregate"))?;
        let (direct, keys) = self.within(Clause::Aggregate, |b| {
            let (direct, _) = b.call_args(node)?;
            Ok((direct, b.sort_keys_plain(&node.agg_order)?))
        })?;
        if direct.len() != keys.len() {
            let inputs: Vec<Oid> = direct.iter().chain(keys.iter().map(|k| &k.expr)).map(|e| e.ty.pg.oid).collect();
            let hint = format!(
                "To use the hypothetical-set aggregate {name}, the number of hypothetical direct arguments (here {}) must \
                 match the number of ordering columns (here {}).",
                direct.len(),
                keys.len()
            );
            let missing: Choice<()> = Choice::None;
            return Err(no_function(name, &inputs, &[], &missing).hint(hint));
        }
        let (mut values, mut ordered, mut options) = (Vec::new(), Vec::new(), Vec::new());
        for (value, key) in direct.into_iter().zip(keys) {
            let (pair, _) = self.unify(vec![key.expr, value], "WITHIN GROUP")?;
            let [of_rows, given]: [Expr; 2] =
                pair.try_into().map_err(|_| PgError::internal("two expressions stay two"))?;
            ordered.push(of_rows);
            values.push(given);
            options.push(arrow::compute::SortOptions { descending: key.descending, nulls_first: key.nulls_first });
        }
        let filter = match node.agg_filter.as_deref() {
            Some(filter) => {
                let filter = self.within(Clause::Filter, |b| b.expr(filter))?;
                Some(self.condition(filter, "FILTER")?)
            }
            None => None,
        };
        values.extend(ordered);
        let types: Vec<ExprType> = values.iter().map(|a| a.ty.clone()).collect();
        let kernel = kernels::hypothetical(row.oid, &types, &options)?;
        self.functions.insert(row.oid);
        let args = values.into_iter().zip(&kernel.args).map(|(a, s)| store(a, s)).collect::<PgResult<Vec<_>>>()?;
        let call =
            AggregateCall { proc: row.oid, udf: kernel.udf, args, distinct: false, filter, order_by: Vec::new() };
        Ok(Expr::new(ExprKind::Aggregate(Box::new(call)), kernel.result).at(at))
    }

    fn aggregate_call(&mut self, node: &FuncCall, name: &str, at: Option<usize>) -> PgResult<Expr> {
        let outer = self.clause();
        if outer == Clause::Aggregate {
            return Err(PgError::new(SqlState::GROUPING_ERROR, "aggregate function calls cannot be nested"));
        }
        if node.agg_within_group && hypothetical_row(name).is_some() {
            if let Some(what) = outer.without_aggregates() {
                let message = format!("aggregate functions are not allowed in {what}");
                return Err(PgError::new(SqlState::GROUPING_ERROR, message));
            }
            return self.hypothetical_call(node, name, at);
        }
        let (resolved, order_by, written) = self.within(Clause::Aggregate, |b| b.aggregate_parts(node, name))?;
        if resolved.row.kind == 'a' {
            let ordered = facts().aggregate(resolved.row.oid).is_some_and(|a| a.kind != 'n');
            if ordered && !node.agg_within_group {
                let message = format!("WITHIN GROUP is required for ordered-set aggregate {name}");
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            if !ordered && node.agg_within_group {
                let message = format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP");
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        }
        if resolved.row.kind != 'a' {
            let what = match () {
                _ if node.agg_star => format!("{name}(*) specified, but {name} is not an aggregate function"),
                _ if node.agg_distinct => format!("DISTINCT specified, but {name} is not an aggregate function"),
                _ if node.agg_filter.is_some() => format!("FILTER specified, but {name} is not an aggregate function"),
                _ if !node.agg_order.is_empty() => {
                    format!("ORDER BY specified, but {name} is not an aggregate function")
                }
                // A name that is both: the scalar function fits better.
                _ => {
                    if resolved.row.returns_set {
                        return self.set_in_select(resolved, at);
                    }
                    let types: Vec<ExprType> = resolved.args.iter().map(|a| a.ty.clone()).collect();
                    let kernel = kernels::scalar(resolved.row.oid, &types)?;
                    return call(resolved.row.oid, &kernel, resolved.args).map(|e| e.at(at));
                }
            };
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, what));
        }
        if let Some(what) = outer.without_aggregates() {
            let message = format!("aggregate functions are not allowed in {what}");
            return Err(PgError::new(SqlState::GROUPING_ERROR, message));
        }
        let filter = match node.agg_filter.as_deref() {
            Some(filter) => {
                let filter = self.within(Clause::Filter, |b| b.expr(filter))?;
                Some(self.condition(filter, "FILTER")?)
            }
            None => None,
        };
        let types: Vec<ExprType> = resolved.args.iter().map(|a| a.ty.clone()).collect();
        let kernel = kernels::aggregate(resolved.row.oid, &types)?;
        let args =
            resolved.args.into_iter().zip(&kernel.args).map(|(a, s)| store(a, s)).collect::<PgResult<Vec<_>>>()?;
        // What an argument is as it was written counts, before it became what the function takes.
        let is_argument = |k: &SortKey| {
            let same = |w: &Expr| w.kind == k.expr.kind && w.ty.pg.oid == k.expr.ty.pg.oid;
            args.contains(&k.expr) && written.iter().any(same)
        };
        if node.agg_distinct && !order_by.iter().all(is_argument) {
            let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        let call = AggregateCall {
            proc: resolved.row.oid,
            udf: kernel.udf,
            args,
            distinct: node.agg_distinct,
            filter,
            order_by,
        };
        Ok(Expr::new(ExprKind::Aggregate(Box::new(call)), kernel.result).at(at))
    }

    fn window_call(&mut self, node: &FuncCall, name: &str, at: Option<usize>) -> PgResult<Expr> {
        if let Some(what) = self.clause().without_windows() {
            if self.clause() == Clause::Aggregate {
                let message = "aggregate function calls cannot contain window function calls";
                return Err(PgError::new(SqlState::GROUPING_ERROR, message));
            }
            let message = format!("window functions are not allowed in {what}");
            return Err(PgError::new(SqlState::WINDOWING_ERROR, message));
        }
        if node.agg_distinct {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "DISTINCT is not implemented for window functions",
            ));
        }
        if !node.agg_order.is_empty() {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "aggregate ORDER BY is not implemented for window functions",
            ));
        }
        let definition = node.over.as_deref().ok_or_else(|| PgError::internal("a window call without OVER"))?;
        let (resolved, filter, spec) = self.within(Clause::Window, |b| {
            let (resolved, ..) = b.aggregate_parts(node, name)?;
            let ordered = facts().aggregate(resolved.row.oid).is_some_and(|a| a.kind != 'n');
            if resolved.row.kind == 'a' && (ordered || node.agg_within_group) {
                let message = format!("OVER is not supported for ordered-set aggregate {name}");
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            let filter = match node.agg_filter.as_deref() {
                Some(filter) => {
                    let filter = b.expr(filter)?;
                    Some(b.condition(filter, "FILTER")?)
                }
                None => None,
            };
            let spec = b.window_spec(definition)?;
            Ok((resolved, filter, spec))
        })?;
        let types: Vec<ExprType> = resolved.args.iter().map(|a| a.ty.clone()).collect();
        let (function, storages, produces, result) = match resolved.row.kind {
            'a' => {
                let kernel = kernels::aggregate(resolved.row.oid, &types)?;
                let storage = kernel.result.storage.clone();
                (WindowFunction::Aggregate(kernel.udf), kernel.args, storage, kernel.result)
            }
            'w' => {
                let kernel = kernels::window(resolved.row.oid, &types)?;
                (WindowFunction::Window(kernel.udf), kernel.args, kernel.produces, kernel.result)
            }
            _ => {
                let message = format!("OVER specified, but {name} is not a window function nor an aggregate function");
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        };
        let args = resolved.args.into_iter().zip(&storages).map(|(a, s)| store(a, s)).collect::<PgResult<Vec<_>>>()?;
        let (mut function, mut args, mut filter, mut spec) = (function, args, filter, spec);
        let exclusion = spec.frame.exclusion.take();
        let unable = match &function {
            WindowFunction::Aggregate(udaf) => {
                spec.frame.moves_on(&spec.order_by) && !kernels::slides(udaf, &storages, &produces)
            }
            WindowFunction::Window(_) => false,
        };
        if exclusion.is_some() || unable {
            let over = match (&function, name) {
                (WindowFunction::Aggregate(udaf), _) => Some(Over::Aggregate(Arc::clone(udaf))),
                (_, "first_value") => Some(Over::First),
                (_, "last_value") => Some(Over::Last),
                (_, "nth_value") => Some(Over::Nth),
                // The others do not look at the frame.
                _ => None,
            };
            if let Some(over) = over {
                let condition = filter.take();
                let udf = kernels::excluding(over, exclusion, storages, condition.is_some(), produces.clone());
                function = WindowFunction::Window(udf);
                args.extend(condition);
                for key in spec.order_by.iter().filter(|_| exclusion.is_some()) {
                    args.push(match kernels::equality_key(&key.expr.ty) {
                        Some(kernel) => call(Oid(0), &kernel, vec![key.expr.clone()])?,
                        None => key.expr.clone(),
                    });
                }
            }
        }
        let call = WindowCall {
            proc: resolved.row.oid,
            function,
            args,
            filter,
            partition_by: spec.partition_by,
            order_by: spec.order_by,
            frame: spec.frame,
        };
        let made = ExprType { pg: result.pg, storage: produces };
        let window = Expr::new(ExprKind::Window(Box::new(call)), made).at(at);
        // Counts come unsigned; every value of theirs fits.
        Ok(match window.ty.storage == result.storage {
            true => window,
            false => Expr::new(ExprKind::Cast(Box::new(window)), result).at(at),
        })
    }
}

/// The row of an aggregate that places a row among those of its group.
fn hypothetical_row(name: &str) -> Option<&'static ProcRow> {
    facts().procs_named(name).find(|p| p.kind == 'a' && facts().aggregate(p.oid).is_some_and(|a| a.kind == 'h'))
}

/// The set's columns, each as a list for each row of arguments.
fn columns_of(proc: Oid, kernel: SetKernel, args: Vec<Expr>) -> PgResult<SetCall> {
    let args = args.into_iter().zip(&kernel.args).map(|(a, s)| store(a, s)).collect::<PgResult<Vec<_>>>()?;
    let columns = kernel.columns.iter().enumerate().map(|(i, (name, ty))| {
        let udf = lists::set_column(kernel.clone(), i);
        let storage = crate::types::list_of(ty.storage.clone());
        let array = overload::array_type(ty.pg.oid).unwrap_or(oid::ANYARRAY);
        let list_ty = ExprType { pg: PgType::new(array), storage };
        let list = Expr::new(ExprKind::Scalar { proc, udf, args: args.clone() }, list_ty);
        (name.clone(), ty.clone(), list)
    });
    Ok(SetCall { columns: columns.collect() })
}

/// Set-returning functions that have no fixed OID, and so no row among the facts.
fn own_set(name: &str, args: &[Expr]) -> PgResult<Option<SetKernel>> {
    match (name, args) {
        ("_pg_expandarray", [array]) => kernels::expand_array(&array.ty).map(Some),
        _ => Ok(None),
    }
}

pub(super) fn no_field(field: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{field}\" not found in data type record"))
}

/// A list of the one value.
fn singleton(value: Expr) -> PgResult<Expr> {
    let array = overload::array_type(value.ty.pg.oid).unwrap_or(oid::ANYARRAY);
    let ty = ExprType { pg: PgType::new(array), storage: crate::types::list_of(value.ty.storage.clone()) };
    Ok(Expr::new(ExprKind::Array(vec![value]), ty))
}

fn no_function<T>(name: &str, inputs: &[Oid], arg_names: &[String], choice: &Choice<T>) -> PgError {
    let positional = inputs.len() - arg_names.len();
    let shown: Vec<String> = inputs
        .iter()
        .enumerate()
        .map(|(i, t)| match i.checked_sub(positional) {
            Some(n) => format!("{} => {}", arg_names[n], names::type_name(*t)),
            None => names::type_name(*t),
        })
        .collect();
    let signature = format!("{name}({})", shown.join(", "));
    match choice {
        Choice::Ambiguous => {
            let hint = "Could not choose a best candidate function. You might need to add explicit type casts.";
            PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("function {signature} is not unique")).hint(hint)
        }
        _ => {
            let hint =
                "No function matches the given name and argument types. You might need to add explicit type casts.";
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function {signature} does not exist")).hint(hint)
        }
    }
}

/// The elements of a constant array; `None` where it is NULL, or none.
fn literal_elements(expr: &Expr) -> PgResult<Option<Vec<Expr>>> {
    let (ExprKind::Literal(value), Some(element)) = (&expr.kind, overload::element_of(expr.ty.pg.oid)) else {
        return Ok(None);
    };
    let array = value.to_array()?;
    if array.is_null(0) {
        return Ok(None);
    }
    let elements = crate::types::array::Arrays::new(array.as_ref())?.list.value(0);
    let ty = ExprType { pg: PgType::new(element), storage: elements.data_type().clone() };
    let item = |at: usize| -> PgResult<Expr> {
        let value = datafusion::scalar::ScalarValue::try_from_array(elements.as_ref(), at)?;
        Ok(Expr::literal(value, ty.clone()))
    };
    (0..elements.len()).map(item).collect::<PgResult<Vec<_>>>().map(Some)
}
