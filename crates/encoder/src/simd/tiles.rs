//! Matrix products on a matrix unit: tiles of sixteen rows of sixteen words, each word two bfloat16 that are neighbours along the
//! summed dimension.
//!
//! A block of the product, 32 rows by 32 columns, stays in four tiles while its inputs stream by, so that each input tile is
//! loaded once for two products. What a step does to the bits is the instruction's definition ([`Tiles::dot`]), so a row's sums
//! depend neither on the rows beside it nor on how the product is cut into blocks.

use super::product::{PANEL, Panels, ask_for};

/// Rows of a tile, and words in a row of it.
pub const TILE: usize = 16;

/// Lines of the next panel that each step of a block asks for.
const ASKED: usize = 8;

/// A matrix unit: eight tiles of [`TILE`] rows of 64 bytes.
///
/// Every function may be called only on a processor that has the unit, in a process that may use it, and with rows that are there.
#[expect(clippy::missing_safety_doc, reason = "said once, above")]
pub unsafe trait Tiles {
    /// All of tile `T` becomes 0.
    unsafe fn zero<const T: usize>(&mut self);
    /// Tile `T` from rows of words, the first at `from`, each `stride` words after the one before.
    unsafe fn load<const T: usize>(&mut self, from: *const u32, stride: usize);
    /// Tile `T`, sums, to rows of float32, the first at `to`, each `stride` numbers after the one before.
    unsafe fn store<const T: usize>(&mut self, to: *mut f32, stride: usize);
    /// `SUMS += LEFT · RIGHT`, as `TDPBF16PS` is defined (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2):
    /// for each row of `LEFT` and each column of `RIGHT` the products of the words' lower numbers are summed in the order of the
    /// words, those of the upper ones likewise, then both sums are added and the result is added to what is there. Each product
    /// and sum is rounded once; subnormal numbers count as 0.
    unsafe fn dot<const SUMS: usize, const LEFT: usize, const RIGHT: usize>(&mut self);
}

/// Sums of a block of a product, row after row, each from a cache line on.
#[repr(align(64))]
pub struct Block(pub [[f32; PANEL]; 2 * TILE]);

impl Default for Block {
    fn default() -> Self {
        Self([[0.0; PANEL]; 2 * TILE])
    }
}

/// A product's left side: rows of words, of which [`TILE`] by [`TILE`] make a tile.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    pub words: &'a [u32],
    /// Rows; those that fill the last tile are there, whatever they hold.
    pub count: usize,
    /// Words from one row of a tile to the next.
    pub row: usize,
    /// Words from one tile to the next along the depth.
    pub along: usize,
    /// Words from one tile to the one below.
    pub below: usize,
}

impl<'a> Left<'a> {
    /// Tiles one behind the other, as [`place`] says.
    pub fn tiled(words: &'a [u32], count: usize, depth: usize) -> Self {
        Self { words, count, row: TILE, along: TILE * TILE, below: TILE * depth }
    }

    /// Rows as they are, `stride` words from one to the next.
    pub fn rows(words: &'a [u32], count: usize, stride: usize) -> Self {
        Self { words, count, row: stride, along: TILE, below: TILE * stride }
    }
}

/// A product's right side, [`PANEL`] columns of it.
#[derive(Clone, Copy)]
pub struct Panel<'a> {
    pub words: &'a [u32],
    /// Words in a column.
    pub depth: usize,
    /// What is read after it, if known: asked for, not looked at.
    pub ahead: &'a [u32],
}

/// Words that `rows` rows of `depth` words take in tiles.
pub fn room(rows: usize, depth: usize) -> usize {
    rows.next_multiple_of(TILE) * depth
}

/// Where the word `column` of `row` is in tiles of rows of `depth` words; the words up to the next multiple of [`TILE`] follow it.
pub fn place(depth: usize, row: usize, column: usize) -> usize {
    row / TILE * TILE * depth + column / TILE * TILE * TILE + row % TILE * TILE + column % TILE
}

