//! PostgreSQL's rules for choosing functions, operators and casts, over its own fact rows.
//!
//! Sources: PostgreSQL's documentation, chapter "Type Conversion" (functions, operators, value storage, UNION/CASE) and
//! "Polymorphic Types". Nothing here knows an expression: types go in, choices come out.

use crate::kernels::facts::{Facts, OperatorRow, ProcRow, facts};
use crate::types::range::RangeType;
use crate::types::{Oid, oid};

/// How far a conversion may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    Implicit,
    Assignment,
    Explicit,
}

/// How one type becomes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// The same representation.
    Relabel,
    /// A cast function or a conversion of storage.
    Function,
    /// Element by element.
    Array,
    /// Through text.
    Text,
}

pub fn is_polymorphic(ty: Oid) -> bool {
    matches!(
        ty,
        oid::ANYELEMENT
            | oid::ANYARRAY
            | oid::ANYNONARRAY
            | oid::ANYENUM
            | oid::ANYRANGE
            | oid::ANYMULTIRANGE
            | oid::ANYCOMPATIBLE
            | oid::ANYCOMPATIBLEARRAY
            | oid::ANYCOMPATIBLENONARRAY
            | oid::ANYCOMPATIBLERANGE
            | oid::ANYCOMPATIBLEMULTIRANGE
    )
}

/// A domain's base type; other types themselves.
pub fn base_type(ty: Oid) -> Oid {
    match facts().type_row(ty) {
        Some(row) if row.kind == 'd' && row.base != oid::INVALID => base_type(row.base),
        _ => ty,
    }
}

/// The element type of a true array (not of the vectors, which PostgreSQL treats as scalars in most rules).
pub fn element_of(ty: Oid) -> Option<Oid> {
    let row = facts().type_row(ty)?;
    (row.category == 'A' && row.element != oid::INVALID && row.len == -1).then_some(row.element)
}

/// The element type of anything that can be subscripted.
pub fn subscript_element(ty: Oid) -> Option<Oid> {
    match ty {
        oid::OIDVECTOR => Some(oid::OID),
        oid::INT2VECTOR => Some(oid::INT2),
        oid::ANYARRAY => None,
        _ => element_of(ty),
    }
}

/// `U` unknown, `S` strings, `N` numbers, …; `X` for what is unknown here.
pub fn category(ty: Oid) -> char {
    facts().type_row(base_type(ty)).map_or('X', |r| r.category)
}

fn is_preferred(category_wanted: char, ty: Oid) -> bool {
    facts().type_row(ty).is_some_and(|r| r.category == category_wanted && r.preferred)
}

/// The way from `source` to `target`, if the context allows one. Equal types and `unknown` are the caller's business.
pub fn pathway(source: Oid, target: Oid, context: Context) -> Option<Path> {
    let (source, target) = (base_type(source), base_type(target));
    if source == target {
        return Some(Path::Relabel);
    }
    if let Some(cast) = facts().cast(source, target) {
        let allowed = match cast.context {
            'i' => true,
            'a' => context >= Context::Assignment,
            _ => context >= Context::Explicit,
        };
        return match (allowed, cast.method) {
            (false, _) => None,
            (true, 'b') => Some(Path::Relabel),
            (true, 'i') => Some(Path::Text),
            (true, _) => Some(Path::Function),
        };
    }
    // Arrays convert where their elements do; the vectors do not take part.
    if target != oid::OIDVECTOR
        && target != oid::INT2VECTOR
        && let (Some(from), Some(to)) = (subscript_element(source), element_of(target))
    {
        return match pathway(from, to, context)? {
            Path::Relabel => Some(Path::Relabel),
            _ => Some(Path::Array),
        };
    }
    // Everything goes to strings by assignment, and from strings explicitly, through its text.
    if context >= Context::Assignment && category(target) == 'S' {
        return Some(Path::Text);
    }
    if context >= Context::Explicit && category(source) == 'S' {
        return Some(Path::Text);
    }
    None
}

