//! Ranges and multiranges: their values, their text and binary forms, and what is done with them.
//!
//! The storage form sorts bytewise as PostgreSQL's values sort:
//!
//! ```text
//! range        0 = empty | 1, lower bound, upper bound
//! lower bound  0 = unbounded | 1, value, 0 = inclusive or 1 = exclusive
//! upper bound  2 = unbounded | 1, value, 0 = exclusive or 1 = inclusive
//! value        i64 big-endian with its sign flipped (integers, days, µs), or a numeric in `types::numeric`'s sortable form
//! multirange   its ranges, ascending and apart, one after the other
//! ```
//!
//! Two equal ranges of numerics may differ in their display scales, all others have one form: see [`RangeType::key`].

use super::codec::TextSettings;
use super::datetime::{
    DATE_INFINITY, DATE_NEG_INFINITY, PG_EPOCH_DAYS, PG_EPOCH_MICROS, is_finite_timestamp, write_date, write_timestamp,
};
use super::numeric::Numeric;
use super::oid::{self, Oid};
use super::{PgError, PgResult, SqlState};
use bytes::BufMut;
use std::cmp::Ordering;

/// A range type with its relatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeType {
    pub range: Oid,
    pub multirange: Oid,
    pub element: Oid,
}

const TYPES: [RangeType; 6] = [
    RangeType { range: oid::INT4RANGE, multirange: oid::INT4MULTIRANGE, element: oid::INT4 },
    RangeType { range: oid::INT8RANGE, multirange: oid::INT8MULTIRANGE, element: oid::INT8 },
    RangeType { range: oid::NUMRANGE, multirange: oid::NUMMULTIRANGE, element: oid::NUMERIC },
    RangeType { range: oid::DATERANGE, multirange: oid::DATEMULTIRANGE, element: oid::DATE },
    RangeType { range: oid::TSRANGE, multirange: oid::TSMULTIRANGE, element: oid::TIMESTAMP },
    RangeType { range: oid::TSTZRANGE, multirange: oid::TSTZMULTIRANGE, element: oid::TIMESTAMPTZ },
];

/// A value that a bound may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// An integer, days or µs since 1970.
    Whole(i64),
    Numeric(Numeric),
}

/// An end of a range; without a value it is unbounded, and then not inclusive.
#[derive(Debug, Clone)]
pub struct Bound {
    pub value: Option<Point>,
    pub inclusive: bool,
    pub lower: bool,
}

/// `None` is the empty range.
#[derive(Debug, Clone)]
pub struct Range(pub Option<(Bound, Bound)>);

/// Ranges that are not empty, ascending, neither overlapping nor adjacent.
#[derive(Debug, Clone, Default)]
pub struct Multirange(pub Vec<Range>);

fn malformed(what: &str, text: &str, detail: &str) -> PgError {
    PgError::new(SqlState::INVALID_TEXT, format!("malformed {what} literal: \"{text}\"")).detail(detail)
}

fn corrupted() -> PgError {
    PgError::new(SqlState::DATA_CORRUPTED, "stored range is not well formed")
}

fn broken_binary() -> PgError {
    PgError::new(SqlState::INVALID_BINARY, "incorrect binary data format")
}

fn data_exception(message: &str) -> PgError {
    PgError::new(SqlState(*b"22000"), message)
}

impl Bound {
    pub fn new(value: Option<Point>, inclusive: bool, lower: bool) -> Self {
        Self { inclusive: inclusive && value.is_some(), value, lower }
    }

    /// The bound on the other side of the same cut.
    fn flipped(&self) -> Self {
        Self::new(self.value.clone(), !self.inclusive, !self.lower)
    }

    /// By the values alone: an unbounded lower end is before all, an unbounded upper end behind all.
    fn cmp_value(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (None, None) if self.lower == other.lower => Ordering::Equal,
            (None, _) if self.lower => Ordering::Less,
            (None, _) => Ordering::Greater,
            (Some(_), None) if other.lower => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b),
        }
    }

    /// By where the end cuts the line.
    fn cmp_cut(&self, other: &Self) -> Ordering {
        let by_value = self.cmp_value(other);
        if by_value.is_ne() || self.value.is_none() {
            return by_value;
        }
        self.side().cmp(&other.side())
    }

    /// Where the cut lies beside its value: just before it, at it, just behind it.
    fn side(&self) -> i8 {
        match (self.inclusive, self.lower) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => -1,
        }
    }
}

