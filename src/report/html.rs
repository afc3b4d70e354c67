//! `report.html`: one file that needs no network, for a screen, a phone or paper.

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::chart::{self, MapPoint};
use super::curve_section::curve_section;
use super::filters::add_filters;
use super::terminal::{gate_mark, gate_numbers, interval, verdict};
use super::thresholds::{RECALLS, threshold_data, threshold_rows};
use crate::evaluate::{AimFigures, ClassThresholds, Evaluation, Figure, Slice};
use crate::heads::Epoch;
use crate::model::{Explanation, Share};
use crate::table::shorten;
use crate::validate::Suspect;

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
    /// How sure the model was of the class that it gave, in `[0, 1]`.
    pub confidence: f64,
    /// The probability that it gave the row's own class, in `[0, 1]`.
    pub truth_probability: f64,
}

/// A mistake and why it was made.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The mistake.
    pub mistake: Mistake,
    /// Of the class that was predicted.
    pub why: Explanation,
}

/// What the report shows.
pub struct ReportInput<'a> {
    /// All figures.
    pub evaluation: &'a Evaluation,
    /// The training history.
    pub history: &'a [Epoch],
    /// The most confident mistakes of the test part, surest first.
    pub mistakes: Vec<Mistake>,
    /// The surest mistakes of the test part, with what spoke for the wrong class.
    pub explained: Vec<Explained>,
    /// Rows whose label is doubtful, the most doubtful first.
    pub doubtful: Vec<Suspect>,
    /// Points of the embedding map.
    pub map: Vec<MapPoint>,
    /// Each class against the rest, of out-of-fold probabilities.
    pub thresholds: Vec<ClassThresholds>,
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

/// Words and columns that are told on each side.
const PARTS: usize = 6;

