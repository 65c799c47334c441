//! MERGE: one query that says for each row what is to be done with it.

use super::*;
use crate::bind::expr::null_of;
use crate::bind::from::join;
use crate::bind::tree::JoinKind;
use datafusion::common::ScalarValue;
use pg_query::protobuf::{CmdType, MergeMatchKind, MergeStmt, MergeWhenClause};

/// A WHEN clause, bound.
struct When {
    condition: Expr,
    action: MergeAction,
    /// The row to store, where there is one.
    row: Option<Row>,
}

impl Binder<'_> {
    pub(super) fn merge(&mut self, statement: &MergeStmt) -> PgResult<BoundWrite> {
        if statement.returning_clause.is_some() {
            return Err(PgError::unsupported("MERGE ... RETURNING"));
        }
        let target = self.target(statement.relation.as_ref())?;
        let name = Self::target_name(statement.relation.as_ref());
        self.with_ctes(statement.with_clause.as_ref(), |b| {
            b.scopes.push(Scope::new(Clause::From));
            let bound = b.merge_query(&target, &name, statement);
            b.scopes.pop();
            Ok(update::write(WriteKind::Merge, Arc::clone(&target), bound?, None))
        })
    }

    fn merge_query(&mut self, target: &Relation, name: &str, statement: &MergeStmt) -> PgResult<BoundQuery> {
        let source = statement.source_relation.as_deref().ok_or_else(|| PgError::internal("MERGE without a source"))?;
        let right = self.bind_from(std::slice::from_ref(source))?;
        let (left, item, row_id) = self.target_scan(target, name);
        self.check_names(std::slice::from_ref(&item))?;
        let only_source = self.scope().items.clone();
        self.scope().items.insert(0, item.clone());
        let condition = statement.join_condition.as_deref();
        let condition = condition.ok_or_else(|| PgError::internal("MERGE without a condition"))?;
        let on = self.within(Clause::JoinOn, |b| {
            let on = b.expr(condition)?;
            b.condition(on, "JOIN/ON")
        })?;
        let all = std::mem::take(&mut self.scope().items);
        let matched = Expr::boolean(ExprKind::IsNotNull(Box::new(row_id.clone())));
        let mut whens = Vec::with_capacity(statement.merge_when_clauses.len());
        for node in &statement.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(when)) = &node.node else { continue };
            let is_matched = match when.match_kind() {
                MergeMatchKind::MergeWhenMatched => true,
                MergeMatchKind::MergeWhenNotMatchedByTarget => false,
                _ => return Err(PgError::unsupported("WHEN NOT MATCHED BY SOURCE")),
            };
            // WHEN NOT MATCHED sees the source alone: there is no row of the target.
            self.scope().items = if is_matched { all.clone() } else { only_source.clone() };
            whens.push(self.when(target, &item, when, is_matched, &matched)?);
        }
        self.scope().items = all;
        let rel = join(JoinKind::Left, right, left, crate::bind::query::conjuncts(on));

        let int4 = ExprType::of(PgType::new(oid::INT4));
        let code = |action: MergeAction| Expr::literal(ScalarValue::Int32(Some(action as i32)), int4.clone());
        let branches = whens.iter().map(|w| (w.condition.clone(), code(w.action))).collect();
        let otherwise = Some(Box::new(code(MergeAction::Nothing)));
        let action = Expr::new(ExprKind::Case { branches, otherwise }, int4);
        let mut exprs = vec![("row".to_owned(), row_id), ("action".to_owned(), action)];
        for (i, column) in target.columns.iter().enumerate() {
            let ty = column.expr_type();
            let nothing = null_of(&ty)?;
            let branches: Vec<(Expr, Expr)> = whens
                .iter()
                .map(|w| (w.condition.clone(), w.row.as_ref().map_or_else(|| nothing.clone(), |row| row[i].clone())))
                .collect();
            exprs.push((column.name.clone(), Expr::new(ExprKind::Case { branches, otherwise: None }, ty)));
        }
        self.projected(rel, exprs)
    }

    fn when(
        &mut self,
        target: &Relation,
        item: &Item,
        when: &MergeWhenClause,
        is_matched: bool,
        matched: &Expr,
    ) -> PgResult<When> {
        let side = match is_matched {
            true => matched.clone(),
            false => Expr::boolean(ExprKind::Not(Box::new(matched.clone()))),
        };
        let condition = match when.condition.as_deref() {
            Some(node) => {
                let condition = self.within(Clause::Where, |b| b.expr(node))?;
                let condition = self.condition(condition, "WHEN")?;
                crate::bind::expr::and(vec![side, condition])
            }
            None => side,
        };
        let (action, row) = match when.command_type() {
            CmdType::CmdUpdate => {
                let (row, assigned) = self.within(Clause::Update, |b| b.set_clause(target, item, &when.target_list))?;
                let updated = update::attnums(target, &assigned);
                self.uses_target(|u| u.updated.get_or_insert_default().extend(updated));
                (MergeAction::Update, Some(row))
            }
            CmdType::CmdDelete => {
                self.uses_target(|u| u.deletes = true);
                (MergeAction::Delete, None)
            }
            CmdType::CmdInsert => (MergeAction::Insert, Some(self.merged_row(target, when)?)),
            _ => (MergeAction::Nothing, None),
        };
        Ok(When { condition, action, row })
    }

    fn merged_row(&mut self, target: &Relation, when: &MergeWhenClause) -> PgResult<Row> {
        let mut given = Vec::with_capacity(when.target_list.len());
        for node in &when.target_list {
            let Some(NodeEnum::ResTarget(column)) = &node.node else { continue };
            given.push(self.column_of(target, &column.name, names::offset(column.location))?);
        }
        let listed = !given.is_empty();
        if !listed {
            given = (0..target.columns.len()).collect();
        }
        let inserted = update::attnums(target, &given);
        self.uses_target(|u| u.inserted.get_or_insert_default().extend(inserted));
        let values = &when.values;
        if values.len() > given.len() || (listed && values.len() < given.len()) {
            let message = match values.len() > given.len() {
                true => "INSERT has more expressions than target columns",
                false => "INSERT has more target columns than expressions",
            };
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        (0..target.columns.len())
            .map(|i| {
                let of = &target.columns[i];
                let place = given.iter().position(|c| *c == i).and_then(|p| values.get(p));
                match place {
                    Some(node) if !matches!(node.node, Some(NodeEnum::SetToDefault(_))) => {
                        let value = self.within(Clause::Values, |b| b.expr(node))?;
                        self.assigned(value, &of.name, of.expr_type())
                    }
                    _ => self.default(target, i),
                }
            })
            .collect()
    }
}
