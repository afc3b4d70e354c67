//! The threads that ask a model, and what they do when it fails or panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fair::Item;
use super::job::{Failure, Part, Work};
use super::waiting::{Batch, Queue};
use crate::outside::{Answer, Answerer, Row};

/// What one batch took.
#[derive(Clone, Debug)]
pub struct BatchReport {
    /// Rows that were asked.
    pub rows: usize,
    /// Their tokens.
    pub tokens: usize,
    /// How long the model took.
    pub time: Duration,
    /// Why there are no answers.
    pub failure: Option<Failure>,
}

/// Start `count` threads that ask what waits in the queue until it is closed, and hand a report of each batch to `report`.
///
/// # Errors
/// The system has no thread.
pub fn start_workers(
    name: &str,
    queue: &Arc<Queue>,
    count: usize,
    report: &Arc<dyn Fn(&BatchReport) + Send + Sync>,
) -> std::io::Result<()> {
    for number in 1..=count {
        let (queue, report) = (queue.clone(), report.clone());
        std::thread::Builder::new().name(format!("{name} {number}")).spawn(move || {
            while let Some(batch) = queue.next() {
                let done = run(&batch);
                queue.finished(&batch, done.tokens, done.time);
                report(&done);
            }
        })?;
    }
    Ok(())
}

fn run(batch: &Batch) -> BatchReport {
    // Between the choice and now a client may have gone.
    let items: Vec<&Item> = batch.items.iter().filter(|item| !item.job.is_cancelled()).collect();
    let tokens = items.iter().map(|item| item.cost()).sum();
    let begin = Instant::now();
    let failure = answer(&items).err();
    // An explanation that was given up because nobody waits for it any more is no failure.
    let failure = failure.filter(|_| !items.iter().all(|item| item.job.is_cancelled()));
    if let Some(failure) = &failure {
        match by_request(&items).as_slice() {
            [_] => fail(&items, failure),
            // One request's row must not cost the others their answers: each is asked alone.
            several => several.iter().for_each(|own| {
                if let Err(failure) = answer(own) {
                    fail(own, &failure);
                }
            }),
        }
    }
    BatchReport { rows: items.len(), tokens, time: begin.elapsed(), failure }
}

/// Ask the model for rows, and give each request its answers.
fn answer(items: &[&Item]) -> Result<(), Failure> {
    let Some(first) = items.first() else { return Ok(()) };
    let parts = asked(first.job.model.as_ref(), items)?;
    for (item, part) in items.iter().zip(parts) {
        item.job.deliver(item.place, part);
    }
    Ok(())
}

fn fail(items: &[&Item], failure: &Failure) {
    items.iter().for_each(|item| item.job.fail(failure.clone()));
}

/// Rows by their requests.
fn by_request<'i>(items: &[&'i Item]) -> Vec<Vec<&'i Item>> {
    let mut requests: Vec<Vec<&Item>> = Vec::new();
    for item in items {
        match requests.iter_mut().find(|own| Arc::ptr_eq(&own[0].job, &item.job)) {
            Some(own) => own.push(item),
            None => requests.push(vec![item]),
        }
    }
    requests
}

/// The answers of a model to rows that are all asked the same.
fn asked(model: &dyn Answerer, items: &[&Item]) -> Result<Vec<Part>, Failure> {
    match items.first().map(|item| &item.job.work) {
        Some(Work::Embed { normalize, .. }) => embed(model, &texts_of(items), *normalize),
        Some(Work::Explain { .. }) => items.iter().map(|item| explain(model, item)).collect(),
        _ => predict(model, &rows_of(items)),
    }
}

fn texts_of<'i>(items: &[&'i Item]) -> Vec<&'i str> {
    let text = |item: &&'i Item| match &item.job.work {
        Work::Embed { texts, .. } => texts.get(item.place).map(String::as_str),
        Work::Predict(_) | Work::Explain { .. } => None,
    };
    items.iter().filter_map(text).collect()
}

