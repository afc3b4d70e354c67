//! Products on a matrix unit, those of attention too.
//!
//! Queries, keys, values and attention's shares are bfloat16; sums, softmax and everything between the products are float32.

use std::marker::PhantomData;

use super::products::{Attention, Products, Text};
use super::short::{gelu, powers};
use crate::simd::{
    Block, Instructions, Left, PANEL, Panel, Panels, TILE, Tiles, Words, block, multiply_tiled, place, room,
};

/// Numbers in a word.
const PAIR: usize = 2;

/// Rows of a block.
const TALL: usize = 2 * TILE;

/// `T` multiplies, `W` rounds to words, `F` is float32.
pub struct Matrix<T, W, F> {
    tiles: T,
    instructions: PhantomData<(W, F)>,
}

impl<T, W, F> Matrix<T, W, F> {
    /// On a unit that is set up.
    pub fn new(tiles: T) -> Self {
        Self { tiles, instructions: PhantomData }
    }
}

/// The values of two keys, side by side in a word.
#[inline(always)]
fn pair(a: u32, b: u32) -> [u32; 2] {
    [a & 0xffff | b << 16, a >> 16 | b & 0xffff_0000]
}

/// The keys of the head that begins at word `head`, transposed, in panels of 32 keys.
#[inline(always)]
fn transpose(text: &Text<'_>, head: usize, keys: &mut [u32]) {
    let (hidden, size) = (text.hidden / PAIR, text.head / PAIR);
    let words = &text.projected[text.first * 3 * hidden..][..text.tokens * 3 * hidden];
    for (token, row) in words.chunks_exact(3 * hidden).enumerate() {
        let to = &mut keys[token / PANEL * size * PANEL + token % PANEL..];
        for (i, &key) in row[hidden + head..][..size].iter().enumerate() {
            to[i * PANEL] = key;
        }
    }
}

/// Its values, two keys a word, in panels of 32 numbers.
#[inline(always)]
fn interleave(text: &Text<'_>, head: usize, values: &mut [u32]) {
    let hidden = text.hidden / PAIR;
    let (stride, at, pairs) = (3 * hidden, 2 * hidden + head, text.tokens.next_multiple_of(PANEL) / PAIR);
    let words = &text.projected[text.first * stride..][..text.tokens * stride];
    for (panel, at) in values.chunks_exact_mut(PANEL * pairs).zip((at..).step_by(TILE)) {
        let rows = panel.as_chunks_mut::<PANEL>().0;
        // Past the last key there are zeros: what is left there of another text might not be a number.
        let none = [0; TILE];
        for (to, keys) in rows.iter_mut().zip(words.chunks(PAIR * stride)) {
            let (a, b) = (&keys[at..][..TILE], keys.get(stride + at..).map_or(&none[..], |b| &b[..TILE]));
            for ((to, &a), &b) in to.as_chunks_mut::<2>().0.iter_mut().zip(a).zip(b) {
                *to = pair(a, b);
            }
        }
        rows[text.tokens.div_ceil(PAIR)..].fill([0; PANEL]);
    }
}

// SAFETY: only calls the instructions, as they say.
unsafe impl<T: Tiles, W: Words, F: Instructions> Products for Matrix<T, W, F> {
    type Numbers = F;
    const PER_WORD: usize = PAIR;
    const PER_PROJECTED: usize = PAIR;
    const SPARE: usize = TILE - 1;
    const HEIGHT: usize = TILE;

    fn room(rows: usize, depth: usize) -> usize {
        room(rows, depth)
    }
    #[inline(always)]
    unsafe fn put(to: &mut [u32], depth: usize, row: usize, column: usize, numbers: &[f32]) {
        for (numbers, column) in
            numbers.as_chunks::<{ PAIR * TILE }>().0.iter().zip((column / PAIR..).step_by(TILE))
        {
            unsafe { W::to_words(numbers, &mut to[place(depth, row, column)..][..TILE]) };
        }
    }
    #[inline(always)]
    unsafe fn project(numbers: &[f32], to: &mut [u32]) {
        unsafe { W::to_words(numbers, to) };
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
        unsafe { multiply_tiled(&mut self.tiles, Left::tiled(left, rows, depth), right, depth, take) };
    }
    #[inline(always)]
    fn gelu(row: &mut [f32]) {
        gelu::<F>(row);
    }

    /// A block of queries at a time, so that its scores stay in the processor's cache however long the text is.
    #[inline(always)]
    unsafe fn attend(&mut self, text: Text<'_>, rooms: &mut Attention, out: &mut [u32]) {
        let (hidden, size) = (text.hidden / PAIR, text.head / PAIR);
        let (stride, width) = (3 * hidden, text.tokens.next_multiple_of(PANEL));
        let scale = 1.0 / (text.head as f32).sqrt();
        let (keys, values) = (rooms.keys.words(size * width), rooms.values.words(size * width));
        let scores = rooms.scores.numbers(TALL * width);
        let shares = rooms.shares.words(room(TALL, width / PAIR));
        let Block(mixed) = &mut Block::default();
        for head in text.heads.clone().map(|head| head * size) {
            transpose(&text, head, keys);
            interleave(&text, head, values);
            let queries = Left::rows(&text.projected[text.first * stride + head..], text.tokens, stride);
            for first in (0..text.tokens).step_by(TALL) {
                let count = (text.tokens - first).min(TALL);
                for (i, keys) in keys.chunks_exact(PANEL * size).enumerate() {
                    // SAFETY (of all below): the caller answers for the unit and the instructions.
                    unsafe {
                        block(
                            &mut self.tiles,
                            queries,
                            first,
                            Panel { words: keys, depth: size, ahead: keys },
                            &mut scores[i * PANEL..],
                            width,
                        );
                    }
                }
                let mut parts = [0f32; TALL];
                for (row, part) in parts.iter_mut().enumerate().take(count) {
                    let row_of_scores = &mut scores[row * width..][..width];
                    *part = 1.0 / powers::<F>(row_of_scores, text.tokens, scale);
                    unsafe { Self::put(shares, width / PAIR, row, 0, row_of_scores) };
                }
                let shares = Left::tiled(shares, count, width / PAIR);
                for (i, values) in values.chunks_exact(PANEL * width / PAIR).enumerate() {
                    unsafe {
                        block(
                            &mut self.tiles,
                            shares,
                            0,
                            Panel { words: values, depth: width / PAIR, ahead: values },
                            mixed.as_flattened_mut(),
                            PANEL,
                        );
                    }
                    for (row, mixed) in mixed.iter_mut().enumerate().take(count) {
                        mixed.iter_mut().for_each(|x| *x *= parts[row]);
                        unsafe {
                            Self::put(out, hidden, text.first + first + row, PAIR * head + i * PANEL, mixed)
                        };
                    }
                }
            }
        }
    }
}
