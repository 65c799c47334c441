use super::*;
use proptest::prelude::*;

fn shown(micros: i64, zone: Option<&Zone>) -> String {
    let mut out = Vec::new();
    write_timestamp(micros, zone, &mut |part| out.extend_from_slice(part));
    String::from_utf8(out).expect("ASCII")
}

fn date_text(days: i32) -> String {
    let mut out = Vec::new();
    write_date(days, &mut |part| out.extend_from_slice(part));
    String::from_utf8(out).expect("ASCII")
}

const UTC: Input<'static> = Input { zone: &Zone::Utc, order: DateOrder::Mdy };

#[test]
fn timestamps_are_read_and_shown_as_postgresql_does() {
    for (input, expected) in [
        ("2024-02-29 12:34:56.789", "2024-02-29 12:34:56.789"),
        ("2024-02-29T12:34:56Z", "2024-02-29 12:34:56"),
        ("1999-01-08", "1999-01-08 00:00:00"),
        ("January 8, 1999", "1999-01-08 00:00:00"),
        ("8 Jan 1999 04:05 PM", "1999-01-08 16:05:00"),
        ("1/8/1999", "1999-01-08 00:00:00"),
        ("1/8/99", "1999-01-08 00:00:00"),
        ("1/8/05", "2005-01-08 00:00:00"),
        ("08-Jan-1999", "1999-01-08 00:00:00"),
        ("Jan-08-1999", "1999-01-08 00:00:00"),
        ("19990108", "1999-01-08 00:00:00"),
        ("19990108T040506", "1999-01-08 04:05:06"),
        ("0044-03-15 BC", "0044-03-15 00:00:00 BC"),
        ("infinity", "infinity"),
        ("-infinity", "-infinity"),
        ("epoch", "1970-01-01 00:00:00"),
        ("2020-01-01 24:00:00", "2020-01-02 00:00:00"),
        ("2020-01-01 10:00:60", "2020-01-01 10:01:00"),
        ("Wed Jan 08 04:05:06 1997", "1997-01-08 04:05:06"),
        ("10000-01-01 00:00:00.000001", "10000-01-01 00:00:00.000001"),
        ("1969-12-31 23:59:59.5", "1969-12-31 23:59:59.5"),
    ] {
        let value = UTC.timestamp(input, -1).unwrap_or_else(|e| panic!("{input}: {e}"));
        assert_eq!(shown(value, None), expected, "{input}");
    }
    for (input, message) in [
        ("2020-13-01", "date/time field value out of range: \"2020-13-01\""),
        ("2021-02-29", "date/time field value out of range: \"2021-02-29\""),
        ("x", "invalid input syntax for type timestamp: \"x\""),
        ("", "invalid input syntax for type timestamp: \"\""),
        ("10:20", "invalid input syntax for type timestamp: \"10:20\""),
        ("2020-01-01 Nowhere/City", "time zone \"nowhere/city\" not recognized"),
    ] {
        assert_eq!(UTC.timestamp(input, -1).expect_err(input).message, message);
    }
    assert_eq!(
        shown(UTC.timestamp("2020-01-01 00:00:00.5555555", 3).expect("rounds"), None),
        "2020-01-01 00:00:00.556"
    );
}

#[test]
fn zones_are_applied_as_postgresql_does() {
    let berlin = Zone::parse("europe/berlin").expect("known");
    let input = Input { zone: &berlin, order: DateOrder::Mdy };
    for (text, expected) in [
        ("2024-07-01 12:00", "2024-07-01 12:00:00+02"),
        ("2024-01-01 12:00", "2024-01-01 12:00:00+01"),
        ("2024-01-01 12:00+00", "2024-01-01 13:00:00+01"),
        ("2024-01-01 12:00 America/New_York", "2024-01-01 18:00:00+01"),
        ("2024-01-01 12:00 EST", "2024-01-01 18:00:00+01"),
        ("2024-01-01 12:00:00-05:30", "2024-01-01 18:30:00+01"),
        // The gap of spring, and the hour that autumn has twice.
        ("2024-03-31 02:30", "2024-03-31 03:30:00+02"),
        ("2024-10-27 02:30", "2024-10-27 02:30:00+01"),
        ("1890-01-01 00:00", "1890-01-01 00:00:00+00:53:28"),
    ] {
        let value = input.timestamptz(text, -1).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(shown(value, Some(&berlin)), expected, "{text}");
    }
    assert_eq!(Zone::parse("nowhere").expect_err("unknown").message, "time zone \"nowhere\" not recognized");
    let (micros, west) = UTC.timetz("04:05:06-08:00", -1).expect("timetz");
    assert_eq!(timetz_parts(&timetz_bytes(micros, west)), (14_706_000_000, 28_800));
}

#[test]
fn intervals_move_by_calendar() {
    let at = |t: &str| UTC.timestamp(t, -1).expect(t);
    let add = |t: &str, i: &str| shown(add_interval(at(t), &Interval::parse(i, -1).expect(i)).expect(t), None);
    assert_eq!(add("2024-01-31", "1 month"), "2024-02-29 00:00:00");
    assert_eq!(add("2024-03-31", "-1 month -1 day"), "2024-02-28 00:00:00");
    assert_eq!(add("2024-12-31 23:00", "1 year 01:00"), "2026-01-01 00:00:00");
    let berlin = Zone::parse("Europe/Berlin").expect("known");
    let input = Input { zone: &berlin, order: DateOrder::Mdy };
    let before = input.timestamptz("2024-03-30 12:00", -1).expect("before");
    let day = add_interval_tz(before, &Interval { months: 0, days: 1, micros: 0 }, &berlin).expect("a day");
    assert_eq!(shown(day, Some(&berlin)), "2024-03-31 12:00:00+02");
}

proptest! {
    #[test]
    fn every_timestamp_comes_back(micros in -210_000_000_000_000_000i64..9_000_000_000_000_000_000) {
        prop_assert_eq!(UTC.timestamp(&shown(micros, None), -1), Ok(micros));
        prop_assert_eq!(UTC.timestamptz(&shown(micros, Some(&Zone::Fixed(-12_600))), -1), Ok(micros));
        prop_assert_eq!(Fields::of(micros).micros(), Some(micros));
    }

    #[test]
    fn every_date_comes_back(days in -2_440_588i32..2_145_042_540) {
        prop_assert_eq!(UTC.date(&date_text(days)), Ok(days));
        let (y, m, d) = civil_from_days(days as i64);
        prop_assert_eq!(days_from_civil(y, m, d), days as i64);
    }

    #[test]
    fn no_text_panics(text in "[ -~]{0,24}") {
        let _ = UTC.timestamptz(&text, -1);
        let _ = UTC.date(&text);
        let _ = UTC.timetz(&text, 3);
        let _ = Interval::parse(&text, -1);
    }
}
