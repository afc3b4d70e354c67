//! The packed weights of a BERT.

use std::ops::Range;

use super::arena::Arena;
use super::elementwise::add;
use super::products::Products;
use super::set::Set;
use crate::simd::{PANEL, Panels};
use crate::weights::Numbers;

/// Packed weights; threads share them.
pub struct Bert {
    pub shape: Shape,
    pub instructions: Set,
    /// Row after row, `hidden_size` long.
    pub words: Numbers,
    /// The embeddings of the positions, that of the only token type added.
    pub positions: Vec<f32>,
    pub norm: Norm,
    pub layers: Vec<Layer>,
    /// The packed weights of all layers.
    pub packed: Arena,
}

/// Sizes that a pass needs.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub hidden_size: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub layer_norm_eps: f32,
}

pub struct Layer {
    /// Query, key and value side by side.
    pub attention: Linear,
    pub attention_output: Linear,
    pub attention_norm: Norm,
    pub intermediate: Linear,
    pub output: Linear,
    pub output_norm: Norm,
}

pub struct Norm {
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
}

/// `x · weightsᵀ + bias`
pub struct Linear {
    /// Where its panels of [`PANEL`] outputs begin in the arena; in a panel, a row for each word of the inputs.
    pub panels: usize,
    pub bias: Vec<f32>,
    /// Words of an input row.
    pub depth: usize,
}

impl Linear {
    /// Panels of outputs.
    pub fn count(&self) -> usize {
        self.bias.len() / PANEL
    }

    /// Multiply a left side of `rows` rows by the columns of some of the panels; `take` gets row, first column and sums, the bias
    /// added.
    ///
    /// # Safety
    /// The processor must have what `P` is made of.
    #[inline(always)]
    pub unsafe fn apply<P: Products>(
        &self,
        products: &mut P,
        packed: &[u32],
        left: &[u32],
        rows: usize,
        panels: Range<usize>,
        mut take: impl FnMut(usize, usize, &mut [f32]),
    ) {
        let first = panels.start * PANEL;
        let panels = Panels {
            words: &packed[self.panels + first * self.depth..],
            stride: PANEL,
            next: PANEL * self.depth,
            count: panels.len(),
        };
        unsafe {
            products.multiply(left, rows, panels, self.depth, |row, column, sums| {
                let column = first + column;
                add(sums, &self.bias[column..][..sums.len()]);
                take(row, column, sums);
            });
        }
    }
}
