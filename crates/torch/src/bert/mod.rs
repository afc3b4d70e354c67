//! The forward pass of BERT (Devlin et al. 2018, arXiv 1810.04805) made for short texts on few cores.
//!
//! What libtorch's loses and this one does not: padding (the texts of a batch lie one behind the other, and only
//! attention looks at where they begin), the passes over memory between two operations (bias, GELU and the residual sum
//! are done while a tile of a product is at hand), and packing weights at each product (they are packed once, here). The
//! sums, layer norms and softmax are float32 also where the weights are bfloat16.

mod elementwise;
mod matmul;

use std::collections::HashMap;

use pipeline::config::Precision;
use serde::Deserialize;
use tch::{Kind, Tensor};

use elementwise::{add, gelu, layer_norm, softmax};
use matmul::{Avx2, Avx512, Avx512Bf16, Instructions, PANEL, Panels, Rows, multiply};

/// Sizes of a model, as its config.json names them.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Shape {
    pub hidden_size: usize,
    pub num_attention_heads: usize,
    pub num_hidden_layers: usize,
    pub intermediate_size: usize,
    #[serde(default = "layer_norm_eps")]
    pub layer_norm_eps: f32,
}

fn layer_norm_eps() -> f32 {
    1e-12
}

/// Packed weights; threads share them.
pub struct Bert {
    shape: Shape,
    instructions: Set,
    /// Row after row, `hidden_size` long.
    words: Vec<f32>,
    /// The embeddings of the positions, that of the only token type added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

/// The instructions used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Set {
    Avx2,
    Avx512,
    Avx512Bf16,
}

impl Set {
    /// The best that this processor has for weights of this precision; none if they would be slow.
    fn detect(precision: Precision) -> Option<Self> {
        let wide = is_x86_feature_detected!("avx512f");
        match precision.resolved() {
            Precision::Bf16 => (wide && is_x86_feature_detected!("avx512bf16")).then_some(Self::Avx512Bf16),
            Precision::F32 if wide => Some(Self::Avx512),
            _ => (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self::Avx2),
        }
    }
}

struct Layer {
    /// Query, key and value side by side.
    attention: Linear,
    attention_output: Linear,
    attention_norm: Norm,
    intermediate: Linear,
    output: Linear,
    output_norm: Norm,
}

struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