/// A mistake with the words and columns that add most for the class predicted, and most against it.
fn explained(of: &Explained) -> Value {
    let ranked = of.why.ranked();
    let told = |parts: &mut dyn Iterator<Item = &(&str, Share)>| -> Vec<Value> {
        let part = |(name, share): &(&str, Share)| context! { name => *name, value => share.value, error => share.standard_error };
        parts.take(PARTS).map(part).collect()
    };
    let pro = told(&mut ranked.iter().filter(|(_, share)| share.value > 0.0));
    let against = told(&mut ranked.iter().rev().filter(|(_, share)| share.value < 0.0));
    let sides = (0..pro.len().max(against.len())).map(|i| [pro.get(i).cloned(), against.get(i).cloned()]);
    context! {
        mistake => value(Mistake { text: shorten(&of.mistake.text, TEXT), ..of.mistake.clone() }),
        sides => sides.collect::<Vec<_>>(),
        log_odds => of.why.log_odds,
        nothing => of.why.log_odds_of_nothing,
    }
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
        .and_then(|()| environment.add_template("rows.html", include_str!("rows.html.jinja")))
        .and_then(|()| environment.add_template("report.html", include_str!("report.html.jinja")));
    add_filters(&mut environment);
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
    let mistakes: Vec<Mistake> =
        input.mistakes.iter().map(|m| Mistake { text: shorten(&m.text, TEXT), ..m.clone() }).collect();
    let point = |p: &MapPoint| context! { class => p.class, text => shorten(&p.text, TEXT) };
    let points: Vec<Value> = input.map.iter().map(point).collect();
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
        explained => input.explained.iter().map(explained).collect::<Vec<_>>(),
        doubtful => value(&input.doubtful),
        curve => safe(curve_section(None)),
        slices => slices(e),
        all_drawn => e.classes.len() <= CLASSES_DRAWN,
        worst => value(&worst),
        points,
        colours => (0..e.classes.len()).map(chart::css_colour).collect::<Vec<_>>(),
        curves => safe(chart::learning_curves(input.history, e.training.best_epoch)),
        class_f1 => safe(chart::class_f1(&worst)),
        reliability => safe(chart::reliability(&e.reliability)),
        risk_coverage => safe(chart::risk_coverage(&e.risk_coverage)),
        map => safe(chart::embedding_map(&input.map)),
        map_points => input.map.len(),
        thresholds => threshold_rows(&input.thresholds),
        recalls => RECALLS,
        threshold_data => safe(threshold_data(&input.thresholds)),
        threshold_script => safe(include_str!("thresholds.js").into()),
        config => input.config.as_str(),
        encoder => input.encoder,
        read => value(&input.read),
    };
    added
        .and_then(|()| environment.get_template("report.html"))
        .and_then(|template| template.render(values))
        .unwrap_or_else(|e| unreachable!("the template is part of the program: {e:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::class_thresholds;

    const HOSTILE: &str = "</script><script>throw 1</script>";

    fn report(folder: &str) -> String {
        let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        let mut evaluation: Evaluation = serde_json::from_str(&read("metrics.json")).unwrap();
        evaluation.classes[0] = HOSTILE.into();
        let truth: Vec<usize> = (0..60).map(|i| i * i % evaluation.classes.len()).collect();
        let of_row =
            |i: usize| (0..evaluation.classes.len()).map(move |c| ((i * 7 + c * 5) % 11) as f32 / 11.0);
        let probabilities: Vec<f32> = (0..truth.len()).flat_map(of_row).collect();
        let mistake = Mistake {
            place: "a.csv:3".into(),
            text: HOSTILE.into(),
            truth: HOSTILE.into(),
            predicted: evaluation.classes[1].clone(),
            confidence: 0.875,
            truth_probability: 0.0625,
        };
        let share = Share { value: 1.25, standard_error: 0.5 };
        let why = Explanation {
            class: HOSTILE.into(),
            log_odds: 2.0,
            log_odds_of_nothing: -1.0,
            exact: false,
            fields: vec![],
            columns: vec![crate::model::Part { name: HOSTILE.into(), share }],
            words: vec![],
            as_unusual: None,
            nearest: None,
        };
        let suspect = Suspect {
            row: 0,
            place: HOSTILE.into(),
            title: HOSTILE.into(),
            label: HOSTILE.into(),
            likelier: HOSTILE.into(),
            probability: 0.03125,
            likelier_probability: 0.75,
        };
        let point = |class: usize| MapPoint { at: [class as f64, 1.0], class, text: HOSTILE.into() };
        report_html(&ReportInput {
            evaluation: &evaluation,
            history: &[],
            explained: vec![Explained { mistake: mistake.clone(), why }],
            doubtful: vec![suspect],
            mistakes: vec![mistake],
            map: vec![point(0), point(1)],
            thresholds: class_thresholds(&truth, &probabilities, &evaluation.classes),
            config: HOSTILE.into(),
            read: serde_json::Value::Null,
            encoder: "none",
        })
    }

    #[test]
    fn names_and_texts_cannot_leave_their_place() {
        let html = report(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/layouts/4/data/models/tickets"));
        assert_eq!((html.matches("<script").count(), html.matches("</script").count()), (2, 2));
        let data = html.split("id=\"threshold-data\">").nth(1).unwrap().split("</script>").next().unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data[0]["class"], HOSTILE);
        let found = data[0]["found"].as_array().unwrap();
        assert_eq!(found.last(), Some(&data[0]["positives"]));
        assert_eq!(found.len(), data[0]["precision"].as_array().unwrap().len());
        assert!(html.contains("<td>0.062</td>") && html.contains("<td>0.875</td>"), "of a mistake");
    }

    #[test]
    fn every_table_has_a_caption_and_scopes() {
        let html = report(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/layouts/4/data/models/tickets"));
        assert_eq!(html.matches("<table").count(), html.matches("<caption>").count());
        assert_eq!(html.matches("<th>").count(), 0);
        assert!(!html.contains("<tr><td>"), "a row without its head");
    }
}
