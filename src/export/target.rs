//! The forms that a model is written in.

/// A form that other programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An ONNX graph (opset 17) from tokens to logits, with the tokenizer.
    Onnx,
    /// A sentence-transformers folder; a head that is linear in the embedding is its last module.
    SentenceTransformers,
    /// Weights as `.npy` and the head in NumPy.
    Python,
    /// The model card of the Hugging Face hub, from the figures of the evaluation.
    Card,
    /// The model's files with their card, as a repository of the hub has them.
    Hub,
    /// The raw tables as Croissant (JSON-LD).
    Croissant,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Onnx, Self::SentenceTransformers, Self::Python, Self::Card, Self::Hub, Self::Croissant];

    /// Its name on the command line and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::SentenceTransformers => "sentence-transformers",
            Self::Python => "python",
            Self::Card => "card",
            Self::Hub => "hub",
            Self::Croissant => "croissant",
        }
    }
}
