//! What one line is. Decided for each line by itself:
//!
//! - an object with `value` and at least one of `topic`, `key`, `headers`, `offset`: a Kafka record as loaders write
//!   it. `key` and `value` are JSON, or strings with JSON inside, or null; `headers` is a list of `{"key", "value"}` or
//!   an object; `timestamp` is in ms;
//! - an object with `key` and `payload`: a record whose value is the payload;
//! - anything else: the bare value, without a key (its table must declare one).

use sonic_rs::{JsonValueTrait, LazyValue};
use std::borrow::Cow;

/// One line as a record.
#[derive(Debug, Default, PartialEq)]
pub struct Line<'a> {
    pub topic: Option<String>,
    pub timestamp_ms: Option<i64>,
    pub key: Option<Cow<'a, [u8]>>,
    pub value: Option<Cow<'a, [u8]>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl<'a> Line<'a> {
    pub fn parse(text: &'a [u8]) -> Self {
        let bare = || Line { value: Some(Cow::Borrowed(text)), ..Line::default() };
        // What Debezium's own values begin with is decided without reading on.
        if [&b"{\"before\""[..], b"{\"schema\"", b"{\"after\""].iter().any(|start| text.starts_with(start)) {
            return bare();
        }
        // sonic-rs follows nesting by recursion, without a limit; the decoder refuses what is this deep, by name.
        if is_deep(text) {
            return bare();
        }
        record(text).unwrap_or_else(bare)
    }
}

/// Deeper than any event that is decoded, wrapper included.
const MAX_DEPTH: usize = 160;

/// Whether brackets are nested too deep for a recursive reader; text that is no JSON may be judged either way.
fn is_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The line as a record, if it is one.
fn record(text: &[u8]) -> Option<Line<'_>> {
    // The decoder says what is wrong with text that is not UTF-8.
    let text = std::str::from_utf8(text).ok()?;
    let (mut line, mut value, mut payload) = (Line::default(), None, None);
    let (mut has_key, mut has_more) = (false, false);
    for field in sonic_rs::to_object_iter(text) {
        let (name, field) = field.ok()?;
        match &*name {
            "topic" => {
                line.topic = field.as_str().map(str::to_string);
                has_more = true;
            }
            "key" => {
                line.key = part(&field);
                has_key = true;
            }
            "value" => value = Some(part(&field)),
            "payload" => payload = Some(part(&field)),
            "headers" => {
                line.headers = headers(&field)?;
                has_more = true;
            }
            "timestamp" => line.timestamp_ms = field.as_i64(),
            "offset" => has_more = true,
            _ => {}
        }
    }
    line.value = match (value, payload) {
        (Some(value), _) if has_key || has_more => value,
        (None, Some(payload)) if has_key => payload,
        _ => return None,
    };
    Some(line)
}

/// A key or value: the JSON inside a string, or the JSON itself; `None` for null.
fn part(field: &LazyValue<'_>) -> Option<Cow<'static, [u8]>> {
    if field.is_null() {
        return None;
    }
    let bytes = match field.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => field.as_raw_str().as_bytes().to_vec(),
    };
    Some(Cow::Owned(bytes))
}

fn headers(field: &LazyValue<'_>) -> Option<Vec<(String, Option<Vec<u8>>)>> {
    let owned = |value: &LazyValue<'_>| part(value).map(Cow::into_owned);
    if field.is_null() {
        return Some(vec![]);
    }
    if field.is_object() {
        let pairs = sonic_rs::to_object_iter(field.as_raw_str());
        return pairs.map(|pair| pair.ok().map(|(name, value)| (name.to_string(), owned(&value)))).collect();
    }
    let header = |item: LazyValue<'_>| {
        let name = item.get("key")?.as_str()?.to_string();
        Some((name, item.get("value").and_then(|value| owned(&value))))
    };
    sonic_rs::to_array_iter(field.as_raw_str()).map(|item| header(item.ok()?)).collect()
}
