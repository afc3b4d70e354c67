//! A request that is planned: its words, the schema of its answer, and what its rows must be.

use serde_json::{Map, Value, json};

use super::draw::Combination;
use super::request::{Message, Role};
use super::rules::{Field, Rules};

/// Where the rows of a request come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a class and values of attributes.
    Drawn {
        /// Those.
        of: Combination,
        /// The examples that were shown, by their numbers among those given.
        examples: Vec<usize>,
    },
    /// From a row, by its number among those given.
    Paraphrase {
        /// That number.
        row: usize,
    },
}

/// A request that is planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its number in the plan, counted from 0.
    pub number: u64,
    /// The chat.
    pub messages: Vec<Message>,
    /// JSON schema of the answer.
    pub schema: Value,
    /// What its rows must be.
    pub rules: Rules,
    /// How many rows it asks for.
    pub rows: usize,
    /// Where they come from.
    pub origin: Origin,
}

/// What the model is, in every request.
const SYSTEM: &str = "You write data for training a text classifier. You answer with JSON alone.";

/// The chat of a prompt.
pub(super) fn chat(prompt: String) -> Vec<Message> {
    vec![
        Message { role: Role::System, content: SYSTEM.to_owned() },
        Message { role: Role::User, content: prompt },
    ]
}

/// The JSON schema of an answer of `rows` rows with `fields`: an object, as strict endpoints want it at the root.
pub(super) fn schema(fields: &[Field], rows: usize) -> Value {
    let of_field = |field: &Field| {
        let mut schema = Map::new();
        schema.insert("type".into(), json!("string"));
        if !field.description.is_empty() {
            schema.insert("description".into(), json!(field.description));
        }
        if field.allowed.is_empty() {
            schema.insert("minLength".into(), json!(field.min_chars));
            schema.insert("maxLength".into(), json!(field.max_chars));
        } else {
            schema.insert("enum".into(), json!(field.allowed));
        }
        (field.name.clone(), Value::Object(schema))
    };
    let properties: Map<String, Value> = fields.iter().map(of_field).collect();
    let names: Vec<&String> = fields.iter().map(|field| &field.name).collect();
    let row = json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false });
    json!({
        "type": "object",
        "properties": { "rows": { "type": "array", "items": row, "minItems": rows, "maxItems": rows } },
        "required": ["rows"],
        "additionalProperties": false,
    })
}

/// The form of the answer, to be shown in a prompt: `{"rows": [{"title": "…"}]}`.
pub(super) fn form(fields: &[Field]) -> String {
    let row: Map<String, Value> = fields.iter().map(|field| (field.name.clone(), json!("…"))).collect();
    json!({ "rows": [row] }).to_string()
}

/// A row as JSON, to be shown in a prompt.
pub(super) fn shown(fields: &[Field], texts: &[String]) -> String {
    let pairs = fields.iter().zip(texts);
    let row: Map<String, Value> = pairs.map(|(field, text)| (field.name.clone(), json!(text))).collect();
    Value::Object(row).to_string()
}

/// A field as the prompt describes it.
pub(super) fn described(field: &Field) -> String {
    let Field { name, description, min_chars, max_chars, allowed } = field;
    let what = if description.is_empty() {
        String::new()
    } else {
        format!("{}, ", description.trim_end_matches('.'))
    };
    if allowed.is_empty() {
        format!("\"{name}\": {what}{min_chars} to {max_chars} characters")
    } else {
        let allowed: Vec<String> = allowed.iter().map(|value| json!(value).to_string()).collect();
        format!("\"{name}\": {what}one of {}", allowed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<Field> {
        let field = |name: &str, allowed: &[&str]| Field {
            name: name.into(),
            description: "what it is.".into(),
            min_chars: 1,
            max_chars: 9,
            allowed: allowed.iter().map(ToString::to_string).collect(),
        };
        vec![field("title", &[]), field("kind", &["a \"b\"", "c"])]
    }

    #[test]
    fn the_schema_is_made_of_the_fields() {
        let schema = schema(&fields(), 3);
        let rows = &schema["properties"]["rows"];
        assert_eq!((&rows["minItems"], &rows["maxItems"]), (&json!(3), &json!(3)));
        let row = &rows["items"];
        assert_eq!(row["required"], json!(["title", "kind"]));
        assert_eq!(row["properties"]["title"]["maxLength"], 9);
        assert_eq!(row["properties"]["kind"]["enum"], json!(["a \"b\"", "c"]));
        assert!(row["properties"]["kind"].get("maxLength").is_none());
    }

    #[test]
    fn prompts_show_fields_in_words_and_as_json() {
        assert_eq!(form(&fields()), r#"{"rows":[{"title":"…","kind":"…"}]}"#);
        assert_eq!(shown(&fields(), &["x\ny".into(), "c".into()]), r#"{"title":"x\ny","kind":"c"}"#);
        assert_eq!(described(&fields()[0]), r#""title": what it is, 1 to 9 characters"#);
        assert_eq!(described(&fields()[1]), r#""kind": what it is, one of "a \"b\"", "c""#);
    }
}
