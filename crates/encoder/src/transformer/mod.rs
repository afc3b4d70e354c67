//! The forward pass of BERT (Devlin et al. 2018, arXiv 1810.04805) made for short texts on few cores.
//!
//! What libtorch's loses and this one does not: padding (the texts of a batch lie one behind the other, and only
//! attention looks at where they begin), the passes over memory between two operations (bias, GELU and the residual sum
//! are done while a tile of a product is at hand), and packing weights at each product (they are packed once, here). The
//! sums, layer norms and softmax are float32 also where the weights are bfloat16.

mod arena;
mod elementwise;

use rayon::prelude::*;

use crate::architecture::BertConfig;
use crate::arithmetic::Arithmetic;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Avx512Bf16};
use crate::simd::{Instructions, PANEL, Panels, Portable, Rows, multiply};
use crate::weights::{Numbers, Weights};
use arena::Arena;
use elementwise::{add, gelu, layer_norm, softmax};

/// Rows of a tile of a product, by the registers that there are.
const TALL_PORTABLE: usize = if cfg!(target_arch = "aarch64") { 6 } else { 3 };

/// Packed weights; threads share them.
pub struct Bert {
    shape: Shape,
    instructions: Set,
    /// Row after row, `hidden_size` long.
    words: Numbers,
    /// The embeddings of the positions, that of the only token type added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    /// The packed weights of all layers.
    packed: Arena,
}

/// Sizes that a pass needs.
#[derive(Clone, Copy, Debug)]
struct Shape {
    hidden_size: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    layer_norm_eps: f32,
}

/// The instructions used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
}

/// What is left of a layer's part of the arena, and where that begins in it.
struct Room<'a> {
    words: &'a mut [u32],
    start: usize,
}

impl<'a> Room<'a> {
    /// The next words, and where they are.
    fn take(&mut self, count: usize) -> (&'a mut [u32], usize) {
        let (taken, rest) = std::mem::take(&mut self.words).split_at_mut(count);
        let place = self.start;
        (self.words, self.start) = (rest, place + count);
        (taken, place)
    }
}