fn rows_of<'i>(items: &[&'i Item]) -> Vec<&'i Row> {
    let row = |item: &&'i Item| match &item.job.work {
        Work::Predict(rows) => rows.get(item.place),
        Work::Explain { .. } | Work::Embed { .. } => None,
    };
    items.iter().filter_map(row).collect()
}

/// What a model is asked first.
const FIRST_TEXT: &str = "a first text";

/// Ask a model once, on this thread, for what a request needs: so it is warm.
///
/// # Errors
/// It failed, panicked, or said what no model may say.
pub fn run_once(model: &dyn Answerer) -> Result<(), Failure> {
    if model.encoder().is_some() {
        embed(model, &[FIRST_TEXT], true)?;
    }
    if !model.classes().is_empty() {
        predict(model, &[&Row::Text(FIRST_TEXT.to_owned())])?;
    }
    Ok(())
}

fn predict(model: &dyn Answerer, rows: &[&Row]) -> Result<Vec<Part>, Failure> {
    let answers = guarded(|| model.predict(rows))?;
    counted(answers.len(), rows.len())?;
    answers.iter().flatten().try_for_each(|answer| check(model, answer))?;
    Ok(answers.into_iter().map(Part::Answer).collect())
}

/// Ask why one row has its label, for as long as somebody waits for it.
fn explain(model: &dyn Answerer, item: &Item) -> Result<Part, Failure> {
    let asked = match &item.job.work {
        Work::Explain { rows, samples } => rows.get(item.place).map(|row| (row, *samples)),
        Work::Predict(_) | Work::Embed { .. } => None,
    };
    let Some((row, samples)) = asked else { return Err(Failure::Model("a row is missing".to_owned())) };
    let answer = guarded(|| model.explain(row, samples, &|| item.job.is_cancelled()))?;
    answer.iter().try_for_each(|answer| check(model, answer))?;
    Ok(Part::Answer(answer))
}

/// Whether it is what a model may say.
fn check(model: &dyn Answerer, answer: &Answer) -> Result<(), Failure> {
    let classes = model.classes().len();
    let numbers = answer.probabilities.iter().chain(answer.range.iter().map(|(_, value)| value));
    let right = answer.probabilities.len() == classes && answer.best < classes;
    if !right || !numbers.copied().all(f64::is_finite) {
        return Err(Failure::Model("the model's answer is no probability of each class".to_owned()));
    }
    Ok(())
}

fn embed(model: &dyn Answerer, texts: &[&str], normalize: bool) -> Result<Vec<Part>, Failure> {
    let vectors = guarded(|| model.embed(texts, normalize))?;
    counted(vectors.len(), texts.len())?;
    if !vectors.iter().flat_map(|embedded| &embedded.vector).all(|value| value.is_finite()) {
        return Err(Failure::Model("the model's embedding has a value that is no number".to_owned()));
    }
    Ok(vectors.into_iter().map(Part::Embedding).collect())
}

fn counted(answers: usize, rows: usize) -> Result<(), Failure> {
    let wrong = || Failure::Model(format!("the model gave {answers} answers to {rows} rows"));
    if answers == rows { Ok(()) } else { Err(wrong()) }
}