/// Whether every argument can become its declared type.
pub fn can_coerce(inputs: &[Oid], targets: &[Oid], context: Context) -> bool {
    let mut generics = false;
    for (&input, &target) in inputs.iter().zip(targets) {
        if input == target || target == oid::ANY || input == oid::UNKNOWN {
            generics |= is_polymorphic(target);
            continue;
        }
        if is_polymorphic(target) {
            generics = true;
            continue;
        }
        if input == oid::RECORD || target == oid::RECORD {
            if context == Context::Explicit || target == oid::RECORD && is_row_type(input) {
                continue;
            }
            return false;
        }
        if pathway(input, target, context).is_none() {
            return false;
        }
    }
    !generics || resolve_polymorphic(inputs, targets, None).is_ok()
}

/// User row types have OIDs above PostgreSQL's own; they are composite.
fn is_row_type(ty: Oid) -> bool {
    facts().type_row(ty).is_none_or(|r| r.kind == 'c')
}

/// What polymorphic arguments came to be.
#[derive(Debug, Clone, Default)]
pub struct Polymorphic {
    /// Concrete types of the declared arguments, in order.
    pub args: Vec<Oid>,
    pub result: Oid,
}

/// Concrete types for the polymorphic ones among `declared`.
///
/// # Errors
/// A message as PostgreSQL words it.
pub fn resolve_polymorphic(actual: &[Oid], declared: &[Oid], result: Option<Oid>) -> Result<Polymorphic, String> {
    let mut element: Option<Oid> = None;
    let mut array: Option<Oid> = None;
    let mut compatible: Vec<Oid> = Vec::new();
    let mut has_poly = result.is_some_and(is_polymorphic);
    let mut nonarray = false;
    let (mut range, mut multirange): (Option<Oid>, Option<Oid>) = (None, None);
    for (&actual, &declared) in actual.iter().zip(declared) {
        if !is_polymorphic(declared) {
            continue;
        }
        has_poly = true;
        let actual_base = base_type(actual);
        match declared {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => {
                nonarray |= declared == oid::ANYNONARRAY;
                if actual == oid::UNKNOWN {
                    continue;
                }
                if element.is_some_and(|e| e != actual) {
                    return Err("arguments declared \"anyelement\" are not all alike".into());
                }
                element = Some(actual);
                if declared == oid::ANYENUM && category(actual) != 'E' {
                    return Err(format!("type {} is not an enum", super::names::type_name(actual)));
                }
            }
            oid::ANYARRAY => {
                if actual == oid::UNKNOWN {
                    continue;
                }
                if array.is_some_and(|a| a != actual_base) {
                    return Err("arguments declared \"anyarray\" are not all alike".into());
                }
                if subscript_element(actual_base).is_none() && actual_base != oid::ANYARRAY {
                    let name = super::names::type_name(actual);
                    return Err(format!("argument declared anyarray is not an array but type {name}"));
                }
                array = Some(actual_base);
            }
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => {
                if actual != oid::UNKNOWN {
                    compatible.push(actual);
                }
            }
            oid::ANYCOMPATIBLEARRAY => {
                if actual == oid::UNKNOWN {
                    continue;
                }
                match subscript_element(actual_base) {
                    Some(e) => compatible.push(e),
                    None => {
                        let name = super::names::type_name(actual);
                        return Err(format!("argument declared anycompatiblearray is not an array but type {name}"));
                    }
                }
            }
            oid::ANYRANGE | oid::ANYMULTIRANGE => {
                if actual == oid::UNKNOWN {
                    continue;
                }
                let (found, name, of) = match declared {
                    oid::ANYRANGE => (&mut range, "range", RangeType::of_range(actual_base)),
                    _ => (&mut multirange, "multirange", RangeType::of_multirange(actual_base)),
                };
                if found.is_some_and(|f| f != actual_base) {
                    return Err(format!("arguments declared \"any{name}\" are not all alike"));
                }
                if of.is_none() {
                    let actual = super::names::type_name(actual);
                    return Err(format!("argument declared any{name} is not a {name} type but type {actual}"));
                }
                *found = Some(actual_base);
            }
            _ => return Err("ranges of anycompatible are not supported".into()),
        }
    }
    if !has_poly {
        return Ok(Polymorphic { args: declared.to_vec(), result: result.unwrap_or(oid::INVALID) });
    }
    if let Some(array) = array {
        let of_array = match array {
            oid::ANYARRAY => Some(oid::ANYELEMENT),
            _ => subscript_element(array),
        };
        match (element, of_array) {
            (Some(e), Some(a)) if e != a => {
                return Err("argument declared anyarray is not consistent with argument declared anyelement".into());
            }
            (None, Some(a)) => element = Some(a),
            _ => {}
        }
    }
    let ranges = match (range.and_then(RangeType::of_range), multirange.and_then(RangeType::of_multirange)) {
        (Some(r), Some(m)) if r != m => {
            return Err("argument declared anymultirange is not consistent with argument declared anyrange".into());
        }
        (r, m) => r.or(m),
    };
    if let Some(ranges) = ranges {
        if element.is_some_and(|e| base_type(e) != ranges.element) {
            let name = if range.is_some() { "anyrange" } else { "anymultirange" };
            return Err(format!("argument declared {name} is not consistent with argument declared anyelement"));
        }
        element = Some(ranges.element);
    } else if declared.iter().any(|d| matches!(*d, oid::ANYRANGE | oid::ANYMULTIRANGE)) {
        return Err("could not determine polymorphic type because input has type unknown".into());
    }
    if nonarray && element.is_some_and(|e| element_of(e).is_some()) {
        return Err("type matched to anynonarray is an array type".into());
    }
    // Only unknown literals: text, as PostgreSQL takes them for the "any element" family.
    let uses = |list: &[Oid]| declared.iter().chain(&result).any(|d| list.contains(d));
    if element.is_none() && uses(&[oid::ANYELEMENT, oid::ANYARRAY, oid::ANYNONARRAY, oid::ANYENUM]) {
        if declared.iter().any(|d| matches!(*d, oid::ANYARRAY | oid::ANYELEMENT | oid::ANYNONARRAY)) {
            element = Some(oid::TEXT);
        } else {
            return Err("could not determine polymorphic type because input has type unknown".into());
        }
    }
    let common = match compatible.as_slice() {
        [] => oid::TEXT,
        list => common_type(list).ok_or("arguments of anycompatible family cannot be cast to a common type")?,
    };
    let concrete = |ty: Oid| -> Result<Oid, String> {
        let missing = |e: Oid| format!("could not find array type for data type {}", super::names::type_name(e));
        Ok(match ty {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => element.unwrap_or(oid::TEXT),
            oid::ANYARRAY => match (array, element) {
                (Some(a), _) => a,
                (None, Some(e)) => array_type(e).ok_or_else(|| missing(e))?,
                (None, None) => array_type(oid::TEXT).ok_or_else(|| missing(oid::TEXT))?,
            },
            oid::ANYRANGE => ranges.map_or(ty, |r| r.range),
            oid::ANYMULTIRANGE => ranges.map_or(ty, |r| r.multirange),
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => common,
            oid::ANYCOMPATIBLEARRAY => array_type(common).ok_or_else(|| missing(common))?,
            other => other,
        })
    };
    let args = declared.iter().map(|d| concrete(*d)).collect::<Result<Vec<_>, _>>()?;
    let result = result.map_or(Ok(oid::INVALID), concrete)?;
    Ok(Polymorphic { args, result })
}

