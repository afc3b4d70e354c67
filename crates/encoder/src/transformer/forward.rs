//! One pass over the texts of a batch.

use super::bert::{Bert, Norm, Shape};
use super::elementwise::{add, gelu, layer_norm, softmax};
use super::set::Set;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Avx512Bf16};
use crate::simd::{Instructions, PANEL, Panels, Portable, Rows, multiply};

/// Rows of a tile of a product, by the registers that there are.
const TALL_PORTABLE: usize = if cfg!(target_arch = "aarch64") { 6 } else { 3 };

/// The memory of one thread's passes, kept from one to the next.
#[derive(Default)]
pub struct Scratch {
    /// States of the tokens.
    states: Vec<f32>,
    /// What a product reads, as words.
    inputs: Vec<u32>,
    projected: Vec<f32>,
    /// Keys of one head of one text, transposed.
    keys: Vec<u32>,
    scores: Vec<f32>,
    intermediate: Vec<u32>,
}

impl Bert {
    /// Length of a token's state.
    pub fn hidden_size(&self) -> usize {
        self.shape.hidden_size
    }

    /// The last layer's state of every token of every text, text after text, `hidden_size` numbers a token.
    ///
    /// # Errors
    /// A token id outside the vocabulary, or a text longer than the model has positions.
    pub fn forward<'s>(&self, texts: &[&[i64]], scratch: &'s mut Scratch) -> Result<&'s [f32], String> {
        let (words, positions) =
            (self.words.len() / self.hidden_size(), self.positions.len() / self.hidden_size());
        for text in texts {
            if let Some(id) = text.iter().find(|&&id| !usize::try_from(id).is_ok_and(|id| id < words)) {
                return Err(format!("the tokenizer gave the token {id}, the model has {words} tokens"));
            }
            if text.len() > positions {
                return Err(format!("a text of {} tokens, the model has {positions} positions", text.len()));
            }
        }
        // SAFETY: the set was detected.
        unsafe {
            match self.instructions {
                Set::Portable => forward::<Portable, Portable, TALL_PORTABLE>(self, texts, scratch),
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => forward_avx2(self, texts, scratch),
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => forward_avx512(self, texts, scratch),
                #[cfg(target_arch = "x86_64")]
                Set::Avx512Bf16 => forward_avx512_bf16(self, texts, scratch),
            }
        }
        Ok(&scratch.states)
    }
}

