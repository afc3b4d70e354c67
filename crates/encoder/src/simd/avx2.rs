//! float32 in vectors of 256 bits.

use std::arch::x86_64::{
    __m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::instructions::{Instructions, Words};

/// AVX2 with FMA.
pub struct Avx2;

// SAFETY: as the trait's own.
unsafe impl Words for Avx2 {
    const PER_WORD: usize = 1;
}

// SAFETY: each function only wraps the instruction that it names; loads and stores are unaligned ones.
unsafe impl Instructions for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> __m256 {
        unsafe { _mm256_loadu_ps(from.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(word: u32) -> __m256 {
        unsafe { _mm256_set1_ps(f32::from_bits(word)) }
    }
    #[inline(always)]
    unsafe fn multiply_add(sum: __m256, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, sum) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, sums: __m256) {
        unsafe { _mm256_storeu_ps(to, sums) }
    }
}