impl Range {
    pub const EMPTY: Range = Range(None);

    fn overlaps(&self, other: &Self) -> bool {
        let (Some((l1, u1)), Some((l2, u2))) = (&self.0, &other.0) else { return false };
        let within = |l: &Bound, a: &Bound, b: &Bound| l.cmp_cut(a).is_ge() && l.cmp_cut(b).is_le();
        within(l1, l2, u2) || within(l2, l1, u1)
    }

    fn contains(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (_, None) => true,
            (None, _) => false,
            (Some((l1, u1)), Some((l2, u2))) => l1.cmp_cut(l2).is_le() && u1.cmp_cut(u2).is_ge(),
        }
    }

    fn before(&self, other: &Self) -> bool {
        matches!((&self.0, &other.0), (Some((_, u)), Some((l, _))) if u.cmp_cut(l).is_lt())
    }

    fn contains_point(&self, point: &Point) -> bool {
        let Some((lower, upper)) = &self.0 else { return false };
        let after = |v: &Point| v < point || (lower.inclusive && v == point);
        let until = |v: &Point| v > point || (upper.inclusive && v == point);
        lower.value.as_ref().is_none_or(after) && upper.value.as_ref().is_none_or(until)
    }

    /// From the first of both to the last of both.
    pub fn span(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (None, _) => other.clone(),
            (_, None) => self.clone(),
            (Some((l1, u1)), Some((l2, u2))) => {
                let lower = if l1.cmp_cut(l2).is_le() { l1 } else { l2 };
                let upper = if u1.cmp_cut(u2).is_ge() { u1 } else { u2 };
                Range(Some((lower.clone(), upper.clone())))
            }
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (Some((l1, u1)), Some((l2, u2))) if self.overlaps(other) => {
                let lower = if l1.cmp_cut(l2).is_ge() { l1 } else { l2 };
                let upper = if u1.cmp_cut(u2).is_le() { u1 } else { u2 };
                Range(Some((lower.clone(), upper.clone())))
            }
            _ => Self::EMPTY,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (None, None) => Ordering::Equal,
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            (Some((l1, u1)), Some((l2, u2))) => l1.cmp_cut(l2).then_with(|| u1.cmp_cut(u2)),
        }
    }
}

/// A comparison of two ranges or multiranges that gives a boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Overlaps,
    Contains,
    ContainedBy,
    Adjacent,
    Before,
    After,
    OverLeft,
    OverRight,
}

/// What makes a set of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    Union,
    Minus,
    Intersection,
}

impl RangeType {
    /// Of a range type.
    pub fn of_range(ty: Oid) -> Option<Self> {
        TYPES.into_iter().find(|t| t.range == ty)
    }

    /// Of a multirange type.
    pub fn of_multirange(ty: Oid) -> Option<Self> {
        TYPES.into_iter().find(|t| t.multirange == ty)
    }

    /// Of either.
    pub fn of(ty: Oid) -> Option<Self> {
        TYPES.into_iter().find(|t| t.range == ty || t.multirange == ty)
    }

    fn is_discrete(&self) -> bool {
        matches!(self.element, oid::INT4 | oid::INT8 | oid::DATE)
    }

    /// A range in its normal form.
    ///
    /// # Errors
    /// 22000 where the bounds are in the wrong order, 22003 and 22008 where a discrete bound has no successor.
    pub fn make(&self, lower: Bound, upper: Bound) -> PgResult<Range> {
        let empty = |l: &Bound, u: &Bound| match l.cmp_value(u) {
            Ordering::Greater => {
                Err(data_exception("range lower bound must be less than or equal to range upper bound"))
            }
            order => Ok(order.is_eq() && l.value.is_some() && !(l.inclusive && u.inclusive)),
        };
        if empty(&lower, &upper)? {
            return Ok(Range::EMPTY);
        }
        if !self.is_discrete() {
            return Ok(Range(Some((lower, upper))));
        }
        let lower = if lower.inclusive { lower } else { self.next(lower, true)? };
        let upper = if upper.inclusive { self.next(upper, false)? } else { upper };
        Ok(if empty(&lower, &upper)? { Range::EMPTY } else { Range(Some((lower, upper))) })
    }

