//! Evaluation of SQL/JSON paths over jsonb: lax and strict mode, filters, arithmetic, methods.

use super::adapt::*;
use super::dates::zone_of;
use super::jsonpath_datetime::Datetime;
use super::regexp;
use super::registry::Registry;
use crate::types::datetime::Zone;
use crate::types::jsonb::{JsonKind, JsonbBuilder, JsonbRef};
use crate::types::jsonpath::{Head, Item, JsonPath, Method, Operation, Step};
use crate::types::numeric::Numeric;
use crate::types::{PgError, PgResult, SqlState};
use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// A value: part of the document, or computed.
type Value<'a> = Cow<'a, [u8]>;

/// Three-valued truth.
#[derive(Clone, Copy, PartialEq)]
enum Truth {
    False,
    True,
    Unknown,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// How an evaluation fails: what lax mode and `silent` forgive, and what nothing does.
enum Failure {
    Soft(PgError),
    Hard(PgError),
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Self::Hard(error)
    }
}

type Outcome<T> = Result<T, Failure>;

fn soft<T>(code: &[u8; 5], message: impl Into<String>) -> Outcome<T> {
    Err(Failure::Soft(PgError::new(SqlState(*code), message)))
}

const SUBSCRIPT: &[u8; 5] = b"22033";
const NOT_NUMERIC: &[u8; 5] = b"22036";
const NOT_SINGLE: &[u8; 5] = b"22038";
const NO_ARRAY: &[u8; 5] = b"22039";
const NO_MEMBER: &[u8; 5] = b"2203A";
const NO_NUMBER: &[u8; 5] = b"2203B";
const NO_OBJECT: &[u8; 5] = b"2203C";
const NO_DATETIME: &[u8; 5] = b"22031";

struct Run<'a> {
    strict: bool,
    root: &'a [u8],
    vars: Option<&'a [u8]>,
    /// Structural errors count as nothing found.
    forgiving: bool,
    /// The session's time zone, for the functions that may use it.
    zone: Option<&'a Zone>,
}

/// What surrounds an expression: `@` and the length of the array that is subscripted.
#[derive(Clone)]
struct Around<'a> {
    current: Value<'a>,
    length: Option<i64>,
}

fn view<'v>(value: &'v Value<'_>) -> JsonbRef<'v> {
    JsonbRef::new(value)
}

fn made(build: impl FnOnce(&mut JsonbBuilder)) -> Vec<u8> {
    let mut out = JsonbBuilder::new();
    build(&mut out);
    out.finish()
}

fn number(value: &Numeric) -> Vec<u8> {
    made(|out| out.number(value))
}

fn string(text: &str) -> Vec<u8> {
    made(|out| out.string(text))
}

/// The values right below, as parts of the same document.
fn below<'a>(value: &Value<'a>) -> Vec<Value<'a>> {
    fn borrowed(bytes: &[u8]) -> Vec<&[u8]> {
        let value = JsonbRef::new(bytes);
        match value.kind() {
            JsonKind::Object => value.pairs().map(|(_, v)| v.bytes()).collect(),
            JsonKind::Array => value.elements().map(|e| e.bytes()).collect(),
            _ => Vec::new(),
        }
    }
    match value {
        Cow::Borrowed(bytes) => borrowed(bytes).into_iter().map(Cow::Borrowed).collect(),
        Cow::Owned(bytes) => borrowed(bytes).into_iter().map(|b| Cow::Owned(b.to_vec())).collect(),
    }
}

fn is_container(value: &Value<'_>) -> bool {
    matches!(view(value).kind(), JsonKind::Array | JsonKind::Object)
}

