//! One request: what is asked, its hash, and its body in what the endpoint understands.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dialect::{Dialect, Format, LengthField};
use super::limits::Tokens;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What the model is.
    System,
    /// What is asked of it.
    User,
}

/// A message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Its text.
    pub content: String,
}

/// What is asked: everything that decides the answer, and no key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its number in the plan: two requests with the same words are still two, with two answers.
    pub number: u64,
    /// The model's name.
    pub model: String,
    /// The chat.
    pub messages: Vec<Message>,
    /// JSON schema of the answer.
    pub schema: Value,
    /// Limit of the answer in tokens.
    pub max_tokens: u32,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Seed of the sampling.
    pub seed: Option<u64>,
}

/// Of the hashed form: another one makes every kept answer unfindable.
const FORM: &[u8] = b"chat request 1\n";

/// Tokens that a chat template puts around a message: a guess from the templates of ChatML and Llama, which need 4 to 6.
const AROUND_MESSAGE: u64 = 6;

impl Request {
    /// BLAKE3 of the request as hex. The endpoint's address is not in it, so that a recorded run can be replayed
    /// whatever port or proxy it was asked through; neither is the key.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(FORM);
        hasher.update(json!(self).to_string().as_bytes());
        hasher.finalize().to_hex().to_string()
    }

    /// Tokens of the prompt, estimated at four characters a token, and the most tokens that the answer may have.
    pub fn worst_case(&self) -> Tokens {
        Tokens { prompt: self.prompt_tokens(), completion: u64::from(self.max_tokens) }
    }

    /// Estimated tokens of the prompt.
    pub(super) fn prompt_tokens(&self) -> u64 {
        self.messages.iter().map(|message| estimated_tokens(&message.content) + AROUND_MESSAGE).sum()
    }

    /// The body to send to an endpoint that understands `dialect`.
    pub(super) fn body(&self, dialect: Dialect) -> String {
        let mut body = json!({ "model": self.model, "messages": self.messages });
        let length = match dialect.length {
            LengthField::MaxTokens => "max_tokens",
            LengthField::MaxCompletionTokens => "max_completion_tokens",
        };
        body[length] = json!(self.max_tokens);
        if let Some(temperature) = self.temperature {
            body["temperature"] = json!(temperature);
        }
        if let Some(seed) = self.seed {
            body["seed"] = json!(seed);
        }
        let schema = |schema: &Value| {
            let named = json!({ "name": "rows", "strict": true, "schema": schema });
            json!({ "type": "json_schema", "json_schema": named })
        };
        match dialect.format {
            Format::Schema => body["response_format"] = schema(&self.schema),
            Format::SchemaWithoutSizes => body["response_format"] = schema(&without_sizes(&self.schema)),
            Format::Object => body["response_format"] = json!({ "type": "json_object" }),
            Format::Text => {}
        }
        body.to_string()
    }
}

/// About four characters a token; counted as UTF-8 bytes, since other scripts than Latin need more tokens a character.
pub(super) fn estimated_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// The schema without the limits of length and count, which strict endpoints do not all take.
fn without_sizes(schema: &Value) -> Value {
    const SIZES: [&str; 4] = ["minLength", "maxLength", "minItems", "maxItems"];
    match schema {
        Value::Object(members) => {
            // A size is a number; a text column that happens to have such a name is a schema.
            let is_size = |name: &str, value: &Value| SIZES.contains(&name) && value.is_number();
            let kept = members.iter().filter(|(name, value)| !is_size(name, value));
            Value::Object(kept.map(|(name, value)| (name.clone(), without_sizes(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_sizes).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request with that number.
    pub fn request(number: u64) -> Request {
        Request {
            number,
            model: "m".into(),
            messages: vec![Message { role: Role::User, content: "12345678".into() }],
            schema: json!({ "type": "array", "maxItems": 3, "items": { "type": "string", "minLength": 1 } }),
            max_tokens: 100,
            temperature: Some(0.7),
            seed: None,
        }
    }

    #[test]
    fn the_hash_follows_everything_that_decides_the_answer() {
        let hash = request(1).hash();
        assert_eq!(hash, request(1).hash());
        let changed = [
            request(2),
            Request { model: "n".into(), ..request(1) },
            Request { temperature: None, ..request(1) },
            Request { seed: Some(0), ..request(1) },
            Request { max_tokens: 99, ..request(1) },
            Request { schema: json!({}), ..request(1) },
            Request { messages: vec![], ..request(1) },
        ];
        assert!(changed.iter().all(|changed| changed.hash() != hash));
        let read: Request = serde_json::from_str(&json!(request(1)).to_string()).unwrap();
        assert_eq!(read.hash(), hash);
    }

    #[test]
    fn the_body_is_what_the_endpoint_understands() {
        let body = |format, length| -> Value {
            serde_json::from_str(&request(1).body(Dialect { format, length })).unwrap()
        };
        let full = body(Format::Schema, LengthField::MaxTokens);
        assert_eq!(full["max_tokens"], 100);
        assert!(full.get("seed").is_none());
        assert_eq!(full["response_format"]["json_schema"]["schema"]["maxItems"], 3);
        let plain = body(Format::SchemaWithoutSizes, LengthField::MaxCompletionTokens);
        assert_eq!(plain["max_completion_tokens"], 100);
        assert!(plain.get("max_tokens").is_none());
        let schema = &plain["response_format"]["json_schema"]["schema"];
        assert_eq!(*schema, json!({ "type": "array", "items": { "type": "string" } }));
        assert_eq!(body(Format::Object, LengthField::MaxTokens)["response_format"]["type"], "json_object");
        assert!(body(Format::Text, LengthField::MaxTokens).get("response_format").is_none());
    }

    #[test]
    fn a_column_named_like_a_size_stays() {
        let schema = json!({ "properties": { "maxLength": { "type": "string", "maxLength": 4 } } });
        assert_eq!(without_sizes(&schema), json!({ "properties": { "maxLength": { "type": "string" } } }));
    }

    #[test]
    fn tokens_are_estimated_at_four_characters() {
        assert_eq!(estimated_tokens(""), 0);
        assert_eq!(estimated_tokens("12345"), 2);
        assert_eq!(request(1).worst_case(), Tokens { prompt: 2 + 6, completion: 100 });
    }
}
