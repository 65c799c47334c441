//! Window definitions: OVER (…), named windows, frames.

use super::overload::{self, Context};
use super::tree::{Bound, Expr, ExprKind, Frame, FrameUnits, SortKey};
use super::{Binder, names};
use crate::kernels::Exclusion;
use crate::types::{PgError, PgResult, PgType, SqlState, oid};
use datafusion::common::ScalarValue;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, WindowDef};

const RANGE: i32 = 0x2;
const ROWS: i32 = 0x4;
const GROUPS: i32 = 0x8;
const START_UNBOUNDED_PRECEDING: i32 = 0x20;
const END_UNBOUNDED_FOLLOWING: i32 = 0x100;
const START_CURRENT_ROW: i32 = 0x200;
const END_CURRENT_ROW: i32 = 0x400;
const START_OFFSET_PRECEDING: i32 = 0x800;
const END_OFFSET_PRECEDING: i32 = 0x1000;
const START_OFFSET_FOLLOWING: i32 = 0x2000;
const EXCLUDE_CURRENT_ROW: i32 = 0x8000;
const EXCLUDE_GROUP: i32 = 0x10000;
const EXCLUDE_TIES: i32 = 0x20000;
/// FRAMEOPTION_DEFAULTS: RANGE UNBOUNDED PRECEDING.
const DEFAULTS: i32 = RANGE | START_UNBOUNDED_PRECEDING | END_CURRENT_ROW;
const NONDEFAULT: i32 = 0x1;

pub(super) struct WindowSpec {
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<SortKey>,
    pub frame: Frame,
}

