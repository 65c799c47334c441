//! Names that PostgreSQL gives: types in messages, output columns without an alias.

use crate::types::Oid;
use pg_query::NodeEnum;
use pg_query::protobuf::{self, Node};

/// A type as messages spell it: `integer`, `text[]`.
pub fn type_name(ty: Oid) -> String {
    crate::kernels::type_name(ty)
}

/// The text of a `String` node.
pub fn string(node: &Node) -> &str {
    match &node.node {
        Some(NodeEnum::String(s)) => &s.sval,
        _ => "",
    }
}

/// A list of `String` nodes.
pub fn strings(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().map(string).collect()
}

/// The output column's name of an expression without an alias.
pub fn figure(node: &Node) -> String {
    figured(node).map_or_else(|| "?column?".to_string(), |(name, _)| name)
}

/// The name and how good it is: 2 a name of something, 1 a type's, none for no name.
fn figured(node: &Node) -> Option<(String, u8)> {
    let good = |name: &str| Some((name.to_string(), 2));
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(c) => {
            let last = c.fields.iter().rev().find(|f| matches!(f.node, Some(NodeEnum::String(_))))?;
            good(string(last))
        }
        NodeEnum::AIndirection(i) => {
            let field = i.indirection.iter().rev().find(|f| matches!(f.node, Some(NodeEnum::String(_))));
            match field {
                Some(field) => good(string(field)),
                None => figured(i.arg.as_deref()?),
            }
        }
        NodeEnum::FuncCall(f) => good(string(f.funcname.last()?)),
        NodeEnum::AExpr(e) if e.kind() == protobuf::AExprKind::AexprNullif => good("nullif"),
        NodeEnum::TypeCast(cast) => {
            let inner = cast.arg.as_deref().and_then(figured);
            if matches!(inner, Some((_, 2))) {
                return inner;
            }
            let ty = cast.type_name.as_ref()?;
            Some((string(ty.names.last()?).to_string(), 1))
        }
        NodeEnum::CollateClause(c) => figured(c.arg.as_deref()?),
        NodeEnum::GroupingFunc(_) => good("grouping"),
        NodeEnum::SubLink(link) => match link.sub_link_type() {
            protobuf::SubLinkType::ExistsSublink => good("exists"),
            protobuf::SubLinkType::ArraySublink => good("array"),
            protobuf::SubLinkType::ExprSublink => {
                let Some(NodeEnum::SelectStmt(mut_select)) = link.subselect.as_deref().and_then(|n| n.node.as_ref())
                else {
                    return None;
                };
                let mut select = mut_select.as_ref();
                while let Some(left) = select.larg.as_deref() {
                    select = left;
                }
                if !select.values_lists.is_empty() {
                    return good("column1");
                }
                let Some(NodeEnum::ResTarget(target)) = select.target_list.first().and_then(|n| n.node.as_ref()) else {
                    return None;
                };
                match target.name.is_empty() {
                    false => good(&target.name),
                    true => figured(target.val.as_deref()?),
                }
            }
            _ => None,
        },
        NodeEnum::CaseExpr(c) => match c.defresult.as_deref().and_then(figured) {
            Some((name, strength)) if strength > 0 => Some((name, strength)),
            _ => Some(("case".to_string(), 1)),
        },
        NodeEnum::AArrayExpr(_) => good("array"),
        NodeEnum::RowExpr(_) => good("row"),
        NodeEnum::CoalesceExpr(_) => good("coalesce"),
        NodeEnum::MinMaxExpr(m) => good(match m.op() {
            protobuf::MinMaxOp::IsLeast => "least",
            _ => "greatest",
        }),
        NodeEnum::SqlvalueFunction(f) => {
            use protobuf::SqlValueFunctionOp as Op;
            good(match f.op() {
                Op::SvfopCurrentDate => "current_date",
                Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => "current_time",
                Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => "current_timestamp",
                Op::SvfopLocaltime | Op::SvfopLocaltimeN => "localtime",
                Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => "localtimestamp",
                Op::SvfopCurrentRole => "current_role",
                Op::SvfopCurrentUser => "current_user",
                Op::SvfopUser => "user",
                Op::SvfopSessionUser => "session_user",
                Op::SvfopCurrentCatalog => "current_catalog",
                Op::SvfopCurrentSchema => "current_schema",
                Op::SqlvalueFunctionOpUndefined => return None,
            })
        }
        _ => None,
    }
}

/// Where a node was written, as PostgreSQL reports it (the leftmost token for operators' operands).
/// The name of a column reference that has one part.
pub fn column_name(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::ColumnRef(c)) if c.fields.len() == 1 => c.fields.first().map(string),
        _ => None,
    }
}

/// Whether a node is `*` or `x.*`.
pub fn is_star(node: &Node) -> bool {
    let last = match &node.node {
        Some(NodeEnum::ColumnRef(c)) => c.fields.last(),
        Some(NodeEnum::AIndirection(i)) => i.indirection.last(),
        _ => None,
    };
    last.is_some_and(|l| matches!(l.node, Some(NodeEnum::AStar(_))))
}

pub fn location(node: &Node) -> Option<usize> {
    let at = match node.node.as_ref()? {
        NodeEnum::ColumnRef(n) => n.location,
        NodeEnum::ParamRef(n) => n.location,
        NodeEnum::AConst(n) => n.location,
        NodeEnum::AExpr(n) => {
            let left = n.lexpr.as_deref().and_then(location);
            return left.map(|l| l.min(n.location.max(0) as usize)).or_else(|| offset(n.location));
        }
        NodeEnum::FuncCall(n) => n.location,
        NodeEnum::TypeCast(n) => {
            let arg = n.arg.as_deref().and_then(location);
            let own = offset(n.type_name.as_ref().map_or(-1, |t| t.location)).into_iter().chain(offset(n.location));
            return own.chain(arg).min();
        }
        NodeEnum::SubLink(n) => {
            let test = n.testexpr.as_deref().and_then(location);
            return test.into_iter().chain(offset(n.location)).min();
        }
        NodeEnum::CaseExpr(n) => n.location,
        NodeEnum::CoalesceExpr(n) => n.location,
        NodeEnum::MinMaxExpr(n) => n.location,
        NodeEnum::NullTest(n) => n.arg.as_deref().and_then(location).map_or(n.location, |l| l as i32),
        NodeEnum::BooleanTest(n) => n.arg.as_deref().and_then(location).map_or(n.location, |l| l as i32),
        NodeEnum::BoolExpr(n) => {
            return n.args.iter().filter_map(location).chain(offset(n.location)).min();
        }
        NodeEnum::AArrayExpr(n) => n.location,
        NodeEnum::AIndirection(n) => return n.arg.as_deref().and_then(location),
        NodeEnum::RowExpr(n) => n.location,
        NodeEnum::SqlvalueFunction(n) => n.location,
        NodeEnum::CollateClause(n) => n.location,
        NodeEnum::ResTarget(n) => n.location,
        NodeEnum::GroupingFunc(n) => n.location,
        NodeEnum::RangeVar(n) => n.location,
        NodeEnum::NamedArgExpr(n) => n.location,
        _ => return None,
    };
    offset(at)
}

/// PostgreSQL's -1 is "unknown".
pub fn offset(location: i32) -> Option<usize> {
    usize::try_from(location).ok()
}
