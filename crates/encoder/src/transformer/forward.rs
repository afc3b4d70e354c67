//! One pass over the texts of a batch.

use super::arena::Buffer;
use super::bert::{Bert, Norm, Shape};
use super::elementwise::{add, layer_norm};
#[cfg(target_arch = "x86_64")]
use super::matrix::Matrix;
use super::products::{Attention, Products, Text};
use super::set::Set;
use super::team::{Member, Present, Team};
use super::vectors::Vectors;
use crate::simd::Portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Amx, Avx2, Avx512, Avx512Bf16};

/// Rows of a tile of a product, by the registers that there are, and of one where few are left.
const TALL_PORTABLE: usize = if cfg!(target_arch = "aarch64") { 6 } else { 3 };
const FEW_PORTABLE: usize = TALL_PORTABLE.div_ceil(2);

/// The memory of one thread's passes, kept from one to the next.
#[derive(Default)]
pub struct Scratch {
    /// States of the tokens.
    states: Buffer,
    /// What a product reads.
    inputs: Buffer,
    /// Query, key and value of each token.
    projected: Buffer,
    intermediate: Buffer,
    attention: Attention,
}

/// Tokens of a text that a thread of several has at least: with fewer, fetching the weights takes as long as multiplying by them.
const LEAST_TOKENS: usize = 16;

/// What a thread takes through the layers.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub texts: &'a [&'a [i64]],
    /// Where it has some tokens of the only text.
    pub member: Option<Member<'a>>,
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
        self.check(texts)?;
        self.run(Job { texts, member: None }, scratch);
        let tokens: usize = texts.iter().map(|t| t.len()).sum();
        Ok(scratch.states.numbers(tokens * self.hidden_size()))
    }

    /// How many threads are of use for one text of so many tokens. With the matrix unit, one: there the time is that of fetching
    /// the weights, which each thread would do.
    pub fn threads(&self, tokens: usize) -> usize {
        #[cfg(target_arch = "x86_64")]
        if self.instructions == Set::Amx {
            return 1;
        }
        (tokens / LEAST_TOKENS).max(1)
    }

    /// As [`Self::forward`] of one text, on as many threads as there are `scratches`; the states are the same to the bit.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_together(&self, text: &[i64], scratches: &mut [&mut Scratch]) -> Result<Vec<f32>, String> {
        self.check(&[text])?;
        let team = Team::new(text.len(), scratches.len());
        let part = |place: usize, scratch: &mut Scratch| {
            let (_present, member) = (Present(&team), team.member(place));
            self.run(Job { texts: &[text], member: Some(member) }, scratch);
            scratch.states.numbers(member.tokens().len() * self.hidden_size()).to_vec()
        };
        Ok(std::thread::scope(|scope| {
            let mut scratches = scratches.iter_mut().enumerate();
            let own = scratches.next();
            let others: Vec<_> =
                scratches.map(|(place, scratch)| scope.spawn(move || part(place, scratch))).collect();
            let mut states = own.map_or_else(Vec::new, |(place, scratch)| part(place, scratch));
            for other in others {
                states.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            states
        }))
    }

    fn check(&self, texts: &[&[i64]]) -> Result<(), String> {
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
        Ok(())
    }

    fn run(&self, job: Job<'_>, scratch: &mut Scratch) {
        // SAFETY: the set was detected.
        unsafe {
            match self.instructions {
                Set::Portable => {
                    forward(
                        self,
                        job,
                        scratch,
                        &mut Vectors::<Portable, Portable, TALL_PORTABLE, FEW_PORTABLE>::default(),
                    );
                }
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => forward_avx2(self, job, scratch),
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => forward_avx512(self, job, scratch),
                #[cfg(target_arch = "x86_64")]
                Set::Avx512Bf16 => forward_avx512_bf16(self, job, scratch),
                #[cfg(target_arch = "x86_64")]
                Set::Amx => forward_amx(self, job, scratch, Amx::start()),
                #[cfg(test)]
                Set::Emulated => super::tests::forward_emulated(self, job, scratch),
            }
        }
    }
}

