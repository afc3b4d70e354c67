//! Answers as JSON.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::guard::Counts;
use crate::metrics::Tally;
use crate::outside::{Answer, TaskAnswer};
use crate::refusal::{Form, Refusal};

/// A value as the body of an answer.
pub fn json_answer(value: &impl Serialize, counts: Counts) -> Response {
    let mut response = match serde_json::to_vec(value) {
        Ok(bytes) => Response::new(Body::from(bytes)),
        Err(_) => {
            return Refusal::Internal { what: "writing the answer" }.answer(Form::OpenAi);
        }
    };
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response.extensions_mut().insert(counts);
    response
}

/// The body of an answer of `/predict`.
#[derive(serde::Serialize)]
pub struct Answers<'a> {
    pub model: &'a str,
    pub answers: &'a [Line<'a>],
    pub notes: &'a [String],
}

/// One answer, written as `pipeline predict --json` writes it.
pub struct Line<'a> {
    /// Its place in the request, counted from 1.
    pub line: usize,
    pub answer: &'a Result<Answer, String>,
    /// The names of its probabilities.
    pub classes: &'a [String],
    /// What is less probable gets no label.
    pub below: f64,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("line", &self.line)?;
        let answer = match self.answer {
            Ok(answer) => answer,
            Err(reason) => {
                object.serialize_entry("label", &Value::Null)?;
                object.serialize_entry("reason", reason)?;
                return object.end();
            }
        };
        let probability = answer.probabilities.get(answer.best).copied().unwrap_or_default();
        if probability < self.below {
            object.serialize_entry("label", &Value::Null)?;
            object.serialize_entry("reason", &format!("less sure than abstain_below {}", self.below))?;
        } else {
            object.serialize_entry("label", &self.classes.get(answer.best))?;
        }
        object.serialize_entry("probability", &probability)?;
        object.serialize_entry("probabilities", &Named(|| self.classes.iter().zip(&answer.probabilities)))?;
        if !answer.range.is_empty() {
            object.serialize_entry(
                "range",
                &Named(|| answer.range.iter().map(|(name, value)| (name, value))),
            )?;
        }
        if !answer.tasks.is_empty() {
            let task = |task: &TaskAnswer| json!({ "label": task.label, "probability": task.probability });
            let tasks = Named(|| answer.tasks.iter().map(|of| (&of.name, task(of))));
            object.serialize_entry("tasks", &tasks)?;
        }
        if let Some(unlike) = answer.unlike_training {
            object.serialize_entry("unlike_training", &unlike)?;
        }
        if let Some(explanation) = &answer.explanation {
            object.serialize_entry("explanation", explanation)?;
        }
        object.end()
    }
}

/// Names and values as an object, without a copy of either.
struct Named<F>(F);

impl<F, I, K, V> Serialize for Named<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (K, V)>,
    K: Serialize,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

/// What answers are, for the counters; what is less probable than `below` is no label.
pub fn tally(answers: &[Result<Answer, String>], classes: usize, below: f64) -> Tally {
    let mut tally = Tally { labels: vec![0; classes], ..Tally::default() };
    for answer in answers {
        match answer {
            Err(_) => tally.without_answer += 1,
            Ok(answer) => {
                tally.unlike += u64::from(answer.unlike_training == Some(true));
                match answer.probabilities.get(answer.best) {
                    Some(probability) if *probability >= below => tally.labels[answer.best] += 1,
                    _ => tally.abstained += 1,
                }
            }
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_written_as_predict_writes_it() {
        let classes = ["z".to_owned(), "a".to_owned()];
        let answer = Ok(Answer {
            best: 1,
            probabilities: vec![0.25, 0.75],
            tasks: vec![TaskAnswer { name: "tone".into(), label: "cross".into(), probability: 0.5 }],
            range: vec![("low".into(), 1.0), ("high".into(), 2.5)],
            unlike_training: Some(true),
            explanation: Some(json!({ "class": "a" })),
        });
        let of = |answer: &Result<Answer, String>, below| {
            serde_json::to_string(&Line { line: 3, answer, classes: &classes, below }).unwrap()
        };
        assert_eq!(
            of(&answer, 0.0),
            r#"{"line":3,"label":"a","probability":0.75,"probabilities":{"z":0.25,"a":0.75},"range":{"low":1.0,"high":2.5},"tasks":{"tone":{"label":"cross","probability":0.5}},"unlike_training":true,"explanation":{"class":"a"}}"#
        );
        assert!(of(&answer, 0.8).starts_with(
            r#"{"line":3,"label":null,"reason":"less sure than abstain_below 0.8","probability":0.75"#
        ));
        let blank = Err("no text in title".to_owned());
        assert_eq!(of(&blank, 0.0), r#"{"line":3,"label":null,"reason":"no text in title"}"#);
        let counted = tally(&[answer.clone(), answer, blank], 2, 0.75);
        assert_eq!(counted, Tally { labels: vec![0, 2], abstained: 0, without_answer: 1, unlike: 2 });
    }
}