/// The block of 32 rows, or the last 16, from `first` on, by a panel of [`PANEL`] columns, row after row to `out`, `stride` numbers
/// from one to the next.
///
/// # Safety
/// The processor must have the unit, and the process may use it.
#[inline(always)]
pub unsafe fn block<T: Tiles>(
    tiles: &mut T,
    left: Left<'_>,
    first: usize,
    panel: Panel<'_>,
    out: &mut [f32],
    stride: usize,
) {
    let Panel { words: panel, depth, ahead } = panel;
    let (steps, tall) = (depth / TILE, (left.count - first).min(2 * TILE).div_ceil(TILE));
    let from = first / TILE * left.below;
    let last = from + (tall - 1) * left.below + (steps - 1) * left.along + (TILE - 1) * left.row;
    assert!(first < left.count && depth.is_multiple_of(TILE) && steps > 0, "no block");
    assert!(last + TILE <= left.words.len(), "a row ends outside its words");
    assert!(depth * PANEL <= panel.len(), "a panel ends outside its words");
    assert!(
        (tall * TILE - 1) * stride + PANEL <= out.len() && PANEL <= stride,
        "a block ends outside its sums"
    );
    // SAFETY: the assertions above hold for every tile.
    unsafe {
        let (mut left_at, below) = (left.words.as_ptr().add(from), left.below);
        let (mut panel_at, mut ahead) = (panel.as_ptr(), ahead.as_ptr());
        let out = out.as_mut_ptr();
        if tall == 2 {
            tiles.zero::<0>();
            tiles.zero::<1>();
            tiles.zero::<2>();
            tiles.zero::<3>();
            for _ in 0..steps {
                for line in 0..ASKED {
                    ask_for(ahead.wrapping_add(line * TILE));
                }
                ahead = ahead.wrapping_add(ASKED * TILE);
                tiles.load::<6>(panel_at, PANEL);
                tiles.load::<4>(left_at, left.row);
                tiles.dot::<0, 4, 6>();
                tiles.load::<7>(panel_at.add(TILE), PANEL);
                tiles.dot::<1, 4, 7>();
                tiles.load::<5>(left_at.wrapping_add(below), left.row);
                tiles.dot::<2, 5, 6>();
                tiles.dot::<3, 5, 7>();
                left_at = left_at.wrapping_add(left.along);
                panel_at = panel_at.wrapping_add(TILE * PANEL);
            }
            tiles.store::<2>(out.add(TILE * stride), stride);
            tiles.store::<3>(out.add(TILE * stride + TILE), stride);
        } else {
            tiles.zero::<0>();
            tiles.zero::<1>();
            for _ in 0..steps {
                for line in 0..ASKED {
                    ask_for(ahead.wrapping_add(line * TILE));
                }
                ahead = ahead.wrapping_add(ASKED * TILE);
                tiles.load::<4>(left_at, left.row);
                tiles.load::<6>(panel_at, PANEL);
                tiles.dot::<0, 4, 6>();
                tiles.load::<7>(panel_at.add(TILE), PANEL);
                tiles.dot::<1, 4, 7>();
                left_at = left_at.wrapping_add(left.along);
                panel_at = panel_at.wrapping_add(TILE * PANEL);
            }
        }
        tiles.store::<0>(out, stride);
        tiles.store::<1>(out.add(TILE), stride);
    }
}

/// Multiply; `take` gets the row, the first column, and the sums of [`PANEL`] columns, for all of the product.
///
/// # Safety
/// As [`block`].
#[inline(always)]
pub unsafe fn multiply_tiled<T: Tiles>(
    tiles: &mut T,
    left: Left<'_>,
    right: Panels<'_>,
    depth: usize,
    mut take: impl FnMut(usize, usize, &mut [f32]),
) {
    let Block(sums) = &mut Block::default();
    for number in 0..right.count {
        let words = &right.words[number * right.next..];
        let next = if number + 1 < right.count { &words[right.next..] } else { words };
        for (i, first) in (0..left.count).step_by(2 * TILE).enumerate() {
            // A block asks for so many lines of the next panel, the block below it for the ones after them.
            let panel = Panel { words, depth, ahead: &next[i * depth * ASKED % (depth * PANEL)..] };
            // SAFETY: the caller answers for the unit.
            unsafe { block(tiles, left, first, panel, sums.as_flattened_mut(), PANEL) };
            // Called in one place only: what is not inlined is not compiled for the caller's instructions.
            for (row, sums) in (first..left.count).zip(&mut *sums) {
                take(row, number * PANEL, sums);
            }
        }
    }
}

/// The unit by its definition, for tests on processors that have none.
#[cfg(test)]
pub mod emulated {
    use super::{TILE, Tiles};

    /// Eight tiles.
    #[derive(Default)]
    pub struct Emulated([[[u32; TILE]; TILE]; 8]);

    fn flushed(x: f32) -> f32 {
        if x.is_subnormal() { 0.0f32.copysign(x) } else { x }
    }

    /// The lower and the upper number of a word.
    fn numbers(word: u32) -> [f32; 2] {
        [flushed(f32::from_bits(word << 16)), flushed(f32::from_bits(word & 0xffff_0000))]
    }