/// `x · weightsᵀ + bias`
struct Linear {
    /// Panels of [`PANEL`] outputs; in a panel, a row for each word of the inputs.
    panels: Vec<u32>,
    bias: Vec<f32>,
    /// Words of an input row.
    depth: usize,
}

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
    /// Pack the weights of a BertModel, by their names in its state; `None` when this processor or shape is better served
    /// by libtorch.
    ///
    /// # Errors
    /// A weight is missing or has another size; the message names it.
    pub fn new(
        shape: Shape,
        precision: Precision,
        weights: &HashMap<String, Tensor>,
    ) -> Result<Option<Self>, String> {
        let Shape { hidden_size: hidden, num_attention_heads: heads, intermediate_size, .. } = shape;
        let whole = heads > 0
            && hidden % heads == 0
            && (hidden / heads) % PANEL == 0
            && intermediate_size % PANEL == 0;
        Set::detect(precision).filter(|_| whole).map(|set| Self::pack(shape, set, weights)).transpose()
    }

    /// The processor must have the instructions.
    fn pack(shape: Shape, instructions: Set, weights: &HashMap<String, Tensor>) -> Result<Self, String> {
        let Shape { hidden_size: hidden, intermediate_size, .. } = shape;
        let take = |name: &str, size: &[usize]| -> Result<Vec<f32>, String> {
            let tensor = weights.get(name).ok_or_else(|| format!("has no weight `{name}`"))?;
            let found = tensor.size();
            // A first size of 0 stands for any.
            let fits =
                found.len() == size.len() && found.iter().zip(size).all(|(&f, &s)| s == 0 || f == s as i64);
            if !fits {
                return Err(format!("weight `{name}` has the size {found:?}"));
            }
            Vec::try_from(tensor.to_kind(Kind::Float).flatten(0, -1))
                .map_err(|e| format!("weight `{name}`: {e}"))
        };
        let norm = |name: &str| -> Result<Norm, String> {
            Ok(Norm {
                gain: take(&format!("{name}.weight"), &[hidden])?,
                bias: take(&format!("{name}.bias"), &[hidden])?,
            })
        };
        let linear = |names: &[String], outputs: usize, inputs: usize| -> Result<Linear, String> {
            let (mut rows, mut bias) = (Vec::new(), Vec::new());
            for name in names {
                rows.extend(take(&format!("{name}.weight"), &[outputs, inputs])?);
                bias.extend(take(&format!("{name}.bias"), &[outputs])?);
            }
            Ok(match instructions {
                // SAFETY: the set was detected.
                Set::Avx2 | Set::Avx512 => unsafe { Linear::pack::<Avx2>(&rows, bias, inputs) },
                Set::Avx512Bf16 => unsafe { pack_bf16(&rows, bias, inputs) },
            })
        };
        let layer = |i: usize| -> Result<Layer, String> {
            let name = |part: &str| format!("encoder.layer.{i}.{part}");
            let projections = ["query", "key", "value"].map(|p| name(&format!("attention.self.{p}")));
            Ok(Layer {
                attention: linear(&projections, hidden, hidden)?,
                attention_output: linear(&[name("attention.output.dense")], hidden, hidden)?,
                attention_norm: norm(&name("attention.output.LayerNorm"))?,
                intermediate: linear(&[name("intermediate.dense")], intermediate_size, hidden)?,
                output: linear(&[name("output.dense")], hidden, intermediate_size)?,
                output_norm: norm(&name("output.LayerNorm"))?,
            })
        };
        let types = take("embeddings.token_type_embeddings.weight", &[0, hidden])?;
        let mut positions = take("embeddings.position_embeddings.weight", &[0, hidden])?;
        for position in positions.chunks_exact_mut(hidden) {
            position.iter_mut().zip(&types).for_each(|(p, t)| *p += t);
        }
        Ok(Self {
            shape,
            instructions,
            words: take("embeddings.word_embeddings.weight", &[0, hidden])?,
            positions,
            norm: norm("embeddings.LayerNorm")?,
            layers: (0..shape.num_hidden_layers).map(layer).collect::<Result<_, _>>()?,
        })
    }

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
                Set::Avx2 => forward_avx2(self, texts, scratch),
                Set::Avx512 => forward_avx512(self, texts, scratch),
                Set::Avx512Bf16 => forward_avx512_bf16(self, texts, scratch),
            }
        }
        Ok(&scratch.states)
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pack_bf16(rows: &[f32], bias: Vec<f32>, inputs: usize) -> Linear {
    unsafe { Linear::pack::<Avx512Bf16>(rows, bias, inputs) }
}

// The whole pass is inlined into each of these, so that all of it is compiled for their instructions.

#[target_feature(enable = "avx2,fma")]
unsafe fn forward_avx2(bert: &Bert, texts: &[&[i64]], scratch: &mut Scratch) {
    unsafe { forward::<Avx2, Avx2, 6>(bert, texts, scratch) }
}

