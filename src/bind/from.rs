//! FROM: tables, views, subqueries, functions, joins.

use super::expr::coalesce;
use super::expr::coerce::with_position;
use super::query::{Query, filter};
use super::scope::{Clause, Item, NamedColumn, Origin};
use super::tree::{Expr, ExprKind, Join, JoinKind, Rel, ScanColumn};
use super::{Binder, MAX_VIEW_DEPTH, names};
use crate::catalog::{Relation, RelationKind};
use crate::types::{PgError, PgResult, PgType, SqlState, oid};
use datafusion::common::ScalarValue;
use pg_query::NodeEnum;
use pg_query::protobuf::{self, Alias, JoinExpr, Node, RangeFunction, RangeVar};

impl Binder<'_> {
    /// The rows of a FROM list; its names come into the innermost scope.
    pub(super) fn bind_from(&mut self, list: &[Node]) -> PgResult<Rel> {
        let mut rel: Option<Rel> = None;
        for node in list {
            let (item_rel, items) = self.bind_item(node)?;
            self.check_names(&items)?;
            self.scope().items.extend(items);
            rel = Some(match rel {
                None => item_rel,
                Some(left) => join(JoinKind::Inner, left, item_rel, Vec::new()),
            });
        }
        Ok(rel.unwrap_or(Rel::One))
    }

    pub(super) fn check_names(&mut self, new: &[Item]) -> PgResult<()> {
        for (i, item) in new.iter().enumerate().filter(|(_, i)| i.table_visible) {
            let before = self.scope().items.iter().chain(&new[..i]);
            let mut clash = before.filter(|o| {
                let both_tables = o.oid != oid::INVALID && item.oid != oid::INVALID;
                o.table_visible
                    && o.name.is_some()
                    && o.name == item.name
                    && !(both_tables && o.oid != item.oid && o.schema.is_some() && item.schema.is_some())
            });
            if clash.next().is_some() {
                let name = item.name.as_deref().unwrap_or_default();
                let message = format!("table name \"{name}\" specified more than once");
                return Err(PgError::new(SqlState::DUPLICATE_ALIAS, message));
            }
        }
        Ok(())
    }

    fn bind_item(&mut self, node: &Node) -> PgResult<(Rel, Vec<Item>)> {
        match &node.node {
            Some(NodeEnum::RangeVar(range)) => self.range_var(range),
            Some(NodeEnum::RangeSubselect(sub)) => {
                let Some(NodeEnum::SelectStmt(select)) = sub.subquery.as_deref().and_then(|n| n.node.as_ref()) else {
                    return Err(PgError::internal("a subquery in FROM that is no SELECT"));
                };
                let query = match sub.lateral {
                    true => self.query(select, true)?,
                    false => self.without_siblings(|b| b.query(select, true))?,
                };
                self.derived(query, sub.alias.as_ref())
            }
            Some(NodeEnum::RangeFunction(function)) => self.range_function(function),
            Some(NodeEnum::JoinExpr(join)) => self.join_expr(join),
            Some(NodeEnum::RangeTableSample(sample)) => self.sample(sample),
            Some(NodeEnum::RangeTableFunc(_)) => Err(PgError::unsupported("XMLTABLE")),
            Some(NodeEnum::JsonTable(_)) => Err(PgError::unsupported("JSON_TABLE")),
            _ => Err(PgError::unsupported("this kind of FROM item")),
        }
    }

    /// Runs `f` without the tables to the left in sight: a subquery without LATERAL.
    fn without_siblings<T>(&mut self, f: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        let scope = self.scope();
        let items = std::mem::take(&mut scope.items);
        let hidden = std::mem::replace(&mut scope.hidden, items);
        let result = f(self);
        let scope = self.scope();
        scope.items = std::mem::replace(&mut scope.hidden, hidden);
        result
    }

    fn range_var(&mut self, range: &RangeVar) -> PgResult<(Rel, Vec<Item>)> {
        let at = names::offset(range.location);
        if range.schemaname.is_empty()
            && let Some(place) = self.ctes.iter().rposition(|c| c.name == range.relname)
        {
            self.ctes[place].used = true;
            let query = self.ctes[place].query.clone();
            let query = self.fresh(&query);
            let name = range.alias.as_ref().map_or(range.relname.as_str(), |a| a.aliasname.as_str());
            let item = self.item(name, None, oid::INVALID, &query, range.alias.as_ref())?;
            return Ok((query.rel, vec![item]));
        }
        let relation = self.named_relation(&range.schemaname, &range.relname, at)?;
        self.relations.insert(relation.oid);
        if let (0, Some(at)) = (self.view_depth, at) {
            let aliased = range.alias.is_some();
            self.references.push(super::Reference { oid: relation.oid, at, aliased });
        }
        let name = range.alias.as_ref().map_or(range.relname.as_str(), |a| a.aliasname.as_str());
        let query = match relation.kind {
            RelationKind::View => self.view(&relation, name).map_err(|e| with_position(e, at))?,
            _ => self.scan(&relation, name),
        };
        if !relation.is_public() {
            self.use_relation(&relation, query.columns.iter().map(|c| c.id), true);
        }
        let schema = match range.alias {
            Some(_) => None,
            None => self.catalog.namespace(relation.schema).map(|n| n.name.clone()),
        };
        let item = self.item(name, schema, relation.oid, &query, range.alias.as_ref())?;
        Ok((query.rel, vec![item]))
    }

    /// `table TABLESAMPLE BERNOULLI (p)` or `SYSTEM (p)`: each row by chance.
    fn sample(&mut self, sample: &protobuf::RangeTableSample) -> PgResult<(Rel, Vec<Item>)> {
        let at = names::offset(sample.location);
        let method = names::strings(&sample.method).last().copied().unwrap_or_default().to_owned();
        if !matches!(method.as_str(), "bernoulli" | "system") {
            let message = format!("tablesample method {method} does not exist");
            return Err(with_position(PgError::new(SqlState::UNDEFINED_OBJECT, message), at));
        }
        if sample.repeatable.is_some() {
            return Err(with_position(PgError::unsupported("TABLESAMPLE with REPEATABLE"), at));
        }
        let [share] = sample.args.as_slice() else {
            let message = format!("tablesample method {method} requires 1 argument, not {}", sample.args.len());
            return Err(with_position(PgError::new(SqlState(*b"2202H"), message), at));
        };
        let relation = sample.relation.as_deref().ok_or_else(|| PgError::internal("a sample of nothing"))?;
        let (input, items) = self.bind_item(relation)?;
        let share = self.expr(share)?;
        let share = self.convert(share, PgType::new(oid::FLOAT8), super::overload::Context::Assignment)?;
        let percent = match super::window::constant_of(&share)? {
            ScalarValue::Float64(Some(percent)) => percent,
            _ => return Err(PgError::new(SqlState(*b"2202H"), "TABLESAMPLE parameter cannot be null")),
        };
        if !(0.0..=100.0).contains(&percent) {
            return Err(PgError::new(SqlState(*b"2202H"), "sample percentage must be between 0 and 100"));
        }
        let chance = self.call_named("random", Vec::new(), at)?;
        let limit = Expr::literal(ScalarValue::Float64(Some(percent / 100.0)), share.ty);
        let predicates = vec![self.binary("<", chance, limit, at)?];
        Ok((Rel::Filter { input: Box::new(input), predicates }, items))
    }

    pub(super) fn scan(&mut self, relation: &Relation, name: &str) -> Query {
        let mut scan = Vec::with_capacity(relation.columns.len());
        let mut columns = Vec::with_capacity(relation.columns.len());
        for (index, column) in relation.columns.iter().enumerate() {
            let id = self.new_id();
            let ty = column.expr_type();
            let text = format!("{name}.{}", column.name);
            self.origins.insert(id, Origin { table: relation.oid, attnum: column.attnum, text });
            scan.push(ScanColumn { id, name: column.name.clone(), index, ty: ty.clone() });
            columns.push(super::query::QueryColumn { name: column.name.clone(), id, ty });
        }
        Query { rel: Rel::Scan { oid: relation.oid, columns: scan, key: relation.key.clone() }, columns }
    }

    /// A view: its query, bound under the search path that it was made with.
    fn view(&mut self, relation: &Relation, name: &str) -> PgResult<Query> {
        let broken = || PgError::internal(format!("view \"{}\" has no definition", relation.name));
        let definition = relation.definition.as_deref().ok_or_else(broken)?;
        if self.view_depth >= MAX_VIEW_DEPTH {
            let message = format!("infinite recursion detected in rules for relation \"{}\"", relation.name);
            return Err(PgError::new(SqlState([b'4', b'2', b'P', b'1', b'7']), message));
        }
        let statement = super::parse(definition)?.into_iter().next().ok_or_else(broken)?;
        let NodeEnum::SelectStmt(select) = &statement.node else { return Err(broken()) };
        let scopes = std::mem::take(&mut self.scopes);
        let ctes = std::mem::take(&mut self.ctes);
        let path = std::mem::replace(&mut self.path, relation.search_path.clone());
        let by = self.by.replace(relation.owner());
        self.view_depth += 1;
        let query = self.query(select, true);
        self.view_depth -= 1;
        self.by = by;
        (self.scopes, self.ctes, self.path) = (scopes, ctes, path);
        // Positions inside the view say nothing about the statement that names it.
        let query = query.map_err(|mut e| {
            if let Some(rest) = &mut e.rest {
                rest.position = None;
            }
            e
        })?;
        let mut query = query;
        if query.columns.len() > relation.columns.len() {
            // A star over a table that has got columns since: the view keeps those that it was made with.
            let same = query.columns.iter().zip(&relation.columns).all(|(made, known)| made.name == known.name);
            if !same {
                let message = format!("view \"{}\" has to be made anew", relation.name);
                return Err(PgError::new(SqlState::OBJECT_NOT_IN_STATE, message)
                    .detail("A table that it reads has got columns, and its query names all columns by a star.")
                    .hint("Use CREATE OR REPLACE VIEW with the columns that it is to have."));
            }
            query.columns.truncate(relation.columns.len());
        }
        let mut exprs = Vec::with_capacity(query.columns.len());
        let mut columns = Vec::with_capacity(query.columns.len());
        for (i, made) in query.columns.into_iter().enumerate() {
            let id = self.new_id();
            let known = relation.columns.get(i);
            let column_name = known.map_or(made.name, |c| c.name.clone());
            let text = format!("{name}.{column_name}");
            let attnum = known.map_or(i as i16 + 1, |c| c.attnum);
            self.origins.insert(id, Origin { table: relation.oid, attnum, text });
            columns.push(super::query::QueryColumn { name: column_name, id, ty: made.ty.clone() });
            exprs.push((id, Expr::column(made.id, made.ty)));
        }
        Ok(Query { rel: Rel::Project { input: Box::new(query.rel), exprs }, columns })
    }

    fn derived(&mut self, query: Query, alias: Option<&Alias>) -> PgResult<(Rel, Vec<Item>)> {
        let name = alias.map_or("", |a| a.aliasname.as_str());
        for column in &query.columns {
            // A column of a subquery is called by the subquery's name in messages, its table stays.
            let text = match name.is_empty() {
                true => column.name.clone(),
                false => format!("{name}.{}", column.name),
            };
            let origin = self.origins.get(&column.id);
            let (table, attnum) = origin.map_or((oid::INVALID, 0), |o| (o.table, o.attnum));
            self.origins.insert(column.id, Origin { table, attnum, text });
        }
        let mut item = self.item(name, None, oid::INVALID, &query, alias)?;
        if name.is_empty() {
            item.name = None;
            item.table_visible = false;
        }
        Ok((query.rel, vec![item]))
    }

    fn item(
        &mut self,
        name: &str,
        schema: Option<String>,
        oid: crate::types::Oid,
        query: &Query,
        alias: Option<&Alias>,
    ) -> PgResult<Item> {
        let mut columns: Vec<NamedColumn> =
            query.columns.iter().map(|c| NamedColumn { name: c.name.clone(), id: c.id, ty: c.ty.clone() }).collect();
        self.rename_columns(name, &mut columns, alias)?;
        for column in &columns {
            self.origins.entry(column.id).or_insert_with(|| {
                let text = format!("{name}.{}", column.name);
                Origin { table: crate::types::oid::INVALID, attnum: 0, text }
            });
        }
        Ok(Item {
            name: Some(name.to_string()),
            schema,
            oid,
            columns,
            table_visible: true,
            columns_visible: true,
            scalar_function: false,
            nullable: false,
        })
    }

    fn rename_columns(&mut self, name: &str, columns: &mut [NamedColumn], alias: Option<&Alias>) -> PgResult<()> {
        let Some(alias) = alias else { return Ok(()) };
        let aliases = names::strings(&alias.colnames);
        if aliases.len() > columns.len() {
            let message = format!(
                "table \"{name}\" has {} columns available but {} columns specified",
                columns.len(),
                aliases.len()
            );
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        for (column, alias) in columns.iter_mut().zip(aliases) {
            column.name = alias.to_string();
        }
        Ok(())
    }

    /// `sluice.table_at('schema.table', 'tick or time')` and `sluice.history('schema.table')`: relations by their names, which
    /// only constants can give.
    fn lake_function(&mut self, node: &RangeFunction) -> PgResult<Option<(Rel, Vec<Item>)>> {
        let [function] = node.functions.as_slice() else { return Ok(None) };
        let Some(NodeEnum::List(pair)) = &function.node else { return Ok(None) };
        let Some(NodeEnum::FuncCall(call)) = pair.items.first().and_then(|call| call.node.as_ref()) else {
            return Ok(None);
        };
        let name = match names::strings(&call.funcname)[..] {
            ["sluice", name @ ("table_at" | "history")] => name,
            _ => return Ok(None),
        };
        let at = names::offset(call.location);
        let words = if name == "table_at" { 2 } else { 1 };
        let constants: Option<Vec<String>> = call.args.iter().map(constant_text).collect();
        let Some(constants) = constants.filter(|constants| constants.len() == words) else {
            let message = format!("sluice.{name} takes {words} constants");
            return Err(with_position(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message), at));
        };
        let alias = node.alias.as_ref().map_or(name, |alias| alias.aliasname.as_str());
        if name == "table_at" {
            let nobody = || PgError::unsupported("sluice.table_at here");
            let past = self.past.filter(|_| self.view_depth == 0).ok_or_else(nobody);
            let relation = past.and_then(|past| past.table_at(&constants[0], &constants[1]));
            let relation = relation.map_err(|error| with_position(error, at))?;
            let query = self.scan(&relation, alias);
            for column in &query.columns {
                if let Some(origin) = self.origins.get_mut(&column.id) {
                    (origin.table, origin.attnum) = (oid::INVALID, 0);
                }
            }
            let item = self.item(alias, None, oid::INVALID, &query, node.alias.as_ref())?;
            return Ok(Some((query.rel, vec![item])));
        }
        let named = super::parse(&format!("TABLE {}", constants[0])).ok().filter(|all| all.len() == 1);
        let range = named.and_then(|all| match all.into_iter().next()?.node {
            NodeEnum::SelectStmt(select) => match select.from_clause.into_iter().next()?.node? {
                NodeEnum::RangeVar(range) => Some(range),
                _ => None,
            },
            _ => None,
        });
        let wrong = || PgError::new(SqlState(*b"42602"), format!("\"{}\" is not the name of a table", constants[0]));
        let range = range.ok_or_else(wrong)?;
        let relation = self.named_relation(&range.schemaname, &range.relname, at)?;
        let schema = self.catalog.namespace(relation.schema).map_or_else(String::new, |n| n.name.clone());
        let quoted = |text: &str| text.replace('\'', "''");
        let text = format!(
            "SELECT version, committed_at, operation, tick, files_added, files_removed, rows_added, rows_deleted, bytes_added
            FROM sluice.lake_commits WHERE schema_name = '{}' AND table_name = '{}'",
            quoted(&schema),
            quoted(&relation.name)
        );
        let statement = super::parse(&text)?.into_iter().next().map(|statement| statement.node);
        let Some(NodeEnum::SelectStmt(select)) = statement else {
            return Err(PgError::internal("the query of sluice.history is none"));
        };
        let query = self.without_siblings(|binder| binder.query(&select, true))?;
        let item = self.item(alias, None, oid::INVALID, &query, node.alias.as_ref())?;
        Ok(Some((query.rel, vec![item])))
    }

    fn range_function(&mut self, node: &RangeFunction) -> PgResult<(Rel, Vec<Item>)> {
        if let Some(found) = self.lake_function(node)? {
            return Ok(found);
        }
        let mut lists = Vec::new();
        let mut named: Vec<NamedColumn> = Vec::new();
        let mut first_name = String::new();
        for function in &node.functions {
            let Some(NodeEnum::List(pair)) = &function.node else { continue };
            let Some(call) = pair.items.first() else { continue };
            let definitions = match pair.items.get(1).and_then(|d| d.node.as_ref()) {
                Some(NodeEnum::List(list)) if !list.items.is_empty() => list.items.as_slice(),
                _ => node.coldeflist.as_slice(),
            };
            let (name, set) = self.within(Clause::From, |b| b.set_call(call, definitions))?;
            if first_name.is_empty() {
                first_name = name;
            }
            for (name, ty, list) in set.columns {
                let id = self.new_id();
                lists.push((id, ty.clone(), list));
                named.push(NamedColumn { name, id, ty });
            }
        }
        let name = node.alias.as_ref().map_or(first_name.as_str(), |a| a.aliasname.as_str()).to_string();
        // The one column of a function is called as the function's alias.
        let scalar = named.len() == 1 && node.coldeflist.is_empty();
        if let ([column], Some(_), true) = (named.as_mut_slice(), &node.alias, scalar) {
            column.name = name.clone();
        }
        let ordinality = node.ordinality.then(|| {
            let id = self.new_id();
            named.push(NamedColumn { name: "ordinality".into(), id, ty: super::tree::bigint() });
            id
        });
        self.rename_columns(&name, &mut named, node.alias.as_ref())?;
        for column in &named {
            let text = format!("{name}.{}", column.name);
            self.origins.insert(column.id, Origin { table: oid::INVALID, attnum: 0, text });
        }
        let item = Item {
            name: Some(name),
            schema: None,
            oid: oid::INVALID,
            columns: named,
            table_visible: true,
            columns_visible: true,
            scalar_function: scalar && ordinality.is_none(),
            nullable: false,
        };
        Ok((Rel::Unnest { input: Box::new(Rel::One), lists, ordinality }, vec![item]))
    }

    fn join_expr(&mut self, node: &JoinExpr) -> PgResult<(Rel, Vec<Item>)> {
        let missing = || PgError::internal("a join without its sides");
        let (left, left_items) = self.bind_item(node.larg.as_deref().ok_or_else(missing)?)?;
        // The right side may be LATERAL: it sees the left one, and what stands left of the whole join.
        let before = self.scope().items.len();
        self.scope().items.extend(left_items.clone());
        let right = self.bind_item(node.rarg.as_deref().ok_or_else(missing)?);
        self.scope().items.truncate(before);
        let (right, right_items) = right?;
        let kind = match node.jointype() {
            protobuf::JoinType::JoinLeft => JoinKind::Left,
            protobuf::JoinType::JoinRight => JoinKind::Right,
            protobuf::JoinType::JoinFull => JoinKind::Full,
            _ => JoinKind::Inner,
        };
        let using: Vec<String> = match node.is_natural {
            false => names::strings(&node.using_clause).into_iter().map(str::to_string).collect(),
            true => visible(&left_items)
                .iter()
                .map(|c| c.name.clone())
                .filter(|n| visible(&right_items).iter().any(|c| c.name == *n))
                .collect(),
        };
        let mut items: Vec<Item> = left_items.iter().chain(&right_items).cloned().collect();
        {
            let outer = std::mem::take(&mut self.scope().items);
            let checked = self.check_names(&items);
            self.scope().items = outer;
            checked?;
        }
        let (mut rel, merged) = match using.is_empty() {
            false => self.join_using(kind, left, right, &left_items, &right_items, &using)?,
            true => {
                let on = match node.quals.as_deref() {
                    Some(quals) => {
                        // Only the two sides are in sight of ON.
                        let outer = std::mem::replace(&mut self.scope().items, items.clone());
                        let on = self.within(Clause::JoinOn, |b| {
                            let on = b.expr(quals)?;
                            b.condition(on, "JOIN/ON")
                        });
                        self.scope().items = outer;
                        super::query::conjuncts(on?)
                    }
                    None => Vec::new(),
                };
                (join(kind, left, right, on), Vec::new())
            }
        };
        if !using.is_empty() {
            // The join's own columns: the merged ones once, then the others of both sides.
            let rest = |items: &[Item]| -> Vec<NamedColumn> {
                visible(items).into_iter().filter(|c| !using.contains(&c.name)).collect()
            };
            let mut columns = merged;
            columns.extend(rest(&left_items));
            columns.extend(rest(&right_items));
            items.iter_mut().for_each(|i| i.columns_visible = false);
            let alias = node.join_using_alias.as_ref().map(|a| a.aliasname.clone());
            items.push(Item {
                table_visible: false,
                name: alias,
                schema: None,
                oid: oid::INVALID,
                columns,
                columns_visible: true,
                scalar_function: false,
                nullable: false,
            });
        }
        let sides = items.split_at_mut(left_items.len());
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            sides.0.iter_mut().for_each(|item| item.nullable = true);
        }
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            sides.1.iter_mut().for_each(|item| item.nullable = true);
        }
        if let Some(alias) = &node.alias {
            let mut columns = visible(&items);
            self.rename_columns(&alias.aliasname, &mut columns, Some(alias))?;
            items = vec![Item {
                name: Some(alias.aliasname.clone()),
                schema: None,
                oid: oid::INVALID,
                columns,
                table_visible: true,
                columns_visible: true,
                scalar_function: false,
                nullable: false,
            }];
        }
        if let Rel::Join(join) = &mut rel {
            join.on.retain(|e| *e != Expr::truth(true));
        }
        Ok((rel, items))
    }

    fn join_using(
        &mut self,
        kind: JoinKind,
        left: Rel,
        right: Rel,
        left_items: &[Item],
        right_items: &[Item],
        using: &[String],
    ) -> PgResult<(Rel, Vec<NamedColumn>)> {
        let find = |items: &[Item], name: &str, side: &str| -> PgResult<NamedColumn> {
            let all = visible(items);
            let mut found = all.into_iter().filter(|c| c.name == name);
            let first = found.next().ok_or_else(|| {
                let message = format!("column \"{name}\" specified in USING clause does not exist in {side} table");
                PgError::new(SqlState::UNDEFINED_COLUMN, message)
            })?;
            if found.next().is_some() {
                let message = format!("common column name \"{name}\" appears more than once in {side} table");
                return Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, message));
            }
            Ok(first)
        };
        let mut on = Vec::new();
        let mut merged = Vec::new();
        let mut computed: Vec<(super::tree::ColId, Expr)> = Vec::new();
        for name in using {
            let l = find(left_items, name, "left")?;
            let r = find(right_items, name, "right")?;
            self.column_is_read(l.id);
            self.column_is_read(r.id);
            let (le, re) = (Expr::column(l.id, l.ty.clone()), Expr::column(r.id, r.ty.clone()));
            on.push(self.binary("=", le.clone(), re.clone(), None)?);
            let (both, ty) = self.unify(vec![le, re], "JOIN/USING")?;
            let chosen = match kind {
                JoinKind::Right => both.into_iter().nth(1),
                JoinKind::Full => Some(coalesce(both)),
                _ => both.into_iter().next(),
            };
            let chosen = chosen.ok_or_else(|| PgError::internal("a merged column without sides"))?;
            let id = match chosen.kind {
                ExprKind::Column(id) => id,
                _ => {
                    let id = self.new_id();
                    computed.push((id, chosen));
                    id
                }
            };
            merged.push(NamedColumn { name: name.clone(), id, ty });
        }
        let mut rel = join(kind, left, right, on);
        if !computed.is_empty() {
            let kept = rel.columns().into_iter().map(|(id, ty)| (id, Expr::column(id, ty)));
            let exprs = kept.chain(computed).collect();
            rel = Rel::Project { input: Box::new(rel), exprs };
        }
        Ok((rel, merged))
    }
}

/// The columns that `*` and unqualified names see.
/// The text of a string or whole number.
fn constant_text(node: &Node) -> Option<String> {
    use protobuf::a_const::Val;
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(text.sval.clone()),
            Val::Ival(number) => Some(number.ival.to_string()),
            Val::Fval(number) => Some(number.fval.clone()),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => constant_text(cast.arg.as_deref()?),
        _ => None,
    }
}

fn visible(items: &[Item]) -> Vec<NamedColumn> {
    items.iter().filter(|i| i.columns_visible).flat_map(|i| i.columns.iter().cloned()).collect()
}

pub(super) fn join(kind: JoinKind, left: Rel, right: Rel, on: Vec<Expr>) -> Rel {
    if kind == JoinKind::Inner && on.is_empty() {
        if left == Rel::One {
            return right;
        }
        if right == Rel::One {
            return left;
        }
    }
    Rel::Join(Box::new(Join { kind, left, right, on, same: Vec::new() }))
}

/// All of `predicates`, if there are any.
pub(super) fn filtered(rel: Rel, predicates: Vec<Expr>) -> Rel {
    match predicates.is_empty() {
        true => rel,
        false => filter(rel, super::expr::and(predicates)),
    }
}
