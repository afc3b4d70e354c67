//! Matrix products on one thread: rows of activations by packed weights.
//!
//! A tile of the product stays in registers while its inputs stream by (Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication", 2008). Numbers are stored in 32-bit *words*: one float32, or two bfloat16
//! that are neighbours along the summed dimension. So float32 and bfloat16 products are the same loop around another
//! instruction, [`Instructions::multiply_add`].
//!
//! Each element of a product is summed in the order of its inputs, whatever tile it falls in. A row's result therefore
//! depends neither on the rows beside it nor on the width of the vectors: it is the same to the bit in every batch, and
//! with vectors of 128, 256 and 512 bits, as long as products and sums are fused ([`Instructions::FUSED`]).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod portable;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(target_arch = "x86_64")]
pub use bf16::Avx512Bf16;
pub use portable::Portable;

/// Columns of a panel, see [`Panels`]. Columns of a product come in multiples of it.
pub const PANEL: usize = 32;

/// A product's left side: rows of words.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub words: &'a [u32],
    /// Words from one row to the next.
    pub stride: usize,
    pub count: usize,
}

/// A product's right side: panels of [`PANEL`] columns, each panel row after row.
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    pub words: &'a [u32],
    /// Words from one row of a panel to the next.
    pub stride: usize,
    /// Words from one panel to the next.
    pub next: usize,
    pub count: usize,
}

/// The vector instructions that products are made of.
///
/// Every function may be called only on a processor that has them.
#[expect(clippy::missing_safety_doc, reason = "said once, above")]
pub unsafe trait Instructions {
    /// A vector of words, or of as many float32 sums.
    type Vector: Copy;
    /// Words in a vector.
    const LANES: usize;
    /// Numbers in a word.
    const PER_WORD: usize;
    /// Whether a product and a sum are rounded once, by one instruction, or each on its own.
    const FUSED: bool = true;

    unsafe fn zero() -> Self::Vector;
    /// The words from `from` on.
    unsafe fn load(from: *const u32) -> Self::Vector;
    /// One word in every lane.
    unsafe fn splat(word: u32) -> Self::Vector;
    /// `sum + a * b` in every lane; where a word holds two numbers, both products are added.
    unsafe fn multiply_add(sum: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c` of single numbers, rounded as [`Instructions::multiply_add`] does for float32.
    #[inline(always)]
    fn fused(a: f32, b: f32, c: f32) -> f32 {
        if Self::FUSED { a.mul_add(b, c) } else { a * b + c }
    }
    /// Write the sums from `to` on.
    unsafe fn store(to: *mut f32, sums: Self::Vector);
    /// Round numbers to words; there are a multiple of 32 numbers, or of two vectors' lanes. A float32 is a word as it is.
    #[inline(always)]
    unsafe fn to_words(numbers: &[f32], words: &mut [u32]) {
        words[..numbers.len()].copy_from_slice(bytemuck::cast_slice(numbers));
    }
}

/// Multiply; `take` gets the row, the first column, and the sums of a stretch of columns, for all of the product.
///
/// `depth` is the number of words in a row. A tile is `TALL` rows high and two vectors wide, which fills the registers:
/// 12 rows of 512 bits, 6 of 256.
///
/// # Safety
/// The processor must have the instructions `I`.
#[inline(always)]
pub unsafe fn multiply<I: Instructions, const TALL: usize>(
    left: Rows<'_>,
    right: Panels<'_>,
    depth: usize,
    mut take: impl FnMut(usize, usize, &mut [f32]),
) {
    if left.count == 0 || right.count == 0 || depth == 0 {
        return;
    }
    assert!((left.count - 1) * left.stride + depth <= left.words.len(), "a row ends outside its words");
    let last = (right.count - 1) * right.next + (depth - 1) * right.stride;
    assert!(last + PANEL <= right.words.len(), "a panel ends outside its words");
    let wide = 2 * I::LANES;
    let mut sums = [[0f32; PANEL]; TALL];
    for column in (0..right.count * PANEL).step_by(wide) {
        let panel = &right.words[column / PANEL * right.next + column % PANEL..];
        for first in (0..left.count).step_by(TALL) {
            // Past the last row, a tile computes that row again and its sums are not used.
            let rows = std::array::from_fn(|i| &left.words[(first + i).min(left.count - 1) * left.stride..]);
            // SAFETY: the assertions above hold for every row and every panel.
            unsafe { tile::<I, TALL>(rows, panel, right.stride, depth, &mut sums) };
            for (row, sums) in (first..left.count).zip(&mut sums) {
                take(row, column, &mut sums[..wide]);
            }
        }
    }
}

/// One tile: `rows` and the panel have `depth` words and rows.
#[inline(always)]
unsafe fn tile<I: Instructions, const TALL: usize>(
    rows: [&[u32]; TALL],
    panel: &[u32],
    stride: usize,
    depth: usize,
    out: &mut [[f32; PANEL]; TALL],
) {
    unsafe {
        let rows = rows.map(<[u32]>::as_ptr);
        let mut sums = [[I::zero(); 2]; TALL];
        let mut right = panel.as_ptr();
        for step in 0..depth {
            let columns = [I::load(right), I::load(right.add(I::LANES))];
            for (sum, row) in sums.iter_mut().zip(rows) {
                let word = I::splat(*row.add(step));
                *sum = [I::multiply_add(sum[0], word, columns[0]), I::multiply_add(sum[1], word, columns[1])];
            }
            right = right.wrapping_add(stride);
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            I::store(out.as_mut_ptr(), sum[0]);
            I::store(out.as_mut_ptr().add(I::LANES), sum[1]);
        }
    }
}