    /// The bound with the value that follows.
    fn next(&self, bound: Bound, inclusive: bool) -> PgResult<Bound> {
        let Some(Point::Whole(value)) = bound.value else { return Ok(bound) };
        let out_of_range = |what: &str| PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("{what} out of range"));
        let next = match self.element {
            oid::INT4 => i32::try_from(value + 1).map(i64::from).map_err(|_| out_of_range("integer"))?,
            oid::DATE if value == i64::from(DATE_INFINITY) || value == i64::from(DATE_NEG_INFINITY) => {
                return Ok(bound);
            }
            oid::DATE => super::datetime::date_of(value + 1)
                .map(i64::from)
                .ok_or_else(|| PgError::new(SqlState::DATETIME_OVERFLOW, "date out of range"))?,
            _ => value.checked_add(1).ok_or_else(|| out_of_range("bigint"))?,
        };
        Ok(Bound::new(Some(Point::Whole(next)), inclusive, bound.lower))
    }

    /// `[]`, `(]` and the like.
    pub fn with_flags(&self, lower: Option<Point>, upper: Option<Point>, flags: &str) -> PgResult<Range> {
        let (l, u) = match flags {
            "[]" => (true, true),
            "[)" => (true, false),
            "(]" => (false, true),
            "()" => (false, false),
            _ => {
                let hint = "Valid values are \"[]\", \"[)\", \"(]\", and \"()\".";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid range bound flags").hint(hint));
            }
        };
        self.make(Bound::new(lower, l, true), Bound::new(upper, u, false))
    }

    /// Whether nothing lies between the end of one and the beginning of the other.
    fn touches(&self, upper: &Bound, lower: &Bound) -> bool {
        match upper.cmp_value(lower) {
            Ordering::Less if self.is_discrete() && upper.value.is_some() && lower.value.is_some() => {
                self.make(upper.flipped(), lower.flipped()).is_ok_and(|between| between.0.is_none())
            }
            Ordering::Equal if upper.value.is_some() => upper.inclusive != lower.inclusive,
            _ => false,
        }
    }

    fn adjacent(&self, a: &Range, b: &Range) -> bool {
        let (Some((l1, u1)), Some((l2, u2))) = (&a.0, &b.0) else { return false };
        self.touches(u1, l2) || self.touches(u2, l1)
    }

    /// Ranges in any order as a multirange.
    pub fn multirange(&self, mut ranges: Vec<Range>) -> Multirange {
        ranges.retain(|r| r.0.is_some());
        ranges.sort_by(Range::cmp);
        let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match out.last_mut() {
                Some(last) if last.overlaps(&range) || self.adjacent(last, &range) => *last = last.span(&range),
                _ => out.push(range),
            }
        }
        Multirange(out)
    }

    /// A relation between two ranges or multiranges, each as its ranges.
    pub fn relates(&self, relation: Relation, a: &[Range], b: &[Range]) -> bool {
        let bounds = |ranges: &[Range]| {
            let (first, last) = (ranges.first()?.0.clone()?, ranges.last()?.0.clone()?);
            Some((first.0, last.1))
        };
        let ends = || Some((bounds(a)?, bounds(b)?));
        let whole = |r: &[Range]| bounds(r).map_or(Range::EMPTY, |b| Range(Some(b)));
        let contains = |outer: &[Range], inner: &[Range]| {
            let mut inner = inner.iter().filter(|r| r.0.is_some());
            inner.all(|i| outer.iter().any(|o| o.contains(i)))
        };
        match relation {
            Relation::Overlaps => a.iter().any(|x| b.iter().any(|y| x.overlaps(y))),
            Relation::Contains => contains(a, b),
            Relation::ContainedBy => contains(b, a),
            Relation::Adjacent => {
                ends().is_some_and(|((l1, u1), (l2, u2))| self.touches(&u1, &l2) || self.touches(&u2, &l1))
            }
            Relation::Before => whole(a).before(&whole(b)),
            Relation::After => whole(b).before(&whole(a)),
            Relation::OverLeft => ends().is_some_and(|((_, u1), (_, u2))| u1.cmp_cut(&u2).is_le()),
            Relation::OverRight => ends().is_some_and(|((l1, _), (l2, _))| l1.cmp_cut(&l2).is_ge()),
        }
    }

    pub fn contains_point(&self, ranges: &[Range], point: &Point) -> bool {
        ranges.iter().any(|r| r.contains_point(point))
    }

    /// Two ranges to one.
    ///
    /// # Errors
    /// 22000 where the result would be two ranges.
    pub fn combine(&self, how: Combination, a: &Range, b: &Range) -> PgResult<Range> {
        match how {
            Combination::Intersection => Ok(a.intersection(b)),
            Combination::Union => {
                let apart = a.0.is_some() && b.0.is_some() && !a.overlaps(b) && !self.adjacent(a, b);
                if apart { Err(data_exception("result of range union would not be contiguous")) } else { Ok(a.span(b)) }
            }
            Combination::Minus => match self.minus(a, b)?.as_slice() {
                [] => Ok(Range::EMPTY),
                [one] => Ok(one.clone()),
                _ => Err(data_exception("result of range difference would not be contiguous")),
            },
        }
    }

    /// What of one is not in the other: none, one or two ranges.
    fn minus(&self, a: &Range, b: &Range) -> PgResult<Vec<Range>> {
        let (Some((l1, u1)), Some((l2, u2))) = (&a.0, &b.0) else {
            return Ok(if a.0.is_some() { vec![a.clone()] } else { Vec::new() });
        };
        if !a.overlaps(b) {
            return Ok(vec![a.clone()]);
        }
        let mut out = Vec::new();
        if l1.cmp_cut(l2).is_lt() {
            out.push(self.make(l1.clone(), l2.flipped())?);
        }
        if u1.cmp_cut(u2).is_gt() {
            out.push(self.make(u2.flipped(), u1.clone())?);
        }
        out.retain(|r| r.0.is_some());
        Ok(out)
    }

    pub fn combine_many(&self, how: Combination, a: &[Range], b: &[Range]) -> PgResult<Multirange> {
        Ok(match how {
            Combination::Union => self.multirange(a.iter().chain(b).cloned().collect()),
            Combination::Intersection => {
                let pairs = a.iter().flat_map(|x| b.iter().map(|y| x.intersection(y)));
                self.multirange(pairs.collect())
            }
            Combination::Minus => {
                let mut left = a.to_vec();
                for cut in b {
                    let parts = left.iter().map(|r| self.minus(r, cut)).collect::<PgResult<Vec<_>>>()?;
                    left = parts.into_iter().flatten().collect();
                }
                self.multirange(left)
            }
        })
    }

    // Storage.

    pub fn write(&self, range: &Range, out: &mut Vec<u8>) {
        self.write_form(range, true, out);
    }

    fn write_form(&self, range: &Range, scales: bool, out: &mut Vec<u8>) {
        let Some((lower, upper)) = &range.0 else { return out.push(0) };
        out.push(1);
        for bound in [lower, upper] {
            match &bound.value {
                None => out.push(if bound.lower { 0 } else { 2 }),
                Some(value) => {
                    out.push(1);
                    match value {
                        Point::Whole(v) => out.extend_from_slice(&((*v as u64) ^ (1 << 63)).to_be_bytes()),
                        Point::Numeric(n) => {
                            n.to_sortable(out);
                            if !scales {
                                out.truncate(out.len() - 2);
                            }
                        }
                    }
                    out.push(u8::from(bound.inclusive != bound.lower));
                }
            }
        }
    }

    /// One range from the beginning of `bytes`, and what follows it.
    fn read_one<'b>(&self, bytes: &'b [u8]) -> PgResult<(Range, &'b [u8])> {
        match bytes.split_first() {
            Some((0, rest)) => Ok((Range::EMPTY, rest)),
            Some((1, rest)) => {
                let (lower, rest) = self.read_bound(rest, true)?;
                let (upper, rest) = self.read_bound(rest, false)?;
                Ok((Range(Some((lower, upper))), rest))
            }
            _ => Err(corrupted()),
        }
    }

    fn read_bound<'b>(&self, bytes: &'b [u8], lower: bool) -> PgResult<(Bound, &'b [u8])> {
        let (value, rest) = match bytes.split_first().ok_or_else(corrupted)? {
            (0 | 2, rest) => return Ok((Bound::new(None, false, lower), rest)),
            (_, rest) if self.element == oid::NUMERIC => {
                let length = super::numeric::sortable_length(rest).ok_or_else(corrupted)?;
                let (number, rest) = rest.split_at_checked(length).ok_or_else(corrupted)?;
                (Point::Numeric(Numeric::from_sortable(number)?), rest)
            }
            (_, rest) => {
                let (number, rest) = rest.split_first_chunk::<8>().ok_or_else(corrupted)?;
                (Point::Whole((u64::from_be_bytes(*number) ^ (1 << 63)) as i64), rest)
            }
        };
        let (&side, rest) = rest.split_first().ok_or_else(corrupted)?;
        Ok((Bound::new(Some(value), (side == 1) != lower, lower), rest))
    }

    pub fn read(&self, bytes: &[u8]) -> PgResult<Range> {
        self.read_one(bytes).map(|(range, _)| range)
    }

    pub fn write_many(&self, ranges: &Multirange, out: &mut Vec<u8>) {
        ranges.0.iter().for_each(|r| self.write(r, out));
    }

    pub fn read_many(&self, mut bytes: &[u8]) -> PgResult<Multirange> {
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let (range, rest) = self.read_one(bytes)?;
            out.push(range);
            bytes = rest;
        }
        Ok(Multirange(out))
    }

    /// The storage form of ranges or a multirange without what equal values may differ in.
    pub fn key(&self, bytes: &[u8]) -> PgResult<Vec<u8>> {
        let mut out = Vec::with_capacity(bytes.len());
        self.read_many(bytes)?.0.iter().for_each(|r| self.write_form(r, false, &mut out));
        Ok(out)
    }

    // Text.

    fn read_point(&self, text: &str, settings: &TextSettings) -> PgResult<Point> {
        use super::codec::parse_integer;
        let input = settings.input();
        Ok(match self.element {
            oid::INT4 => Point::Whole(i64::from(parse_integer::<i32>(text, "integer")?)),
            oid::INT8 => Point::Whole(parse_integer(text, "bigint")?),
            oid::DATE => Point::Whole(i64::from(input.date(text)?)),
            oid::TIMESTAMP => Point::Whole(input.timestamp(text, -1)?),
            oid::TIMESTAMPTZ => Point::Whole(input.timestamptz(text, -1)?),
            _ => Point::Numeric(Numeric::parse(text)?),
        })
    }

    fn write_point(&self, point: &Point, settings: &TextSettings, out: &mut impl BufMut) {
        match (point, self.element) {
            (Point::Numeric(n), _) => n.write_text(out),
            (Point::Whole(v), oid::DATE) => write_date(*v as i32, &mut |part| out.put_slice(part)),
            (Point::Whole(v), oid::TIMESTAMP) => write_timestamp(*v, None, &mut |part| out.put_slice(part)),
            (Point::Whole(v), oid::TIMESTAMPTZ) => {
                write_timestamp(*v, Some(&settings.timezone), &mut |part| out.put_slice(part));
            }
            (Point::Whole(v), _) => out.put_slice(itoa::Buffer::new().format(*v).as_bytes()),
        }
    }

    /// A range from its text.
    ///
    /// # Errors
    /// 22P02 for what is not a range literal; what the bounds' own input says.
    pub fn parse(&self, text: &str, settings: &TextSettings) -> PgResult<Range> {
        let failed = |detail: &str| malformed("range", text, detail);
        let body = text.trim_start_matches(is_space);
        if body.get(..5).is_some_and(|w| w.eq_ignore_ascii_case("empty")) {
            if !body[5..].chars().all(is_space) {
                return Err(failed("Junk after \"empty\" key word."));
            }
            return Ok(Range::EMPTY);
        }
        let mut chars = body.chars();
        let lower_inclusive = match chars.next() {
            Some('[') => true,
            Some('(') => false,
            _ => return Err(failed("Missing left parenthesis or bracket.")),
        };
        let lower = read_bound_text(&mut chars).ok_or_else(|| failed("Unexpected end of input."))?;
        if chars.next() != Some(',') {
            return Err(failed("Missing comma after lower bound."));
        }
        let upper = read_bound_text(&mut chars).ok_or_else(|| failed("Unexpected end of input."))?;
        let upper_inclusive = match chars.next() {
            Some(']') => true,
            Some(')') => false,
            _ => return Err(failed("Too many commas.")),
        };
        if !chars.all(is_space) {
            return Err(failed("Junk after right parenthesis or bracket."));
        }
        let point = |text: Option<String>| text.map(|t| self.read_point(&t, settings)).transpose();
        let lower = Bound::new(point(lower)?, lower_inclusive, true);
        self.make(lower, Bound::new(point(upper)?, upper_inclusive, false))
    }

    pub fn write_text(&self, range: &Range, settings: &TextSettings, out: &mut impl BufMut) {
        let Some((lower, upper)) = &range.0 else { return out.put_slice(b"empty") };
        out.put_u8(if lower.inclusive { b'[' } else { b'(' });
        self.write_bound_text(lower, settings, out);
        out.put_u8(b',');
        self.write_bound_text(upper, settings, out);
        out.put_u8(if upper.inclusive { b']' } else { b')' });
    }

    fn write_bound_text(&self, bound: &Bound, settings: &TextSettings, out: &mut impl BufMut) {
        let Some(value) = &bound.value else { return };
        let mut text = Vec::new();
        self.write_point(value, settings, &mut text);
        // Values have blanks at most, nothing that would need a backslash.
        let quoted = text.is_empty() || text.iter().any(|b| b.is_ascii_whitespace());
        if quoted {
            out.put_u8(b'"');
        }
        out.put_slice(&text);
        if quoted {
            out.put_u8(b'"');
        }
    }

    /// A multirange from its text: `{[1,3),[5,7)}`.
    pub fn parse_many(&self, text: &str, settings: &TextSettings) -> PgResult<Multirange> {
        let failed = |detail: &str| malformed("multirange", text, detail);
        let mut rest = text.trim_start_matches(is_space);
        rest = rest.strip_prefix('{').ok_or_else(|| failed("Missing left brace."))?;
        let mut ranges = Vec::new();
        rest = rest.trim_start_matches(is_space);
        if let Some(after) = rest.strip_prefix('}') {
            rest = after;
        } else {
            loop {
                rest = rest.trim_start_matches(is_space);
                if rest.is_empty() {
                    return Err(failed("Unexpected end of input."));
                }
                let length = range_length(rest).ok_or_else(|| match rest.chars().next() {
                    Some('[' | '(') => failed("Unexpected end of input."),
                    _ => failed("Expected range start."),
                })?;
                ranges.push(self.parse(&rest[..length], settings)?);
                rest = rest[length..].trim_start_matches(is_space);
                match rest.chars().next() {
                    Some(',') => rest = &rest[1..],
                    Some('}') => {
                        rest = &rest[1..];
                        break;
                    }
                    None => return Err(failed("Unexpected end of input.")),
                    Some(_) => return Err(failed("Expected comma or end of multirange.")),
                }
            }
        }
        if !rest.chars().all(is_space) {
            return Err(failed("Junk after closing right brace."));
        }
        Ok(self.multirange(ranges))
    }

    pub fn write_many_text(&self, ranges: &Multirange, settings: &TextSettings, out: &mut impl BufMut) {
        out.put_u8(b'{');
        for (i, range) in ranges.0.iter().enumerate() {
            if i > 0 {
                out.put_u8(b',');
            }
            self.write_text(range, settings, out);
        }
        out.put_u8(b'}');
    }

    // Binary.

    fn send_point(&self, point: &Point, out: &mut Vec<u8>) {
        match (point, self.element) {
            (Point::Numeric(n), _) => n.send(out),
            (Point::Whole(v), oid::INT4) => out.put_i32(*v as i32),
            (Point::Whole(v), oid::INT8) => out.put_i64(*v),
            (Point::Whole(v), oid::DATE) => match *v as i32 {
                infinite @ (DATE_INFINITY | DATE_NEG_INFINITY) => out.put_i32(infinite),
                days => out.put_i32(days.saturating_sub(PG_EPOCH_DAYS)),
            },
            (Point::Whole(v), _) if is_finite_timestamp(*v) => out.put_i64(v.saturating_sub(PG_EPOCH_MICROS)),
            (Point::Whole(v), _) => out.put_i64(*v),
        }
    }

    fn receive_point(&self, bytes: &[u8]) -> PgResult<Point> {
        if self.element == oid::NUMERIC {
            return Ok(Point::Numeric(Numeric::receive(bytes)?));
        }
        let wide = || bytes.try_into().map(i64::from_be_bytes).map_err(|_| broken_binary());
        let narrow = || bytes.try_into().map(i32::from_be_bytes).map_err(|_| broken_binary());
        Ok(Point::Whole(match self.element {
            oid::INT4 => i64::from(narrow()?),
            oid::INT8 => wide()?,
            oid::DATE => i64::from(match narrow()? {
                infinite @ (DATE_INFINITY | DATE_NEG_INFINITY) => infinite,
                days => days.checked_add(PG_EPOCH_DAYS).ok_or_else(broken_binary)?,
            }),
            _ => match wide()? {
                micros if is_finite_timestamp(micros) => {
                    micros.checked_add(PG_EPOCH_MICROS).ok_or_else(broken_binary)?
                }
                infinite => infinite,
            },
        }))
    }

    /// PostgreSQL's flags, then each bound that there is with its length.
    pub fn send(&self, range: &Range, out: &mut impl BufMut) {
        let Some((lower, upper)) = &range.0 else { return out.put_u8(0x01) };
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.put_u8(
            flag(lower.inclusive, 0x02)
                | flag(upper.inclusive, 0x04)
                | flag(lower.value.is_none(), 0x08)
                | flag(upper.value.is_none(), 0x10),
        );
        for value in [&lower.value, &upper.value].into_iter().flatten() {
            let mut bytes = Vec::new();
            self.send_point(value, &mut bytes);
            out.put_i32(bytes.len() as i32);
            out.put_slice(&bytes);
        }
    }

    pub fn receive(&self, bytes: &[u8]) -> PgResult<Range> {
        let (&flags, mut rest) = bytes.split_first().ok_or_else(broken_binary)?;
        if flags & 0x01 != 0 {
            return if rest.is_empty() { Ok(Range::EMPTY) } else { Err(broken_binary()) };
        }
        let mut bound = |unbounded: bool| {
            if unbounded {
                return Ok(None);
            }
            let (value, after) = take_sized(rest)?;
            rest = after;
            self.receive_point(value).map(Some)
        };
        let (lower, upper) = (bound(flags & 0x08 != 0)?, bound(flags & 0x10 != 0)?);
        if !rest.is_empty() {
            return Err(broken_binary());
        }
        self.make(Bound::new(lower, flags & 0x02 != 0, true), Bound::new(upper, flags & 0x04 != 0, false))
    }

    pub fn send_many(&self, ranges: &Multirange, out: &mut impl BufMut) {
        out.put_i32(ranges.0.len() as i32);
        for range in &ranges.0 {
            let mut bytes = Vec::new();
            self.send(range, &mut bytes);
            out.put_i32(bytes.len() as i32);
            out.put_slice(&bytes);
        }
    }

    pub fn receive_many(&self, bytes: &[u8]) -> PgResult<Multirange> {
        let (count, mut rest) = bytes.split_first_chunk::<4>().ok_or_else(broken_binary)?;
        let mut ranges = Vec::new();
        for _ in 0..u32::from_be_bytes(*count) {
            let (range, after) = take_sized(rest)?;
            ranges.push(self.receive(range)?);
            rest = after;
        }
        if rest.is_empty() { Ok(self.multirange(ranges)) } else { Err(broken_binary()) }
    }
}

