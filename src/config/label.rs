//! `[label]`: a column, or a range rule.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{GREATEST, Number, real};
use super::section::Section;

/// `[label]`: one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelConfig {
    /// The column that holds the class name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Classes by the midpoint of two numeric columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeRule>,
    /// Whether labels that differ in case, space, invisible characters, accents' composition or the writing of a number are one
    /// class; not by default.
    #[serde(default)]
    pub normalise: bool,
    /// Column of what each row counts in training, numbers above 0; all count alike by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// What the passes of `validate.passes` teach beside the settled label; `settled` by default.
    #[serde(default, skip_serializing_if = "PassUse::is_settled")]
    pub passes: PassUse,
}

/// What several labelling passes teach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PassUse {
    /// Nothing: the label of the data does.
    #[default]
    Settled,
    /// A row counts by the share of its passes that say its label.
    Weighted,
    /// A row teaches the share of its passes that say each class.
    Soft,
}

impl PassUse {
    /// Whether the passes teach nothing.
    pub fn is_settled(&self) -> bool {
        *self == Self::Settled
    }
}

/// `[label.range]`: the class is read off the midpoint of two columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeRule {
    /// Column of the lower bound.
    pub min: String,
    /// Column of the upper bound.
    pub max: String,
    /// The classes in ascending order; at least two.
    pub classes: Vec<RangeClass>,
}

impl RangeRule {
    /// The columns of the two numbers; one, where both are the same.
    pub fn ends(&self) -> Vec<&str> {
        let mut ends = vec![self.min.as_str(), self.max.as_str()];
        ends.dedup();
        ends
    }
}

/// One class of a [`RangeRule`]: it holds the midpoints from the class before up to, not including, `below`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeClass {
    /// Class name.
    pub name: String,
    /// Upper edge, exclusive, in the unit of the two columns and in `[-1e15, 1e15]`; absent on the last class only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

impl Section for LabelConfig {
    fn numbers(&self) -> Vec<Number> {
        let edge = real("label.range.classes[].below", None, -GREATEST..=GREATEST);
        let classes = self.range.iter().flat_map(|rule| &rule.classes).enumerate();
        let mut numbers: Vec<Number> =
            classes.filter_map(|(i, class)| Some(edge.at(i, class.below?))).collect();
        numbers.push(edge);
        numbers
    }

    fn check(&self) -> Result<(), Fault> {
        let rule = match (&self.column, &self.range) {
            (Some(_), None) => return Ok(()),
            (None, Some(_)) if self.normalise => {
                return Fault::at("label.normalise", "has no effect with label.range; remove it");
            }
            (None, Some(rule)) => rule,
            (None, None) => {
                return Fault::at(
                    "label",
                    "is empty; set label.column, or label.range for classes by a number range",
                );
            }
            (Some(_), Some(_)) => return Fault::at("label", "has both column and range; keep one"),
        };
        let (Some((last, others)), true) = (rule.classes.split_last(), rule.classes.len() > 1) else {
            return Fault::at("label.range.classes", "needs at least two classes");
        };
        let edges: Option<Vec<f64>> = others.iter().map(|c| c.below).collect();
        match edges {
            Some(edges) if last.below.is_none() && edges.is_sorted_by(|a, b| a < b) => {}
            _ => {
                return Fault::at(
                    "label.range.classes",
                    "must have ascending `below` edges on all classes but the last, which has none",
                );
            }
        }
        let names: BTreeSet<&str> = rule.classes.iter().map(|c| c.name.as_str()).collect();
        if names.len() < rule.classes.len() || names.contains("") {
            return Fault::at("label.range.classes", "must have different, non-empty names");
        }
        Ok(())
    }
}