#[target_feature(enable = "avx512f")]
unsafe fn forward_avx512(bert: &Bert, texts: &[&[i64]], scratch: &mut Scratch) {
    unsafe { forward::<Avx512, Avx512, 12>(bert, texts, scratch) }
}

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
    let tokens: usize = texts.iter().map(|t| t.len()).sum();
    let (depth, deep) = (hidden / W::PER_WORD, intermediate_size / W::PER_WORD);
    let Scratch { states, inputs, projected, keys, scores, intermediate } = scratch;
    states.resize(tokens * hidden, 0.0);
    inputs.resize(tokens * depth, 0);
    projected.resize(tokens * 3 * hidden, 0.0);
    intermediate.resize(tokens * deep, 0);

    let places = texts.iter().flat_map(|t| t.iter().enumerate());
    for (state, (position, &id)) in states.chunks_exact_mut(hidden).zip(places) {
        let word = &bert.words[id as usize * hidden..][..hidden];
        let position = &bert.positions[position * hidden..][..hidden];
        for ((s, w), p) in state.iter_mut().zip(word).zip(position) {
            *s = w + p;
        }
    }
    // SAFETY (of all below): the caller answers for the instructions.
    unsafe {
        normalize::<W>(states, inputs, &bert.norm, layer_norm_eps);
        for layer in &bert.layers {
            let rows = Rows { words: inputs, stride: depth, count: tokens };
            layer.attention.apply::<W, TALL>(rows, |row, column, sums| {
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
            layer.attention_output.apply::<W, TALL>(rows, |row, column, sums| {
                add(&mut states[row * hidden + column..], sums);
            });
            normalize::<W>(states, inputs, &layer.attention_norm, layer_norm_eps);

            let rows = Rows { words: inputs, stride: depth, count: tokens };
            layer.intermediate.apply::<W, TALL>(rows, |row, column, sums| {
                gelu(sums);
                let from = row * deep + column / W::PER_WORD;
                W::to_words(sums, &mut intermediate[from..]);
            });
            let rows = Rows { words: intermediate, stride: deep, count: tokens };
            layer.output.apply::<W, TALL>(rows, |row, column, sums| {
                add(&mut states[row * hidden + column..], sums);
            });
            normalize::<W>(states, inputs, &layer.output_norm, layer_norm_eps);
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
            softmax(scores, tokens, scale);
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
unsafe fn normalize<W: Instructions>(states: &mut [f32], inputs: &mut [u32], norm: &Norm, epsilon: f32) {
    let hidden = norm.gain.len();
    for (state, inputs) in states.chunks_exact_mut(hidden).zip(inputs.chunks_exact_mut(hidden / W::PER_WORD))
    {
        layer_norm(state, &norm.gain, &norm.bias, epsilon);
        unsafe { W::to_words(state, inputs) };
    }
}

impl Linear {
    /// `rows` has a row of `inputs` weights for each output.
    #[inline(always)]
    unsafe fn pack<W: Instructions>(rows: &[f32], bias: Vec<f32>, inputs: usize) -> Self {
        let depth = inputs / W::PER_WORD;
        let mut panels = vec![0; bias.len() * depth];
        let mut words = vec![0; depth];
        for (output, row) in rows.chunks_exact(inputs).enumerate() {
            unsafe { W::to_words(row, &mut words) };
            let first = output / PANEL * PANEL * depth + output % PANEL;
            for (i, &word) in words.iter().enumerate() {
                panels[first + i * PANEL] = word;
            }
        }
        Self { panels, bias, depth }
    }

    #[inline(always)]
    unsafe fn apply<W: Instructions, const TALL: usize>(
        &self,
        rows: Rows<'_>,
        mut take: impl FnMut(usize, usize, &mut [f32]),
    ) {
        let panels = Panels {
            words: &self.panels,
            stride: PANEL,
            next: PANEL * self.depth,
            count: self.bias.len() / PANEL,
        };
        unsafe {
            multiply::<W, TALL>(rows, panels, self.depth, |row, column, sums| {
                add(sums, &self.bias[column..]);
                take(row, column, sums);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_bert::bert::{BertConfig, BertEmbeddings, BertModel};
    use tch::{Device, nn};

    /// Ids below 50, of all lengths around the heights and widths of tiles.
    fn texts() -> Vec<Vec<i64>> {
        [1, 2, 5, 6, 7, 11, 12, 13, 31, 32, 33, 64, 65]
            .iter()
            .map(|&n| (0..n).map(|i| (i * 7 + n) % 50).collect())
            .collect()
    }

    /// A BERT with heads of 64 and other random weights than any real one, and what rust-bert finds with it.
    fn model() -> (Shape, HashMap<String, Tensor>, Vec<Vec<f32>>) {
        let shape = Shape {
            hidden_size: 128,
            num_attention_heads: 2,
            num_hidden_layers: 3,
            intermediate_size: 96,
            layer_norm_eps: 1e-12,
        };
        let config = BertConfig {
            hidden_size: 128,
            num_attention_heads: 2,
            num_hidden_layers: 3,
            intermediate_size: 96,
            max_position_embeddings: 65,
            vocab_size: 50,
            ..BertConfig::default()
        };
        tch::manual_seed(3);
        let store = nn::VarStore::new(Device::Cpu);
        let bert = BertModel::<BertEmbeddings>::new(store.root(), &config);
        tch::no_grad(|| {
            for mut tensor in store.variables().into_values() {
                let _ = tensor.normal_(0.3, 0.2);
            }
        });
        let states = |ids: &Vec<i64>| {
            let ids = Tensor::from_slice(ids).unsqueeze(0);
            let output = bert.forward_t(Some(&ids), None, None, None, None, None, None, false).unwrap();
            Vec::try_from(output.hidden_state.flatten(0, -1)).unwrap()
        };
        let expected = tch::no_grad(|| texts().iter().map(states).collect());
        (shape, store.variables().into_iter().collect(), expected)
    }

    fn states(shape: Shape, set: Set, weights: &HashMap<String, Tensor>, texts: &[&[i64]]) -> Vec<f32> {
        let bert = Bert::pack(shape, set, weights).unwrap();
        bert.forward(texts, &mut Scratch::default()).unwrap().to_vec()
    }

    fn available() -> Vec<Set> {
        let mut sets: Vec<Set> =
            [Precision::F32, Precision::Bf16].into_iter().filter_map(Set::detect).collect();
        if sets.contains(&Set::Avx512) {
            sets.push(Set::Avx2);
        }
        sets
    }

    #[test]
    fn every_set_of_instructions_agrees_with_libtorch() {
        let (shape, weights, expected) = model();
        let texts = texts();
        let texts: Vec<&[i64]> = texts.iter().map(Vec::as_slice).collect();
        for set in available() {
            let allowed = if set == Set::Avx512Bf16 { 0.05 } else { 1e-4 };
            let found = states(shape, set, &weights, &texts);
            for (expected, found) in expected.iter().flatten().zip(&found) {
                assert!((expected - found).abs() < allowed, "{set:?}: {found}, libtorch {expected}");
            }
        }
    }

    #[test]
    fn float32_is_the_same_to_the_bit_with_any_width_and_in_any_batch() {
        let (shape, weights, _) = model();
        let texts = texts();
        let texts: Vec<&[i64]> = texts.iter().map(Vec::as_slice).collect();
        let sets = available();
        let all = sets.iter().filter(|&&s| s != Set::Avx512Bf16).map(|&s| states(shape, s, &weights, &texts));
        let all: Vec<Vec<f32>> = all.collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        for set in sets {
            let together = states(shape, set, &weights, &texts);
            let alone: Vec<f32> = texts.iter().flat_map(|t| states(shape, set, &weights, &[t])).collect();
            assert!(together == alone, "{set:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let (shape, mut weights, _) = model();
        let Some(set) = Set::detect(Precision::F32) else { return };
        let bert = Bert::pack(shape, set, &weights).unwrap();
        let forward = |ids: &[i64]| bert.forward(&[ids], &mut Scratch::default()).unwrap_err();
        assert!(forward(&[1, 50]).contains("token 50"));
        assert!(forward(&[-1]).contains("token -1"));
        assert!(forward(&[1; 66]).contains("66 tokens"));
        assert_eq!(bert.forward(&[&[], &[1, 2], &[]], &mut Scratch::default()).unwrap().len(), 2 * 128);
        weights.remove("encoder.layer.2.output.dense.bias");
        let error = Bert::pack(shape, set, &weights).err().unwrap();
        assert!(error.contains("encoder.layer.2.output.dense.bias"), "{error}");
        let odd = Shape { num_attention_heads: 8, ..shape };
        assert!(Bert::new(odd, Precision::F32, &weights).unwrap().is_none(), "heads of 16");
    }
}
