//! What a processor must be able to do for a product.

/// How numbers become words of 32 bits.
///
/// Every function may be called only on a processor that has what it is made of.
#[expect(clippy::missing_safety_doc, reason = "said once, above")]
pub unsafe trait Words {
    /// Numbers in a word.
    const PER_WORD: usize;
    /// Round numbers to words; there are a multiple of 32 numbers, or of two vectors' lanes. A float32 is a word as it is.
    #[inline(always)]
    unsafe fn to_words(numbers: &[f32], words: &mut [u32]) {
        words[..numbers.len()].copy_from_slice(bytemuck::cast_slice(numbers));
    }
}

/// The vector instructions that products are made of.
///
/// Every function may be called only on a processor that has them.
#[expect(clippy::missing_safety_doc, reason = "said once, above")]
pub unsafe trait Instructions: Words {
    /// A vector of words, or of as many float32 sums.
    type Vector: Copy;
    /// Words in a vector.
    const LANES: usize;
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
}