/// What a model says, whatever happens in it. Nothing of this server is changed while it is asked, so nothing is left half done.
fn guarded<T>(ask: impl FnOnce() -> Result<T, crate::outside::AnswerError>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Failure::Model(error.to_string())),
        Err(_) => Err(Failure::Panicked),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::outside::{AnswerError, Embedded};
    use crate::queue::batch::BatchLimits;
    use crate::queue::job::Done;
    use crate::queue::waiting::Submission;
    use serde_json::Value;

    /// A model whose embedding of a text is the number that the text says.
    #[derive(Default)]
    pub struct Echo {
        fields: Vec<String>,
    }

    impl Answerer for Echo {
        fn text_fields(&self) -> &[String] {
            &self.fields
        }
        fn columns(&self) -> &[String] {
            &self.fields
        }
        fn classes(&self) -> &[String] {
            &[]
        }
        fn encoder(&self) -> Option<&str> {
            Some("echo")
        }
        fn max_tokens(&self) -> usize {
            8
        }
        fn info(&self) -> Value {
            Value::Null
        }
        fn tokens(&self, _: &Row) -> usize {
            1
        }
        fn predict(&self, _: &[&Row]) -> Result<Vec<Result<Answer, String>>, AnswerError> {
            Err(AnswerError("only embeds".into()))
        }
        fn tokens_to_explain(&self, _: &Row, samples: usize) -> usize {
            samples
        }
        fn explain(
            &self,
            _: &Row,
            _: usize,
            _: &(dyn Fn() -> bool + Sync),
        ) -> Result<Result<Answer, String>, AnswerError> {
            Err(AnswerError("only embeds".into()))
        }
        fn embed(&self, texts: &[&str], _: bool) -> Result<Vec<Embedded>, AnswerError> {
            assert!(!texts.contains(&"13"), "an unlucky text");
            let of = |text: &&str| {
                let number = if *text == FIRST_TEXT { "0" } else { text };
                let value = number.parse().map_err(|_| AnswerError(format!("{text} is no number")))?;
                Ok(Embedded { vector: vec![value], tokens: 1, truncated: false })
            };
            let mut vectors = texts.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            if texts.contains(&"14") {
                vectors.pop();
            }
            Ok(vectors)
        }
    }

    static ECHO: std::sync::LazyLock<Arc<dyn Answerer>> =
        std::sync::LazyLock::new(|| Arc::new(Echo::default()));

    fn ask(queue: &Queue, texts: &[&str]) -> Result<Vec<f32>, Failure> {
        let work =
            Work::Embed { texts: texts.iter().map(|text| (*text).to_owned()).collect(), normalize: true };
        let costs = vec![1; texts.len()];
        let mut ticket =
            queue.submit(Submission { client: 1, model: Arc::new(Echo::default()), work, costs }).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(ticket.answer())? {
            Done::Embeddings(vectors) => Ok(vectors.iter().map(|embedded| embedded.vector[0]).collect()),
            Done::Answers(_) => panic!("answers to a question for embeddings"),
        }
    }

    #[test]
    fn answers_come_in_order_and_failures_hit_only_their_batch() {
        let queue = Arc::new(Queue::new(BatchLimits { tokens: 2, rows: 2, window_tokens: 4 }, 1000));
        let report: Arc<dyn Fn(&BatchReport) + Send + Sync> = Arc::new(|_| {});
        start_workers("echo", &queue, 1, &report).unwrap();
        assert_eq!(ask(&queue, &["5", "1", "4", "2", "3"]), Ok(vec![5.0, 1.0, 4.0, 2.0, 3.0]));
        assert_eq!(ask(&queue, &["13"]), Err(Failure::Panicked));
        assert_eq!(ask(&queue, &["x"]), Err(Failure::Model("x is no number".into())));
        assert_eq!(ask(&queue, &["14"]), Err(Failure::Model("the model gave 0 answers to 1 rows".into())));
        let infinite = ask(&queue, &["inf"]).unwrap_err();
        assert!(matches!(infinite, Failure::Model(_)));
        assert_eq!(ask(&queue, &["6"]), Ok(vec![6.0]));
        queue.close();
    }

    #[test]
    fn a_row_that_panics_costs_the_other_requests_of_its_batch_nothing() {
        let job = |texts: &[&str]| {
            let work =
                Work::Embed { texts: texts.iter().map(|text| (*text).to_owned()).collect(), normalize: true };
            Submission { client: 1, model: ECHO.clone(), work, costs: vec![1; texts.len()] }
        };
        let queue = Queue::new(BatchLimits { tokens: 100, rows: 100, window_tokens: 100 }, 1000);
        let mut tickets = [&["1", "2"][..], &["13"], &["3"]].map(|texts| queue.submit(job(texts)).unwrap());
        let batch = queue.next().unwrap();
        assert_eq!(batch.items.len(), 4);
        assert_eq!(run(&batch).failure, Some(Failure::Panicked));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answers: Vec<bool> =
            tickets.iter_mut().map(|ticket| runtime.block_on(ticket.answer()).is_ok()).collect();
        assert_eq!(answers, [true, false, true]);
    }
}