impl<'a> Run<'a> {
    /// All values of an expression.
    fn item(&mut self, item: &Item, around: &Around<'a>, out: &mut Vec<Value<'a>>) -> Outcome<()> {
        let heads: Vec<Value<'a>> = match &item.head {
            Head::Null => vec![Cow::Owned(made(|o| o.null()))],
            Head::Bool(b) => vec![Cow::Owned(made(|o| o.bool(*b)))],
            Head::Number(n) => vec![Cow::Owned(number(n))],
            Head::String(s) => vec![Cow::Owned(string(s))],
            Head::Variable(name) => vec![self.variable(name)?],
            Head::Root => vec![Cow::Borrowed(self.root)],
            Head::Current => vec![around.current.clone()],
            Head::Last => {
                let length = around.length.ok_or_else(|| PgError::internal("LAST outside a subscript"))?;
                vec![Cow::Owned(number(&Numeric::from(length - 1)))]
            }
            Head::Binary(
                op @ (Operation::Add | Operation::Sub | Operation::Mul | Operation::Div | Operation::Mod),
                l,
                r,
            ) => {
                vec![Cow::Owned(self.arithmetic(*op, l, r, around)?)]
            }
            Head::Sign(minus, arg) => {
                let mut values = Vec::new();
                self.unwrapped(arg, around, true, &mut values)?;
                let mut heads = Vec::new();
                for value in values {
                    let Some(n) = view(&value).as_numeric() else {
                        // What was found before the fault stays found.
                        self.each(&heads, &item.then, around, out)?;
                        let sign = if *minus { '-' } else { '+' };
                        return soft(
                            NO_NUMBER,
                            format!("operand of unary jsonpath operator {sign} is not a numeric value"),
                        );
                    };
                    let n = n?;
                    heads.push(Cow::Owned(number(&if *minus { n.neg() } else { n })));
                }
                heads
            }
            _ => match self.truth(item, around)? {
                Truth::Unknown => vec![Cow::Owned(made(|o| o.null()))],
                truth => vec![Cow::Owned(made(|o| o.bool(truth == Truth::True)))],
            },
        };
        self.each(&heads, &item.then, around, out)
    }

    fn each(
        &mut self,
        values: &[Value<'a>],
        steps: &[Step],
        around: &Around<'a>,
        out: &mut Vec<Value<'a>>,
    ) -> Outcome<()> {
        values.iter().try_for_each(|v| self.steps(steps, v.clone(), around, out, !self.strict))
    }

    /// The rest of a path from one value on. With `unwrap` an array stands for its elements where a step wants that.
    fn steps(
        &mut self,
        steps: &[Step],
        value: Value<'a>,
        around: &Around<'a>,
        out: &mut Vec<Value<'a>>,
        unwrap: bool,
    ) -> Outcome<()> {
        let Some((step, rest)) = steps.split_first() else {
            out.push(value);
            return Ok(());
        };
        let auto = !self.strict;
        let kind = view(&value).kind();
        let unwraps = matches!(
            step,
            Step::Key(_)
                | Step::AnyKey
                | Step::Filter(_)
                | Step::Datetime(_)
                | Step::Method(Method::Abs | Method::Floor | Method::Ceiling | Method::Double | Method::KeyValue)
        );
        if unwrap && unwraps && kind == JsonKind::Array {
            return below(&value).into_iter().try_for_each(|v| self.steps(steps, v, around, out, false));
        }
        match step {
            Step::Key(key) => match kind {
                JsonKind::Object => {
                    let found = match &value {
                        Cow::Borrowed(b) => JsonbRef::new(b).get(key).map(|v| Cow::Borrowed(v.bytes())),
                        Cow::Owned(b) => JsonbRef::new(b).get(key).map(|v| Cow::Owned(v.bytes().to_vec())),
                    };
                    match found {
                        Some(found) => self.steps(rest, found, around, out, auto),
                        None if self.forgiving => Ok(()),
                        None => soft(NO_MEMBER, format!("JSON object does not contain key \"{key}\"")),
                    }
                }
                _ if self.forgiving => Ok(()),
                _ => soft(NO_MEMBER, "jsonpath member accessor can only be applied to an object"),
            },
            Step::AnyKey => match kind {
                JsonKind::Object => below(&value).into_iter().try_for_each(|v| self.steps(rest, v, around, out, auto)),
                _ if self.forgiving => Ok(()),
                _ => soft(NO_OBJECT, "jsonpath wildcard member accessor can only be applied to an object"),
            },
            Step::AnyElement => match kind {
                JsonKind::Array => below(&value).into_iter().try_for_each(|v| self.steps(rest, v, around, out, auto)),
                _ if auto => self.steps(rest, value, around, out, auto),
                _ if self.forgiving => Ok(()),
                _ => soft(NO_ARRAY, "jsonpath wildcard array accessor can only be applied to an array"),
            },
            Step::Elements(list) => self.elements(list, rest, value, around, out),
            Step::Any(first, last) => {
                if *first == 0 {
                    let before = std::mem::replace(&mut self.forgiving, true);
                    let done = self.steps(rest, value.clone(), around, out, auto);
                    self.forgiving = before;
                    done?;
                }
                self.levels(rest, &value, around, out, (1, *first, *last))
            }
            Step::Filter(predicate) => {
                let inner = Around { current: value.clone(), length: around.length };
                match self.truth(predicate, &inner)? {
                    Truth::True => self.steps(rest, value, around, out, auto),
                    _ => Ok(()),
                }
            }
            Step::Method(method) => {
                for made in self.method(*method, &value)? {
                    self.steps(rest, made, around, out, auto)?;
                }
                Ok(())
            }
            Step::Datetime(template) => {
                let Some(text) = view(&value).as_str().filter(|text| !text.starts_with('\0')) else {
                    return soft(NO_DATETIME, "jsonpath item method .datetime() can only be applied to a string");
                };
                let made = Datetime::read(text, template.as_deref()).map_err(Failure::Soft)?;
                self.steps(rest, Cow::Owned(string(&made.marked())), around, out, auto)
            }
        }
    }

    fn levels(
        &mut self,
        rest: &[Step],
        value: &Value<'a>,
        around: &Around<'a>,
        out: &mut Vec<Value<'a>>,
        (level, first, last): (u32, u32, u32),
    ) -> Outcome<()> {
        if level > last {
            return Ok(());
        }
        for inner in below(value) {
            let leaf = first == u32::MAX && last == u32::MAX && !is_container(&inner);
            if level >= first || leaf {
                let before = std::mem::replace(&mut self.forgiving, true);
                let done = self.steps(rest, inner.clone(), around, out, !self.strict);
                self.forgiving = before;
                done?;
            }
            if level < last && is_container(&inner) {
                self.levels(rest, &inner, around, out, (level + 1, first, last))?;
            }
        }
        Ok(())
    }

    fn elements(
        &mut self,
        list: &[(Item, Option<Item>)],
        rest: &[Step],
        value: Value<'a>,
        around: &Around<'a>,
        out: &mut Vec<Value<'a>>,
    ) -> Outcome<()> {
        let is_array = view(&value).kind() == JsonKind::Array;
        if !is_array && self.strict {
            if self.forgiving {
                return Ok(());
            }
            return soft(NO_ARRAY, "jsonpath array accessor can only be applied to an array");
        }
        let members = if is_array { below(&value) } else { vec![value] };
        let size = members.len() as i64;
        let inner = Around { current: around.current.clone(), length: Some(size) };
        for (from, to) in list {
            let from = self.index(from, &inner)?;
            let to = match to {
                Some(to) => self.index(to, &inner)?,
                None => from,
            };
            if !self.forgiving && (from < 0 || from > to || to >= size) {
                return soft(SUBSCRIPT, "jsonpath array subscript is out of bounds");
            }
            for at in from.max(0)..=to.min(size - 1) {
                self.steps(rest, members[at as usize].clone(), around, out, !self.strict)?;
            }
        }
        Ok(())
    }

    fn index(&mut self, item: &Item, around: &Around<'a>) -> Outcome<i64> {
        let mut found = Vec::new();
        self.item(item, around, &mut found)?;
        let [value] = found.as_slice() else {
            return soft(SUBSCRIPT, "jsonpath array subscript is not a single numeric value");
        };
        let Some(n) = view(value).as_numeric() else {
            return soft(SUBSCRIPT, "jsonpath array subscript is not a single numeric value");
        };
        match n?.trunc(0).to_i32() {
            Ok(index) => Ok(index.into()),
            Err(_) => soft(SUBSCRIPT, "jsonpath array subscript is out of integer range"),
        }
    }

    fn variable(&self, name: &str) -> Outcome<Value<'a>> {
        let Some(vars) = self.vars else { return Ok(Cow::Owned(made(|o| o.null()))) };
        JsonbRef::new(vars).get(name).map(|v| Cow::Borrowed(v.bytes())).ok_or_else(|| {
            let message = format!("could not find jsonpath variable \"{name}\"");
            Failure::Hard(PgError::new(SqlState::UNDEFINED_OBJECT, message))
        })
    }

    /// The values of an expression, arrays among them as their elements in lax mode.
    fn unwrapped(&mut self, item: &Item, around: &Around<'a>, unwrap: bool, out: &mut Vec<Value<'a>>) -> Outcome<()> {
        let from = out.len();
        self.item(item, around, out)?;
        if unwrap && !self.strict {
            let found = out.split_off(from);
            for value in found {
                match view(&value).kind() {
                    JsonKind::Array => out.extend(below(&value)),
                    _ => out.push(value),
                }
            }
        }
        Ok(())
    }

    /// The values of an expression of which only counts whether there are any: then lax mode passes over what a sign cannot be given to.
    fn any_of(&mut self, item: &Item, around: &Around<'a>, out: &mut Vec<Value<'a>>) -> Outcome<()> {
        match &item.head {
            Head::Sign(_, arg) if !self.strict && item.then.is_empty() => {
                let mut values = Vec::new();
                self.unwrapped(arg, around, true, &mut values)?;
                out.extend(values.into_iter().filter(|value| view(value).kind() == JsonKind::Number));
                Ok(())
            }
            _ => self.item(item, around, out),
        }
    }

    fn arithmetic(&mut self, op: Operation, l: &Item, r: &Item, around: &Around<'a>) -> Outcome<Vec<u8>> {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.unwrapped(l, around, true, &mut left)?;
        self.unwrapped(r, around, true, &mut right)?;
        let single = |values: &[Value<'a>], side: &str| -> Outcome<Numeric> {
            let number = match values {
                [one] => view(one).as_numeric(),
                _ => None,
            };
            match number {
                Some(number) => Ok(number?),
                None => {
                    let message =
                        format!("{side} operand of jsonpath operator {} is not a single numeric value", op.text());
                    soft(NOT_SINGLE, message)
                }
            }
        };
        let (left, right) = (single(&left, "left")?, single(&right, "right")?);
        let result = match op {
            Operation::Add => left.add(&right),
            Operation::Sub => left.sub(&right),
            Operation::Mul => left.mul(&right),
            Operation::Div => left.div(&right),
            _ => left.rem(&right),
        };
        result.map(|n| number(&n)).map_err(Failure::Soft)
    }

    fn method(&mut self, method: Method, value: &Value<'a>) -> Outcome<Vec<Value<'a>>> {
        let json = view(value);
        let name = method.name();
        let one = |bytes: Vec<u8>| Ok(vec![Cow::Owned(bytes)]);
        match method {
            Method::Type => one(string(match moment(json) {
                Some(moment) => moment.type_name(),
                None => json.kind().name(),
            })),
            Method::Size => match json.kind() {
                JsonKind::Array => one(number(&Numeric::from(json.len() as i64))),
                _ if !self.strict => one(number(&Numeric::from(1))),
                _ if self.forgiving => Ok(Vec::new()),
                _ => soft(NO_ARRAY, format!("jsonpath item method .{name}() can only be applied to an array")),
            },
            Method::Abs | Method::Floor | Method::Ceiling => {
                let Some(n) = json.as_numeric() else {
                    return soft(
                        NOT_NUMERIC,
                        format!("jsonpath item method .{name}() can only be applied to a numeric value"),
                    );
                };
                let n = n?;
                one(number(&match method {
                    Method::Abs => n.abs(),
                    Method::Floor => n.floor(),
                    _ => n.ceil(),
                }))
            }
            Method::Double => {
                if let Some(n) = json.as_numeric() {
                    return match n?.to_f64() {
                        Ok(v) if v.is_finite() => Ok(vec![value.clone()]),
                        _ => soft(
                            NOT_NUMERIC,
                            format!(
                                "numeric argument of jsonpath item method .{name}() is out of range for type double precision"
                            ),
                        ),
                    };
                }
                let Some(text) = plain(json) else {
                    return soft(
                        NOT_NUMERIC,
                        format!("jsonpath item method .{name}() can only be applied to a string or numeric value"),
                    );
                };
                match crate::types::codec::parse_f64(text) {
                    Ok(v) if v.is_finite() => one(number(&Numeric::from_f64(v))),
                    _ => soft(
                        NOT_NUMERIC,
                        format!(
                            "string argument of jsonpath item method .{name}() is not a valid representation of a double precision number"
                        ),
                    ),
                }
            }
            Method::KeyValue => {
                if json.kind() != JsonKind::Object {
                    return soft(NO_OBJECT, format!("jsonpath item method .{name}() can only be applied to an object"));
                }
                // The id is the object's place in PostgreSQL's own storage; only the document's own place is known here.
                if json.bytes().as_ptr() != self.root.as_ptr() && json.pairs().len() > 0 {
                    let message = "the jsonpath method .keyvalue() of an object within another value";
                    return Err(Failure::Hard(PgError::unsupported(message)));
                }
                let pairs = json.pairs().map(|(key, value)| {
                    Cow::Owned(made(|out| {
                        out.begin_object();
                        out.key("id");
                        out.integer(0);
                        out.key("key");
                        out.string(key);
                        out.key("value");
                        out.value(value);
                        out.end();
                    }))
                });
                Ok(pairs.collect())
            }
        }
    }

    fn truth(&mut self, item: &Item, around: &Around<'a>) -> Outcome<Truth> {
        match &item.head {
            Head::Binary(Operation::And, l, r) => {
                let left = self.truth(l, around)?;
                if left == Truth::False {
                    return Ok(Truth::False);
                }
                let right = self.truth(r, around)?;
                Ok(if right == Truth::True { left } else { right })
            }
            Head::Binary(Operation::Or, l, r) => {
                let left = self.truth(l, around)?;
                if left == Truth::True {
                    return Ok(Truth::True);
                }
                let right = self.truth(r, around)?;
                Ok(if right == Truth::False { left } else { right })
            }
            Head::Not(arg) => Ok(match self.truth(arg, around)? {
                Truth::Unknown => Truth::Unknown,
                truth => (truth == Truth::False).into(),
            }),
            Head::IsUnknown(arg) => Ok((self.truth(arg, around)? == Truth::Unknown).into()),
            Head::Exists(arg) => {
                let mut found = Vec::new();
                match self.any_of(arg, around, &mut found) {
                    // In lax mode what was found before the fault counts.
                    Err(Failure::Soft(_)) if !self.strict && !found.is_empty() => Ok(Truth::True),
                    Err(Failure::Soft(_)) => Ok(Truth::Unknown),
                    Err(hard) => Err(hard),
                    Ok(()) => Ok((!found.is_empty()).into()),
                }
            }
            Head::LikeRegex { value, pattern, flags } => {
                let pattern = regex_of(pattern, flags)?;
                self.predicate(value, None, around, false, &mut |l, _| {
                    Ok(match plain(l) {
                        Some(text) => pattern.is_match(text)?.into(),
                        None => Truth::Unknown,
                    })
                })
            }
            Head::Binary(Operation::StartsWith, l, r) => self.predicate(l, Some(r), around, false, &mut |l, r| {
                Ok(match (plain(l), r.and_then(plain)) {
                    (Some(text), Some(prefix)) => text.starts_with(prefix).into(),
                    _ => Truth::Unknown,
                })
            }),
            Head::Binary(op, l, r) => {
                let zone = self.zone;
                self.predicate(l, Some(r), around, true, &mut |l, r| match r {
                    Some(r) => compare(*op, l, r, zone),
                    None => Ok(Truth::Unknown),
                })
            }
            _ => Err(Failure::Hard(PgError::internal("a jsonpath condition that is none"))),
        }
    }

    fn predicate(
        &mut self,
        left: &Item,
        right: Option<&Item>,
        around: &Around<'a>,
        unwrap_right: bool,
        test: &mut dyn FnMut(JsonbRef<'_>, Option<JsonbRef<'_>>) -> PgResult<Truth>,
    ) -> Outcome<Truth> {
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        match self.unwrapped(left, around, true, &mut lefts) {
            Err(Failure::Soft(_)) => return Ok(Truth::Unknown),
            done => done?,
        }
        if let Some(right) = right {
            match self.unwrapped(right, around, unwrap_right, &mut rights) {
                Err(Failure::Soft(_)) => return Ok(Truth::Unknown),
                done => done?,
            }
        }
        let (mut found, mut unknown) = (false, false);
        for l in &lefts {
            let count = if right.is_some() { rights.len() } else { 1 };
            for n in 0..count {
                match test(view(l), rights.get(n).map(view))? {
                    Truth::Unknown if self.strict => return Ok(Truth::Unknown),
                    Truth::Unknown => unknown = true,
                    Truth::True if !self.strict => return Ok(Truth::True),
                    Truth::True => found = true,
                    Truth::False => {}
                }
            }
        }
        Ok(if found {
            Truth::True
        } else if unknown {
            Truth::Unknown
        } else {
            Truth::False
        })
    }
}

