//! INSERT.

use super::*;
use crate::catalog::Identity;
use pg_query::protobuf::{InsertStmt, OnConflictAction, OnConflictClause, OverridingKind};

impl Binder<'_> {
    pub(super) fn insert(&mut self, statement: &InsertStmt) -> PgResult<BoundWrite> {
        let target = self.target(statement.relation.as_ref())?;
        let name = Self::target_name(statement.relation.as_ref());
        let given = self.insert_columns(&target, statement)?;
        let inserted = given.clone().unwrap_or_else(|| (0..target.columns.len()).collect());
        let inserted = update::attnums(&target, &inserted);
        self.uses_target(|u| u.inserted = Some(inserted));
        let source = self.with_ctes(statement.with_clause.as_ref(), |b| b.insert_source(&target, given, statement))?;
        let conflict = match statement.on_conflict_clause.as_deref() {
            Some(clause) => Some(self.conflict(&target, &name, clause)?),
            None => None,
        };
        let returning = self.with_ctes(statement.with_clause.as_ref(), |b| {
            b.returning(returned(statement.returning_clause.as_ref())?, &target, &name, Vec::new(), &[])
        })?;
        Ok(BoundWrite {
            kind: WriteKind::Insert,
            target,
            source,
            finish: None,
            checks: Vec::new(),
            conflict,
            returning,
            assigned: Vec::new(),
            needed: Needed::default(),
        })
    }

    pub(super) fn copy(
        &mut self,
        statement: &pg_query::protobuf::CopyStmt,
    ) -> PgResult<(BoundWrite, Vec<OutputColumn>)> {
        let target = self.target(statement.relation.as_ref())?;
        let given: Vec<usize> = match statement.attlist.is_empty() {
            // Generated columns are neither written nor read by COPY.
            true => (0..target.columns.len()).filter(|i| !target.columns[*i].generated).collect(),
            false => {
                let named = names::strings(&statement.attlist);
                named.iter().map(|name| self.column_of(&target, name, None)).collect::<PgResult<_>>()?
            }
        };
        if let Some(generated) = given.iter().map(|i| &target.columns[*i]).find(|c| c.generated) {
            let message = format!("column \"{}\" is a generated column", generated.name);
            let error = PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message);
            return Err(error.detail("Generated columns cannot be used in COPY."));
        }
        let inserted = update::attnums(&target, &given);
        self.uses_target(|u| u.inserted = Some(inserted));
        let types: Vec<ExprType> = given.iter().map(|i| target.columns[*i].expr_type()).collect();
        let (rel, staged) = self.staged(types.iter().cloned());
        let mut exprs = Vec::with_capacity(target.columns.len());
        for (i, column) in target.columns.iter().enumerate() {
            let value = match given.iter().position(|g| *g == i) {
                Some(place) => Expr::column(staged[place].0, staged[place].1.clone()),
                None => self.default(&target, i)?,
            };
            exprs.push((column.name.clone(), value));
        }
        let source = self.projected(rel, exprs)?;
        let columns = given.iter().zip(types).map(|(i, ty)| {
            let column = &target.columns[*i];
            OutputColumn { name: column.name.clone(), ty, table: target.oid, attnum: column.attnum }
        });
        let columns = columns.collect();
        Ok((update::write(WriteKind::Insert, target, source, None), columns))
    }

    /// The columns of the list, as indexes; `None` without a list.
    fn insert_columns(&self, target: &Relation, statement: &InsertStmt) -> PgResult<Option<Vec<usize>>> {
        if statement.cols.is_empty() {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(statement.cols.len());
        for node in &statement.cols {
            let Some(NodeEnum::ResTarget(column)) = &node.node else { continue };
            let at = names::offset(column.location);
            if !column.indirection.is_empty() {
                return Err(with_position(PgError::unsupported("INSERT into a part of a column"), at));
            }
            let found = self.column_of(target, &column.name, at)?;
            if columns.contains(&found) {
                let message = format!("column \"{}\" specified more than once", column.name);
                return Err(with_position(PgError::new(SqlState::DUPLICATE_COLUMN, message), at));
            }
            columns.push(found);
        }
        Ok(Some(columns))
    }

    fn insert_source(
        &mut self,
        target: &Relation,
        listed: Option<Vec<usize>>,
        statement: &InsertStmt,
    ) -> PgResult<BoundQuery> {
        let width = target.columns.len();
        let given = listed.clone().unwrap_or_else(|| (0..width).collect());
        let overriding = statement.r#override();
        let select = match statement.select_stmt.as_deref().and_then(|n| n.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => Some(select),
            _ => None,
        };
        let (rel, given, values): (Rel, Vec<usize>, Row) = match select {
            None => (Rel::One, Vec::new(), Vec::new()),
            Some(select) if is_plain_values(select) => {
                let ctes = self.ctes.len();
                if let Some(with) = &select.with_clause {
                    self.with_clause(with)?;
                }
                let made = self.insert_values(target, &given, &statement.cols, select, overriding);
                self.ctes.truncate(ctes);
                let (rel, ids) = made?;
                let given: Vec<usize> = given[..ids.len()].to_vec();
                let values = ids.into_iter().zip(&given);
                let values = values.map(|(id, c)| Expr::column(id, target.columns[*c].expr_type()));
                (rel, given.clone(), values.collect())
            }
            Some(select) => {
                let query = self.query(select, false)?;
                check_width(query.columns.len(), given.len(), listed.is_some())?;
                let given: Vec<usize> = given[..query.columns.len()].to_vec();
                let mut values = Vec::with_capacity(given.len());
                for (column, at) in query.columns.iter().zip(&given) {
                    // A literal in the select list is read as the column's type.
                    let literal = match &query.rel {
                        Rel::Project { exprs, .. } if column.ty.pg.oid == oid::UNKNOWN => {
                            exprs.iter().find(|(made, _)| *made == column.id).map(|(_, e)| e.clone())
                        }
                        _ => None,
                    };
                    let literal = literal.filter(|e| matches!(e.kind, ExprKind::Literal(_) | ExprKind::Param(_)));
                    let value = literal.unwrap_or_else(|| Expr::column(column.id, column.ty.clone()));
                    let column = &target.columns[*at];
                    check_given(column, overriding)?;
                    values.push(self.assigned(value, &column.name, column.expr_type())?);
                }
                (query.rel, given, values)
            }
        };
        let mut exprs = Vec::with_capacity(width);
        for (i, column) in target.columns.iter().enumerate() {
            let place = given.iter().position(|c| *c == i);
            // OVERRIDING USER VALUE: an identity column takes its sequence's value whatever is given.
            let ignored = column.identity.is_some() && overriding == OverridingKind::OverridingUserValue;
            let value = match place.filter(|_| !ignored) {
                Some(place) => values[place].clone(),
                None => self.default(target, i)?,
            };
            exprs.push((column.name.clone(), value));
        }
        self.projected(rel, exprs)
    }

    fn insert_values(
        &mut self,
        target: &Relation,
        given: &[usize],
        columns: &[Node],
        select: &SelectStmt,
        overriding: OverridingKind,
    ) -> PgResult<(Rel, Vec<ColId>)> {
        self.scopes.push(Scope::new(Clause::Values));
        let made = self.value_rows(target, given, columns, select, overriding);
        self.scopes.pop();
        let (rows, width) = made?;
        let columns: Vec<(ColId, ExprType)> =
            given[..width].iter().map(|c| (self.new_id(), target.columns[*c].expr_type())).collect();
        let ids = columns.iter().map(|(id, _)| *id).collect();
        let rel = match <[Row; 1]>::try_from(rows) {
            Ok([row]) => {
                let exprs = columns.iter().map(|(id, _)| *id).zip(row).collect();
                Rel::Project { input: Box::new(Rel::One), exprs }
            }
            Err(rows) => Rel::Values { columns, rows },
        };
        Ok((rel, ids))
    }

    fn value_rows(
        &mut self,
        target: &Relation,
        given: &[usize],
        columns: &[Node],
        select: &SelectStmt,
        overriding: OverridingKind,
    ) -> PgResult<(Vec<Row>, usize)> {
        let listed = !columns.is_empty();
        let mut rows = Vec::with_capacity(select.values_lists.len());
        let mut width = None;
        for node in &select.values_lists {
            let Some(NodeEnum::List(list)) = &node.node else { continue };
            if width.is_some_and(|width| width != list.items.len()) {
                let error = PgError::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length");
                return Err(with_position(error, list.items.first().and_then(names::location)));
            }
            width = Some(list.items.len());
            let extra = list.items.get(given.len()).and_then(names::location);
            let lacking = columns.get(list.items.len()).and_then(names::location);
            check_width(list.items.len(), given.len(), listed).map_err(|e| with_position(e, extra.or(lacking)))?;
            let row = list.items.iter().zip(given).map(|(node, column)| {
                let of = &target.columns[*column];
                if matches!(node.node, Some(NodeEnum::SetToDefault(_))) {
                    return self.default(target, *column);
                }
                check_given(of, overriding)?;
                let value = self.expr(node)?;
                self.assigned(value, &of.name, of.expr_type())
            });
            rows.push(row.collect::<PgResult<Row>>()?);
        }
        Ok((rows, width.unwrap_or(0)))
    }

    fn conflict(&mut self, target: &Relation, name: &str, clause: &OnConflictClause) -> PgResult<Conflict> {
        let arbiter = self.arbiter(target, clause)?;
        if let Some(columns) = &arbiter {
            let read = update::attnums(target, columns);
            self.uses_target(|u| u.read.get_or_insert_default().extend(read));
        }
        if clause.action() != OnConflictAction::OnconflictUpdate {
            return Ok(Conflict { arbiter, update: None });
        }
        if arbiter.is_none() {
            let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
            let error = PgError::new(SqlState::SYNTAX_ERROR, message);
            let error = error.hint("For example, ON CONFLICT (column_name).");
            return Err(with_position(error, names::offset(clause.location)));
        }
        let types = || target.columns.iter().map(|c| c.expr_type());
        let width = target.columns.len();
        let (rel, columns) = self.staged(types().chain(types()).chain([super::super::tree::bigint()]));
        let stored = self.target_item(target, name, columns[..width].iter().cloned());
        let excluded = self.target_item(target, "excluded", columns[width..2 * width].iter().cloned());
        let (row_id, row_ty) = columns[2 * width].clone();
        let mut scope = Scope::new(Clause::Update);
        scope.items = vec![stored.clone(), Item { oid: oid::INVALID, schema: None, ..excluded }];
        self.scopes.push(scope);
        let bound = self.conflict_update(target, &stored, rel, clause);
        self.scopes.pop();
        let (rel, row) = bound?;
        let mut exprs = vec![("row".to_owned(), Expr::column(row_id, row_ty))];
        exprs.extend(target.columns.iter().map(|c| c.name.clone()).zip(row));
        Ok(Conflict { arbiter, update: Some(self.projected(rel, exprs)?) })
    }

    fn conflict_update(
        &mut self,
        target: &Relation,
        stored: &Item,
        rel: Rel,
        clause: &OnConflictClause,
    ) -> PgResult<(Rel, Row)> {
        let (row, assigned) = self.set_clause(target, stored, &clause.target_list)?;
        let updated = update::attnums(target, &assigned);
        self.uses_target(|u| u.updated = Some(updated));
        let rel = match clause.where_clause.as_deref() {
            Some(node) => {
                let condition = self.within(Clause::Where, |b| b.expr(node))?;
                filter(rel, self.condition(condition, "WHERE")?)
            }
            None => rel,
        };
        Ok((rel, row))
    }

    /// The columns of the constraint that ON CONFLICT means.
    fn arbiter(&mut self, target: &Relation, clause: &OnConflictClause) -> PgResult<Option<Vec<usize>>> {
        let Some(infer) = clause.infer.as_deref() else { return Ok(None) };
        let uniques = target.uniques();
        if !infer.conname.is_empty() {
            let found = uniques.into_iter().find(|(_, name)| *name == infer.conname).map(|(columns, _)| columns);
            return found.map(Some).ok_or_else(|| {
                let message = format!("constraint \"{}\" for table \"{}\" does not exist", infer.conname, target.name);
                PgError::new(SqlState::UNDEFINED_OBJECT, message)
            });
        }
        let mut wanted = Vec::new();
        for node in &infer.index_elems {
            let Some(NodeEnum::IndexElem(element)) = &node.node else { continue };
            if element.name.is_empty() {
                return Err(PgError::unsupported("an expression in ON CONFLICT"));
            }
            let column = target.column(&element.name).map(|(i, _)| i);
            wanted.push(column.ok_or_else(|| {
                let message = format!("column \"{}\" does not exist", element.name);
                with_position(PgError::new(SqlState::UNDEFINED_COLUMN, message), names::offset(infer.location))
            })?);
        }
        wanted.sort_unstable();
        wanted.dedup();
        let same = |columns: &Vec<usize>| {
            let mut sorted = columns.clone();
            sorted.sort_unstable();
            sorted == wanted
        };
        let found = uniques.into_iter().map(|(columns, _)| columns).find(same);
        found.map(Some).ok_or_else(|| {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
        })
    }
}

fn check_width(values: usize, columns: usize, listed: bool) -> PgResult<()> {
    if values > columns {
        let message = "INSERT has more expressions than target columns";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    if values < columns && listed {
        let message = "INSERT has more target columns than expressions";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    Ok(())
}

/// `428C9` for a value where the table makes its own.
fn check_given(column: &crate::catalog::CatalogColumn, overriding: OverridingKind) -> PgResult<()> {
    let name = &column.name;
    let refused = |detail: String| {
        let message = format!("cannot insert a non-DEFAULT value into column \"{name}\"");
        PgError::new(SqlState(*b"428C9"), message).detail(detail)
    };
    if column.generated {
        return Err(refused(format!("Column \"{name}\" is a generated column.")));
    }
    let overridden = matches!(overriding, OverridingKind::OverridingSystemValue | OverridingKind::OverridingUserValue);
    if column.identity == Some(Identity::Always) && !overridden {
        let detail = format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS.");
        return Err(refused(detail).hint("Use OVERRIDING SYSTEM VALUE to override."));
    }
    Ok(())
}