impl Binder<'_> {
    pub(super) fn window_spec(&mut self, node: &WindowDef) -> PgResult<WindowSpec> {
        let at = names::offset(node.location);
        let error = |state: SqlState, message: String| {
            let e = PgError::new(state, message);
            match at {
                Some(at) => e.at(at),
                None => e,
            }
        };
        let missing = |name: &str| error(SqlState::UNDEFINED_OBJECT, format!("window \"{name}\" does not exist"));
        // OVER w is that window itself; OVER (w …) copies its PARTITION BY and ORDER BY.
        if !node.name.is_empty() {
            let found = self.named_window(&node.name).ok_or_else(|| missing(&node.name))?;
            let plain = WindowDef { name: String::new(), ..found };
            return self.window_spec(&plain);
        }
        let base = match node.refname.is_empty() {
            true => None,
            false => {
                let found = self.named_window(&node.refname).ok_or_else(|| missing(&node.refname))?;
                Some(WindowDef { name: String::new(), ..found })
            }
        };
        let mut partition = &node.partition_clause;
        let mut order = &node.order_clause;
        if let Some(base) = &base {
            if !node.partition_clause.is_empty() {
                let message = format!("cannot override PARTITION BY clause of window \"{}\"", node.refname);
                return Err(error(SqlState::WINDOWING_ERROR, message));
            }
            if !node.order_clause.is_empty() && !base.order_clause.is_empty() {
                let message = format!("cannot override ORDER BY clause of window \"{}\"", node.refname);
                return Err(error(SqlState::WINDOWING_ERROR, message));
            }
            partition = &base.partition_clause;
            if order.is_empty() {
                order = &base.order_clause;
            }
        }
        let mut partition_by = Vec::with_capacity(partition.len());
        for key in partition {
            let key = self.expr(key)?;
            partition_by.push(self.settle_unknown(key)?);
        }
        let order_by = self.sort_keys_plain(order)?;
        let frame = self.frame(node, &order_by).map_err(|e| match at {
            Some(at) => e.at(at),
            None => e,
        })?;
        Ok(WindowSpec { partition_by, order_by, frame })
    }

    fn named_window(&self, name: &str) -> Option<WindowDef> {
        self.scopes.last()?.windows.iter().find(|w| w.name == name).cloned()
    }

    fn frame(&mut self, node: &WindowDef, order_by: &[SortKey]) -> PgResult<Frame> {
        let options = if node.frame_options & NONDEFAULT == 0 { DEFAULTS } else { node.frame_options };
        let has = |flag: i32| options & flag != 0;
        let exclusion = match () {
            _ if has(EXCLUDE_CURRENT_ROW) => Some(Exclusion::CurrentRow),
            _ if has(EXCLUDE_GROUP) => Some(Exclusion::Group),
            _ if has(EXCLUDE_TIES) => Some(Exclusion::Ties),
            _ => None,
        };
        let units = match () {
            _ if has(ROWS) => FrameUnits::Rows,
            _ if has(GROUPS) => FrameUnits::Groups,
            _ => FrameUnits::Range,
        };
        if units == FrameUnits::Groups && order_by.is_empty() {
            return Err(PgError::new(SqlState::WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause"));
        }
        let start = match () {
            _ if has(START_UNBOUNDED_PRECEDING) => Bound::UnboundedPreceding,
            _ if has(START_CURRENT_ROW) => Bound::CurrentRow,
            _ => {
                let value = self.frame_offset(node.start_offset.as_deref(), units, order_by, "starting")?;
                if has(START_OFFSET_PRECEDING) { Bound::Preceding(value) } else { Bound::Following(value) }
            }
        };
        let end = match () {
            _ if has(END_UNBOUNDED_FOLLOWING) => Bound::UnboundedFollowing,
            _ if has(END_CURRENT_ROW) => Bound::CurrentRow,
            _ => {
                let value = self.frame_offset(node.end_offset.as_deref(), units, order_by, "ending")?;
                if has(END_OFFSET_PRECEDING) { Bound::Preceding(value) } else { Bound::Following(value) }
            }
        };
        let _ = START_OFFSET_FOLLOWING;
        Ok(Frame { units, start, end, exclusion })
    }

    /// The offset of a frame's bound as a constant: a count, or a distance in the type of the only sort key.
    fn frame_offset(
        &mut self,
        node: Option<&Node>,
        units: FrameUnits,
        order_by: &[SortKey],
        which: &str,
    ) -> PgResult<ScalarValue> {
        let node = node.ok_or_else(|| PgError::internal("a frame bound without its offset"))?;
        let what = match units {
            FrameUnits::Rows => "ROWS",
            FrameUnits::Range => "RANGE",
            FrameUnits::Groups => "GROUPS",
        };
        let expr = match units {
            FrameUnits::Rows | FrameUnits::Groups => self.as_bigint(node, what)?,
            FrameUnits::Range => {
                let [key] = order_by else {
                    let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
                    return Err(PgError::new(SqlState::WINDOWING_ERROR, message));
                };
                let key = key.expr.ty.clone();
                if matches!(key.pg.oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ) {
                    return self.interval_offset(node, key.pg.oid, which);
                }
                // Only where value ± offset is plain arithmetic of one type that DataFusion has.
                if !matches!(key.pg.oid, oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8) {
                    let name = names::type_name(key.pg.oid);
                    return Err(PgError::unsupported(format!("RANGE with an offset over type {name}")));
                }
                let offset = self.expr(node)?;
                let from = offset.ty.pg.oid;
                if from != oid::UNKNOWN && !overload::can_coerce(&[from], &[key.pg.oid], Context::Assignment) {
                    let message = format!("argument of RANGE must be type {}", names::type_name(key.pg.oid));
                    return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
                }
                self.convert(offset, PgType::new(key.pg.oid), Context::Assignment)?
            }
        };
        let value = constant_of(&expr)?;
        if value.is_null() {
            let message = format!("frame {which} offset must not be null");
            return Err(PgError::new(SqlState([b'2', b'2', b'0', b'1', b'3']), message));
        }
        let negative = match &value {
            ScalarValue::Int64(Some(v)) => *v < 0,
            ScalarValue::Int32(Some(v)) => *v < 0,
            ScalarValue::Int16(Some(v)) => *v < 0,
            ScalarValue::Float64(Some(v)) => *v < 0.0,
            ScalarValue::Float32(Some(v)) => *v < 0.0,
            _ => false,
        };
        let float = match &value {
            ScalarValue::Float64(Some(v)) => Some(*v),
            ScalarValue::Float32(Some(v)) => Some(f64::from(*v)),
            _ => None,
        };
        if float.is_some_and(f64::is_nan) {
            let message = "invalid preceding or following size in window function";
            return Err(PgError::new(SqlState([b'2', b'2', b'0', b'1', b'3']), message));
        }
        if float.is_some_and(f64::is_infinite) {
            return Err(PgError::unsupported("RANGE with an infinite offset"));
        }
        if negative {
            let message = format!("frame {which} offset must not be negative");
            return Err(PgError::new(SqlState([b'2', b'2', b'0', b'1', b'3']), message));
        }
        Ok(match (units, value) {
            (FrameUnits::Rows | FrameUnits::Groups, ScalarValue::Int64(Some(v))) => {
                ScalarValue::UInt64(Some(v.unsigned_abs()))
            }
            (_, value) => value,
        })
    }
}

impl Binder<'_> {
    /// The offset of a RANGE frame over dates and times, where DataFusion's sum of a key and it is PostgreSQL's.
    fn interval_offset(&mut self, node: &Node, key: crate::types::Oid, which: &str) -> PgResult<ScalarValue> {
        let offset = self.expr(node)?;
        let from = offset.ty.pg.oid;
        if from != oid::UNKNOWN && from != oid::INTERVAL {
            let (key, from) = (names::type_name(key), names::type_name(from));
            let message = format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {key} and offset type {from}"
            );
            let hint = "Cast the offset value to an appropriate type.";
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).hint(hint));
        }
        let offset = self.convert(offset, PgType::new(oid::INTERVAL), Context::Implicit)?;
        let ScalarValue::FixedSizeBinary(_, value) = constant_of(&offset)? else {
            return Err(PgError::internal("an interval is sixteen bytes"));
        };
        let Some(bytes) = value else {
            let message = format!("frame {which} offset must not be null");
            return Err(PgError::new(SqlState([b'2', b'2', b'0', b'1', b'3']), message));
        };
        let interval = crate::types::interval::Interval::from_bytes(&bytes);
        if interval.cmp_value() < 0 {
            let message = "invalid preceding or following size in window function";
            return Err(PgError::new(SqlState([b'2', b'2', b'0', b'1', b'3']), message));
        }
        let exact = match key {
            oid::DATE => interval.micros == 0,
            oid::TIMESTAMP => true,
            // Days and months of a moment are those of the session's zone.
            _ => interval.months == 0 && interval.days == 0,
        };
        let nanos = interval.micros.checked_mul(1000).filter(|_| exact);
        let nanos = nanos.ok_or_else(|| {
            PgError::unsupported(format!("RANGE with this offset over type {}", names::type_name(key)))
        })?;
        let value = arrow::datatypes::IntervalMonthDayNano::new(interval.months, interval.days, nanos);
        Ok(ScalarValue::IntervalMonthDayNano(Some(value)))
    }
}

/// The value of a constant, casts of constants included.
pub(super) fn constant_of(expr: &Expr) -> PgResult<ScalarValue> {
    match &expr.kind {
        ExprKind::Literal(value) => Ok(value.clone()),
        ExprKind::Cast(inner) => Ok(constant_of(inner)?.cast_to(&expr.ty.storage)?),
        ExprKind::Scalar { args, .. } if args.iter().all(|a| constant_of(a).is_ok()) => super::lower::constant(expr),
        _ => Err(PgError::unsupported("a frame offset that is not a constant")),
    }
}

/// The window definitions of a WINDOW clause.
pub(super) fn definitions(nodes: &[Node]) -> PgResult<Vec<WindowDef>> {
    let mut list: Vec<WindowDef> = Vec::new();
    for node in nodes {
        if let Some(NodeEnum::WindowDef(def)) = &node.node {
            if list.iter().any(|d| d.name == def.name) {
                let message = format!("window \"{}\" is already defined", def.name);
                return Err(PgError::new(SqlState::WINDOWING_ERROR, message));
            }
            list.push((**def).clone());
        }
    }
    Ok(list)
}
