//! What a head's numbers say: probabilities, tasks, the range behind the label.

use crate::heads::{Block, BlockKind, Head, HeadError, HeadShape, outputs, places, softmax};
use crate::inputs::{InputEncoder, RawInputs};

/// What a head says of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Probabilities of the label's classes, `rows × classes`, row-major.
    pub label: Vec<f32>,
    /// For each task, its block and the probabilities of its classes, `rows × its classes`. They are not calibrated.
    pub tasks: Vec<(Block, Vec<f32>)>,
    /// For each row, the two numbers behind the label, lower one first; empty where the head has not learned them.
    pub ranges: Vec<[f32; 2]>,
}

/// The answers of a head of this `shape` to all rows of `raw`.
///
/// # Errors
/// libtorch failed, or an answer is no number.
pub fn answers(
    head: &dyn Head,
    shape: &HeadShape,
    encoder: &InputEncoder,
    raw: &RawInputs,
) -> Result<Answers, HeadError> {
    let rows: Vec<usize> = (0..raw.numeric.len()).collect();
    // What is asked of no row is still asked: its name is a column.
    let logits = match rows.is_empty() {
        true => Vec::new(),
        false => head.logits(&encoder.encode(raw, &rows), encoder.terms(raw, &rows).as_ref())?,
    };
    let width = outputs(shape.blocks());
    let mut answers = Answers::default();
    for (i, (place, block)) in places(shape.blocks()).enumerate() {
        let own = logits.chunks_exact(width).map(|row| &row[place.clone()]);
        if block.kind == BlockKind::Values {
            answers.ranges = own.map(|row| range_of(row, &block.scales)).collect();
            continue;
        }
        let mut values: Vec<f32> = own.flatten().copied().collect();
        values.chunks_exact_mut(block.width).for_each(softmax);
        if !values.iter().all(|value| value.is_finite()) {
            return Err(HeadError::Failed(format!(
                "what it says of {:?} is no number; its weights are damaged",
                block.name
            )));
        }
        match i {
            0 => answers.label = values,
            _ => answers.tasks.push((block.clone(), values)),
        }
    }
    Ok(answers)
}

/// The two ends of a range from the standardised ones.
fn range_of(row: &[f32], scales: &[[f32; 2]]) -> [f32; 2] {
    let [a, b] = [0, 1].map(|end| row[end] * scales[end][1] + scales[end][0]);
    [a.min(b), a.max(b)]
}
