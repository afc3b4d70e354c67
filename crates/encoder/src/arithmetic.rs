//! Number formats, ways to run an encoder, and the arithmetic that follows from both on this processor.

use serde::{Deserialize, Serialize};

/// Number format of the encoder's weights and activations. Embeddings are always stored as `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// `bf16` on a processor with instructions for it, else `f32`.
    Auto,
    /// 32-bit floats: equal to sentence-transformers (cosine at least 0.9999).
    F32,
    /// bfloat16: faster where the processor has it, cosine at least 0.999 to `f32`.
    Bf16,
}

/// What runs the encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The own pass where it can run the encoder, else rust-bert.
    #[default]
    Auto,
    /// The own pass.
    Native,
    /// rust-bert over libtorch.
    RustBert,
}

/// How an embedding's numbers are computed. Two of them differ in the last bits at least, so each has its own caches and
/// models; the name is part of the fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// The own pass in float32, products and sums fused: the same bits on every processor that fuses them.
    F32,
    /// The own pass in float32 on a processor that does not fuse products and sums.
    F32Unfused,
    /// The own pass by the bfloat16 instructions of AVX-512.
    Bf16Avx512,
    /// rust-bert over libtorch, float32.
    RustBertF32,
    /// rust-bert over libtorch, bfloat16.
    RustBertBf16,
}

impl Arithmetic {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::F32, Self::F32Unfused, Self::Bf16Avx512, Self::RustBertF32, Self::RustBertBf16];

    /// Name in fingerprints, manifests and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F32Unfused => "f32-unfused",
            Self::Bf16Avx512 => "bf16-avx512",
            Self::RustBertF32 => "rust-bert-f32",
            Self::RustBertBf16 => "rust-bert-bf16",
        }
    }

    /// Number format, never `auto`.
    pub fn precision(self) -> Precision {
        match self {
            Self::F32 | Self::F32Unfused | Self::RustBertF32 => Precision::F32,
            Self::Bf16Avx512 | Self::RustBertBf16 => Precision::Bf16,
        }
    }

    /// Whether libtorch is needed.
    pub fn needs_torch(self) -> bool {
        matches!(self, Self::RustBertF32 | Self::RustBertBf16)
    }

    /// Whether this processor has the instructions.
    pub fn runs_here(self) -> bool {
        match self {
            Self::F32 => fuses(),
            Self::Bf16Avx512 => has_bf16(),
            Self::F32Unfused => !fuses(),
            Self::RustBertF32 | Self::RustBertBf16 => true,
        }
    }

    /// The arithmetic of the own pass for `precision` on this processor; `None` where it has no instructions for it.
    pub fn native(precision: Precision) -> Option<Self> {
        match precision {
            Precision::Auto | Precision::Bf16 if has_bf16() => Some(Self::Bf16Avx512),
            Precision::Bf16 => None,
            Precision::Auto | Precision::F32 if fuses() => Some(Self::F32),
            Precision::Auto | Precision::F32 => Some(Self::F32Unfused),
        }
    }

    /// The arithmetic of rust-bert for `precision`: `auto` is what the own pass would take.
    pub fn rust_bert(precision: Precision) -> Self {
        match precision {
            Precision::Bf16 => Self::RustBertBf16,
            Precision::Auto if has_bf16() => Self::RustBertBf16,
            Precision::Auto | Precision::F32 => Self::RustBertF32,
        }
    }
}

fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_has_an_arithmetic_that_runs_here() {
        for precision in [Precision::Auto, Precision::F32, Precision::Bf16] {
            let rust_bert = Arithmetic::rust_bert(precision);
            assert!(rust_bert.runs_here() && rust_bert.needs_torch());
            if let Some(native) = Arithmetic::native(precision) {
                assert!(native.runs_here() && !native.needs_torch());
                assert!(precision == Precision::Auto || native.precision() == precision);
            }
        }
        assert!(Arithmetic::native(Precision::F32).is_some());
        let names: std::collections::HashSet<_> = Arithmetic::ALL.iter().map(|a| a.name()).collect();
        assert_eq!(names.len(), Arithmetic::ALL.len());
    }
}
