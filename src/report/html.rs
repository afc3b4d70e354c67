//! `report.html`: one file that needs no network, for a screen, a phone or paper.

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::chart::{self, MapPoint};
use super::terminal::{gate_mark, gate_numbers, interval, verdict};
use crate::counting::{counted, grouped};
use crate::evaluate::{AimFigures, Evaluation, Figure, Slice};
use crate::heads::Epoch;

/// Classes beyond this number are not drawn one by one.
const CLASSES_DRAWN: usize = 30;

/// Characters of a text shown.
const TEXT: usize = 240;

/// A row that the model got wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// `file:line`.
    pub place: String,
    /// All text fields.
    pub text: String,
    /// Its class.
    pub truth: String,
    /// The class that the model gave it.
    pub predicted: String,
    /// How sure the model was, in `[0, 1]`.
    pub confidence: f64,
}

/// What the report shows.
pub struct ReportInput<'a> {
    /// All figures.
    pub evaluation: &'a Evaluation,
    /// The training history.
    pub history: &'a [Epoch],
    /// The most confident mistakes of the test part, surest first.
    pub mistakes: Vec<Mistake>,
    /// Points of the embedding map.
    pub map: Vec<MapPoint>,
    /// The resolved config as TOML.
    pub config: String,
    /// What reading and embedding the data counted.
    pub read: serde_json::Value,
    /// Fingerprint of the encoder.
    pub encoder: &'a str,
}

fn value(of: impl Serialize) -> Value {
    Value::from(Serde(of))
}

/// Parts of the rows that the report lists.
const SLICES: usize = 40;

/// The parts of the rows that were looked at, the worst first.
fn slices(e: &Evaluation) -> Value {
    let of = |slice: &Slice| {
        let worse = slice.is_worse();
        context! { worse, ..value(slice) }
    };
    let parts: Vec<Value> = e.slices.parts.iter().take(SLICES).map(of).collect();
    let (count, too_small) = (e.slices.parts.len(), e.slices.too_small);
    context! { parts, count, too_small, worse => e.slices.worse().count() }
}

/// Test rows of a class from which its test figures say something.
const TEST_ROWS: usize = 20;

/// The report as one HTML document.
pub fn report_html(input: &ReportInput<'_>) -> String {
    let e = input.evaluation;
    let mut environment = Environment::new();
    // `.html` in the name makes every value escaped.
    let added = environment
        .add_template("slices.html", include_str!("slices.html.jinja"))
        .and_then(|()| environment.add_template("report.html", include_str!("report.html.jinja")));
    environment.add_filter("percent", |v: f64| format!("{:.1} %", 100.0 * v));
    environment.add_filter("grouped", grouped);
    environment.add_filter("counted", |count: usize, one: &str, more: &str| counted(count, one, more));
    environment.add_filter("number", |v: f64| format!("{v:.3}"));
    environment.add_filter("interval", |v: Value| {
        let end = |key: &str| v.get_attr(key).ok().and_then(|n| f64::try_from(n).ok()).unwrap_or(f64::NAN);
        format!("{:.3} – {:.3}", end("low"), end("high"))
    });
    let gates: Vec<Value> = e
        .gates
        .iter()
        .map(|gate| {
            let [measured, limit] = gate_numbers(gate);
            let (mark, likely) = (gate_mark(gate), value(gate.likely));
            let (name, passed, above) = (gate.name.clone(), gate.passed, gate.above);
            context! { name, passed, above, mark, likely, value => measured, limit }
        })
        .collect();
    let (judged, judged_on) = e.judged();
    let classes: Vec<Value> = judged
        .per_class
        .iter()
        .zip(&e.test.per_class)
        .map(|(all, test)| {
            let says = test.support >= TEST_ROWS;
            context! { all => value(all), test => value(says.then_some(test)), test_rows => test.support }
        })
        .collect();
    let mut worst: Vec<_> = judged.per_class.iter().collect();
    if worst.len() > CLASSES_DRAWN {
        worst.sort_by(|a, b| a.f1.value.total_cmp(&b.f1.value));
        worst.truncate(CLASSES_DRAWN);
    }
    let figures: Vec<Value> = e
        .test
        .figures
        .keys()
        .map(|figure| {
            let over_folds = e.cross_validation.models.first().and_then(|m| m.mean.get(figure));
            context! {
                key => value(figure),
                label => figure.label(),
                higher => figure.higher_is_better(),
                test => value(e.test.of(*figure)),
                test_interval => interval(e.test.of(*figure), figure.range(e.classes.len())),
                folds => value(over_folds),
                folds_interval => over_folds.map(|f| interval(*f, figure.range(e.classes.len()))),
            }
        })
        .collect();
    let aims: Vec<Value> = e
        .by_aim
        .iter()
        .map(|of| {
            let figures = AimFigures::FIGURES.map(|figure| value(of.figures.get(&figure)));
            let own = e.decision.as_ref().is_some_and(|d| d.aim == of.aim && d.exponent == of.exponent);
            context! { aim => of.aim.label(), exponent => of.exponent, figures, own }
        })
        .collect();
    let models: Vec<Value> = e
        .cross_validation
        .models
        .iter()
        .map(|m| {
            let of = |figure| value(m.mean.get(&figure));
            let difference = m.difference.as_ref().and_then(|d| d.get(&Figure::MacroF1));
            context! {
                model => m.model.as_str(),
                accuracy => of(Figure::Accuracy),
                macro_f1 => of(Figure::MacroF1),
                log_loss => of(Figure::LogLoss),
                difference => value(difference),
            }
        })
        .collect();
    let mistakes: Vec<Mistake> = input
        .mistakes
        .iter()
        .map(|m| {
            let cut = m.text.chars().count() > TEXT;
            let text = m.text.chars().take(TEXT).chain(cut.then_some('…')).collect();
            Mistake { text, ..m.clone() }
        })
        .collect();
    let safe = Value::from_safe_string;
    let values = context! {
        e => value(e),
        verdict => verdict(e),
        classes,
        judged => value(judged),
        judged_on,
        least_test_rows => TEST_ROWS,
        gates,
        failed => e.gates.iter().filter(|g| !g.passed).count(),
        figures => figures,
        models => models,
        aims,
        decision => value(&e.decision),
        decision_label => e.decision.as_ref().map(|d| d.aim.label()),
        mistakes => value(mistakes),
        slices => slices(e),
        all_drawn => e.classes.len() <= CLASSES_DRAWN,
        colours => (0..e.classes.len()).map(chart::css_colour).collect::<Vec<_>>(),
        curves => safe(chart::learning_curves(input.history, e.training.best_epoch)),
        class_f1 => safe(chart::class_f1(&worst)),
        reliability => safe(chart::reliability(&e.reliability)),
        risk_coverage => safe(chart::risk_coverage(&e.risk_coverage)),
        map => safe(chart::embedding_map(&input.map)),
        map_points => input.map.len(),
        config => input.config.as_str(),
        encoder => input.encoder,
        read => value(&input.read),
    };
    added
        .and_then(|()| environment.get_template("report.html"))
        .and_then(|template| template.render(values))
        .unwrap_or_else(|e| unreachable!("the template is part of the program: {e:#}"))
}
