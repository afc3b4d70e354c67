//! The tabular inputs as a graph: raw numbers and indicators in, standardised inputs out.

use super::graph::{Attribute, Graph, Kind, Size};
use crate::inputs::TabularInputs;

/// Name of the input, `batch × width`: the numeric features as they are (NaN where missing), then the indicators.
pub const COLUMNS: &str = "columns";

/// The tabular inputs, `batch × width`, from the graph's input [`COLUMNS`].
pub fn columns(graph: &mut Graph, tabular: &TabularInputs) -> String {
    let TabularInputs { numeric, mean, scale, .. } = tabular;
    let (count, width) = (numeric.len(), mean.len());
    let mut x = graph.input(COLUMNS, Kind::Float, &[Size::Named("batch"), Size::Fixed(width)]);
    if count > 0 {
        let numbers = slice(graph, &x, 0, count);
        let entered = entered(graph, &numbers, tabular);
        x = match count == width {
            true => entered,
            false => {
                let indicators = slice(graph, &x, count, width);
                graph.node("Concat", &[&entered, &indicators], &[Attribute::Int("axis", 1)])
            }
        };
    }
    let mean = graph.floats("columns.mean", &[width], mean);
    let scale = graph.floats("columns.scale", &[width], scale);
    let moved = graph.node("Sub", &[&x, &mean], &[]);
    graph.node("Div", &[&moved, &scale], &[])
}

fn slice(graph: &mut Graph, x: &str, from: usize, to: usize) -> String {
    let [from, to, axis] = [from as i64, to as i64, 1].map(|value| graph.integers(&[value]));
    graph.node("Slice", &[x, &from, &to, &axis], &[])
}

/// Numbers as they enter: as logarithms where that was learned, missing ones replaced, within the limits.
fn entered(graph: &mut Graph, x: &str, tabular: &TabularInputs) -> String {
    let numeric = &tabular.numeric;
    let count = numeric.len();
    let zero = graph.number(0.0);
    let one = graph.number(1.0);
    let missing = graph.node("IsNaN", &[x], &[]);
    let means: Vec<f32> = numeric.iter().map(|n| n.missing).collect();
    let means = graph.floats("columns.missing", &[count], &means);
    let from_zero = graph.node("Max", &[x, &zero], &[]);
    let more = graph.node("Add", &[&from_zero, &one], &[]);
    let logarithm = graph.node("Log", &[&more], &[]);
    let logarithmic: Vec<f32> = numeric.iter().map(|n| f32::from(u8::from(n.logarithmic))).collect();
    let logarithmic = graph.floats("columns.logarithmic", &[count], &logarithmic);
    let logarithmic = graph.node("Cast", &[&logarithmic], &[Attribute::Int("to", Kind::Bool as i64)]);
    let known = graph.node("Where", &[&logarithmic, &logarithm, x], &[]);
    let known = graph.node("Where", &[&missing, &means, &known], &[]);
    let limit = |end: usize, none: f32| -> Vec<f32> {
        numeric.iter().map(|n| n.limits.map_or(none, |limits| limits[end])).collect()
    };
    let low = graph.floats("columns.low", &[count], &limit(0, f32::MIN));
    let high = graph.floats("columns.high", &[count], &limit(1, f32::MAX));
    let known = graph.node("Max", &[&known, &low], &[]);
    graph.node("Min", &[&known, &high], &[])
}
