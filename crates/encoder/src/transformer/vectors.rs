//! Products in vector registers; attention in float32.

use std::marker::PhantomData;

use super::elementwise::{gelu, softmax};
use super::products::{Attention, Products, Text};
use crate::simd::{Instructions, PANEL, Panels, Rows, multiply};

/// `W` multiplies by weights, `F` is float32; tiles of `TALL` rows, or `FEW`.
pub struct Vectors<W, F, const TALL: usize, const FEW: usize>(PhantomData<(W, F)>);

impl<W, F, const TALL: usize, const FEW: usize> Default for Vectors<W, F, TALL, FEW> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

// SAFETY: only calls the instructions, as they say.
unsafe impl<W: Instructions, F: Instructions, const TALL: usize, const FEW: usize> Products
    for Vectors<W, F, TALL, FEW>
{
    type Numbers = F;
    const PER_WORD: usize = W::PER_WORD;
    const PER_PROJECTED: usize = F::PER_WORD;
    const SPARE: usize = 0;
    const HEIGHT: usize = 1;

    fn room(rows: usize, depth: usize) -> usize {
        rows * depth
    }
    #[inline(always)]
    unsafe fn put(to: &mut [u32], depth: usize, row: usize, column: usize, numbers: &[f32]) {
        let from = row * depth + column / W::PER_WORD;
        unsafe { W::to_words(numbers, &mut to[from..][..numbers.len() / W::PER_WORD]) };
    }
    #[inline(always)]
    unsafe fn project(numbers: &[f32], to: &mut [u32]) {
        unsafe { F::to_words(numbers, to) };
    }
    #[inline(always)]
    unsafe fn multiply(
        &mut self,
        left: &[u32],
        rows: usize,
        right: Panels<'_>,
        depth: usize,
        take: impl FnMut(usize, usize, &mut [f32]),
    ) {
        unsafe {
            multiply::<W, TALL, FEW>(Rows { words: left, stride: depth, count: rows }, right, depth, take)
        };
    }
    #[inline(always)]
    fn gelu(row: &mut [f32]) {
        gelu::<F>(row);
    }

    #[inline(always)]
    unsafe fn attend(&mut self, text: Text<'_>, room: &mut Attention, out: &mut [u32]) {
        let Text { projected, first, tokens, heads, hidden, head: size } = text;
        let stride = 3 * hidden;
        let words = &projected[first * stride..][..tokens * stride];
        let width = tokens.next_multiple_of(PANEL);
        let scale = 1.0 / (size as f32).sqrt();
        let (keys, scores) = (room.keys.words(size * width), room.scores.numbers(tokens * width));
        for head in heads.map(|head| head * size) {
            for (token, projected) in words.chunks_exact(stride).enumerate() {
                let column = token / PANEL * size * PANEL + token % PANEL;
                for (i, &key) in projected[hidden + head..][..size].iter().enumerate() {
                    keys[column + i * PANEL] = key;
                }
            }
            let queries = Rows { words: &words[head..], stride, count: tokens };
            let panels = Panels { words: keys, stride: PANEL, next: size * PANEL, count: width / PANEL };
            unsafe {
                multiply::<F, TALL, FEW>(queries, panels, size, |row, column, sums| {
                    scores[row * width + column..][..sums.len()].copy_from_slice(sums);
                });
            }
            for scores in scores.chunks_exact_mut(width) {
                softmax::<F>(scores, tokens, scale);
            }
            let shares = Rows { words: bytemuck::cast_slice(scores), stride: width, count: tokens };
            let values =
                Panels { words: &words[2 * hidden + head..], stride, next: PANEL, count: size / PANEL };
            unsafe {
                multiply::<F, TALL, FEW>(shares, values, tokens, |row, column, sums| {
                    Self::put(out, hidden / W::PER_WORD, first + row, head + column, sums);
                });
            }
        }
    }
}
