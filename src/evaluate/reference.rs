//! The fixture that `scripts/reference_metrics.py` made, for the tests of this module.

use serde_json::Value;

use super::figure::Predictions;

pub struct Reference {
    pub value: Value,
    pub truth: Vec<usize>,
    pub probabilities: Vec<f32>,
}

pub fn reference() -> Reference {
    let value: Value = serde_json::from_str(include_str!("../../tests/golden/metrics.json")).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(value["probabilities"].clone()).unwrap();
    let truth = serde_json::from_value(value["truth"].clone()).unwrap();
    Reference { value, truth, probabilities: rows.concat() }
}

impl Reference {
    pub fn predictions(&self) -> Predictions<'_> {
        Predictions {
            truth: &self.truth,
            probabilities: &self.probabilities,
            classes: 4,
            ordered: true,
            groups: None,
            decided: None,
        }
    }

    pub fn number(&self, key: &str) -> f64 {
        self.value[key].as_f64().unwrap_or_else(|| panic!("no {key}"))
    }

    pub fn numbers(&self, key: &str) -> Vec<f64> {
        serde_json::from_value(self.value[key].clone()).unwrap()
    }
}
