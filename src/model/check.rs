//! Whether the files of a model say what a model can be: they may be damaged, or made by anybody.

use std::collections::BTreeSet;

use super::card::{Calibration, ModelCard};
use crate::evaluate::{Aim, Decision};
use crate::heads::{Block, BlockKind, HeadShape};

/// Greatest temperature: probabilities are even long before.
const HOTTEST: f64 = 1e6;

/// What is wrong with the card.
///
/// # Errors
/// What cannot be.
pub fn check_card(card: &ModelCard) -> Result<(), String> {
    let classes = card.classes.len();
    if classes < 2 {
        return Err(format!("it has {classes} classes; a model has two or more"));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = card.classes.iter().find(|class| !seen.insert(*class)) {
        return Err(format!("it has the class {twice:?} twice"));
    }
    if card.encoders.is_empty() || card.encoders.iter().any(|encoder| encoder.dims == 0) {
        return Err("it has no encoder, or one without dimensions".into());
    }
    check_shape(&card.head, classes)
}

fn check_shape(shape: &HeadShape, classes: usize) -> Result<(), String> {
    if let HeadShape::Ensemble(ensemble) = shape {
        if ensemble.heads.iter().any(|head| head.blocks() != shape.blocks()) {
            return Err("the heads of its ensemble answer different questions".into());
        }
        ensemble.heads.iter().try_for_each(|head| check_shape(head, classes))?;
    }
    match shape.blocks() {
        [label, others @ ..] if label.kind == BlockKind::Classes && label.width == classes => {
            others.iter().try_for_each(check_block)
        }
        _ => Err(format!("its head does not answer with {classes} classes")),
    }
}

fn check_block(block: &Block) -> Result<(), String> {
    let name = &block.name;
    match block.kind {
        BlockKind::Classes if block.classes.len() != block.width => {
            Err(format!("the task {name:?} has {} classes and {} columns", block.classes.len(), block.width))
        }
        BlockKind::Values
            if block.width < 2
                || block.scales.len() != block.width
                || !block.scales.iter().flatten().all(|v| v.is_finite()) =>
        {
            Err(format!("the range {name:?} has not two ends, or not a mean and a deviation for each number"))
        }
        _ => Ok(()),
    }
}

/// What is wrong with the calibration of a model with so many classes.
///
/// # Errors
/// What cannot be.
pub fn check_calibration(calibration: &Calibration, classes: usize) -> Result<(), String> {
    let temperature = calibration.temperature;
    if !(temperature > 0.0 && temperature <= HOTTEST) {
        return Err(format!("its temperature is {temperature}; one is above 0"));
    }
    let fits = |decision: &Decision| {
        let share = |share: &f64| (0.0..=1.0).contains(share);
        decision.shares.len() == classes
            && decision.shares.iter().all(share)
            && share(&decision.exponent)
            && (decision.aim != Aim::Costs || decision.costs.len() == classes)
            && decision.costs.iter().all(|of| of.len() == classes && of.iter().all(|cost| cost.is_finite()))
    };
    if !calibration.sets.as_ref().is_none_or(|sets| sets.fits(classes)) {
        return Err(format!("its sets are not of {classes} classes, each with probabilities in order"));
    }
    match calibration.decision.as_ref().is_none_or(fits) {
        true => Ok(()),
        false => Err(format!("its decision is not one among {classes} classes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::LabelSets;

    fn calibration(temperature: f64) -> Calibration {
        Calibration { temperature, decision: None, sets: None, head_blake3: String::new() }
    }

    #[test]
    fn temperatures_and_decisions_that_cannot_be_are_named() {
        check_calibration(&calibration(1.5), 2).unwrap();
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            let said = check_calibration(&calibration(wrong), 2).unwrap_err();
            assert!(said.starts_with("its temperature is"), "{said}");
        }
        let decision = |exponent: f64, shares: &[f64], costs: &[&[f64]]| Calibration {
            decision: Some(Decision {
                aim: if costs.is_empty() { Aim::MacroF1 } else { Aim::Costs },
                exponent,
                shares: shares.to_vec(),
                costs: costs.iter().map(|of| of.to_vec()).collect(),
            }),
            ..calibration(1.0)
        };
        check_calibration(&decision(0.5, &[0.3, 0.7], &[]), 2).unwrap();
        check_calibration(&decision(0.0, &[0.3, 0.7], &[&[0.0, 5.0], &[1.0, 0.0]]), 2).unwrap();
        for wrong in [
            decision(2.0, &[0.3, 0.7], &[]),
            decision(0.5, &[1.0], &[]),
            decision(0.5, &[f64::NAN, 0.7], &[]),
            decision(0.0, &[0.3, 0.7], &[&[0.0, 5.0]]),
            decision(0.0, &[0.3, 0.7], &[&[0.0], &[1.0]]),
            decision(0.0, &[0.3, 0.7], &[&[0.0, f64::INFINITY], &[1.0, 0.0]]),
        ] {
            assert!(check_calibration(&wrong, 2).is_err(), "{wrong:?}");
        }
        let sets = LabelSets::new(&[0, 1], &[0.9, 0.1, 0.4, 0.6], 2);
        let with_sets = Calibration { sets: Some(sets), ..calibration(1.0) };
        check_calibration(&with_sets, 2).unwrap();
        assert!(check_calibration(&with_sets, 3).is_err());
    }

    #[test]
    fn a_block_has_what_its_kind_needs() {
        let task =
            Block { name: "t".into(), width: 2, classes: vec!["a".into(), "b".into()], ..Block::default() };
        check_block(&task).unwrap();
        assert!(check_block(&Block { width: 3, ..task }).is_err());
        let range = Block {
            name: "r".into(),
            width: 2,
            kind: BlockKind::Values,
            scales: vec![[1.0, 2.0]; 2],
            ..Block::default()
        };
        check_block(&range).unwrap();
        assert!(check_block(&Block { scales: vec![[1.0, f32::NAN]; 2], ..range.clone() }).is_err());
        assert!(check_block(&Block { scales: vec![], ..range }).is_err());
    }
}
