//! Labels of rows from a language model that is shown labelled rows which are most like each (Liu et al. 2022, arXiv 2101.06804).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use minijinja::context;
use serde_json::{Value, json};

use super::answer::{Answer, Finish};
use super::budget::Estimate;
use super::error::{CollectError, Failure};
use super::generation::{Answered, Generation};
use super::kept::Lookup;
use super::limits::Tokens;
use super::prompt::render;
use super::repair::repair;
use super::request::{Message, Request, Role};
use super::state::FAILURES;

/// What rows are labelled with.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The labels.
    pub names: Vec<String>,
    /// What each means, in a few words; empty where that is not known.
    pub meanings: Vec<String>,
}

/// A row to be labelled.
#[derive(Clone, Debug)]
pub struct Unlabelled {
    /// What is known of it, by the names of its columns.
    pub row: Value,
    /// Labelled rows that are shown, each with the place of its label, the most similar last.
    pub examples: Vec<(Value, usize)>,
}

/// What a model said of rows.
#[derive(Debug, Default)]
pub struct Classified {
    /// For each row asked about, in their order, the place of its label; `None` where the answer names none.
    pub labels: Vec<Option<usize>>,
    /// Requests that were asked now; the others were kept.
    pub asked: usize,
    /// Seconds that took, with as many at once as the settings say.
    pub seconds: f64,
    /// Tokens of all answers, the kept ones too.
    pub tokens: Tokens,
    /// Whether the endpoint did not say how many, so that they are estimated at four characters a token.
    pub tokens_estimated: bool,
    /// Why rows have no label.
    pub failed: BTreeMap<Failure, usize>,
    /// What ended it before the last row: `labels` ends there.
    pub ended: Option<CollectError>,
}

const SYSTEM: &str = "You label rows of a table. You answer with JSON alone.";

const PROMPT: &str = r#"Each entry has one of these labels:
{% for label in labels %}
- {{ label }}
{% endfor %}
{% if examples %}

Entries with their labels:
{% for example in examples %}
{{ example.row }}
{{ example.answer }}
{% endfor %}
{% endif %}

Which label does this entry have?
{{ row }}

Answer with JSON of this form: {"label": "…"}"#;

impl Labels {
    /// The chat that asks for the label of a row.
    fn messages(&self, number: u64, of: &Unlabelled) -> Result<Vec<Message>, CollectError> {
        let described = |(name, meaning): (&String, &String)| match meaning.is_empty() {
            true => json!(name).to_string(),
            false => format!("{}: {meaning}", json!(name)),
        };
        let example = |(row, label): &(Value, usize)| {
            let answer = json!({ "label": self.names[*label] }).to_string();
            context! { row => row.to_string(), answer => answer }
        };
        let prompt = render(
            PROMPT,
            context! {
                labels => self.names.iter().zip(&self.meanings).map(described).collect::<Vec<_>>(),
                examples => of.examples.iter().map(example).collect::<Vec<_>>(),
                row => of.row.to_string(),
            },
        );
        let content = prompt.map_err(|reason| CollectError::Prompt { number, reason })?;
        Ok(vec![
            Message { role: Role::System, content: SYSTEM.to_owned() },
            Message { role: Role::User, content },
        ])
    }

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "label": { "type": "string", "enum": self.names } },
            "required": ["label"],
            "additionalProperties": false,
        })
    }

    /// The label that an answer names, as it is written or but for case, space and invisible characters.
    fn read(&self, answer: &Answer) -> Result<usize, Failure> {
        if let Finish::Refused(_) = answer.finish {
            return Err(Failure::Refused);
        }
        let Some(found) = repair(&answer.text) else {
            return Err(match (answer.text.trim().is_empty(), &answer.finish) {
                (_, Finish::Length) => Failure::CutOff,
                (true, _) => Failure::Empty,
                (false, _) => Failure::NoJson,
            });
        };
        let said = match found.value.get("label") {
            Some(Value::String(said)) => said.clone(),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => other.to_string(),
            _ => return Err(Failure::NoLabel),
        };
        let exact = self.names.iter().position(|name| *name == said);
        let like = || {
            let wanted = said.trim().to_lowercase();
            let mut places = (0..self.names.len()).filter(|&i| self.names[i].trim().to_lowercase() == wanted);
            // Of two names that are alike none is meant.
            places.next().filter(|_| places.next().is_none())
        };
        exact.or_else(like).ok_or(Failure::NoLabel)
    }
}

