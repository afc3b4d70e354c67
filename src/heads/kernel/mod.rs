//! A kernel machine on frozen embeddings: ridge regression on the targets in the space of a Gaussian kernel, and a
//! logistic regression on its answers to rows left out with their groups.
//!
//! Ridge regression on one-hot targets is the regularised least-squares classifier (Rifkin, Yeo & Poggio 2003), as
//! accurate as a support vector machine and solved by one Cholesky factorisation for all targets. Of many rows it sees only
//! some as landmarks (Nyström: Williams & Seeger 2001), so that its cost grows linearly with the rows. The answer to each
//! training row by a fit without that row costs nothing more, which serves four times: to choose the kernel, to teach the
//! logistic regression that turns answers into logits (stacking, Wolpert 1992), to say which rows are hard, and to learn
//! from the validation rows and yet answer them as if they were new.
//!
//! Where some rows are no landmarks, only those are asked: a landmark whose row is left out is free to fit the others, and
//! the answer there is worse than to any new row.

mod answer;
mod choice;
mod fit;
mod gram;
mod problem;
mod settings;
mod stack;

pub use answer::KernelMachine;
pub use fit::{fit, margins};
pub use gram::add_products;
pub use settings::{KernelSettings, KernelShape};
