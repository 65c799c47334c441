//! The typed tree that binding makes of a query.
//!
//! Every column that any part of a query makes has its own [`ColId`]: an expression names a column by it alone, whatever
//! level of the query it is at. A column that no input of a subquery makes is therefore the outer query's, and
//! [`super::subquery`] removes such references; what [`super::lower()`] gets has none, nor any [`ExprKind::Subquery`].
//!
//! Every expression carries its [`ExprType`]: arguments of kernels and both sides of comparisons already have the
//! storage that the kernel wants.

use crate::kernels::Exclusion;
use crate::types::{ExprType, Oid};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{AggregateUDF, Operator, ScalarUDF, WindowUDF};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// One column of one part of a query; unique in the whole query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColId(pub u32);

/// A typed expression. Equality looks at what is computed, not at where it was written or how the type is called.
#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: ExprType,
    /// Byte offset into the statement.
    pub at: Option<usize>,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.ty.storage == other.ty.storage
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Column(ColId),
    Literal(ScalarValue),
    /// `$n`, from 1.
    Param(usize),
    Scalar {
        /// The function's `pg_proc` row; 0 where there is none.
        proc: Oid,
        udf: Arc<ScalarUDF>,
        args: Vec<Expr>,
    },
    /// A comparison that DataFusion computes as PostgreSQL does.
    Native {
        op: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    IsNotNull(Box<Expr>),
    Truth {
        test: Truth,
        arg: Box<Expr>,
    },
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// `arg IN (list)` under native equality.
    InList {
        arg: Box<Expr>,
        list: Vec<Expr>,
    },
    /// Another storage form by Arrow's cast, which is exact here.
    Cast(Box<Expr>),
    Array(Vec<Expr>),
    Row(Vec<Expr>),
    Aggregate(Box<AggregateCall>),
    /// `GROUPING(…)`.
    Grouping(Vec<Expr>),
    Window(Box<WindowCall>),
    /// One value of a list for each row: a set-returning function in the select list.
    Unnest(Box<Expr>),
    Subquery(Box<Subquery>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    True,
    NotTrue,
    False,
    NotFalse,
    Unknown,
    NotUnknown,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AggregateCall {
    pub proc: Oid,
    pub udf: Arc<AggregateUDF>,
    pub args: Vec<Expr>,
    pub distinct: bool,
    pub filter: Option<Expr>,
    pub order_by: Vec<SortKey>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WindowCall {
    pub proc: Oid,
    pub function: WindowFunction,
    pub args: Vec<Expr>,
    pub filter: Option<Expr>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<SortKey>,
    pub frame: Frame,
}

#[derive(Debug, Clone, PartialEq)]
pub enum WindowFunction {
    Aggregate(Arc<AggregateUDF>),
    Window(Arc<WindowUDF>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub units: FrameUnits,
    pub start: Bound,
    pub end: Bound,
    /// Binding puts it into the function: see [`crate::kernels::excluding()`].
    pub exclusion: Option<Exclusion>,
}

impl Frame {
    /// Whether the frame of a row may lack rows that the one before it had.
    pub fn moves_on(&self, order_by: &[SortKey]) -> bool {
        // Without an order all rows are peers.
        let whole = order_by.is_empty() && self.units != FrameUnits::Rows;
        !whole && self.start != Bound::UnboundedPreceding
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameUnits {
    Rows,
    Range,
    Groups,
}

/// An end of a frame; offsets are constants, as DataFusion needs them.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    UnboundedPreceding,
    Preceding(ScalarValue),
    CurrentRow,
    Following(ScalarValue),
    UnboundedFollowing,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    pub kind: SubqueryKind,
    pub rel: Rel,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SubqueryKind {
    /// The value of the column in the only row, NULL without a row, `21000` with more.
    Scalar(ColId),
    Exists,
    /// Is `test` true for any row? NULL if it is true for none and NULL for some.
    Any(Box<Expr>),
}

/// How a join treats rows without a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
    /// All left rows, and whether each has a partner, as a column that is never NULL.
    Mark(ColId),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScanColumn {
    pub id: ColId,
    /// The relation's own name for it.
    pub name: String,
    /// Place of the column in the relation.
    pub index: usize,
    pub ty: ExprType,
}

/// A relational expression. Its columns are listed by [`Rel::columns`].
#[derive(Debug, Clone, PartialEq)]
pub enum Rel {
    /// One row without columns.
    One,
    Scan {
        oid: Oid,
        columns: Vec<ScanColumn>,
        /// Indexes into `columns` that are the relation's key.
        key: Vec<usize>,
    },
    Values {
        columns: Vec<(ColId, ExprType)>,
        rows: Vec<Vec<Expr>>,
    },
    /// Exactly these columns.
    Project {
        input: Box<Rel>,
        exprs: Vec<(ColId, Expr)>,
    },
    Filter {
        input: Box<Rel>,
        /// All must be true.
        predicates: Vec<Expr>,
    },
    Join(Box<Join>),
    Aggregate(Box<Aggregate>),
    Window {
        input: Box<Rel>,
        calls: Vec<(ColId, ExprType, WindowCall)>,
    },
    Sort {
        input: Box<Rel>,
        keys: Vec<SortKey>,
    },
    Limit {
        input: Box<Rel>,
        /// Both bigint; a NULL count is no limit, a NULL offset is 0.
        offset: Option<Expr>,
        count: Option<Expr>,
    },
    /// The input's columns, then one that numbers its rows from 1 within each partition, as bigint.
    RowNumber {
        input: Box<Rel>,
        id: ColId,
        partition_by: Vec<Expr>,
        order_by: Vec<SortKey>,
    },
    /// One row for each combination of values.
    Distinct {
        input: Box<Rel>,
        columns: Vec<(ColId, ExprType)>,
        /// Tell rows apart by storage, where PostgreSQL's equality is coarser (numeric 1.0 and 1.00).
        exact: bool,
    },
    SetOp {
        op: SetOp,
        all: bool,
        left: Box<Rel>,
        right: Box<Rel>,
        /// Output column, its type, and the columns of both sides that it comes from.
        columns: Vec<(ColId, ExprType, ColId, ColId)>,
    },
    /// The input's columns and, side by side, one column for each list: a row for each element.
    Unnest {
        input: Box<Rel>,
        /// Output column, its type, the list.
        lists: Vec<(ColId, ExprType, Expr)>,
        ordinality: Option<ColId>,
    },
    /// `WITH RECURSIVE`: `start`, then `step` over the rows of the round before, until there are none.
    Recursive {
        name: String,
        /// Output column, its type, the columns of `start` and `step`.
        columns: Vec<(ColId, ExprType, ColId, ColId)>,
        start: Box<Rel>,
        step: Box<Rel>,
        distinct: bool,
    },
    /// Within the step: the rows of the round before.
    Working {
        name: String,
        /// In the order of the recursion's columns.
        columns: Vec<(ColId, ExprType)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOp {
    Union,
    Intersect,
    Except,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    pub left: Rel,
    pub right: Rel,
    /// All must be true.
    pub on: Vec<Expr>,
    /// Pairs (left, right) that are equal in storage, NULL being equal to NULL.
    pub same: Vec<(Expr, Expr)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub input: Rel,
    pub keys: Vec<(ColId, Expr)>,
    /// `GROUPING SETS`: indexes into `keys`, and the column that says which keys a row lacks (bit n-1-i for key i).
    pub sets: Option<(Vec<Vec<usize>>, ColId)>,
    pub calls: Vec<(ColId, ExprType, AggregateCall)>,
}

impl Expr {
    pub fn new(kind: ExprKind, ty: ExprType) -> Self {
        Self { kind, ty, at: None }
    }

    pub fn column(id: ColId, ty: ExprType) -> Self {
        Self::new(ExprKind::Column(id), ty)
    }

    pub fn literal(value: ScalarValue, ty: ExprType) -> Self {
        Self::new(ExprKind::Literal(value), ty)
    }

    /// A boolean expression of this kind.
    pub fn boolean(kind: ExprKind) -> Self {
        use crate::types::{PgType, oid};
        Self::new(kind, ExprType::of(PgType::new(oid::BOOL)))
    }

    pub fn truth(value: bool) -> Self {
        Self::boolean(ExprKind::Literal(ScalarValue::Boolean(Some(value))))
    }

    pub fn at(mut self, at: Option<usize>) -> Self {
        self.at = at;
        self
    }

    /// The direct sub-expressions; not those inside subqueries' relations.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) | ExprKind::Param(_) => Vec::new(),
            ExprKind::Scalar { args, .. } | ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Array(args) => {
                args.iter_mut().collect()
            }
            ExprKind::Row(args) | ExprKind::Grouping(args) => args.iter_mut().collect(),
            ExprKind::Native { left, right, .. } => vec![left, right],
            ExprKind::Not(arg) | ExprKind::IsNull(arg) | ExprKind::IsNotNull(arg) | ExprKind::Cast(arg) => vec![arg],
            ExprKind::Truth { arg, .. } | ExprKind::Unnest(arg) => vec![arg],
            ExprKind::Case { branches, otherwise } => {
                let branches = branches.iter_mut().flat_map(|(when, then)| [when, then]);
                branches.chain(otherwise.iter_mut().map(|e| &mut **e)).collect()
            }
            ExprKind::InList { arg, list } => std::iter::once(&mut **arg).chain(list.iter_mut()).collect(),
            ExprKind::Aggregate(call) => call.exprs_mut(),
            ExprKind::Window(call) => call.exprs_mut(),
            ExprKind::Subquery(subquery) => match &mut subquery.kind {
                SubqueryKind::Any(test) => vec![test],
                SubqueryKind::Scalar(_) | SubqueryKind::Exists => Vec::new(),
            },
        }
    }

    /// The direct sub-expressions; not those inside subqueries' relations.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) | ExprKind::Param(_) => Vec::new(),
            ExprKind::Scalar { args, .. } | ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Array(args) => {
                args.iter().collect()
            }
            ExprKind::Row(args) | ExprKind::Grouping(args) => args.iter().collect(),
            ExprKind::Native { left, right, .. } => vec![left, right],
            ExprKind::Not(arg) | ExprKind::IsNull(arg) | ExprKind::IsNotNull(arg) | ExprKind::Cast(arg) => vec![arg],
            ExprKind::Truth { arg, .. } | ExprKind::Unnest(arg) => vec![arg],
            ExprKind::Case { branches, otherwise } => {
                let branches = branches.iter().flat_map(|(when, then)| [when, then]);
                branches.chain(otherwise.iter().map(|e| &**e)).collect()
            }
            ExprKind::InList { arg, list } => std::iter::once(&**arg).chain(list.iter()).collect(),
            ExprKind::Aggregate(call) => call.exprs(),
            ExprKind::Window(call) => call.exprs(),
            ExprKind::Subquery(subquery) => match &subquery.kind {
                SubqueryKind::Any(test) => vec![test],
                SubqueryKind::Scalar(_) | SubqueryKind::Exists => Vec::new(),
            },
        }
    }

    /// Whether `test` holds for this expression or one below it, subqueries' relations left out.
    pub fn any(&self, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
        test(self) || self.children().into_iter().any(|c| c.any(test))
    }

    /// Calls `change` on every expression below and then on this one, subqueries' relations left out.
    pub fn rewrite(&mut self, change: &mut dyn FnMut(&mut Expr)) {
        for child in self.children_mut() {
            child.rewrite(change);
        }
        change(self);
    }

    /// Renames columns everywhere in the expression, subqueries included.
    pub fn rename(&mut self, names: &HashMap<ColId, ColId>) {
        self.rewrite(&mut |e| match &mut e.kind {
            ExprKind::Column(id) => {
                if let Some(new) = names.get(id) {
                    *id = *new;
                }
            }
            ExprKind::Subquery(subquery) => {
                subquery.rel.rename(names);
                if let SubqueryKind::Scalar(id) = &mut subquery.kind
                    && let Some(new) = names.get(id)
                {
                    *id = *new;
                }
            }
            _ => {}
        });
    }

    /// The columns that the expression needs from outside: those it names, without those that its subqueries make.
    pub fn needs(&self, into: &mut BTreeSet<ColId>) {
        match &self.kind {
            ExprKind::Column(id) => {
                into.insert(*id);
            }
            ExprKind::Subquery(subquery) => {
                let mut inner = BTreeSet::new();
                for child in self.children() {
                    child.needs(&mut inner);
                }
                let made: BTreeSet<ColId> = subquery.rel.columns().into_iter().map(|(id, _)| id).collect();
                into.extend(inner.difference(&made).copied());
                into.extend(subquery.rel.free());
            }
            _ => {
                for child in self.children() {
                    child.needs(into);
                }
            }
        }
    }

    pub fn needed(&self) -> BTreeSet<ColId> {
        let mut set = BTreeSet::new();
        self.needs(&mut set);
        set
    }
}

impl AggregateCall {
    pub fn exprs(&self) -> Vec<&Expr> {
        self.args.iter().chain(&self.filter).chain(self.order_by.iter().map(|k| &k.expr)).collect()
    }

    pub fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        let order = self.order_by.iter_mut().map(|k| &mut k.expr);
        self.args.iter_mut().chain(&mut self.filter).chain(order).collect()
    }
}

impl WindowCall {
    pub fn exprs(&self) -> Vec<&Expr> {
        let order = self.order_by.iter().map(|k| &k.expr);
        self.args.iter().chain(&self.filter).chain(&self.partition_by).chain(order).collect()
    }

    pub fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        let order = self.order_by.iter_mut().map(|k| &mut k.expr);
        self.args.iter_mut().chain(&mut self.filter).chain(&mut self.partition_by).chain(order).collect()
    }
}

impl Rel {
    /// The columns it makes, in order.
    pub fn columns(&self) -> Vec<(ColId, ExprType)> {
        match self {
            Rel::One => Vec::new(),
            Rel::Scan { columns, .. } => columns.iter().map(|c| (c.id, c.ty.clone())).collect(),
            Rel::Values { columns, .. } | Rel::Distinct { columns, .. } | Rel::Working { columns, .. } => {
                columns.clone()
            }
            Rel::Project { exprs, .. } => exprs.iter().map(|(id, e)| (*id, e.ty.clone())).collect(),
            Rel::Filter { input, .. } | Rel::Sort { input, .. } | Rel::Limit { input, .. } => input.columns(),
            Rel::Join(join) => {
                let mut columns = join.left.columns();
                match join.kind {
                    JoinKind::Semi | JoinKind::Anti => {}
                    JoinKind::Mark(id) => columns.push((id, Expr::truth(true).ty)),
                    _ => columns.extend(join.right.columns()),
                }
                columns
            }
            Rel::Aggregate(a) => {
                let keys = a.keys.iter().map(|(id, e)| (*id, e.ty.clone()));
                let sets = a.sets.iter().map(|(_, id)| (*id, bigint()));
                keys.chain(sets).chain(a.calls.iter().map(|(id, ty, _)| (*id, ty.clone()))).collect()
            }
            Rel::Window { input, calls } => {
                let mut columns = input.columns();
                columns.extend(calls.iter().map(|(id, ty, _)| (*id, ty.clone())));
                columns
            }
            Rel::RowNumber { input, id, .. } => {
                let mut columns = input.columns();
                columns.push((*id, bigint()));
                columns
            }
            Rel::SetOp { columns, .. } | Rel::Recursive { columns, .. } => {
                columns.iter().map(|(id, ty, _, _)| (*id, ty.clone())).collect()
            }
            Rel::Unnest { input, lists, ordinality } => {
                let mut columns = input.columns();
                columns.extend(lists.iter().map(|(id, ty, _)| (*id, ty.clone())));
                columns.extend(ordinality.map(|id| (id, bigint())));
                columns
            }
        }
    }

    pub fn inputs(&self) -> Vec<&Rel> {
        match self {
            Rel::One | Rel::Scan { .. } | Rel::Values { .. } | Rel::Working { .. } => Vec::new(),
            Rel::Project { input, .. }
            | Rel::Filter { input, .. }
            | Rel::Window { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::RowNumber { input, .. }
            | Rel::Distinct { input, .. }
            | Rel::Unnest { input, .. } => vec![input],
            Rel::Aggregate(a) => vec![&a.input],
            Rel::Join(join) => vec![&join.left, &join.right],
            Rel::SetOp { left, right, .. } => vec![left, right],
            Rel::Recursive { start, step, .. } => vec![start, step],
        }
    }

    pub fn inputs_mut(&mut self) -> Vec<&mut Rel> {
        match self {
            Rel::One | Rel::Scan { .. } | Rel::Values { .. } | Rel::Working { .. } => Vec::new(),
            Rel::Project { input, .. }
            | Rel::Filter { input, .. }
            | Rel::Window { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::RowNumber { input, .. }
            | Rel::Distinct { input, .. }
            | Rel::Unnest { input, .. } => vec![input],
            Rel::Aggregate(a) => vec![&mut a.input],
            Rel::Join(join) => {
                let Join { left, right, .. } = &mut **join;
                vec![left, right]
            }
            Rel::SetOp { left, right, .. } => vec![left, right],
            Rel::Recursive { start, step, .. } => vec![start, step],
        }
    }

    /// The expressions of this node itself.
    pub fn exprs(&self) -> Vec<&Expr> {
        match self {
            Rel::One | Rel::Scan { .. } | Rel::Distinct { .. } | Rel::SetOp { .. } => Vec::new(),
            Rel::Recursive { .. } | Rel::Working { .. } => Vec::new(),
            Rel::Values { rows, .. } => rows.iter().flatten().collect(),
            Rel::Project { exprs, .. } => exprs.iter().map(|(_, e)| e).collect(),
            Rel::Filter { predicates, .. } => predicates.iter().collect(),
            Rel::Join(join) => join.on.iter().chain(join.same.iter().flat_map(|(l, r)| [l, r])).collect(),
            Rel::Aggregate(a) => {
                a.keys.iter().map(|(_, e)| e).chain(a.calls.iter().flat_map(|(_, _, c)| c.exprs())).collect()
            }
            Rel::Window { calls, .. } => calls.iter().flat_map(|(_, _, c)| c.exprs()).collect(),
            Rel::Sort { keys, .. } => keys.iter().map(|k| &k.expr).collect(),
            Rel::Limit { offset, count, .. } => offset.iter().chain(count).collect(),
            Rel::RowNumber { partition_by, order_by, .. } => {
                partition_by.iter().chain(order_by.iter().map(|k| &k.expr)).collect()
            }
            Rel::Unnest { lists, .. } => lists.iter().map(|(_, _, e)| e).collect(),
        }
    }

    /// The expressions of this node itself.
    pub fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Rel::One | Rel::Scan { .. } | Rel::Distinct { .. } | Rel::SetOp { .. } => Vec::new(),
            Rel::Recursive { .. } | Rel::Working { .. } => Vec::new(),
            Rel::Values { rows, .. } => rows.iter_mut().flatten().collect(),
            Rel::Project { exprs, .. } => exprs.iter_mut().map(|(_, e)| e).collect(),
            Rel::Filter { predicates, .. } => predicates.iter_mut().collect(),
            Rel::Join(join) => {
                let Join { on, same, .. } = &mut **join;
                on.iter_mut().chain(same.iter_mut().flat_map(|(l, r)| [l, r])).collect()
            }
            Rel::Aggregate(a) => {
                let Aggregate { keys, calls, .. } = &mut **a;
                keys.iter_mut().map(|(_, e)| e).chain(calls.iter_mut().flat_map(|(_, _, c)| c.exprs_mut())).collect()
            }
            Rel::Window { calls, .. } => calls.iter_mut().flat_map(|(_, _, c)| c.exprs_mut()).collect(),
            Rel::Sort { keys, .. } => keys.iter_mut().map(|k| &mut k.expr).collect(),
            Rel::Limit { offset, count, .. } => offset.iter_mut().chain(count).collect(),
            Rel::RowNumber { partition_by, order_by, .. } => {
                partition_by.iter_mut().chain(order_by.iter_mut().map(|k| &mut k.expr)).collect()
            }
            Rel::Unnest { lists, .. } => lists.iter_mut().map(|(_, _, e)| e).collect(),
        }
    }

    /// The columns that it names and nothing in it makes: those of an outer query.
    pub fn free(&self) -> BTreeSet<ColId> {
        let mut needed = BTreeSet::new();
        let mut made = BTreeSet::new();
        self.collect_free(&mut needed, &mut made);
        needed.difference(&made).copied().collect()
    }

    fn collect_free(&self, needed: &mut BTreeSet<ColId>, made: &mut BTreeSet<ColId>) {
        made.extend(self.columns().into_iter().map(|(id, _)| id));
        for expr in self.exprs() {
            expr.needs(needed);
        }
        for input in self.inputs() {
            input.collect_free(needed, made);
        }
    }

    /// Renames columns, made and named alike.
    pub fn rename(&mut self, names: &HashMap<ColId, ColId>) {
        let change = |id: &mut ColId| {
            if let Some(new) = names.get(id) {
                *id = *new;
            }
        };
        match self {
            Rel::Scan { columns, .. } => columns.iter_mut().for_each(|c| change(&mut c.id)),
            Rel::Values { columns, .. } | Rel::Distinct { columns, .. } | Rel::Working { columns, .. } => {
                columns.iter_mut().for_each(|(id, _)| change(id));
            }
            Rel::Project { exprs, .. } => exprs.iter_mut().for_each(|(id, _)| change(id)),
            Rel::Join(join) => {
                if let JoinKind::Mark(id) = &mut join.kind {
                    change(id);
                }
            }
            Rel::Aggregate(a) => {
                a.keys.iter_mut().for_each(|(id, _)| change(id));
                a.calls.iter_mut().for_each(|(id, _, _)| change(id));
                if let Some((_, id)) = &mut a.sets {
                    change(id);
                }
            }
            Rel::Window { calls, .. } => calls.iter_mut().for_each(|(id, _, _)| change(id)),
            Rel::RowNumber { id, .. } => change(id),
            Rel::SetOp { columns, .. } | Rel::Recursive { columns, .. } => {
                columns.iter_mut().for_each(|(id, _, left, right)| {
                    change(id);
                    change(left);
                    change(right);
                });
            }
            Rel::Unnest { lists, ordinality, .. } => {
                lists.iter_mut().for_each(|(id, _, _)| change(id));
                ordinality.iter_mut().for_each(change);
            }
            Rel::One | Rel::Filter { .. } | Rel::Sort { .. } | Rel::Limit { .. } => {}
        }
        for expr in self.exprs_mut() {
            expr.rename(names);
        }
        for input in self.inputs_mut() {
            input.rename(names);
        }
    }

    /// Every column made in it, inputs and subqueries included.
    pub fn all_made(&self, into: &mut BTreeSet<ColId>) {
        into.extend(self.columns().into_iter().map(|(id, _)| id));
        for expr in self.exprs() {
            made_in_subqueries(expr, into);
        }
        for input in self.inputs() {
            input.all_made(into);
        }
    }
}

fn made_in_subqueries(expr: &Expr, into: &mut BTreeSet<ColId>) {
    if let ExprKind::Subquery(subquery) = &expr.kind {
        subquery.rel.all_made(into);
    }
    for child in expr.children() {
        made_in_subqueries(child, into);
    }
}

/// The type of row numbers and ordinalities.
pub fn bigint() -> ExprType {
    use crate::types::{PgType, oid};
    ExprType::of(PgType::new(oid::INT8))
}