// The whole pass is inlined into each of these, so that all of it is compiled for their instructions.

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn forward_avx2(bert: &Bert, job: Job<'_>, scratch: &mut Scratch) {
    unsafe { forward(bert, job, scratch, &mut Vectors::<Avx2, Avx2, 6, 3>::default()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn forward_avx512(bert: &Bert, job: Job<'_>, scratch: &mut Scratch) {
    unsafe { forward(bert, job, scratch, &mut Vectors::<Avx512, Avx512, 12, 6>::default()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn forward_avx512_bf16(bert: &Bert, job: Job<'_>, scratch: &mut Scratch) {
    unsafe { forward(bert, job, scratch, &mut Vectors::<Avx512Bf16, Avx512, 12, 6>::default()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn forward_amx(bert: &Bert, job: Job<'_>, scratch: &mut Scratch, unit: Amx) {
    unsafe { forward(bert, job, scratch, &mut Matrix::<Amx, Avx512Bf16, Avx512>::new(unit)) }
}

#[inline(always)]
pub(super) unsafe fn forward<P: Products>(
    bert: &Bert,
    job: Job<'_>,
    scratch: &mut Scratch,
    products: &mut P,
) {
    let Shape { hidden_size: hidden, intermediate_size, layer_norm_eps, .. } = bert.shape;
    let words: &[f32] = &bert.words;
    let Job { texts, member } = job;
    let all: usize = texts.iter().map(|t| t.len()).sum();
    // Rows are counted from the first of the own tokens, but for queries, keys and values.
    let own = member.map_or(0..all, Member::tokens);
    let tokens = own.len();
    let (depth, deep) = (hidden / P::PER_WORD, intermediate_size / P::PER_WORD);
    let row_of_projected = 3 * hidden / P::PER_PROJECTED;
    let states = scratch.states.numbers(tokens * hidden);
    let inputs = scratch.inputs.words(P::room(tokens, depth));
    let projected = scratch.projected.words(P::room(all + P::SPARE, row_of_projected));
    let intermediate = scratch.intermediate.words(P::room(tokens, deep));

    let places = texts.iter().flat_map(|t| t.iter().enumerate());
    for (state, (position, &id)) in states.chunks_exact_mut(hidden).zip(places.skip(own.start)) {
        let word = &words[id as usize * hidden..][..hidden];
        let position = &bert.positions[position * hidden..][..hidden];
        for ((s, w), p) in state.iter_mut().zip(word).zip(position) {
            *s = w + p;
        }
    }
    // SAFETY (of all below): the caller answers for the instructions.
    unsafe {
        normalize::<P>(states, inputs, &bert.norm, layer_norm_eps);
        for (i, layer) in bert.layers.iter().enumerate() {
            layer.attention.apply(products, &bert.packed, inputs, tokens, member, |row, column, sums| {
                let from = (own.start + row) * row_of_projected + column / P::PER_PROJECTED;
                P::project(sums, &mut projected[from..][..sums.len() / P::PER_PROJECTED]);
            });
            if let Some(member) = member {
                member.exchange(projected, row_of_projected, i);
            }
            let mut first = 0;
            for text in texts.iter().filter(|t| !t.is_empty()) {
                let head = hidden / bert.shape.num_attention_heads;
                let asked = member.map_or(0..text.len(), Member::tokens);
                let to = first + asked.start - own.start;
                let tokens = text.len();
                let text = Text { projected, first, tokens, asked, to, hidden, head };
                products.attend(text, &mut scratch.attention, inputs);
                first += tokens;
            }
            layer.attention_output.apply(
                products,
                &bert.packed,
                inputs,
                tokens,
                member,
                |row, column, sums| {
                    add(&mut states[row * hidden + column..][..sums.len()], sums);
                },
            );
            normalize::<P>(states, inputs, &layer.attention_norm, layer_norm_eps);

            layer.intermediate.apply(products, &bert.packed, inputs, tokens, member, |row, column, sums| {
                P::gelu(sums);
                P::put(intermediate, deep, row, column, sums);
            });
            layer.output.apply(products, &bert.packed, intermediate, tokens, member, |row, column, sums| {
                add(&mut states[row * hidden + column..][..sums.len()], sums);
            });
            normalize::<P>(states, inputs, &layer.output_norm, layer_norm_eps);
        }
    }
}

/// Layer norm of every token's state, in place, and once more as words.
#[inline(always)]
unsafe fn normalize<P: Products>(states: &mut [f32], inputs: &mut [u32], norm: &Norm, epsilon: f32) {
    let hidden = norm.gain.len();
    for (row, state) in states.chunks_exact_mut(hidden).enumerate() {
        layer_norm::<P::Numbers>(state, &norm.gain, &norm.bias, epsilon);
        unsafe { P::put(inputs, hidden / P::PER_WORD, row, 0, state) };
    }
}
