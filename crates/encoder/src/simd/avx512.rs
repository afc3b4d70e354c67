//! float32 in vectors of 512 bits.

use std::arch::x86_64::{
    __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::instructions::{Instructions, Words};

/// AVX-512 F.
pub struct Avx512;

// SAFETY: as the trait's own.
unsafe impl Words for Avx512 {
    const PER_WORD: usize = 1;
}

// SAFETY: each function only wraps the instruction that it names; loads and stores are unaligned ones.
unsafe impl Instructions for Avx512 {
    type Vector = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> __m512 {
        unsafe { _mm512_loadu_ps(from.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(word: u32) -> __m512 {
        unsafe { _mm512_set1_ps(f32::from_bits(word)) }
    }
    #[inline(always)]
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, sums: __m512) {
        unsafe { _mm512_storeu_ps(to, sums) }
    }
}