/// The date or time that a value within a path is.
fn moment(value: JsonbRef<'_>) -> Option<Datetime> {
    value.as_str().and_then(Datetime::of)
}

/// A string that is none.
fn plain(value: JsonbRef<'_>) -> Option<&str> {
    value.as_str().filter(|text| !text.starts_with('\0'))
}

/// What a value is outside of the path.
fn released(value: Value<'_>) -> Value<'_> {
    match moment(view(&value)) {
        Some(moment) => Cow::Owned(string(&moment.text())),
        None => value,
    }
}

fn compare(op: Operation, l: JsonbRef<'_>, r: JsonbRef<'_>, zone: Option<&Zone>) -> PgResult<Truth> {
    if l.kind() != r.kind() {
        return Ok(match l.is_null() || r.is_null() {
            true => (op == Operation::NotEqual).into(),
            false => Truth::Unknown,
        });
    }
    let order = match l.kind() {
        JsonKind::Null => Ordering::Equal,
        JsonKind::Bool => l.as_bool().cmp(&r.as_bool()),
        JsonKind::Number => match (l.as_numeric(), r.as_numeric()) {
            (Some(l), Some(r)) => l?.cmp(&r?),
            _ => return Ok(Truth::Unknown),
        },
        JsonKind::String if moment(l).is_some() || moment(r).is_some() => match (moment(l), moment(r)) {
            (Some(l), Some(r)) => match l.compare(r, zone)? {
                Some(order) => order,
                None => return Ok(Truth::Unknown),
            },
            _ => return Ok(Truth::Unknown),
        },
        // By UTF-16 code units, as the standard has it.
        JsonKind::String => match (l.as_str(), r.as_str()) {
            (Some(l), Some(r)) => l.encode_utf16().cmp(r.encode_utf16()),
            _ => return Ok(Truth::Unknown),
        },
        JsonKind::Array | JsonKind::Object => return Ok(Truth::Unknown),
    };
    Ok(match op {
        Operation::Equal => order.is_eq(),
        Operation::NotEqual => order.is_ne(),
        Operation::Less => order.is_lt(),
        Operation::LessOrEqual => order.is_le(),
        Operation::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
    .into())
}

fn regex_of(pattern: &str, flags: &str) -> PgResult<Rc<regexp::Expression>> {
    let mut letters = String::new();
    if flags.contains('i') {
        letters.push('i');
    }
    if flags.contains('q') {
        letters.push('q');
    } else {
        letters.push_str(match (flags.contains('s'), flags.contains('m')) {
            (true, true) => "w",
            (true, false) => "s",
            (false, true) => "n",
            (false, false) => "p",
        });
    }
    regexp::compiled(pattern, regexp::Flags::parse(&letters)?)
}

thread_local! {
    /// The last few paths that this thread has read.
    static READ: RefCell<HashMap<String, Rc<JsonPath>>> = RefCell::new(HashMap::new());
}

fn read(text: &str) -> PgResult<Rc<JsonPath>> {
    READ.with_borrow_mut(|cache| {
        if let Some(found) = cache.get(text) {
            return Ok(Rc::clone(found));
        }
        if cache.len() >= 64 {
            cache.clear();
        }
        let path = Rc::new(JsonPath::parse(text)?);
        cache.insert(text.to_string(), Rc::clone(&path));
        Ok(path)
    })
}

/// A path over a value.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    pub json: &'a [u8],
    pub path: &'a str,
    pub vars: Option<&'a [u8]>,
    /// Errors are nothing found.
    pub silent: bool,
    /// The session's time zone, for the functions that may use it.
    pub zone: Option<&'a Zone>,
}

impl<'a> Search<'a> {
    /// What the path finds, and whether an error ended it that `silent` forgives. `any`: only whether there is something counts.
    fn run(self, any: bool) -> PgResult<(Vec<Value<'a>>, bool, bool)> {
        let path = read(self.path)?;
        if self.vars.is_some_and(|v| JsonbRef::new(v).kind() != JsonKind::Object) {
            let detail = "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.";
            return Err(PgError::new(SqlState::INVALID_PARAMETER, "\"vars\" argument is not an object").detail(detail));
        }
        let Self { json, vars, zone, .. } = self;
        let mut run = Run { strict: path.strict, root: json, vars, forgiving: !path.strict, zone };
        let mut found = Vec::new();
        let around = Around { current: Cow::Borrowed(json), length: None };
        let done = match any {
            true => run.any_of(&path.root, &around, &mut found),
            false => run.item(&path.root, &around, &mut found),
        };
        match done {
            Ok(()) => Ok((found, false, path.strict)),
            Err(Failure::Soft(_)) if self.silent => Ok((found, true, path.strict)),
            Err(Failure::Soft(error) | Failure::Hard(error)) => Err(error),
        }
    }

    fn exists(self) -> PgResult<Option<bool>> {
        // Lax mode stops at the first value that is found: a fault after it is never seen.
        let (found, failed, strict) = match (Self { silent: true, ..self }).run(true) {
            Ok((found, true, strict)) if !self.silent && (strict || found.is_empty()) => {
                return match self.run(true) {
                    Err(error) => Err(error),
                    Ok(_) => Ok(Some(!found.is_empty())),
                };
            }
            done => done?,
        };
        match failed && (strict || found.is_empty()) {
            true => Ok(None),
            false => Ok(Some(!found.is_empty())),
        }
    }

    fn matches(self) -> PgResult<Option<bool>> {
        let (found, _, _) = self.run(false)?;
        if let [one] = found.as_slice() {
            match view(one).kind() {
                JsonKind::Bool => return Ok(view(one).as_bool()),
                JsonKind::Null => return Ok(None),
                _ => {}
            }
        }
        match self.silent {
            true => Ok(None),
            false => Err(PgError::new(SqlState(*NOT_SINGLE), "single boolean result is expected")),
        }
    }

    /// All values, for `jsonb_path_query`.
    pub fn all(self) -> PgResult<Vec<Vec<u8>>> {
        Ok(self.run(false)?.0.into_iter().map(|value| released(value).into_owned()).collect())
    }

    fn array(self) -> PgResult<Vec<u8>> {
        let all = self.all()?;
        Ok(made(|out| {
            out.begin_array();
            all.iter().for_each(|v| out.value(JsonbRef::new(v)));
            out.end();
        }))
    }
}

/// The search that the four arguments of these functions say.
fn search<'a>(json: &'a [u8], path: &'a str, vars: &'a [u8], silent: bool, zone: Option<&'a Zone>) -> Search<'a> {
    Search { json, path, vars: Some(vars), silent, zone }
}

pub fn declare(r: &mut Registry) {
    type J = JsonbBytes;
    fn operator<'a>(json: &'a [u8], path: &'a str) -> Search<'a> {
        Search { json, path, vars: None, silent: true, zone: None }
    }
    r.fun("jsonb_path_exists_opr(jsonb,jsonpath)", maybe2::<J, Text, Bool>(|j, p| operator(j, p).exists()));
    r.fun("jsonb_path_match_opr(jsonb,jsonpath)", maybe2::<J, Text, Bool>(|j, p| operator(j, p).matches()));
    r.fun(
        "jsonb_path_exists(jsonb,jsonpath,jsonb,bool)",
        maybe4::<J, Text, J, Bool, Bool>(|j, p, v, s| search(j, p, v, s, None).exists()),
    );
    r.fun(
        "jsonb_path_exists_tz(jsonb,jsonpath,jsonb,bool)",
        session4::<J, Text, J, Bool, Bool>(|call, j, p, v, s| search(j, p, v, s, Some(&zone_of(call))).exists()),
    );
    r.fun(
        "jsonb_path_match(jsonb,jsonpath,jsonb,bool)",
        maybe4::<J, Text, J, Bool, Bool>(|j, p, v, s| search(j, p, v, s, None).matches()),
    );
    r.fun(
        "jsonb_path_match_tz(jsonb,jsonpath,jsonb,bool)",
        session4::<J, Text, J, Bool, Bool>(|call, j, p, v, s| search(j, p, v, s, Some(&zone_of(call))).matches()),
    );
    r.fun(
        "jsonb_path_query_array(jsonb,jsonpath,jsonb,bool)",
        attempt4::<J, Text, J, Bool, J>(|j, p, v, s| search(j, p, v, s, None).array()),
    );
    r.fun(
        "jsonb_path_query_array_tz(jsonb,jsonpath,jsonb,bool)",
        session4::<J, Text, J, Bool, J>(|call, j, p, v, s| search(j, p, v, s, Some(&zone_of(call))).array().map(Some)),
    );
    r.fun(
        "jsonb_path_query_first(jsonb,jsonpath,jsonb,bool)",
        maybe4::<J, Text, J, Bool, J>(|j, p, v, s| Ok(search(j, p, v, s, None).all()?.into_iter().next())),
    );
    r.fun(
        "jsonb_path_query_first_tz(jsonb,jsonpath,jsonb,bool)",
        session4::<J, Text, J, Bool, J>(|call, j, p, v, s| {
            Ok(search(j, p, v, s, Some(&zone_of(call))).all()?.into_iter().next())
        }),
    );
}
