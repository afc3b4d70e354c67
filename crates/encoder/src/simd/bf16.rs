//! bfloat16 with float32 sums, in vectors of 512 bits.

use std::arch::x86_64::{__m512, __m512bh, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps};

use super::avx512::Avx512;
use super::instructions::{Instructions, Words};

/// AVX-512 BF16.
pub struct Avx512Bf16;

// SAFETY: each function only wraps the instruction that it names; all transmutes are between vectors of 512 bits.
unsafe impl Instructions for Avx512Bf16 {
    type Vector = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        unsafe { Avx512::zero() }
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> __m512 {
        unsafe { Avx512::load(from) }
    }
    #[inline(always)]
    unsafe fn splat(word: u32) -> __m512 {
        unsafe { Avx512::splat(word) }
    }
    #[inline(always)]
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512 {
        use std::mem::transmute;
        unsafe { _mm512_dpbf16_ps(sum, transmute::<__m512, __m512bh>(a), transmute::<__m512, __m512bh>(b)) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, sums: __m512) {
        unsafe { Avx512::store(to, sums) }
    }
}

// SAFETY: as above.
unsafe impl Words for Avx512Bf16 {
    const PER_WORD: usize = 2;
    #[inline(always)]
    unsafe fn to_words(numbers: &[f32], words: &mut [u32]) {
        let (numbers, words) = (numbers.as_chunks::<32>().0, words.as_chunks_mut::<16>().0);
        for (numbers, words) in numbers.iter().zip(words) {
            unsafe {
                let low = _mm512_loadu_ps(numbers.as_ptr());
                let high = _mm512_loadu_ps(numbers.as_ptr().add(16));
                *words = std::mem::transmute::<__m512bh, [u32; 16]>(_mm512_cvtne2ps_pbh(high, low));
            }
        }
    }
}