pub fn array_type(element: Oid) -> Option<Oid> {
    facts().type_row(element).map(|r| r.array).filter(|a| *a != oid::INVALID).or_else(|| oid::array_of(element))
}

/// The type that a UNION, CASE or VALUES column has; `None` where the types do not match. `unknown` yields to others.
pub fn common_type(types: &[Oid]) -> Option<Oid> {
    let first = types.first().copied()?;
    if first != oid::UNKNOWN && types.iter().all(|t| *t == first) {
        return Some(first);
    }
    let mut chosen = base_type(first);
    let mut chosen_category = category(chosen);
    for &next in &types[1..] {
        let next = base_type(next);
        if next == oid::UNKNOWN || next == chosen {
            continue;
        }
        if chosen == oid::UNKNOWN {
            (chosen, chosen_category) = (next, category(next));
        } else if category(next) != chosen_category {
            return None;
        } else if !is_preferred(chosen_category, chosen)
            && can_coerce(&[chosen], &[next], Context::Implicit)
            && !can_coerce(&[next], &[chosen], Context::Implicit)
        {
            (chosen, chosen_category) = (next, category(next));
        }
    }
    if chosen == oid::UNKNOWN {
        chosen = oid::TEXT;
    }
    types.iter().all(|t| *t == oid::UNKNOWN || can_coerce(&[*t], &[chosen], Context::Implicit)).then_some(chosen)
}