impl Set {
    /// Numbers in a word of the weights.
    fn per_word(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => Avx512Bf16::PER_WORD,
            _ => Portable::PER_WORD,
        }
    }

    /// The best that this processor has for an arithmetic; `None` where it has none.
    fn of(arithmetic: Arithmetic) -> Option<Self> {
        if arithmetic.needs_torch() || !arithmetic.runs_here() {
            return None;
        }
        #[cfg(target_arch = "x86_64")]
        match arithmetic {
            Arithmetic::Bf16Avx512 => return Some(Self::Avx512Bf16),
            Arithmetic::F32 if is_x86_feature_detected!("avx512f") => return Some(Self::Avx512),
            Arithmetic::F32 => return Some(Self::Avx2),
            _ => {}
        }
        Some(Self::Portable)
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
    /// Where its panels of [`PANEL`] outputs begin in the arena; in a panel, a row for each word of the inputs.
    panels: usize,
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
    /// Pack the weights of a BertModel, by their names in its state. `config` is one that
    /// [`Folder::runs_natively`](crate::Folder::runs_natively).
    ///
    /// # Errors
    /// A weight is missing or has another size; the message names it. Or this processor lacks the instructions.
    pub fn pack(config: &BertConfig, arithmetic: Arithmetic, weights: &Weights) -> Result<Self, String> {
        let set = Set::of(arithmetic).ok_or_else(|| {
            format!(
                "are to be multiplied as {}, and this processor has no instructions for it",
                arithmetic.name()
            )
        })?;
        Self::pack_for(config, set, weights)
    }

    /// The processor must have the instructions.
    fn pack_for(config: &BertConfig, instructions: Set, weights: &Weights) -> Result<Self, String> {
        let BertConfig { hidden_size: hidden, intermediate_size, .. } = *config;
        let norm = |name: &str| -> Result<Norm, String> {
            Ok(Norm {
                gain: weights.take(&format!("{name}.weight"), &[hidden])?.to_vec(),
                bias: weights.take(&format!("{name}.bias"), &[hidden])?.to_vec(),
            })
        };
        let per_word = instructions.per_word();
        // Takes as many words off the front of `room` as it packs.
        let linear = |room: &mut Room<'_>, names: &[String], outputs: usize, inputs: usize| {
            let (mut rows, mut bias) = (Vec::new(), Vec::new());
            for name in names {
                rows.push(weights.take(&format!("{name}.weight"), &[outputs, inputs])?);
                bias.extend_from_slice(&weights.take(&format!("{name}.bias"), &[outputs])?);
            }
            let depth = inputs / per_word;
            let (panels, place) = room.take(bias.len() * depth);
            match instructions {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the set was detected.
                Set::Avx512Bf16 => unsafe { pack_bf16(&rows, inputs, panels) },
                // SAFETY: a float32 is a word as it is, by no special instruction.
                _ => unsafe { pack::<Portable>(&rows, inputs, panels) },
            }
            rows.iter().for_each(Numbers::release);
            Ok::<_, String>(Linear { panels: place, bias, depth })
        };
        let layer = |(i, words): (usize, &mut [u32]), start: usize| -> Result<Layer, String> {
            let room = &mut Room { words, start };
            let name = |part: &str| format!("encoder.layer.{i}.{part}");
            let projections = ["query", "key", "value"].map(|p| name(&format!("attention.self.{p}")));
            Ok(Layer {
                attention: linear(room, &projections, hidden, hidden)?,
                attention_output: linear(room, &[name("attention.output.dense")], hidden, hidden)?,
                attention_norm: norm(&name("attention.output.LayerNorm"))?,
                intermediate: linear(room, &[name("intermediate.dense")], intermediate_size, hidden)?,
                output: linear(room, &[name("output.dense")], hidden, intermediate_size)?,
                output_norm: norm(&name("output.LayerNorm"))?,
            })
        };
        let words = weights.take("embeddings.word_embeddings.weight", &[0, hidden])?;
        let types = weights.take("embeddings.token_type_embeddings.weight", &[0, hidden])?;
        let mut positions = weights.take("embeddings.position_embeddings.weight", &[0, hidden])?.to_vec();
        for position in positions.chunks_exact_mut(hidden) {
            position.iter_mut().zip(types.iter()).for_each(|(p, t)| *p += t);
        }
        // The first layer that is not there ends it, however many the config claims.
        let exist = (0..config.num_hidden_layers)
            .take_while(|i| weights.has(&format!("encoder.layer.{i}.attention.self.query.weight")))
            .count();
        if exist < config.num_hidden_layers {
            return Err(format!("has no weight `encoder.layer.{exist}.attention.self.query.weight`"));
        }
        if exist > 0 {
            // Both sizes are those of a weight that is there before memory is asked for.
            weights.take("encoder.layer.0.intermediate.dense.weight", &[intermediate_size, hidden])?;
        }
        let of_layer = 4usize.checked_mul(hidden).zip(intermediate_size.checked_mul(2));
        let of_layer = of_layer.and_then(|(a, b)| a.checked_add(b)?.checked_mul(hidden));
        let of_layer = of_layer.ok_or("is of a model of impossible sizes")? / per_word;
        let mut packed = Arena::new(of_layer.saturating_mul(exist)).map_err(|e| e.to_string())?;
        let parts: Vec<&mut [u32]> = packed.chunks_exact_mut(of_layer).collect();
        let layers = parts
            .into_par_iter()
            .take(exist)
            .enumerate()
            .map(|(i, words)| layer((i, words), i * of_layer))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            shape: Shape {
                hidden_size: hidden,
                num_attention_heads: config.num_attention_heads,
                intermediate_size,
                layer_norm_eps: config.layer_norm_eps,
            },
            instructions,
            words,
            positions,
            norm: norm("embeddings.LayerNorm")?,
            layers,
            packed,
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

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pack_bf16(rows: &[Numbers], inputs: usize, panels: &mut [u32]) {
    unsafe { pack::<Avx512Bf16>(rows, inputs, panels) }
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

/// Matrices below one another, with a row of `inputs` weights for each output, to panels.
///
/// [`PANEL`] rows at a time are turned, so that the processor's cache sees weights and words once.
#[inline(always)]
unsafe fn pack<W: Instructions>(rows: &[Numbers], inputs: usize, panels: &mut [u32]) {
    let depth = inputs / W::PER_WORD;
    let mut words = vec![0; PANEL * depth];
    let rows = rows.iter().flat_map(|matrix| matrix.chunks_exact(PANEL * inputs));
    for (panel, rows) in panels.chunks_exact_mut(PANEL * depth).zip(rows) {
        for (row, words) in rows.chunks_exact(inputs).zip(words.chunks_exact_mut(depth)) {
            unsafe { W::to_words(row, words) };
        }
        for (i, to) in panel.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
            to.iter_mut().enumerate().for_each(|(output, to)| *to = words[output * depth + i]);
        }
    }
}

impl Linear {
    #[inline(always)]
    unsafe fn apply<W: Instructions, const TALL: usize>(
        &self,
        packed: &[u32],
        rows: Rows<'_>,
        mut take: impl FnMut(usize, usize, &mut [f32]),
    ) {
        let panels = Panels {
            words: &packed[self.panels..],
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
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    use std::collections::BTreeMap;

    /// Ids below 50, of all lengths around the heights and widths of tiles.
    fn texts() -> Vec<Vec<i64>> {
        [1, 2, 5, 6, 7, 11, 12, 13, 31, 32, 33, 64, 65]
            .iter()
            .map(|&n| (0..n).map(|i| (i * 7 + n) % 50).collect())
            .collect()
    }

    type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

    /// A BERT with heads of 64 and other weights than any real one, seemingly random ones around 0.1.
    fn model() -> (BertConfig, Tensors) {
        let config = BertConfig {
            hidden_size: 128,
            num_attention_heads: 2,
            num_hidden_layers: 3,
            intermediate_size: 96,
            layer_norm_eps: 1e-12,
            hidden_act: None,
            position_embedding_type: None,
        };
        let mut state = 3u64;
        let mut random = |size: &[usize]| {
            let numbers = (0..size.iter().product::<usize>()).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                0.1 + 0.4 * ((state >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
            });
            (size.to_vec(), numbers.collect::<Vec<f32>>())
        };
        let mut tensors = Tensors::new();
        for (name, rows) in [("word", 50), ("position", 65), ("token_type", 2)] {
            tensors.insert(format!("embeddings.{name}_embeddings.weight"), random(&[rows, 128]));
        }
        let mut add = |name: String, outputs: usize, inputs: Option<usize>| {
            let size: Vec<usize> = std::iter::once(outputs).chain(inputs).collect();
            tensors.insert(format!("{name}.weight"), random(&size));
            tensors.insert(format!("{name}.bias"), random(&[outputs]));
        };
        add("embeddings.LayerNorm".into(), 128, None);
        for i in 0..3 {
            let layer = format!("encoder.layer.{i}");
            for part in ["self.query", "self.key", "self.value", "output.dense"] {
                add(format!("{layer}.attention.{part}"), 128, Some(128));
            }
            add(format!("{layer}.attention.output.LayerNorm"), 128, None);
            add(format!("{layer}.intermediate.dense"), 96, Some(128));
            add(format!("{layer}.output.dense"), 128, Some(96));
            add(format!("{layer}.output.LayerNorm"), 128, None);
        }
        (config, tensors)
    }

    fn saved(tensors: &Tensors) -> (tempfile::TempDir, Weights) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let views = tensors.iter().map(|(name, (size, numbers))| {
            (name, TensorView::new(Dtype::F32, size.clone(), bytemuck::cast_slice(numbers)).unwrap())
        });
        safetensors::serialize_to_file(views, None, &path).unwrap();
        let weights = Weights::open(&path).unwrap();
        (folder, weights)
    }

    /// The paper's formulas in f64, one number at a time: the states of one text.
    fn by_definition(config: &BertConfig, tensors: &Tensors, ids: &[i64]) -> Vec<Vec<f64>> {
        let get = |name: &str| tensors[name].1.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let linear = |name: &str, x: &[f64]| -> Vec<f64> {
            let (weight, bias) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
            let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            weight.chunks(x.len()).zip(bias).map(|(row, bias)| dot(row) + bias).collect()
        };
        let norm = |name: &str, x: &[f64]| -> Vec<f64> {
            let (gain, bias) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let scale = 1.0 / (variance + f64::from(config.layer_norm_eps)).sqrt();
            x.iter().zip(gain.iter().zip(bias)).map(|(v, (g, b))| (v - mean) * scale * g + b).collect()
        };
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
        let hidden = config.hidden_size;
        let row = |name: &str, i: usize| {
            get(&format!("embeddings.{name}_embeddings.weight"))[i * hidden..(i + 1) * hidden].to_vec()
        };
        let embedded = |(place, &id): (usize, &i64)| {
            norm(
                "embeddings.LayerNorm",
                &sum(&sum(&row("word", id as usize), &row("position", place)), &row("token_type", 0)),
            )
        };
        let mut states: Vec<Vec<f64>> = ids.iter().enumerate().map(embedded).collect();
        let size = hidden / config.num_attention_heads;
        for i in 0..config.num_hidden_layers {
            let layer = format!("encoder.layer.{i}");
            let project = |part: &str| -> Vec<Vec<f64>> {
                states.iter().map(|s| linear(&format!("{layer}.attention.self.{part}"), s)).collect()
            };
            let (queries, keys, values) = (project("query"), project("key"), project("value"));
            let mixed = queries.iter().map(|query| {
                let heads = (0..hidden).step_by(size).flat_map(|head| {
                    let part = head..head + size;
                    let score = |key: &Vec<f64>| {
                        let dot = query[part.clone()].iter().zip(&key[part.clone()]).map(|(q, k)| q * k);
                        (dot.sum::<f64>() / (size as f64).sqrt()).exp()
                    };
                    let scores: Vec<f64> = keys.iter().map(score).collect();
                    let total: f64 = scores.iter().sum();
                    let value =
                        |c: usize| scores.iter().zip(&values).map(|(s, v)| s / total * v[c]).sum::<f64>();
                    part.clone().map(value).collect::<Vec<f64>>()
                });
                heads.collect::<Vec<f64>>()
            });
            let mixed: Vec<Vec<f64>> = mixed.collect();
            states = states
                .iter()
                .zip(mixed)
                .map(|(state, mixed)| {
                    let given = linear(&format!("{layer}.attention.output.dense"), &mixed);
                    let state = norm(&format!("{layer}.attention.output.LayerNorm"), &sum(state, &given));
                    let wide = linear(&format!("{layer}.intermediate.dense"), &state);
                    let wide: Vec<f64> = wide.into_iter().map(elementwise::tests::gelu_in_f64).collect();
                    let given = linear(&format!("{layer}.output.dense"), &wide);
                    norm(&format!("{layer}.output.LayerNorm"), &sum(&state, &given))
                })
                .collect();
        }
        states
    }

    fn states(config: &BertConfig, set: Set, weights: &Weights, texts: &[&[i64]]) -> Vec<f32> {
        let bert = Bert::pack_for(config, set, weights).unwrap();
        bert.forward(texts, &mut Scratch::default()).unwrap().to_vec()
    }

    /// The sets of this processor.
    fn available() -> Vec<Set> {
        let mut sets = vec![Set::Portable];
        #[cfg(target_arch = "x86_64")]
        for (set, has) in [
            (Set::Avx2, is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")),
            (Set::Avx512, is_x86_feature_detected!("avx512f")),
            (Set::Avx512Bf16, is_x86_feature_detected!("avx512bf16")),
        ] {
            if has {
                sets.push(set);
            }
        }
        sets
    }

    fn is_f32(set: Set) -> bool {
        #[cfg(target_arch = "x86_64")]
        return set != Set::Avx512Bf16;
        #[cfg(not(target_arch = "x86_64"))]
        return set == Set::Portable;
    }

    fn is_fused(set: Set) -> bool {
        is_f32(set) && (set != Set::Portable || Portable::FUSED)
    }

    #[test]
    fn every_set_of_instructions_agrees_with_the_definition() {
        let (config, tensors) = model();
        let (_folder, weights) = saved(&tensors);
        let texts = texts();
        let expected: Vec<f64> =
            texts.iter().flat_map(|t| by_definition(&config, &tensors, t)).flatten().collect();
        let texts: Vec<&[i64]> = texts.iter().map(Vec::as_slice).collect();
        for set in available() {
            let allowed = if is_f32(set) { 1e-5 } else { 0.05 };
            let found = states(&config, set, &weights, &texts);
            assert_eq!(found.len(), expected.len());
            for (expected, found) in expected.iter().zip(&found) {
                assert!(
                    (expected - f64::from(*found)).abs() < allowed,
                    "{set:?}: {found}, by definition {expected}"
                );
            }
        }
    }

    #[test]
    fn float32_is_the_same_to_the_bit_with_any_width_and_in_any_batch() {
        let (config, tensors) = model();
        let (_folder, weights) = saved(&tensors);
        let texts = texts();
        let texts: Vec<&[i64]> = texts.iter().map(Vec::as_slice).collect();
        let sets = available();
        let fused = sets.iter().filter(|&&s| is_fused(s)).map(|&s| states(&config, s, &weights, &texts));
        let fused: Vec<Vec<f32>> = fused.collect();
        assert!(fused.windows(2).all(|pair| pair[0] == pair[1]));
        for set in sets {
            let together = states(&config, set, &weights, &texts);
            let alone: Vec<f32> = texts.iter().flat_map(|t| states(&config, set, &weights, &[t])).collect();
            assert!(together == alone, "{set:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let (config, mut tensors) = model();
        let (_folder, weights) = saved(&tensors);
        let bert = Bert::pack(&config, Arithmetic::native(crate::Precision::F32).unwrap(), &weights).unwrap();
        let forward = |ids: &[i64]| bert.forward(&[ids], &mut Scratch::default()).unwrap_err();
        assert!(forward(&[1, 50]).contains("token 50"));
        assert!(forward(&[-1]).contains("token -1"));
        assert!(forward(&[1; 66]).contains("66 tokens"));
        assert_eq!(bert.forward(&[&[], &[1, 2], &[]], &mut Scratch::default()).unwrap().len(), 2 * 128);
        let more = BertConfig { num_hidden_layers: usize::MAX, ..config.clone() };
        let error = Bert::pack_for(&more, Set::Portable, &weights).err().unwrap();
        assert!(error.contains("encoder.layer.3"), "{error}");
        tensors.remove("encoder.layer.2.output.dense.bias");
        let error = Bert::pack_for(&config, Set::Portable, &saved(&tensors).1).err().unwrap();
        assert!(error.contains("encoder.layer.2.output.dense.bias"), "{error}");
        let error = Bert::pack(&config, Arithmetic::RustBertF32, &weights).err().unwrap();
        assert!(error.contains("rust-bert-f32"), "{error}");
    }
}
