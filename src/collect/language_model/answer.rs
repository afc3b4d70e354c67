//! What a chat completion says, read from its JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::line::message_in;
use super::request::{Request, estimated_tokens};

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model had said everything.
    Stop,
    /// It was cut off at `max_tokens`.
    Length,
    /// The model will not answer, or its provider's filter stepped in; with what it said.
    Refused(String),
}

/// Tokens of a request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer, with those of reasoning.
    pub completion_tokens: u64,
    /// Whether the endpoint did not say, so that they are estimated at four characters a token.
    pub estimated: bool,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its text; may be empty.
    pub text: String,
    /// Why it ends.
    pub finish: Finish,
    /// What it took.
    pub usage: Usage,
}

/// The answer in `body`, what an endpoint said to `request`.
///
/// # Errors
/// What is wrong, where it is no chat completion.
pub(super) fn read_answer(body: &str, request: &Request) -> Result<Answer, String> {
    let value: Value =
        serde_json::from_str(body).map_err(|error| format!("its body is not JSON ({error})"))?;
    // Gateways wrap the failure of the provider behind them into a 200.
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(format!("it answers with an error: {}", message_in(body)));
    }
    let choice = value.pointer("/choices/0").ok_or("it has no choices")?;
    let message = choice.get("message").ok_or("its choice has no message")?;
    let text = match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        None | Some(Value::Null) => String::new(),
        Some(_) => return Err("its content is neither text nor parts of text".to_owned()),
    };
    let refusal = message.get("refusal").and_then(Value::as_str).filter(|refusal| !refusal.is_empty());
    let finish = match (choice.get("finish_reason").and_then(Value::as_str), refusal) {
        (_, Some(refusal)) => Finish::Refused(refusal.to_owned()),
        (Some("content_filter"), _) => Finish::Refused("stopped by the provider's content filter".to_owned()),
        (Some("length" | "max_tokens"), _) => Finish::Length,
        _ => Finish::Stop,
    };
    let told = |name: &str| value.pointer(&format!("/usage/{name}")).and_then(Value::as_u64);
    let usage = match (told("prompt_tokens"), told("completion_tokens")) {
        (Some(prompt_tokens), Some(completion_tokens)) if prompt_tokens > 0 => {
            Usage { prompt_tokens, completion_tokens, estimated: false }
        }
        _ => Usage {
            prompt_tokens: request.prompt_tokens(),
            completion_tokens: estimated_tokens(&text),
            estimated: true,
        },
    };
    Ok(Answer { text, finish, usage })
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::request;
    use super::*;
    use serde_json::json;

    fn read(choice: Value, usage: Value) -> Result<Answer, String> {
        read_answer(&json!({ "choices": [choice], "usage": usage }).to_string(), &request(1))
    }

    fn said(content: Value, finish: &str) -> Value {
        json!({ "message": { "role": "assistant", "content": content }, "finish_reason": finish })
    }

    #[test]
    fn text_and_usage_are_read_where_given() {
        let usage = json!({ "prompt_tokens": 7, "completion_tokens": 3 });
        let answer = read(said(json!("abc"), "stop"), usage).unwrap();
        let usage = Usage { prompt_tokens: 7, completion_tokens: 3, estimated: false };
        assert_eq!(answer, Answer { text: "abc".into(), finish: Finish::Stop, usage });
        let parts =
            json!([{ "type": "text", "text": "a" }, { "type": "other" }, { "type": "text", "text": "b" }]);
        assert_eq!(read(said(parts, "stop"), json!({})).unwrap().text, "ab");
    }

    #[test]
    fn usage_is_estimated_where_it_is_not_given() {
        for usage in [json!(null), json!({ "prompt_tokens": 0, "completion_tokens": 0 }), json!("x")] {
            let answer = read(said(json!("12345"), "stop"), usage).unwrap();
            assert_eq!(answer.usage, Usage { prompt_tokens: 8, completion_tokens: 2, estimated: true });
        }
    }

    #[test]
    fn a_cut_a_refusal_and_nothing_are_told_apart() {
        assert_eq!(read(said(json!("[{"), "length"), json!({})).unwrap().finish, Finish::Length);
        assert!(matches!(
            read(said(json!(""), "content_filter"), json!({})).unwrap().finish,
            Finish::Refused(_)
        ));
        let refusal = json!({ "message": { "content": null, "refusal": "no" }, "finish_reason": "stop" });
        assert_eq!(read(refusal, json!({})).unwrap().finish, Finish::Refused("no".into()));
        let empty = read(said(json!(null), "stop"), json!({})).unwrap();
        assert_eq!(Answer { usage: Usage::default(), ..empty }.text, "");
    }

    #[test]
    fn what_is_no_completion_is_an_error_that_says_so() {
        let bodies =
            ["", "{", "[]", "{}", "3", r#"{"choices": []}"#, r#"{"choices": [{}]}"#, r#"{"choices": 3}"#];
        for body in bodies {
            assert!(read_answer(body, &request(1)).is_err(), "{body}");
        }
        assert!(read(said(json!(3), "stop"), json!({})).is_err());
        let error = read_answer(r#"{"error": {"message": "provider down"}}"#, &request(1)).unwrap_err();
        assert!(error.ends_with("provider down"), "{error}");
    }
}
