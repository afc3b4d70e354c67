//! `[gates]`: limits that a model must keep to be put to use.

use serde::{Deserialize, Serialize};

use super::number::{MOST_ROWS, Number, real, whole};
use super::section::Section;

/// `[gates]`: a preset, and limits that are other ones. A limit that a figure must be above lets every figure pass at -1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatesConfig {
    /// What the limits are where they are not set; `default` by default.
    pub preset: GatesPreset,
    /// Test accuracy must be above this share (in `[-1, 1]`) …
    pub test_accuracy: Option<f64>,
    /// … with half its 95 % interval below this share, in `[0, 1]`.
    pub test_accuracy_half_width: Option<f64>,
    /// F1 of every class must be above this share, in `[-1, 1]`.
    pub class_f1: Option<f64>,
    /// Log loss over the folds minus what the heads believed it to be must be below this many nats, in `[0, 1000]`.
    pub loss_gap: Option<f64>,
    /// Standard deviation of the validation accuracy over the last epochs must be below this share, in `[0, 1]`.
    pub validation_accuracy_deviation: Option<f64>,
    /// There must be more usable rows than this, those of given test files left out (in `[0, 10⁹]`) …
    pub rows: Option<usize>,
    /// … and more test rows than this, in `[0, 10⁹]`.
    pub test_rows: Option<usize>,
}

/// Which limits hold where none is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatesPreset {
    /// What about a thousand rows can show: a model that is worth trying out.
    #[default]
    Default,
    /// What a model should show that many people will rely on; some thousand rows.
    Production,
}

/// The limits, each as in [`GatesConfig`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateLimits {
    /// Test accuracy.
    pub test_accuracy: f64,
    /// Half of its interval.
    pub test_accuracy_half_width: f64,
    /// F1 of every class.
    pub class_f1: f64,
    /// Log loss found minus believed, in nats.
    pub loss_gap: f64,
    /// Standard deviation of the late validation accuracy.
    pub validation_accuracy_deviation: f64,
    /// Rows.
    pub rows: usize,
    /// Test rows.
    pub test_rows: usize,
}

impl GatesConfig {
    /// Those of the preset, but for what is set.
    pub fn limits(&self) -> GateLimits {
        let preset = match self.preset {
            GatesPreset::Default => GateLimits {
                test_accuracy: 0.7,
                test_accuracy_half_width: 0.1,
                class_f1: 0.5,
                loss_gap: 0.1,
                validation_accuracy_deviation: 0.05,
                rows: 500,
                test_rows: 50,
            },
            GatesPreset::Production => GateLimits {
                test_accuracy: 0.85,
                test_accuracy_half_width: 0.03,
                class_f1: 0.75,
                loss_gap: 0.1,
                validation_accuracy_deviation: 0.02,
                rows: 5000,
                test_rows: 500,
            },
        };
        GateLimits {
            test_accuracy: self.test_accuracy.unwrap_or(preset.test_accuracy),
            test_accuracy_half_width: self
                .test_accuracy_half_width
                .unwrap_or(preset.test_accuracy_half_width),
            class_f1: self.class_f1.unwrap_or(preset.class_f1),
            loss_gap: self.loss_gap.unwrap_or(preset.loss_gap),
            validation_accuracy_deviation: self
                .validation_accuracy_deviation
                .unwrap_or(preset.validation_accuracy_deviation),
            rows: self.rows.unwrap_or(preset.rows),
            test_rows: self.test_rows.unwrap_or(preset.test_rows),
        }
    }
}

impl Section for GatesConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("gates.test_accuracy", self.test_accuracy, -1.0..=1.0),
            real("gates.test_accuracy_half_width", self.test_accuracy_half_width, 0.0..=1.0),
            real("gates.class_f1", self.class_f1, -1.0..=1.0),
            real("gates.loss_gap", self.loss_gap, 0.0..=1e3),
            real("gates.validation_accuracy_deviation", self.validation_accuracy_deviation, 0.0..=1.0),
            whole("gates.rows", self.rows, 0..=MOST_ROWS),
            whole("gates.test_rows", self.test_rows, 0..=MOST_ROWS),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_goes_before_the_preset() {
        let config: GatesConfig = toml::from_str("preset = \"production\"\nrows = 100").unwrap();
        let limits = config.limits();
        assert_eq!((limits.rows, limits.test_rows, limits.test_accuracy), (100, 500, 0.85));
        assert_eq!(GatesConfig::default().limits().test_rows, 50);
    }
}