/// The texts of the defaults of a function's last arguments, where its kernel wants them; `pg_proc`'s rows have the
/// expressions only as trees.
pub fn defaults(row: &ProcRow) -> &'static [&'static str] {
    match row.name {
        "jsonb_set" | "parse_ident" => &["true"],
        "jsonb_set_lax" => &["true", "use_json_null"],
        "jsonb_insert" | "json_populate_record" | "json_populate_recordset" => &["false"],
        "make_interval" => &["0"; 7],
        "normalize" | "is_normalized" => &["NFC"],
        name if name.starts_with("jsonb_path_") && !name.ends_with("_opr") => &["{}", "false"],
        "json_strip_nulls" | "jsonb_strip_nulls" => &[],
        _ => &[],
    }
}

/// The default of parameter `place`, as text.
pub fn default_at(row: &ProcRow, place: usize) -> Option<&'static str> {
    let texts = defaults(row);
    texts.get((texts.len() + place).checked_sub(row.args.len())?).copied()
}

/// A function that a call could mean, with its arguments as this call needs them (variadic spread, defaults cut off).
#[derive(Debug, Clone)]
pub struct Candidate {
    pub row: &'static ProcRow,
    pub args: Vec<Oid>,
    /// How many trailing arguments of the call are the variadic ones.
    pub variadic: usize,
    /// For each parameter of `args`: which argument of the call, where names moved them.
    pub order: Option<Vec<usize>>,
    pub defaults: usize,
}

/// What looking for a function or operator came to.
#[derive(Debug, Clone)]
pub enum Choice<T> {
    One(T),
    None,
    Ambiguous,
}

/// All functions of this name that could take so many arguments.
pub fn candidates(name: &str, args: usize, names: &[String], variadic_call: bool) -> Vec<Candidate> {
    let facts: &'static Facts = facts();
    let mut found = Vec::new();
    for row in facts.procs_named(name) {
        if row.kind == 'p' {
            continue;
        }
        let declared = row.args.len();
        if !names.is_empty() {
            if let Some(candidate) = by_names(row, args, names) {
                found.push(candidate);
            }
            continue;
        }
        if row.variadic != oid::INVALID && !variadic_call && args >= declared {
            let mut list = row.args[..declared - 1].to_vec();
            let spread = args - (declared - 1);
            list.extend(std::iter::repeat_n(row.variadic, spread));
            found.push(Candidate { row, args: list, variadic: spread, order: None, defaults: 0 });
        }
        if declared == args && (row.variadic == oid::INVALID || variadic_call) {
            found.push(Candidate { row, args: row.args.clone(), variadic: 0, order: None, defaults: 0 });
        } else if args < declared && args + row.defaults >= declared && row.variadic == oid::INVALID {
            let list = row.args[..args].to_vec();
            found.push(Candidate { row, args: list, variadic: 0, order: None, defaults: declared - args });
        }
    }
    // Of two with equal arguments: not spread before spread, fewer defaults first.
    found.sort_by_key(|c| (c.variadic > 0, c.defaults));
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in found {
        let double = kept.iter().any(|k| k.args == candidate.args && k.order.is_none());
        if !double || candidate.order.is_some() {
            kept.push(candidate);
        }
    }
    kept
}