/// A length as i32, so many bytes, and the rest.
fn take_sized(bytes: &[u8]) -> PgResult<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken_binary)?;
    let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| broken_binary())?;
    rest.split_at_checked(length).ok_or_else(broken_binary)
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

/// The text of a bound up to the comma or bracket that ends it: `None` within for an unbounded one, `None` at all where
/// the text ends first.
fn read_bound_text(chars: &mut std::str::Chars<'_>) -> Option<Option<String>> {
    if matches!(chars.clone().next(), Some(',' | ')' | ']')) {
        return Some(None);
    }
    let mut text = String::new();
    let mut quoted = false;
    loop {
        let next = chars.clone().next()?;
        if !quoted && matches!(next, ',' | ')' | ']') {
            return Some(Some(text));
        }
        chars.next();
        match next {
            '\\' => text.push(chars.next()?),
            '"' if !quoted => quoted = true,
            '"' if chars.clone().next() == Some('"') => {
                chars.next();
                text.push('"');
            }
            '"' => quoted = false,
            c => text.push(c),
        }
    }
}

/// How many bytes of the text the range at its beginning has, by its brackets and quotes.
fn range_length(text: &str) -> Option<usize> {
    if text.get(..5).is_some_and(|w| w.eq_ignore_ascii_case("empty")) {
        return Some(5);
    }
    if !text.starts_with(['[', '(']) {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ']' | ')' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}