    // SAFETY: only reads and writes the rows that are asked for.
    unsafe impl Tiles for Emulated {
        unsafe fn zero<const T: usize>(&mut self) {
            self.0[T] = [[0; TILE]; TILE];
        }
        unsafe fn load<const T: usize>(&mut self, from: *const u32, stride: usize) {
            for (i, row) in self.0[T].iter_mut().enumerate() {
                *row = unsafe { from.add(i * stride).cast::<[u32; TILE]>().read_unaligned() };
            }
        }
        unsafe fn store<const T: usize>(&mut self, to: *mut f32, stride: usize) {
            for (i, row) in self.0[T].iter().enumerate() {
                unsafe { to.add(i * stride).cast::<[u32; TILE]>().write_unaligned(*row) };
            }
        }
        unsafe fn dot<const SUMS: usize, const LEFT: usize, const RIGHT: usize>(&mut self) {
            let (left, right) = (self.0[LEFT], self.0[RIGHT]);
            for (sums, left) in self.0[SUMS].iter_mut().zip(left) {
                for (column, sum) in sums.iter_mut().enumerate() {
                    let mut parts = [0f32; 2];
                    for (word, row) in left.into_iter().zip(&right) {
                        let (a, b) = (numbers(word), numbers(row[column]));
                        for (part, (a, b)) in parts.iter_mut().zip(a.into_iter().zip(b)) {
                            *part = flushed(a.mul_add(b, *part));
                        }
                    }
                    let added = flushed(parts[0] + parts[1]);
                    *sum = flushed(flushed(f32::from_bits(*sum)) + added).to_bits();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::emulated::Emulated;
    use super::*;
    use half::bf16;

    /// Seemingly random numbers of many sizes, some subnormal.
    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..count)
            .map(|i| if i % 97 == 96 { next() * 1e-39 } else { next() * 2f32.powi((i % 31) as i32 - 15) })
            .collect()
    }

    fn words(numbers: &[f32]) -> Vec<u32> {
        let bits = |n: f32| u32::from(bf16::from_f32(n).to_bits());
        numbers.as_chunks::<2>().0.iter().map(|&[low, high]| bits(low) | bits(high) << 16).collect()
    }

    /// All sums of `rows` by `columns`, on `tiles`.
    fn product<T: Tiles>(tiles: &mut T, rows: usize, columns: usize, depth: usize) -> (Vec<f32>, Vec<f64>) {
        let (left, right) = (numbers(rows * 2 * depth, 1), numbers(columns * 2 * depth, 2));
        let mut tiled = vec![0x7fc0_7fc0; room(rows, depth)]; // no numbers past the last row
        for (i, word) in words(&left).into_iter().enumerate() {
            tiled[place(depth, i / depth, i % depth)] = word;
        }
        let mut panels = vec![0; columns * depth];
        for (i, word) in words(&right).into_iter().enumerate() {
            let (column, at) = (i / depth, i % depth);
            panels[column / PANEL * PANEL * depth + at * PANEL + column % PANEL] = word;
        }
        let right_side =
            Panels { words: &panels, stride: PANEL, next: PANEL * depth, count: columns / PANEL };
        let mut found = vec![f32::NAN; rows * columns];
        // SAFETY: the caller has the unit.
        unsafe {
            multiply_tiled(
                tiles,
                Left::tiled(&tiled, rows, depth),
                right_side,
                depth,
                |row, column, sums| {
                    found[row * columns + column..][..PANEL].copy_from_slice(sums);
                },
            );
        }
        let rounded = |n: &f32| f64::from(bf16::from_f32(*n));
        let exact = (0..rows * columns).map(|i| {
            let (a, b) = (&left[i / columns * 2 * depth..], &right[i % columns * 2 * depth..]);
            a.iter().zip(b).take(2 * depth).map(|(a, b)| rounded(a) * rounded(b)).sum()
        });
        (found, exact.collect())
    }

    #[test]
    fn every_shape_is_the_product_and_the_unit_gives_the_emulated_bits() {
        for (rows, columns, depth) in [(1, 32, 16), (16, 64, 32), (17, 32, 48), (33, 96, 16), (77, 32, 192)] {
            let (found, exact) = product(&mut Emulated::default(), rows, columns, depth);
            let size = numbers(2 * depth, 1).iter().map(|n| n.abs()).fold(0.0, f32::max);
            let allowed = f64::from(size * size) * depth as f64 * 1e-6;
            for (found, exact) in found.iter().zip(exact) {
                assert!(
                    (f64::from(*found) - exact).abs() <= allowed,
                    "{rows} x {columns}, {depth}: {found} {exact}"
                );
            }
            #[cfg(target_arch = "x86_64")]
            if crate::simd::may_use_amx().is_ok() {
                // SAFETY: as asked.
                let (unit, _) = product(&mut unsafe { crate::simd::Amx::start() }, rows, columns, depth);
                let bits = |sums: &[f32]| sums.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
                assert!(bits(&unit) == bits(&found), "{rows} x {columns}, {depth}");
            }
        }
    }
}
