//! The text of an answer to checked rows.

use serde_json::Value;

use super::repair::repair;
use super::rules::{Reason, Refusal, Rules, likeness};

/// A row that a model has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// One text a field, in the order of the fields, without white space around.
    pub texts: Vec<String>,
}

/// What an answer holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Each row of it, or why it cannot be used.
    pub rows: Vec<Result<Row, Refusal>>,
    /// Whether the text was not JSON as it stood.
    pub repaired: bool,
}

/// The rows in the `text` of an answer, checked by `rules`; `None` where it holds no JSON object.
pub fn read_rows(text: &str, rules: &Rules) -> Option<Reply> {
    let found = repair(text)?;
    let items = items(&found.value, rules)?;
    let mut rows: Vec<Result<Row, Refusal>> = items.iter().map(|item| row(item, rules)).collect();
    let unreadable = || Err(Refusal::new(Reason::Unreadable, "", ""));
    rows.extend(std::iter::repeat_with(unreadable).take(found.unreadable));
    Some(Reply { rows, repaired: found.repaired })
}

/// What stands for rows: an array; the only array of an object, whatever its name; or an object that is a row itself.
fn items<'v>(value: &'v Value, rules: &Rules) -> Option<&'v [Value]> {
    match value {
        Value::Array(items) => Some(items),
        Value::Object(members) => {
            let mut arrays = members.values().filter_map(Value::as_array);
            match (members.get("rows"), arrays.next(), arrays.next()) {
                (Some(Value::Array(rows)), _, _) => Some(rows),
                _ if rules.fields.iter().any(|field| members.contains_key(&field.name)) => {
                    Some(std::slice::from_ref(value))
                }
                (_, Some(rows), None) => Some(rows),
                _ => Some(std::slice::from_ref(value)),
            }
        }
        _ => None,
    }
}

fn row(item: &Value, rules: &Rules) -> Result<Row, Refusal> {
    let Value::Object(members) = item else {
        return Err(Refusal::new(Reason::NotAnObject, "", &item.to_string()));
    };
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        None => Err(Refusal::new(Reason::Missing, name, &item.to_string())),
        Some(other) => Err(Refusal::new(Reason::NotText, name, &other.to_string())),
    };
    let texts: Vec<String> = rules.fields.iter().map(|field| text(&field.name)).collect::<Result<_, _>>()?;
    rules.fields.iter().zip(&texts).try_for_each(|(field, text)| field.check(text))?;
    rules.check_forbidden(&texts)?;
    if rules.taken.contains(&likeness(&texts)) {
        return Err(Refusal::new(Reason::Repeated, "", &texts.join(" / ")));
    }
    Ok(Row { texts })
}

#[cfg(test)]
mod tests {
    use super::super::rules::{Field, Forbidden};
    use super::*;
    use proptest::prelude::*;

    fn rules() -> Rules {
        let field = |name: &str| Field {
            name: name.into(),
            description: String::new(),
            min_chars: 2,
            max_chars: 10,
            allowed: vec![],
        };
        Rules {
            fields: vec![field("title"), field("text")],
            forbidden: vec![Forbidden::new("snow").unwrap()],
            taken: vec![likeness(&["old".into(), "row".into()])],
        }
    }

    fn reasons(text: &str) -> Vec<Option<Reason>> {
        let reply = read_rows(text, &rules()).unwrap();
        reply.rows.iter().map(|row| row.as_ref().err().map(|refusal| refusal.reason)).collect()
    }

    #[test]
    fn every_item_is_a_row_or_has_a_reason() {
        let text = r#"{"rows": [
            {"title": " good ", "text": "words", "more": 1},
            {"title": "good"},
            {"title": "good", "text": 3},
            {"title": "good", "text": "  "},
            {"title": "g", "text": "words"},
            {"title": "good", "text": "far too long"},
            {"title": "good", "text": "Snow!"},
            {"title": "OLD", "text": "row."},
            "words"
        ]}"#;
        let expected = [
            None,
            Some(Reason::Missing),
            Some(Reason::NotText),
            Some(Reason::Empty),
            Some(Reason::TooShort),
            Some(Reason::TooLong),
            Some(Reason::Forbidden),
            Some(Reason::Repeated),
            Some(Reason::NotAnObject),
        ];
        assert_eq!(reasons(text), expected);
        let reply = read_rows(text, &rules()).unwrap();
        assert_eq!(reply.rows[0], Ok(Row { texts: vec!["good".into(), "words".into()] }));
        assert!(!reply.repaired);
    }

    #[test]
    fn rows_are_found_under_any_name_and_alone() {
        let row = r#"{"title": "good", "text": "words"}"#;
        assert_eq!(reasons(row), [None]);
        assert_eq!(reasons(&format!("[{row}, {row}]")), [None, None]);
        assert_eq!(reasons(&format!(r#"{{"activities": [{row}]}}"#)), [None]);
        assert_eq!(reasons(&format!("{row}\n{row}")), [None, None]);
        assert_eq!(reasons(r#"{"other": 1}"#), [Some(Reason::Missing)]);
        assert_eq!(
            reasons(&format!(r#"[{row}, {{"title" "x"}}, {row}]"#)),
            [None, None, Some(Reason::Unreadable)]
        );
        assert_eq!(read_rows("I cannot do that.", &rules()), None);
        assert_eq!(read_rows("3", &rules()), None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in any::<String>()) {
            let _ = read_rows(&text, &rules());
            let _ = read_rows(&format!(r#"{{"rows":[{{"title":"{text}"#), &rules());
        }
    }
}
