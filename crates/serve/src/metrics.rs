//! What is counted and timed, for Prometheus. Each server has its own; nothing is global.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::queue::{BatchReport, Load};

const METADATA: Metadata<'static> = Metadata::new("serve", Level::INFO, None);

/// Labels of a metric: names and values.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// The counters of one server.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Answers of each model, and how many of them to rows unlike the training's.
    unlike: Mutex<HashMap<String, Unlike>>,
}

#[derive(Clone, Copy, Default)]
struct Unlike {
    answers: u64,
    unlike: u64,
}

/// What a request was answered with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Answers for each class.
    pub labels: Vec<u64>,
    /// Answers less sure than asked for.
    pub abstained: u64,
    /// Rows without an answer, such as blank ones.
    pub without_answer: u64,
    /// Answers to rows unlike those of the training.
    pub unlike: u64,
}

impl Metrics {
    /// All at zero.
    ///
    /// # Errors
    /// Never: the bounds of the histograms are constants.
    pub fn new() -> Result<Self, BuildError> {
        const SECONDS: [f64; 14] =
            [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        const ROWS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
        const TOKENS: [f64; 10] =
            [16.0, 64.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0, 65_536.0];
        let suffix = |end: &str| Matcher::Suffix(end.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(suffix("_seconds"), &SECONDS)?
            .set_buckets_for_metric(suffix("_rows"), &ROWS)?
            .set_buckets_for_metric(suffix("_tokens"), &TOKENS)?
            .build_recorder();
        let handle = recorder.handle();
        let metrics = Self { recorder, handle, unlike: Mutex::default() };
        for (kind, name, unit, text) in DESCRIBED {
            let (name, unit) = (KeyName::from_const_str(name), *unit);
            let text = SharedString::const_str(text);
            match kind {
                Kind::Counter => metrics.recorder.describe_counter(name, unit, text),
                Kind::Gauge => metrics.recorder.describe_gauge(name, unit, text),
                Kind::Histogram => metrics.recorder.describe_histogram(name, unit, text),
            }
        }
        Ok(metrics)
    }

    fn key(name: &'static str, labels: Labels<'_>) -> Key {
        let labels: Vec<Label> =
            labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        Key::from_parts(name, labels)
    }

    fn counter(&self, name: &'static str, labels: Labels<'_>) -> Counter {
        self.recorder.register_counter(&Self::key(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str, labels: Labels<'_>) -> Gauge {
        self.recorder.register_gauge(&Self::key(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: Labels<'_>) -> Histogram {
        self.recorder.register_histogram(&Self::key(name, labels), &METADATA)
    }

    /// A request to a route was answered with a status.
    pub fn request(&self, route: &str, status: u16, time: Duration) {
        let status = status.to_string();
        self.counter(REQUESTS, &[("route", route), ("status", &status)]).increment(1);
        self.histogram(REQUEST_SECONDS, &[("route", route)]).record(time.as_secs_f64());
    }

    /// A client went before it was answered.
    pub fn cancelled(&self, route: &str) {
        self.counter(CANCELLED, &[("route", route)]).increment(1);
    }

    /// Rows of a request were taken into the queue of a model.
    pub fn taken(&self, model: &str, rows: usize, tokens: usize) {
        self.counter(TEXTS, &[("model", model)]).increment(rows as u64);
        self.counter(TOKENS, &[("model", model)]).increment(tokens as u64);
    }

    /// A model was asked a batch.
    pub fn batch(&self, model: &str, report: &BatchReport) {
        self.histogram(BATCH_ROWS, &[("model", model)]).record(report.rows as f64);
        self.histogram(BATCH_TOKENS, &[("model", model)]).record(report.tokens as f64);
        self.histogram(BATCH_SECONDS, &[("model", model)]).record(report.time.as_secs_f64());
        if report.failure.is_some() {
            self.counter(BATCHES_FAILED, &[("model", model)]).increment(1);
        }
    }

    /// A model's labels were given to a client.
    pub fn answered(&self, model: &str, classes: &[String], tally: &Tally) {
        for (class, count) in classes.iter().zip(&tally.labels).filter(|(_, count)| **count > 0) {
            self.counter(LABELS, &[("model", model), ("label", class)]).increment(*count);
        }
        for (name, count) in
            [(ABSTAINED, tally.abstained), (WITHOUT_ANSWER, tally.without_answer), (UNLIKE, tally.unlike)]
        {
            self.counter(name, &[("model", model)]).increment(count);
        }
        let mut unlike = self.unlike.lock().unwrap_or_else(PoisonError::into_inner);
        let all = unlike.entry(model.to_owned()).or_default();
        all.answers += tally.labels.iter().sum::<u64>() + tally.abstained;
        all.unlike += tally.unlike;
        if all.answers > 0 {
            self.gauge(UNLIKE_SHARE, &[("model", model)]).set(all.unlike as f64 / all.answers as f64);
        }
    }

    /// A model was loaded again, or could not be.
    pub fn reloaded(&self, model: &str, whole: bool) {
        let result = if whole { "done" } else { "failed" };
        self.counter(RELOADS, &[("model", model), ("result", result)]).increment(1);
        self.gauge(BROKEN, &[("model", model)]).set(if whole { 0.0 } else { 1.0 });
    }

    /// Connections that are open now.
    pub fn connections(&self, open: usize) {
        self.gauge(CONNECTIONS, &[]).set(open as f64);
    }

    /// What waits for a model now.
    pub fn queue(&self, model: &str, load: Load) {
        self.gauge(QUEUE_ROWS, &[("model", model)]).set(load.rows as f64);
        self.gauge(QUEUE_TOKENS, &[("model", model)]).set(load.tokens as f64);
    }

    /// Bring the histograms up to date; between readers, so that what they hold stays small.
    pub fn tidy(&self) {
        self.handle.run_upkeep();
    }

    /// All of it in Prometheus' text form.
    pub fn text(&self) -> String {
        self.handle.render()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const REQUESTS: &str = "pipeline_requests_total";
const REQUEST_SECONDS: &str = "pipeline_request_seconds";
const CANCELLED: &str = "pipeline_requests_cancelled_total";
const TEXTS: &str = "pipeline_texts_total";
const TOKENS: &str = "pipeline_tokens_total";
const BATCH_ROWS: &str = "pipeline_batch_rows";
const BATCH_TOKENS: &str = "pipeline_batch_tokens";
const BATCH_SECONDS: &str = "pipeline_batch_seconds";
const BATCHES_FAILED: &str = "pipeline_batches_failed_total";
const LABELS: &str = "pipeline_labels_total";
const ABSTAINED: &str = "pipeline_abstained_total";
const WITHOUT_ANSWER: &str = "pipeline_without_answer_total";
const UNLIKE: &str = "pipeline_unlike_training_total";
const UNLIKE_SHARE: &str = "pipeline_unlike_training_share";
const RELOADS: &str = "pipeline_model_reloads_total";
const BROKEN: &str = "pipeline_model_broken";
const CONNECTIONS: &str = "pipeline_connections";
const QUEUE_ROWS: &str = "pipeline_queue_rows";
const QUEUE_TOKENS: &str = "pipeline_queue_tokens";

/// What each is, for the reader of `/metrics`.
const DESCRIBED: &[(Kind, &str, Option<Unit>, &str)] = &[
    (Kind::Counter, REQUESTS, None, "Requests by route and status."),
    (Kind::Histogram, REQUEST_SECONDS, Some(Unit::Seconds), "Time from a request's headers to its answer."),
    (Kind::Counter, CANCELLED, None, "Requests whose client went before the answer."),
    (Kind::Counter, TEXTS, None, "Texts and rows that were taken."),
    (Kind::Counter, TOKENS, None, "Their tokens, as the model estimates them."),
    (Kind::Histogram, BATCH_ROWS, None, "Rows of a batch."),
    (Kind::Histogram, BATCH_TOKENS, None, "Tokens of a batch."),
    (Kind::Histogram, BATCH_SECONDS, Some(Unit::Seconds), "Time that the model took for a batch."),
    (Kind::Counter, BATCHES_FAILED, None, "Batches on which the model failed."),
    (Kind::Counter, LABELS, None, "Labels that were given."),
    (Kind::Counter, ABSTAINED, None, "Rows less sure than asked for, which got no label."),
    (Kind::Counter, WITHOUT_ANSWER, None, "Rows that cannot be answered, such as blank ones."),
    (Kind::Counter, UNLIKE, None, "Answers to rows unlike those of the training."),
    (Kind::Gauge, UNLIKE_SHARE, None, "Their share among all answers since the start."),
    (Kind::Counter, RELOADS, None, "Times that a model was loaded again."),
    (Kind::Gauge, BROKEN, None, "1 while the model's files are broken and the old model answers."),
    (Kind::Gauge, CONNECTIONS, None, "Open connections."),
    (Kind::Gauge, QUEUE_ROWS, None, "Rows that wait."),
    (Kind::Gauge, QUEUE_TOKENS, None, "Tokens that wait."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_can_be_read() {
        let metrics = Metrics::new().unwrap();
        metrics.request("/predict", 200, Duration::from_millis(3));
        metrics.request("/predict", 200, Duration::from_millis(30));
        let classes = ["a \"b\"".to_owned(), "c".to_owned()];
        let tally = Tally { labels: vec![3, 0], abstained: 1, without_answer: 2, unlike: 1 };
        metrics.answered("m", &classes, &tally);
        metrics.queue("m", Load { rows: 4, tokens: 50, batches: 1 });
        let text = metrics.text();
        for line in [
            "pipeline_requests_total{route=\"/predict\",status=\"200\"} 2",
            "pipeline_request_seconds_bucket{route=\"/predict\",le=\"0.005\"} 1",
            "pipeline_request_seconds_count{route=\"/predict\"} 2",
            "pipeline_labels_total{model=\"m\",label=\"a \\\"b\\\"\"} 3",
            "pipeline_abstained_total{model=\"m\"} 1",
            "pipeline_without_answer_total{model=\"m\"} 2",
            "pipeline_unlike_training_share{model=\"m\"} 0.25",
            "pipeline_queue_tokens{model=\"m\"} 50",
            "# HELP pipeline_queue_tokens Tokens that wait.",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("label=\"c\""));
    }
}
