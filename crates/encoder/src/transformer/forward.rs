//! One pass over the texts of a batch.

use std::sync::Mutex;

use rayon::ThreadPool;

use super::arena::Buffer;
use super::bert::{Bert, Layer, Norm, Shape};
use super::elementwise::{add, layer_norm};
#[cfg(target_arch = "x86_64")]
use super::matrix::Matrix;
use super::products::{Attention, Products, Text};
use super::set::Set;
use super::team::{Member, Present, Shared, Team, Written};
use super::vectors::Vectors;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Amx, Avx2, Avx512, Avx512Bf16};
use crate::simd::{PANEL, Portable};

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
    /// What it gives to other threads with the same text.
    written: Written,
}

/// What a thread takes through the layers.
pub(super) struct Job<'a> {
    pub texts: &'a [&'a [i64]],
    /// Where it is not alone with them.
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

    /// How many threads are of use for one text: each has a head.
    pub fn threads(&self) -> usize {
        self.shape.num_attention_heads
    }

    /// As [`Self::forward`] of one text, on the caller's thread and those of `others`, which do nothing else, as many as there are
    /// `scratches` for. The states are the same to the bit.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_together<'s>(
        &self,
        text: &[i64],
        scratches: &'s mut [&mut Scratch],
        others: &ThreadPool,
    ) -> Result<&'s [f32], String> {
        self.check(&[text])?;
        let threads = scratches.len().min(others.current_num_threads() + 1);
        let scratches = &mut scratches[..threads];
        let mut written: Vec<Written> =
            scratches.iter_mut().map(|scratch| std::mem::take(&mut scratch.written)).collect();
        let team = Team::new(written.iter().collect());
        // Each is locked by the one thread that has its place.
        let places: Vec<_> = scratches.iter_mut().map(Mutex::new).collect();
        let part = |place: usize| {
            let Some(Ok(mut scratch)) = places.get(place).map(Mutex::lock) else { return };
            let _present = Present(&team);
            self.run(Job { texts: &[text], member: Some(team.member(place)) }, &mut scratch);
        };
        others.in_place_scope(|scope| {
            scope.spawn_broadcast(|_, other| part(other.index() + 1));
            part(0);
        });
        for (scratch, written) in scratches.iter_mut().zip(&mut written) {
            scratch.written = std::mem::take(written);
        }
        let tokens = text.len();
        Ok(scratches.first_mut().map_or(&[], |scratch| scratch.states.numbers(tokens * self.hidden_size())))
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
    let Shape { hidden_size: hidden, intermediate_size, layer_norm_eps, num_attention_heads, .. } =
        bert.shape;
    let words: &[f32] = &bert.words;
    let Job { texts, mut member } = job;
    let tokens: usize = texts.iter().map(|t| t.len()).sum();
    let (depth, deep) = (hidden / P::PER_WORD, intermediate_size / P::PER_WORD);
    let row_of_projected = 3 * hidden / P::PER_PROJECTED;
    let states = scratch.states.numbers(tokens * hidden);
    let inputs = scratch.inputs.words(P::room(tokens, depth));
    let projected = scratch.projected.words(P::room(tokens + P::SPARE, row_of_projected));
    let intermediate = scratch.intermediate.words(P::room(tokens, deep));

    let share = |member: &Option<Member<'_>>, count| member.as_ref().map_or(0..count, |m| m.share(count));
    let (heads, head) = (share(&member, num_attention_heads), hidden / num_attention_heads);
    // Columns of rows of `row` words, shared out in parts of `unit`.
    let exchange =
        |member: &mut Option<Member<'_>>, words: &mut [u32], row: usize, unit: usize, height: usize| {
            if let Some(member) = member {
                member.exchange(words, Shared { unit, count: row / unit, rows: tokens, height });
            }
        };

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
        normalize::<P>(states, inputs, &bert.norm, layer_norm_eps);
        for layer in &bert.layers {
            for part in (0..3 * hidden).step_by(hidden) {
                let panels = (part + heads.start * head) / PANEL..(part + heads.end * head) / PANEL;
                layer.attention.apply(products, &bert.packed, inputs, tokens, panels, |row, column, sums| {
                    let from = row * row_of_projected + column / P::PER_PROJECTED;
                    P::project(sums, &mut projected[from..][..sums.len() / P::PER_PROJECTED]);
                });
            }
            let mut first = 0;
            for text in texts.iter().filter(|t| !t.is_empty()) {
                let tokens = text.len();
                let text = Text { projected, first, tokens, heads: heads.clone(), hidden, head };
                products.attend(text, &mut scratch.attention, inputs);
                first += tokens;
            }
            exchange(&mut member, inputs, depth, head / P::PER_WORD, P::HEIGHT);
            let Layer { attention_output: linear, attention_norm: norm, .. } = layer;
            let panels = share(&member, linear.count());
            linear.apply(products, &bert.packed, inputs, tokens, panels, |row, column, sums| {
                add(&mut states[row * hidden + column..][..sums.len()], sums);
            });
            exchange(&mut member, bytemuck::cast_slice_mut(states), hidden, PANEL, 1);
            normalize::<P>(states, inputs, norm, layer_norm_eps);

            let Layer { intermediate: linear, .. } = layer;
            let panels = share(&member, linear.count());
            linear.apply(products, &bert.packed, inputs, tokens, panels, |row, column, sums| {
                P::gelu(sums);
                P::put(intermediate, deep, row, column, sums);
            });
            exchange(&mut member, intermediate, deep, PANEL / P::PER_WORD, P::HEIGHT);
            let Layer { output: linear, output_norm: norm, .. } = layer;
            let panels = share(&member, linear.count());
            linear.apply(products, &bert.packed, intermediate, tokens, panels, |row, column, sums| {
                add(&mut states[row * hidden + column..][..sums.len()], sums);
            });
            exchange(&mut member, bytemuck::cast_slice_mut(states), hidden, PANEL, 1);
            normalize::<P>(states, inputs, norm, layer_norm_eps);
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
