//! Weights as a file has them to panels as products read them.

use rayon::prelude::*;

use super::arena::Arena;
use super::bert::{Bert, Layer, Linear, Norm, Shape};
use super::set::Set;
use crate::architecture::BertConfig;
use crate::arithmetic::Arithmetic;
#[cfg(target_arch = "x86_64")]
use crate::simd::Avx512Bf16;
use crate::simd::{PANEL, Portable, Words};
use crate::weights::{Numbers, Weights};

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
    pub(super) fn pack_for(
        config: &BertConfig,
        instructions: Set,
        weights: &Weights,
    ) -> Result<Self, String> {
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
                Set::Avx512Bf16 | Set::Amx => unsafe { pack_bf16(&rows, inputs, panels) },
                #[cfg(test)]
                // SAFETY: rounded by no special instruction.
                Set::Emulated => unsafe { pack::<super::tests::Rounded>(&rows, inputs, panels) },
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
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pack_bf16(rows: &[Numbers], inputs: usize, panels: &mut [u32]) {
    unsafe { pack::<Avx512Bf16>(rows, inputs, panels) }
}

/// Matrices below one another, with a row of `inputs` weights for each output, to panels.
///
/// [`PANEL`] rows at a time are turned, so that the processor's cache sees weights and words once.
#[inline(always)]
unsafe fn pack<W: Words>(rows: &[Numbers], inputs: usize, panels: &mut [u32]) {
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
