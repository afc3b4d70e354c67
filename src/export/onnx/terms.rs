//! A row's words and letters as inputs of the graph: their columns and values, as many as the row with the most has.

use super::graph::{Attribute, Graph, Kind, Size};

/// Names of the inputs, both `batch × terms`: columns (int64) and values (float32); a row with fewer is filled up with 0.
pub const COLUMNS: &str = "terms.columns";
const VALUES: &str = "terms.values";

/// The words and letters of the rows.
pub struct Terms {
    columns: String,
    values: String,
}

impl Terms {
    /// Let them be inputs.
    pub fn input(graph: &mut Graph) -> Self {
        let sizes = [Size::Named("batch"), Size::Named("terms")];
        Self {
            columns: graph.input(COLUMNS, Kind::Int64, &sizes),
            values: graph.input(VALUES, Kind::Float, &sizes),
        }
    }

    /// Their values times the rows of `weights`, `count × outputs`, added up: `batch × outputs`.
    pub fn product(&self, graph: &mut Graph, weights: &str) -> String {
        let own = graph.node("Gather", &[weights, &self.columns], &[Attribute::Int("axis", 0)]);
        let (last, terms) = (graph.integers(&[2]), graph.integers(&[1]));
        let values = graph.node("Unsqueeze", &[&self.values, &last], &[]);
        let products = graph.node("Mul", &[&own, &values], &[]);
        graph.node("ReduceSum", &[&products, &terms], &[Attribute::Int("keepdims", 0)])
    }
}
