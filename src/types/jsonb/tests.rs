use super::*;
use proptest::prelude::*;
use std::cmp::Ordering;

fn jsonb(text: &str) -> Vec<u8> {
    from_text(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

fn text(jsonb: &[u8]) -> String {
    let mut out = Vec::new();
    write_text(jsonb, &mut out);
    String::from_utf8(out).expect("jsonb text is UTF-8")
}

#[test]
fn text_comes_out_as_postgresql_shows_it() {
    for (input, shown) in [
        (r#"{"b":[1, 2],"a" :1}"#, r#"{"a": 1, "b": [1, 2]}"#),
        (r#"{"a":-0.0,"b":1e2, "bb":1.10, "c":1e-3}"#, r#"{"a": 0.0, "b": 100, "c": 0.001, "bb": 1.10}"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a": 3, "b": 2}"#),
        (r#" "\u00e9\ud83d\ude00\n\u0001\/" "#, "\"é😀\\n\\u0001/\""),
        ("[]", "[]"),
        ("{}", "{}"),
        ("[[],{}, null, true,false]", "[[], {}, null, true, false]"),
        (r#"{"":""}"#, r#"{"": ""}"#),
        ("-1.50", "-1.50"),
        ("-0", "0"),
    ] {
        assert_eq!(text(&jsonb(input)), shown, "{input}");
    }
}

#[test]
fn malformed_text_is_refused_in_postgresql_s_words() {
    for (input, detail) in [
        (r#"{"a":1,}"#, r#"Expected string, but found "}"."#),
        ("[1,", "The input string ended unexpectedly."),
        ("[1,]", r#"Expected JSON value, but found "]"."#),
        ("{a", r#"Token "a" is invalid."#),
        (r#"{"a" 1}"#, r#"Expected ":", but found "1"."#),
        (r#"{"a":1 2}"#, r#"Expected "," or "}", but found "2"."#),
        ("[1 2]", r#"Expected "," or "]", but found "2"."#),
        ("01", r#"Token "01" is invalid."#),
        ("1a", r#"Token "1a" is invalid."#),
        ("1 1", r#"Expected end of input, but found "1"."#),
        ("", "The input string ended unexpectedly."),
        ("\"a", "Token \"\"a\" is invalid."),
        (r#""\x""#, r#"Escape sequence "\x" is invalid."#),
        (r#""\u00g""#, r#""\u" must be followed by four hexadecimal digits."#),
        (r#""\u0000""#, r"\u0000 cannot be converted to text."),
        (r#""\ud800""#, "Unicode low surrogate must follow a high surrogate."),
        (r#""\udc00""#, "Unicode low surrogate must follow a high surrogate."),
        ("{,", r#"Expected string or "}", but found ","."#),
        ("[,", r#"Expected JSON value, but found ","."#),
        ("\"\n\"", "Character with value 0x0a must be escaped."),
        ("-", r#"Token "-" is invalid."#),
        ("#", r##"Token "#" is invalid."##),
        ("}", r#"Expected JSON value, but found "}"."#),
        ("nul", r#"Token "nul" is invalid."#),
    ] {
        let error = from_text(input.as_bytes()).expect_err(input);
        assert_eq!(error.rest.and_then(|r| r.detail).as_deref(), Some(detail), "{input}");
    }
    assert!(from_text("[".repeat(2000).as_bytes()).is_err());
    assert!(validate_json(br#"{"a": "\u0000", "b": [1e5]}"#).is_ok());
    assert!(validate_json(b"{'a'}").is_err());
}

#[test]
fn values_are_found_in_place() {
    let doc = jsonb(r#"{"long key": {"x": [10, 20, 30]}, "k": "v", "n": null, "f": 1.50}"#);
    let doc = JsonbRef::new(&doc);
    assert_eq!(doc.len(), 4);
    let x = doc.get("long key").and_then(|o| o.get("x")).expect("x");
    assert_eq!(x.index(-1).and_then(|v| v.text()).as_deref(), Some("30"));
    assert_eq!(x.index(0).and_then(|v| v.number_text()), Some("10"));
    assert!(x.index(3).is_none() && x.index(-4).is_none());
    assert_eq!(doc.get("k").and_then(|v| v.text()).as_deref(), Some("v"));
    assert_eq!(doc.get("n").map(|v| v.text()), Some(None));
    assert!(doc.get("absent").is_none());
    assert_eq!(doc.pairs().map(|(k, _)| k).collect::<Vec<_>>(), ["f", "k", "n", "long key"]);
}

#[test]
fn order_and_containment_are_postgresql_s() {
    let rising = [
        "[]",
        "null",
        "\"\"",
        "\"a\"",
        "\"b\"",
        "-1",
        "1",
        "2.5",
        "10",
        "false",
        "true",
        "[1]",
        "[2]",
        "[[]]",
        "[1, 2]",
        "{}",
        r#"{"a": 1}"#,
        r#"{"a": 2}"#,
        r#"{"b": 1}"#,
        r#"{"a": 1, "b": 1}"#,
    ];
    let values: Vec<_> = rising.iter().map(|t| jsonb(t)).collect();
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(JsonbRef::new(a).compare(&JsonbRef::new(b)), i.cmp(&j), "{} ? {}", rising[i], rising[j]);
        }
    }
    assert_eq!(JsonbRef::new(&jsonb("[1.0]")).compare(&JsonbRef::new(&jsonb("[1.00]"))), Ordering::Equal);
    for (a, b, contained) in [
        (r#"{"a": 1, "b": {"c": [1, 2]}}"#, r#"{"b": {"c": [2]}}"#, true),
        ("[1, 2]", "1", true),
        ("1", "[1]", false),
        (r#"["a", ["b"]]"#, r#"["b"]"#, false),
        (r#"["a", ["b", 1]]"#, r#"[["b"]]"#, true),
        ("{}", "[]", false),
        (r#"{"a": [1]}"#, r#"{"a": 1}"#, false),
        ("1.0", "1.00", true),
        ("[]", "[]", true),
        ("[1]", "[]", true),
    ] {
        assert_eq!(JsonbRef::new(&jsonb(a)).contains(&JsonbRef::new(&jsonb(b))), contained, "{a} @> {b}");
    }
}

#[test]
fn a_builder_writes_what_the_parser_does() {
    let mut b = JsonbBuilder::new();
    b.begin_object();
    b.key("zz");
    b.begin_array();
    b.integer(1);
    b.value(JsonbRef::new(&jsonb("{\"q\": true}")));
    b.end();
    b.key("a");
    b.null();
    b.end();
    assert_eq!(b.finish(), jsonb(r#"{"zz": [1, {"q": true}], "a": null}"#));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[^\\x00]{0,12}".prop_map(Into::into),
        "[a-z\"\\\\]{0,40}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map("[^\\x00]{0,6}", inner, 0..8)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_survives(value in any_json()) {
        let stored = jsonb(&value.to_string());
        let back: serde_json::Value = serde_json::from_str(&text(&stored)).expect("valid JSON");
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(jsonb(&text(&stored)).len(), stored.len());
        prop_assert!(JsonbRef::new(&stored).contains(&JsonbRef::new(&stored)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = from_text(&bytes);
        let view = JsonbRef::new(&bytes);
        let _ = view.get("a");
        let _ = view.index(0);
    }

    #[test]
    fn the_parser_accepts_what_serde_json_accepts(text in "[\\[\\]{}:,\"a0-9.eE+ \\\\-]{0,12}") {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(validate_json(text.as_bytes()).is_ok(), theirs, "{}", text);
    }
}

#[test]
fn a_wide_document_has_four_byte_offsets() {
    let big = format!("[{}]", (0..30_000).map(|i| format!("{{\"k\":\"v{i}\"}}")).collect::<Vec<_>>().join(","));
    let stored = jsonb(&big);
    let found = JsonbRef::new(&stored).index(29_999).and_then(|o| o.get("k")).and_then(|v| v.text());
    assert_eq!(found.as_deref(), Some("v29999"));
}
