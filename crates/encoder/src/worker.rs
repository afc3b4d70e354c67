//! What embeds a batch: the own pass, or whatever somebody else runs.

use crate::batch::Batch;
use crate::encode::EncoderError;
use crate::pool::Packed;

/// Turns the token ids of a batch into a vector for each of its texts; one a thread.
pub trait Worker: Send {
    /// The vector of each text of `batch`, in its order.
    ///
    /// # Errors
    /// The model does not fit the tokens, or cannot be run.
    fn embed(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, EncoderError>;

    /// The worker itself, where it runs the own pass, of which several can have one text.
    fn own_pass(&mut self) -> Option<&mut Packed> {
        None
    }
}

impl Worker for Packed {
    fn embed(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, EncoderError> {
        self.embed(batch)
    }

    fn own_pass(&mut self) -> Option<&mut Packed> {
        Some(self)
    }
}
