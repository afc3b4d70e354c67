//! float32 in plain loops that the compiler turns into what the processor has.

use super::instructions::{Instructions, Words};

/// Any processor.
pub struct Portable;

// SAFETY: as the trait's own.
unsafe impl Words for Portable {
    const PER_WORD: usize = 1;
}

// SAFETY: loads and stores are unaligned ones, of as many words as a vector has.
unsafe impl Instructions for Portable {
    type Vector = [f32; 8];
    const LANES: usize = 8;
    // Without the instruction, rounding once would be a call of the C library for each number.
    const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

    #[inline(always)]
    unsafe fn zero() -> [f32; 8] {
        [0.0; 8]
    }
    #[inline(always)]
    unsafe fn load(from: *const u32) -> [f32; 8] {
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn splat(word: u32) -> [f32; 8] {
        [f32::from_bits(word); 8]
    }
    #[inline(always)]
    unsafe fn multiply_add(mut sum: [f32; 8], a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        sum.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum = Self::fused(a, b, *sum));
        sum
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, sums: [f32; 8]) {
        unsafe { to.cast::<[f32; 8]>().write_unaligned(sums) }
    }
}
