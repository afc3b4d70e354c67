//! Tests of reading JSON over its faults.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn value(text: &str) -> Value {
    repair(text).unwrap_or_else(|| panic!("nothing in {text}")).value
}

#[test]
fn usual_faults_are_read_over() {
    let rows = json!([{ "a": "x" }, { "a": "y" }]);
    for text in [
        r#"[{"a":"x"},{"a":"y"}]"#,
        "```json\n[{\"a\":\"x\"},{\"a\":\"y\"}]\n```",
        "Sure! Here are [2] rows:\n[{\"a\":\"x\"},{\"a\":\"y\"}]\nAnything else?",
        r#"[{"a":"x",},{"a":"y"},]"#,
        "[{'a':'x'},{'a':'y'}]",
        r#"[{a: "x"}, {a: "y"}"#,
        r#"[{"a":"x"},{"a":"y""#,
        r#"[{"a":"x"} {"a":"y"}]"#,
        "{\"a\":\"x\"}\n{\"a\":\"y\"}",
        r#"[{"a":"x"},{"a":"y"},{"a":"z"#,
        r#"[{"a":"x"},{"a":"y"},{"a":"#,
        r#"[{"a":"x"},{"a":"y"},{"#,
        r#"[{"a":"x"},{"a":"y"},{"a"#,
        r#"[{"a":"x"},{"a":"y"},{"a":"z\"#,
        "<think>maybe [{\"a\":\"no\"}]</think>\n[{\"a\":\"x\"},{\"a\":\"y\"}]",
    ] {
        assert_eq!(value(text), rows, "{text}");
    }
}

#[test]
fn an_object_around_the_cut_array_keeps_what_is_whole() {
    assert_eq!(value(r#"{"rows":[{"a":"x"},{"a":"y"#), json!({ "rows": [{ "a": "x" }] }));
    assert_eq!(value(r#"{"rows":[{"a":"x"},{"a":"y"}"#), json!({ "rows": [{ "a": "x" }, { "a": "y" }] }));
    assert_eq!(value(r#"{"rows":[{"a":"x"}}"#), json!({ "rows": [{ "a": "x" }] }));
    // The second row's list was cut, so the row is not whole.
    assert_eq!(value(r#"[{"a":["x"]},{"a":["y","z"#), json!([{ "a": ["x"] }]));
}

#[test]
fn quotes_and_line_breaks_inside_strings_stay() {
    assert_eq!(value(r#"[{"a":"play "tag" outside"}]"#), json!([{ "a": "play \"tag\" outside" }]));
    assert_eq!(value("[{'a':'Let's go'}]"), json!([{ "a": "Let's go" }]));
    assert_eq!(value("[{\"a\":\"one\ntwo\"}]"), json!([{ "a": "one\ntwo" }]));
    assert_eq!(value(r"[{'a':'\u00e9\ud83d\ude00\ud83d \' \x'}]"), json!([{ "a": "é😀\u{fffd} ' x" }]));
    assert_eq!(value("[{'a':True,'b':None,'c':-1.5e3,}]"), json!([{ "a": true, "b": null, "c": -1500.0 }]));
}

#[test]
fn an_item_that_cannot_be_read_is_counted_and_the_next_one_is_read() {
    let found = repair(r#"[{"a":"x"},{"a" "b" 3},{"a":"y"},]"#).unwrap();
    assert_eq!(found.value, json!([{ "a": "x" }, { "a": "y" }]));
    assert_eq!(found.unreadable, 1);
    assert!(found.repaired);
}

#[test]
fn nothing_is_made_of_nothing() {
    for text in
        ["", "no", "[1] and {2}", "{}x", "[[", "{\"a", "<think>[{\"a\":\"x\"}]", "\u{feff}", "}{", "[\"a\", "]
    {
        assert_eq!(repair(text), None, "{text}");
    }
}

#[test]
fn hostile_texts_end() {
    let length = 1 << 18;
    for unit in [
        "[",
        "{",
        "{\"a\":",
        "{\"a\":[",
        "'",
        "\"",
        "{\"a",
        "[{}",
        "[{'",
        "\\u",
        "[{\"a\":\"\\u",
        "{a:\" ",
        "[é",
    ] {
        let _ = repair(&unit.repeat(length / unit.len()));
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300f64..1e300).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\"'{}:,\\[\\] \\\\\n\u{e9}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), marks in "[\\[\\]{}\"',:\\\\a \n\u{e9}u0-9d-e]{0,80}") {
        let _ = repair(&text);
        let _ = repair(&marks);
        let _ = repair(&format!("[{{{marks}"));
    }

    #[test]
    fn json_is_what_it_is(value in json_value()) {
        let found = repair(&value.to_string()).unwrap();
        prop_assert_eq!(&found.value, &value);
        prop_assert!(!found.repaired);
    }

    /// Text around keeps the strict reader out, so this is the lenient one alone.
    #[test]
    fn the_lenient_reader_reads_json_too(value in json_value(), indented: bool) {
        let whole = json!({ "rows": [value] });
        let text = if indented { format!("{whole:#}") } else { whole.to_string() };
        let around = format!("Here you are:\n```json\n{text}\n```\n");
        let found = repair(&around).unwrap();
        prop_assert_eq!(found.value, whole);
        prop_assert_eq!(found.unreadable, 0);
    }

    #[test]
    fn of_a_cut_array_the_whole_objects_stay(texts in prop::collection::vec("[a-z\"\\\\ é,}]{0,8}", 1..6), cut: prop::sample::Index) {
        let rows: Vec<Value> = texts.iter().map(|text| json!({ "a": text })).collect();
        let text = Value::from(rows.clone()).to_string();
        let at = (0..=cut.index(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let ends: Vec<usize> = (1..=rows.len()).map(|n| Value::from(&rows[..n]).to_string().len() - 1).collect();
        let whole = ends.iter().filter(|end| **end <= at).count();
        match repair(&text[..at]) {
            // An object may lack nothing but its closing bracket.
            Some(found) => {
                let found = found.value.as_array().cloned().unwrap();
                prop_assert!(found.len() == whole || found.len() == whole + 1, "{} of {whole}", found.len());
                prop_assert_eq!(&found[..], &rows[..found.len()]);
            }
            None => prop_assert_eq!(whole, 0),
        }
    }
}
