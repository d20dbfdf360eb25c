use proptest::prelude::*;
use serde_json::json;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter("NaN equals nothing", |n| !n.is_nan()).prop_map(Value::Double),
        (0i64..4_000_000_000, 0u32..1_000_000)
            .prop_map(|(s, us)| Value::Timestamp(DateTime::from_timestamp(s, us * 1000).unwrap())),
        any::<String>().prop_map(Value::String),
        any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<String>().prop_map(Value::Reference),
        (-90f64..90.0, -180f64..180.0)
            .prop_map(|(latitude, longitude)| Value::GeoPoint { latitude, longitude }),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|values| Value::Array { values }),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|fields| Value::Map { fields }),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_survives_the_round_trip(value in value()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn our_encoder_writes_what_serde_writes(value in value(), name: String, rest: String) {
        let fields = Fields::from([(name.clone(), value), ("double".to_owned(), Value::Double(f64::NAN))]);
        let mut json = Vec::new();
        encode::put_fields(&mut json, &fields);
        prop_assert_eq!(&json, &serde_json::to_vec(&fields).unwrap());
        json.clear();
        encode::put_text(&mut json, &[&name, "/", &rest]);
        prop_assert_eq!(json, serde_json::to_vec(&format!("{name}/{rest}")).unwrap());
    }

    #[test]
    fn no_text_panics_the_decoder(text in any::<String>()) {
        let _ = serde_json::from_str::<Value>(&text);
    }
}

#[test]
fn the_wire_form_is_firestores() {
    let map = Value::map([
        ("a", Value::Integer(-5)),
        ("b", Value::Double(2.0)),
        ("c", Value::Array { values: vec![Value::NULL, Value::string("x")] }),
    ]);
    let expect = json!({"mapValue": {"fields": {
        "a": {"integerValue": "-5"},
        "b": {"doubleValue": 2.0},
        "c": {"arrayValue": {"values": [{"nullValue": null}, {"stringValue": "x"}]}},
    }}});
    assert_eq!(serde_json::to_value(map).unwrap(), expect);
}

#[test]
fn what_the_emulator_leaves_out_is_read() {
    for (text, expect) in [
        (r#"{"arrayValue": {}}"#, Value::Array { values: vec![] }),
        (r#"{"mapValue": {}}"#, Value::Map { fields: Fields::new() }),
        (r#"{"nullValue": "NULL_VALUE"}"#, Value::NULL),
        (r#"{"integerValue": 7}"#, Value::Integer(7)),
        (r#"{"doubleValue": "-Infinity"}"#, Value::Double(f64::NEG_INFINITY)),
    ] {
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expect, "{text}");
    }
}

#[test]
fn numbers_keep_their_kind() {
    let convert = |text: &str| Value::try_from_json(serde_json::from_str(text).unwrap());
    assert_eq!(convert("100"), Ok(Value::Integer(100)));
    assert_eq!(convert("100.0"), Ok(Value::Double(100.0)));
    assert_eq!(convert("-9223372036854775808"), Ok(Value::Integer(i64::MIN)));
    for text in
        ["9223372036854775808", "18446744073709551615", "18446744073709551616", "-9223372036854775809"]
    {
        assert_eq!(convert(text), Ok(Value::Double(text.parse().unwrap())), "{text}");
    }
}

#[test]
fn what_firestore_refuses_is_named() {
    let convert = |json| Value::try_from_json(json).unwrap_err().to_string();
    assert_eq!(convert(json!([[1]])), "an array directly inside an array");
    assert_eq!(convert(json!({"__x__": 1})), "the field name `__x__`");
    assert_eq!(convert(json!({"a": {"": 1}})), "the field name ``");
    let deep = (0..30).fold(json!(1), |inner, _| json!({"a": inner}));
    assert_eq!(convert(deep), "more than 20 levels of nesting");
}