/// Named notation: positional arguments first, then `names`.
fn by_names(row: &'static ProcRow, args: usize, names: &[String]) -> Option<Candidate> {
    let inputs: Vec<usize> = match row.modes.is_empty() {
        true => (0..row.args.len()).collect(),
        false => (0..row.modes.len()).filter(|i| matches!(row.modes[*i], 'i' | 'b' | 'v')).collect(),
    };
    let positional = args - names.len();
    if args > row.args.len() || inputs.len() != row.args.len() {
        return None;
    }
    let mut order: Vec<Option<usize>> = vec![None; row.args.len()];
    (0..positional).for_each(|i| order[i] = Some(i));
    for (i, name) in names.iter().enumerate() {
        let place = inputs.iter().position(|p| row.arg_names.get(*p).is_some_and(|n| n == name))?;
        if order[place].is_some() {
            return None;
        }
        order[place] = Some(positional + i);
    }
    let given = order.iter().rposition(Option::is_some).map_or(0, |p| p + 1);
    if given + row.defaults < row.args.len() {
        return None;
    }
    // A default between given arguments stands beyond them: see [`default_at`].
    let known = defaults(row).len();
    let mut places = Vec::with_capacity(given);
    for (place, from) in order[..given].iter().enumerate() {
        places.push(match from {
            Some(from) => *from,
            None if row.args.len() - place <= known => args + place,
            None => return None,
        });
    }
    let order = places;
    Some(Candidate {
        row,
        args: row.args[..given].to_vec(),
        variadic: 0,
        order: Some(order),
        defaults: row.args.len() - given,
    })
}

impl Candidate {
    /// The call's argument types in the order of the parameters.
    fn arranged(&self, inputs: &[Oid]) -> Vec<Oid> {
        match &self.order {
            None => inputs.to_vec(),
            Some(order) => order.iter().map(|i| inputs.get(*i).copied().unwrap_or(oid::UNKNOWN)).collect(),
        }
    }
}

/// The function that PostgreSQL would call.
pub fn choose_function(found: &[Candidate], inputs: &[Oid]) -> Choice<Candidate> {
    if let Some(exact) = found.iter().find(|c| c.args == c.arranged(inputs)) {
        return Choice::One(exact.clone());
    }
    let matching: Vec<(&Candidate, Vec<Oid>)> = found
        .iter()
        .filter(|c| can_coerce(&c.arranged(inputs), &c.args, Context::Implicit))
        .map(|c| (c, c.args.clone()))
        .collect();
    match matching.as_slice() {
        [] => Choice::None,
        [(one, _)] => Choice::One((*one).clone()),
        _ => match select_candidate(inputs, matching) {
            Some(best) => Choice::One(best.clone()),
            None => Choice::Ambiguous,
        },
    }
}

/// PostgreSQL's elimination rounds: exact matches, preferred types, categories of unknown literals, one common type.
fn select_candidate<T>(inputs: &[Oid], mut list: Vec<(T, Vec<Oid>)>) -> Option<T> {
    let bases: Vec<Oid> = inputs.iter().map(|t| base_type(*t)).collect();
    let unknowns = bases.iter().filter(|t| **t == oid::UNKNOWN).count();
    keep_best(&mut list, |args| {
        bases.iter().zip(args).filter(|(input, arg)| **input != oid::UNKNOWN && input == arg).count()
    });
    if list.len() == 1 {
        return list.pop().map(|(t, _)| t);
    }
    let categories: Vec<char> = bases.iter().map(|t| category(*t)).collect();
    keep_best(&mut list, |args| {
        let pairs = bases.iter().zip(&categories).zip(args);
        pairs.filter(|((b, c), arg)| **b != oid::UNKNOWN && (*b == *arg || is_preferred(**c, **arg))).count()
    });
    if list.len() == 1 {
        return list.pop().map(|(t, _)| t);
    }
    if unknowns == 0 {
        return None;
    }
    // What category do the candidates want where the literal says nothing? Strings win; else all must agree.
    let mut wanted: Vec<Option<(char, bool)>> = vec![None; bases.len()];
    let mut resolved = true;
    for (i, base) in bases.iter().enumerate() {
        if *base != oid::UNKNOWN {
            continue;
        }
        let mut slot: Option<(char, bool)> = None;
        let mut conflict = false;
        for (_, args) in &list {
            let row = facts().type_row(base_type(args[i]));
            let (c, preferred) = row.map_or(('X', false), |r| (r.category, r.preferred));
            match slot {
                None => slot = Some((c, preferred)),
                Some((have, p)) if have == c => slot = Some((c, p || preferred)),
                Some(_) if c == 'S' => slot = Some((c, preferred)),
                Some(('S', _)) => {}
                Some(_) => conflict = true,
            }
        }
        if conflict && slot.is_none_or(|(c, _)| c != 'S') {
            resolved = false;
            break;
        }
        wanted[i] = slot;
    }
    if resolved {
        let fits = |args: &Vec<Oid>| {
            wanted.iter().zip(args).all(|(slot, arg)| match slot {
                None => true,
                Some((c, preferred)) => {
                    let row = facts().type_row(base_type(*arg));
                    row.is_some_and(|r| r.category == *c && (!preferred || r.preferred))
                }
            })
        };
        if list.iter().any(|(_, args)| fits(args)) {
            list.retain(|(_, args)| fits(args));
        }
        if list.len() == 1 {
            return list.pop().map(|(t, _)| t);
        }
    }
    // All known arguments of one type: let the unknown ones be of it too.
    let mut known = bases.iter().filter(|t| **t != oid::UNKNOWN);
    if unknowns < bases.len() {
        let first = *known.next()?;
        if known.all(|t| *t == first) {
            let all = vec![first; bases.len()];
            let mut fitting: Vec<(T, Vec<Oid>)> =
                list.into_iter().filter(|(_, args)| can_coerce(&all, args, Context::Implicit)).collect();
            if fitting.len() == 1 {
                return fitting.pop().map(|(t, _)| t);
            }
        }
    }
    None
}

