//! Predictions to figures, each with its 95 % interval. Slices in, numbers out: no files, no libtorch.

mod ablation;
mod agreement;
mod calibration;
mod calibration_error;
mod curve;
mod decision;
mod diagnosis;
mod evaluation;
mod figure;
mod projection;
mod gates;
mod interval;
mod metrics;
mod noise;
mod paired;
mod resample;
mod scored;
mod tally;
mod scores;
mod sets;
mod slices;
mod thorough;
mod thresholds;
mod tuning;
mod worth;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod reference;

pub use ablation::{Ablated, Ablation, Chosen, OnUnanimous};
pub use agreement::{Agreement, PassAgreement, PassDrift, PassPair, agreement, kappa, pass_agreement};
pub use calibration::{
    Coverage, ReliabilityBin, apply_temperature, fit_temperature, reliability, risk_coverage,
};
pub use calibration_error::miscalibration_p;
pub use curve::{Curve, CurvePoint, Gain, extrapolate};
pub use decision::{Aim, Decision, Known, apply_shares, estimate_shares};
pub use diagnosis::{
    Contradictions, Drift, Evidence, Finding, Ill, Leak, Level, SIGNIFICANT, Shift, TextShift,
    accuracy_difference, diagnose,
};
pub use evaluation::{
    AimFigures, CrossValidation, Evaluation, HEAD, ModelFigures, ModelFolds, TaskFigures, TestBaseline,
    Training, ValueError,
};
pub use figure::{Figure, Predictions};
pub use gates::{Gate, GateInput, gates};
pub use interval::{Estimate, mean_and_deviation, signed};
pub use metrics::{ClassMetrics, Metrics, evaluate};
pub use noise::{LabelNoise, label_noise};
pub use paired::{
    ByExample, ByFold, Comparison, Folded, McNemar, difference, fold_differences, fold_mean, fold_means,
    mcnemar, point_class_scores, point_figures,
};
pub use projection::principal_components;
pub use resample::{Sample, wilson};
pub use scored::{Expected, Scored};
pub use sets::{Judged, LabelSets, SetFigures, set_figures};
pub use slices::{Named, Slice, Slices, Slicing, slices};
pub use thorough::Thorough;
pub use thresholds::{ClassThresholds, ThresholdPoint, class_thresholds};
pub use tuning::{TunedTrial, Tuning};
pub use worth::Worth;
