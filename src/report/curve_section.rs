//! The report's section of the learning curve, which is measured after the report is written.

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};

use super::chart;
use super::curve::gain_text;
use super::filters::add_filters;
use crate::evaluate::{Curve, Figure};

/// Where the section begins and ends. No value that a report shows can hold these: `<` is escaped in all.
const BEGIN: &str = "<!-- learning curve -->";
const END: &str = "<!-- end of learning curve -->";

/// The section; without a curve it names the command that measures one.
pub fn curve_section(curve: Option<&Curve>) -> String {
    let mut environment = Environment::new();
    add_filters(&mut environment);
    let points = curve
        .iter()
        .flat_map(|curve| &curve.points)
        .filter_map(|point| Some((point.rows, *point.figures.get(&Figure::MacroF1)?)));
    let chart = Value::from_safe_string(chart::by_rows(&points.collect::<Vec<_>>()));
    let gain = curve.map(gain_text);
    let values = context! { c => Value::from(Serde(curve)), chart, gain };
    environment
        .add_template("curve.html", include_str!("curve.html.jinja"))
        .and_then(|()| environment.get_template("curve.html"))
        .and_then(|template| template.render(values))
        .unwrap_or_else(|e| unreachable!("the template is part of the program: {e:#}"))
}

/// `report` with that curve in its place; `None` where it has no such place.
pub fn with_curve(report: &str, curve: &Curve) -> Option<String> {
    let (before, rest) = report.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let section = curve_section(Some(curve));
    Some(format!("{before}{}{after}", section.trim_end()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::evaluate::{CurvePoint, Estimate, Gain};

    #[test]
    fn a_curve_takes_the_place_of_the_one_before() {
        let estimate = |value: f64| Estimate { value, low: value - 0.1, high: value + 0.1 };
        let point = |(share, value): (f64, f64)| {
            let figures = BTreeMap::from([Figure::MacroF1, Figure::Accuracy].map(|f| (f, estimate(value))));
            CurvePoint { share, rows: 1000.0 * share, figures }
        };
        let of = |gain: f64| Curve {
            name: "small".into(),
            folds: 5,
            repeats: 3,
            rows: 1250,
            points: [(0.1, 0.5), (0.4, 0.6), (1.0, 0.7)].map(point).into(),
            gain: Some(Gain { more_rows: 500, macro_f1: estimate(gain), accuracy: estimate(0.25) }),
        };
        let report = format!("before {} after", curve_section(None));
        assert!(report.contains("<code>pipeline curve</code>"));
        let once = with_curve(&report, &of(0.125)).unwrap();
        assert!(
            once.contains("500 more rows like these would be worth +0.125 (+0.025 – +0.225) macro-F1"),
            "{once}"
        );
        assert!(once.contains("<th scope=\"row\">1,000</th><td>0.700</td><td>0.600 – 0.800</td>"), "{once}");
        assert!(once.starts_with("before ") && once.ends_with(" after") && once.contains("<svg"));
        let twice = with_curve(&once, &of(0.5)).unwrap();
        assert!(twice.contains("+0.500") && !twice.contains("+0.125"));
        assert_eq!(twice.matches("<section").count(), 1);
        assert_eq!(with_curve("a report of an older program", &of(0.5)), None);
    }
}
