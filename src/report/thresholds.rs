//! A class against the rest, as the page's table and its script have it.

use minijinja::value::Serde;
use minijinja::{Value, context};
use serde_json::json;

use crate::evaluate::{ClassThresholds, Estimate, ThresholdPoint};

/// Shares of a class's rows for which the table says what precision they cost.
pub const RECALLS: [f64; 4] = [0.5, 0.8, 0.9, 0.95];

/// A class's row of the table, for pages whose script does not run and for paper.
pub fn threshold_rows(thresholds: &[ClassThresholds]) -> Vec<Value> {
    let point = |of: &ClassThresholds, share: f64| Value::from(Serde(of.at_recall(share)));
    let row = |of: &ClassThresholds| {
        let points = RECALLS.map(|share| point(of, share)).to_vec();
        context! { class => of.class.as_str(), positives => of.positives, points }
    };
    thresholds.iter().map(row).collect()
}

/// What the script looks up, as JSON that cannot end the element that it stands in.
pub fn threshold_data(thresholds: &[ClassThresholds]) -> String {
    let ends = |e: Estimate| [e.low, e.high].map(|end| (end * 1e4).round() / 1e4);
    let data = thresholds.iter().map(|of| {
        let points = || of.points.iter();
        let threshold = |p: &ThresholdPoint| (p.threshold * 1e4).round() / 1e4;
        json!({
            "class": of.class, "rows": of.rows, "positives": of.positives,
            "threshold": points().map(threshold).collect::<Vec<_>>(),
            "found": points().map(|p| p.found).collect::<Vec<_>>(),
            "alarms": points().map(|p| p.false_alarms).collect::<Vec<_>>(),
            "precision": points().map(|p| ends(p.precision)).collect::<Vec<_>>(),
            "recall": points().map(|p| ends(p.recall)).collect::<Vec<_>>(),
        })
    });
    serde_json::Value::from_iter(data).to_string().replace('<', "\\u003c")
}