fn keep_best<T>(list: &mut Vec<(T, Vec<Oid>)>, score: impl Fn(&[Oid]) -> usize) {
    let best = list.iter().map(|(_, args)| score(args)).max().unwrap_or(0);
    list.retain(|(_, args)| score(args) == best);
}

/// The binary operator that PostgreSQL would use.
pub fn choose_binary(name: &str, left: Oid, right: Oid) -> Choice<&'static OperatorRow> {
    let rows: Vec<&'static OperatorRow> = facts().operators_named(name).filter(|o| o.kind == 'b').collect();
    let exact = |l: Oid, r: Oid| rows.iter().find(|o| o.left == l && o.right == r).copied();
    let (mut l, mut r) = (left, right);
    if l == oid::UNKNOWN && r != oid::UNKNOWN {
        l = r;
    } else if r == oid::UNKNOWN && l != oid::UNKNOWN {
        r = l;
    }
    if let Some(found) = exact(l, r) {
        return Choice::One(found);
    }
    if left == oid::UNKNOWN || right == oid::UNKNOWN {
        let base = base_type(l);
        if base != l
            && let Some(found) = exact(base, base)
        {
            return Choice::One(found);
        }
    }
    let inputs = [left, right];
    let matching: Vec<_> = rows
        .into_iter()
        .map(|o| (o, vec![o.left, o.right]))
        .filter(|(_, args)| can_coerce(&inputs, args, Context::Implicit))
        .collect();
    match matching.as_slice() {
        [] => Choice::None,
        [(one, _)] => Choice::One(one),
        _ => match select_candidate(&inputs, matching) {
            Some(best) => Choice::One(best),
            None => Choice::Ambiguous,
        },
    }
}

/// The prefix operator that PostgreSQL would use.
pub fn choose_prefix(name: &str, right: Oid) -> Choice<&'static OperatorRow> {
    let rows: Vec<&'static OperatorRow> = facts().operators_named(name).filter(|o| o.kind == 'l').collect();
    if let Some(found) = rows.iter().find(|o| o.right == right) {
        return Choice::One(found);
    }
    let matching: Vec<_> = rows
        .into_iter()
        .map(|o| (o, vec![o.right]))
        .filter(|(_, args)| can_coerce(&[right], args, Context::Implicit))
        .collect();
    match matching.as_slice() {
        [] => Choice::None,
        [(one, _)] => Choice::One(one),
        _ => match select_candidate(&[right], matching) {
            Some(best) => Choice::One(best),
            None => Choice::Ambiguous,
        },
    }
}