// The whole pass is inlined into each of these, so that all of it is compiled for their instructions.

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn forward_avx2(bert: &Bert, texts: &[&[i64]], scratch: &mut Scratch) {
    unsafe { forward::<Avx2, Avx2, 6>(bert, texts, scratch) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn forward_avx512(bert: &Bert, texts: &[&[i64]], scratch: &mut Scratch) {
    unsafe { forward::<Avx512, Avx512, 12>(bert, texts, scratch) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn forward_avx512_bf16(bert: &Bert, texts: &[&[i64]], scratch: &mut Scratch) {
    unsafe { forward::<Avx512Bf16, Avx512, 12>(bert, texts, scratch) }
}

/// `W` multiplies by weights, `F` is float32.
#[inline(always)]
unsafe fn forward<W: Instructions, F: Instructions, const TALL: usize>(
    bert: &Bert,
    texts: &[&[i64]],
    scratch: &mut Scratch,
) {
    let Shape { hidden_size: hidden, intermediate_size, layer_norm_eps, .. } = bert.shape;
    let words: &[f32] = &bert.words;
    let tokens: usize = texts.iter().map(|t| t.len()).sum();
    let (depth, deep) = (hidden / W::PER_WORD, intermediate_size / W::PER_WORD);
    let Scratch { states, inputs, projected, keys, scores, intermediate } = scratch;
    states.resize(tokens * hidden, 0.0);
    inputs.resize(tokens * depth, 0);
    projected.resize(tokens * 3 * hidden, 0.0);
    intermediate.resize(tokens * deep, 0);

    let places = texts.iter().flat_map(|t| t.iter().enumerate());
    for (state, (position, &id)) in states.chunks_exact_mut(hidden).zip(places) {
        let word = &words[id as usize * hidden..][..hidden];
        let position = &bert.positions[position * hidden..][..hidden];
        for ((s, w), p) in state.iter_mut().zip(word).zip(position) {
            *s = w + p;
        }
    }
    // SAFETY (of all below): the caller answers for the instructions.
    unsafe {
        normalize::<W, F>(states, inputs, &bert.norm, layer_norm_eps);
        for layer in &bert.layers {
            let rows = Rows { words: inputs, stride: depth, count: tokens };
            layer.attention.apply::<W, TALL>(&bert.packed, rows, |row, column, sums| {
                projected[row * 3 * hidden + column..][..sums.len()].copy_from_slice(sums);
            });
            let mut first = 0;
            for text in texts.iter().filter(|t| !t.is_empty()) {
                let projected = &projected[first * 3 * hidden..][..text.len() * 3 * hidden];
                let inputs = &mut inputs[first * depth..][..text.len() * depth];
                attend::<W, F, TALL>(bert.shape, projected, inputs, keys, scores);
                first += text.len();
            }
            let rows = Rows { words: inputs, stride: depth, count: tokens };
            layer.attention_output.apply::<W, TALL>(&bert.packed, rows, |row, column, sums| {
                add(&mut states[row * hidden + column..], sums);
            });
            normalize::<W, F>(states, inputs, &layer.attention_norm, layer_norm_eps);

            let rows = Rows { words: inputs, stride: depth, count: tokens };
            layer.intermediate.apply::<W, TALL>(&bert.packed, rows, |row, column, sums| {
                gelu::<F>(sums);
                let from = row * deep + column / W::PER_WORD;
                W::to_words(sums, &mut intermediate[from..]);
            });
            let rows = Rows { words: intermediate, stride: deep, count: tokens };
            layer.output.apply::<W, TALL>(&bert.packed, rows, |row, column, sums| {
                add(&mut states[row * hidden + column..], sums);
            });
            normalize::<W, F>(states, inputs, &layer.output_norm, layer_norm_eps);
        }
    }
}

/// Scaled dot-product attention inside one text: `projected` has query, key and value of each token side by side, the
/// heads' mixed values go to `out` as words.
#[inline(always)]
unsafe fn attend<W: Instructions, F: Instructions, const TALL: usize>(
    shape: Shape,
    projected: &[f32],
    out: &mut [u32],
    keys: &mut Vec<u32>,
    scores: &mut Vec<f32>,
) {
    let (hidden, size) = (shape.hidden_size, shape.hidden_size / shape.num_attention_heads);
    let stride = 3 * hidden;
    let tokens = projected.len() / stride;
    let width = tokens.next_multiple_of(PANEL);
    let scale = 1.0 / (size as f32).sqrt();
    keys.resize(size * width, 0);
    scores.resize(tokens * width, 0.0);
    let words: &[u32] = bytemuck::cast_slice(projected);
    for head in (0..hidden).step_by(size) {
        for (token, projected) in words.chunks_exact(stride).enumerate() {
            let column = token / PANEL * size * PANEL + token % PANEL;
            for (i, &key) in projected[hidden + head..][..size].iter().enumerate() {
                keys[column + i * PANEL] = key;
            }
        }
        let queries = Rows { words: &words[head..], stride, count: tokens };
        let panels = Panels { words: keys, stride: PANEL, next: size * PANEL, count: width / PANEL };
        unsafe {
            multiply::<F, TALL>(queries, panels, size, |row, column, sums| {
                scores[row * width + column..][..sums.len()].copy_from_slice(sums);
            });
        }
        for scores in scores.chunks_exact_mut(width) {
            softmax::<F>(scores, tokens, scale);
        }
        let shares = Rows { words: bytemuck::cast_slice(scores), stride: width, count: tokens };
        let values = Panels { words: &words[2 * hidden + head..], stride, next: PANEL, count: size / PANEL };
        unsafe {
            multiply::<F, TALL>(shares, values, tokens, |row, column, sums| {
                W::to_words(sums, &mut out[(row * hidden + head + column) / W::PER_WORD..]);
            });
        }
    }
}

/// Layer norm of every token's state, in place, and once more as words.
#[inline(always)]
unsafe fn normalize<W: Instructions, F: Instructions>(
    states: &mut [f32],
    inputs: &mut [u32],
    norm: &Norm,
    epsilon: f32,
) {
    let hidden = norm.gain.len();
    for (state, inputs) in states.chunks_exact_mut(hidden).zip(inputs.chunks_exact_mut(hidden / W::PER_WORD))
    {
        layer_norm::<F>(state, &norm.gain, &norm.bias, epsilon);
        unsafe { W::to_words(state, inputs) };
    }
}
