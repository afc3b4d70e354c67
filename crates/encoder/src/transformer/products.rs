//! What a pass leaves to the way it multiplies.

use std::ops::Range;

use super::arena::Buffer;
use crate::simd::{Instructions, Panels};

/// How a pass multiplies, and how it keeps what is multiplied.
///
/// A product's left side is rows of words, kept as the way likes them; columns, in numbers, come in multiples of 32.
///
/// Every function may be called only on a processor that has what it is made of.
#[expect(clippy::missing_safety_doc, reason = "said once, above")]
pub unsafe trait Products {
    /// float32 between the products.
    type Numbers: Instructions;
    /// Numbers in a word of a left side.
    const PER_WORD: usize;
    /// Numbers in a word of queries, keys and values.
    const PER_PROJECTED: usize;
    /// Rows of them that are read past a text's last one, whatever they hold.
    const SPARE: usize;

    /// Rows whose like columns lie one behind the other in a left side.
    const HEIGHT: usize;

    /// Words that a left side of `rows` rows of `depth` words takes.
    fn room(rows: usize, depth: usize) -> usize;
    /// Numbers as words of a left side, from `column` of `row` on.
    unsafe fn put(to: &mut [u32], depth: usize, row: usize, column: usize, numbers: &[f32]);
    /// Numbers as words of queries, keys and values.
    unsafe fn project(numbers: &[f32], to: &mut [u32]);
    /// Multiply `rows` rows of a left side; `take` gets row, first column and sums of a stretch of columns, for all of the product.
    unsafe fn multiply(
        &mut self,
        left: &[u32],
        rows: usize,
        right: Panels<'_>,
        depth: usize,
        take: impl FnMut(usize, usize, &mut [f32]),
    );
    /// Gaussian error linear unit, in place.
    fn gelu(row: &mut [f32]);
    /// Attention inside `text`; the heads' mixed values go to their columns and the text's rows of `out`, a left side of rows of
    /// `hidden` numbers.
    unsafe fn attend(&mut self, text: Text<'_>, room: &mut Attention, out: &mut [u32]);
}

/// A thread's memory for attention.
#[derive(Default)]
pub struct Attention {
    /// Keys of one head of one text, transposed.
    pub keys: Buffer,
    #[cfg(any(target_arch = "x86_64", test))]
    /// Its values, where the products need them in another form than they are in.
    pub values: Buffer,
    /// Scores of queries by all keys.
    pub scores: Buffer,
    #[cfg(any(target_arch = "x86_64", test))]
    /// What softmax makes of them, where the products need it in another form.
    pub shares: Buffer,
}

/// The projections of one text of a batch.
#[derive(Clone)]
pub struct Text<'a> {
    /// Query, key and value of each token of the batch side by side, a row of words each, and rows to fill a tile.
    pub projected: &'a [u32],
    /// The row of its first token.
    pub first: usize,
    /// At least 1.
    pub tokens: usize,
    /// The heads that are asked.
    pub heads: Range<usize>,
    /// Numbers of a query, of all heads.
    pub hidden: usize,
    /// Numbers of a head's query.
    pub head: usize,
}