impl Generation<'_> {
    /// What labelling `rows` would take at most.
    ///
    /// # Errors
    /// A prompt cannot be written.
    pub fn estimate_labels(&self, labels: &Labels, rows: &[Unlabelled]) -> Result<Estimate, CollectError> {
        let (mut requests, mut tokens) = (0, Tokens::default());
        for request in self.label_requests(labels, rows)? {
            if let Lookup::Found(_) = self.kept.get(&request) {
                continue;
            }
            requests += 1;
            tokens = tokens.plus(request.worst_case());
        }
        Ok(self.asking.budget.estimate(requests, tokens))
    }

    /// Ask for the label of each of `rows`, one request a row. An answer that names no label is none; a limit of the budget ends it
    /// after the rows before.
    ///
    /// # Errors
    /// The endpoint cannot be asked at all, or the user interrupted; what was answered is kept.
    pub fn classify(&self, labels: &Labels, rows: &[Unlabelled]) -> Result<Classified, CollectError> {
        let requests = self.label_requests(labels, rows)?;
        let (next, failures, stop) = (AtomicUsize::new(0), AtomicU32::new(0), AtomicBool::new(false));
        let answers: Mutex<Vec<Option<Answered>>> = Mutex::new(rows.iter().map(|_| None).collect());
        let progress = self.asking.progress;
        progress.start("asking the model", rows.len() as u64, "rows");
        let begin = Instant::now();
        let work = || {
            while !stop.load(Ordering::SeqCst) {
                let place = next.fetch_add(1, Ordering::SeqCst);
                let Some(request) = requests.get(place) else { break };
                let answered = self.answered(request);
                match &answered.answer {
                    Ok(_) => failures.store(0, Ordering::SeqCst),
                    Err(error) => {
                        let is_end = matches!(error, CollectError::Budget(_) | CollectError::Interrupted);
                        let broken = failures.fetch_add(1, Ordering::SeqCst) + 1 >= FAILURES;
                        if is_end || broken || error.ends_the_run() {
                            stop.store(true, Ordering::SeqCst);
                        }
                    }
                }
                answers.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(answered);
                progress.advance(1);
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.concurrency.min(rows.len()) {
                scope.spawn(work);
            }
        });
        progress.finish();
        let seconds = begin.elapsed().as_secs_f64();
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        let over_budget =
            |of: &Option<Answered>| matches!(of, Some(Answered { answer: Err(CollectError::Budget(_)), .. }));
        // Where nothing was answered at all, the endpoint is to blame and not the model.
        let nothing = !answers.iter().flatten().any(|of| of.answer.is_ok());
        let broken = (stop.into_inner() || nothing) && !answers.iter().any(over_budget);
        let mut found = Classified { seconds, ..Classified::default() };
        for Answered { from_kept, answer, .. } in answers.into_iter().map_while(|answered| answered) {
            let label = match answer {
                Ok(answer) => {
                    found.asked += usize::from(!from_kept);
                    found.tokens = found.tokens.plus(Tokens {
                        prompt: answer.usage.prompt_tokens,
                        completion: answer.usage.completion_tokens,
                    });
                    found.tokens_estimated |= answer.usage.estimated;
                    labels.read(&answer)
                }
                Err(CollectError::Interrupted) => return Err(CollectError::Interrupted),
                Err(error @ CollectError::Budget(_)) => {
                    found.ended = Some(error);
                    break;
                }
                Err(error) if broken => return Err(error),
                Err(error) => Err(Failure::of(&error)),
            };
            if let Err(failure) = label {
                *found.failed.entry(failure).or_default() += 1;
            }
            found.labels.push(label.ok());
        }
        Ok(found)
    }

    fn label_requests(&self, labels: &Labels, rows: &[Unlabelled]) -> Result<Vec<Request>, CollectError> {
        let schema = labels.schema();
        let request = |(number, row): (u64, &Unlabelled)| {
            Ok(self.client.request(number, labels.messages(number, row)?, schema.clone()))
        };
        (0..).zip(rows).map(request).collect()
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
