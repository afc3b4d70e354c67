//! The product of rows and panels, tile by tile.

use super::instructions::Instructions;

/// Columns of a panel, see [`Panels`]. Columns of a product come in multiples of it.
pub const PANEL: usize = 32;

/// Words in a line of the processor's cache.
const LINE: usize = 16;

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

/// Ask for the 16 words about `from`, which may be anywhere: with few rows on the left, the time is that of fetching the panels.
#[inline(always)]
pub fn ask_for(from: *const u32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// Sums of a tile, each row from a cache line on.
#[repr(align(64))]
struct Sums<const TALL: usize>([[f32; PANEL]; TALL]);

/// Multiply; `take` gets the row, the first column, and the sums of a stretch of columns, for all of the product.
///
/// `depth` is the number of words in a row. A tile is `TALL` rows high and two vectors wide, which fills the registers:
/// 12 rows of 512 bits, 6 of 256. Where no more than `FEW` rows are left, which are fewer than `TALL`, it is so high.
///
/// # Safety
/// The processor must have the instructions `I`.
#[inline(always)]
pub unsafe fn multiply<I: Instructions, const TALL: usize, const FEW: usize>(
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
    let Sums(sums) = &mut Sums([[0.0; PANEL]; TALL]);
    let panel_at = |column: usize| &right.words[column / PANEL * right.next + column % PANEL..];
    let columns = right.count * PANEL;
    for column in (0..columns).step_by(wide) {
        let panel = panel_at(column);
        let next = panel_at(if column + wide < columns { column + wide } else { column });
        for (i, first) in (0..left.count).step_by(TALL).enumerate() {
            // A tile asks for so many rows of the next panel, the tile below it for the ones after them.
            let ahead = i * depth.div_ceil(per_asked::<I>()) % depth;
            let ahead = next.as_ptr().wrapping_add(ahead * right.stride);
            // Past the last row, a tile computes that row again and its sums are not used.
            let row = |i: usize| &left.words[(first + i).min(left.count - 1) * left.stride..];
            // SAFETY: the assertions above hold for every row and every panel.
            unsafe {
                match sums.first_chunk_mut::<FEW>() {
                    Some(sums) if left.count - first <= FEW => {
                        tile::<I, FEW>(std::array::from_fn(row), panel, right.stride, depth, ahead, sums);
                    }
                    _ => tile::<I, TALL>(std::array::from_fn(row), panel, right.stride, depth, ahead, sums),
                }
            }
            for (row, sums) in (first..left.count).zip(&mut *sums) {
                take(row, column, &mut sums[..wide]);
            }
        }
    }
}

/// Rows of a panel that a tile multiplies for each one of the next panel that it asks for.
const fn per_asked<I: Instructions>() -> usize {
    128 / I::LANES
}

/// One tile: `rows` and the panel have `depth` words and rows.
#[inline(always)]
unsafe fn tile<I: Instructions, const TALL: usize>(
    rows: [&[u32]; TALL],
    panel: &[u32],
    stride: usize,
    depth: usize,
    mut ahead: *const u32,
    out: &mut [[f32; PANEL]; TALL],
) {
    unsafe {
        let rows = rows.map(<[u32]>::as_ptr);
        let mut sums = [[I::zero(); 2]; TALL];
        let mut right = panel.as_ptr();
        for first in (0..depth).step_by(per_asked::<I>()) {
            ask_for(ahead);
            if 2 * I::LANES > LINE {
                ask_for(ahead.wrapping_add(LINE));
            }
            ahead = ahead.wrapping_add(stride);
            for step in first..depth.min(first + per_asked::<I>()) {
                let columns = [I::load(right), I::load(right.add(I::LANES))];
                for (sum, row) in sums.iter_mut().zip(rows) {
                    let word = I::splat(*row.add(step));
                    *sum = [
                        I::multiply_add(sum[0], word, columns[0]),
                        I::multiply_add(sum[1], word, columns[1]),
                    ];
                }
                right = right.wrapping_add(stride);
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            I::store(out.as_mut_ptr(), sum[0]);
            I::store(out.as_mut_ptr().add(I::LANES), sum[1]);
        }
    }
}
