use super::*;
use proptest::prelude::*;

fn n(text: &str) -> Numeric {
    Numeric::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn sortable(v: &Numeric) -> Vec<u8> {
    let mut out = Vec::new();
    v.to_sortable(&mut out);
    out
}

#[test]
fn text_is_read_and_shown_as_postgresql_does() {
    for (input, shown) in [
        ("1.10", "1.10"),
        ("1e2", "100"),
        ("1.5e-3", "0.0015"),
        (" -0 ", "0"),
        ("-0.00", "0.00"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+7", "7"),
        ("inf", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("nan", "NaN"),
        ("123456789012345678901234567890123456789012345.678", "123456789012345678901234567890123456789012345.678"),
        ("00012.30", "12.30"),
        ("1.23e1", "12.3"),
    ] {
        assert_eq!(n(input).to_string(), shown, "{input}");
    }
    for bad in ["", "x", "1e", "1..2", "-", ".", "1_000", "0x10", "1 2", "-nan", "1e+"] {
        let error = Numeric::parse(bad).expect_err(bad);
        assert_eq!(error.message, format!("invalid input syntax for type numeric: \"{bad}\""));
    }
    assert_eq!(Numeric::parse("1e200000").expect_err("too large").message, "value overflows numeric format");
}

#[test]
fn results_have_postgresql_s_scales() {
    let f = |r: PgResult<Numeric>| r.map(|v| v.to_string()).unwrap_or_else(|e| e.message);
    for (a, b, quotient) in [
        ("1", "3", "0.33333333333333333333"),
        ("10", "3", "3.3333333333333333"),
        ("1", "7000", "0.00014285714285714286"),
        ("2", "3", "0.66666666666666666667"),
        ("100000", "3", "33333.333333333333"),
        ("1.0000", "2", "0.50000000000000000000"),
        ("0", "5", "0.00000000000000000000"),
        ("-7", "2", "-3.5000000000000000"),
        ("1", "0", "division by zero"),
        ("Infinity", "2", "Infinity"),
        ("5", "Infinity", "0"),
        ("9999", "0.0001", "99990000.000000000000"),
    ] {
        assert_eq!(f(n(a).div(&n(b))), quotient, "{a} / {b}");
    }
    for (v, root) in [
        ("2", "1.414213562373095"),
        ("0", "0.000000000000000"),
        ("144", "12.000000000000000"),
        ("10000", "100.0000000000000"),
        ("0.0001", "0.01000000000000000"),
        ("1e10", "100000.00000000000"),
    ] {
        assert_eq!(f(n(v).sqrt()), root, "sqrt({v})");
    }
    for (v, e, power) in [
        ("2", 10, "1024.0000000000000000"),
        ("2", -2, "0.2500000000000000"),
        ("1.5", 3, "3.3750000000000000"),
        ("10", 20, "100000000000000000000.0000000000000000"),
        ("0", 3, "0.0000000000000000"),
        ("3", 0, "1.0000000000000000"),
        ("7", 1, "7.0000000000000000"),
        ("-2", 3, "-8.0000000000000000"),
    ] {
        assert_eq!(f(n(v).power_int(e)), power, "{v} ^ {e}");
    }
    assert_eq!(f(n("-5.5").rem(&n("2"))), "-1.5");
    assert_eq!(f(n("1.10").mul(&n("2.0"))), "2.200");
    assert_eq!(n("-1.5").floor().to_string(), "-2");
    assert_eq!(n("-1.5").ceil().to_string(), "-1");
    assert_eq!(n("2.5").round(0).to_string(), "3");
    assert_eq!(n("-2.5").round(0).to_string(), "-3");
    assert_eq!(n("1250").round(-2).to_string(), "1300");
    assert_eq!(n("1.005").round(2).to_string(), "1.01");
}

#[test]
fn a_value_too_wide_for_its_field_is_22003() {
    assert_eq!(n("1.005").apply_typmod(5, 2).map(|v| v.to_string()), Ok("1.01".into()));
    let error = n("1000").apply_typmod(5, 2).expect_err("1000 in numeric(5,2)");
    assert_eq!(error.message, "numeric field overflow");
    assert_eq!(
        error.rest.and_then(|r| r.detail).as_deref(),
        Some("A field with precision 5, scale 2 must round to an absolute value less than 10^3.")
    );
    assert_eq!(n("0.5").to_decimal128(10, 3), Ok(500));
    assert_eq!(n("12345").apply_typmod(3, -2).map(|v| v.to_string()), Ok("12300".into()));
}

#[test]
fn floats_come_with_their_sure_digits() {
    assert_eq!(Numeric::from_f64(0.1 + 0.2).to_string(), "0.3");
    assert_eq!(Numeric::from_f64(1e20).to_string(), "100000000000000000000");
    assert_eq!(Numeric::from_f32(1.1).to_string(), "1.1");
    assert_eq!(Numeric::from_f64(0.00001).to_string(), "0.00001");
    assert_eq!(n("1e400").to_f64().expect_err("too large").state, SqlState::NUMERIC_OUT_OF_RANGE);
    assert_eq!(n("2.5").to_i32(), Ok(3));
    assert_eq!(n("3000000000").to_i32().expect_err("range").message, "integer out of range");
}

fn any_numeric() -> impl Strategy<Value = Numeric> {
    prop_oneof![
        8 => (any::<i64>(), 0i32..20).prop_map(|(v, s)| Numeric::new(v as i128, s)),
        4 => (-2000i128..2000, 0i32..6).prop_map(|(v, s)| Numeric::new(v, s)),
        4 => (any::<i128>(), 0i32..60).prop_map(|(v, s)| Numeric::new(v, s)),
        2 => "-?[1-9][0-9]{30,90}(\\.[0-9]{1,50})?".prop_map(|s| n(&s)),
        1 => Just(Numeric::NAN), 1 => Just(Numeric::INFINITY), 1 => Just(Numeric::NEG_INFINITY),
    ]
}

proptest! {
    #[test]
    fn every_form_gives_the_value_and_scale_back(v in any_numeric()) {
        let back = Numeric::from_sortable(&sortable(&v)).expect("sortable");
        prop_assert_eq!(back.to_string(), v.to_string());
        prop_assert_eq!(n(&v.to_string()).to_string(), v.to_string());
        let mut wire = Vec::new();
        v.send(&mut wire);
        prop_assert_eq!(Numeric::receive(&wire).expect("wire").to_string(), v.to_string());
    }

    #[test]
    fn the_sortable_form_orders_as_numbers_do(a in any_numeric(), b in any_numeric(), up in 0i32..5) {
        let (x, y) = (sortable(&a), sortable(&b));
        prop_assert_eq!(equality_prefix(&x).cmp(equality_prefix(&y)), a.cmp(&b));
        if let Some(scale) = a.scale() {
            let wider = sortable(&a.round(scale + up));
            prop_assert_eq!(equality_prefix(&wider), equality_prefix(&x));
        }
    }

    #[test]
    fn small_and_big_arithmetic_agree(a in any::<i64>(), b in any::<i64>(), s in 0i32..10, t in 0i32..10) {
        let (x, y) = (Numeric::new(a as i128, s), Numeric::new(b as i128, t));
        prop_assert_eq!(x.add(&y).unwrap().sub(&y).unwrap(), x.clone());
        if b != 0 {
            let whole = x.div_trunc(&y).unwrap().mul(&y).unwrap().add(&x.rem(&y).unwrap()).unwrap();
            prop_assert_eq!(whole, x);
        }
    }
}
