//! What tells the class beyond what meaning can: a column, a code or a mark in the text, and (as notes) files and order.
//!
//! A leak must pass two tests: it is not chance (by the largest of all candidates on permuted labels, Westfall & Young
//! 1993), and it is too good to be meaning (nearly every row not learned from, where the text without it says less).

mod find;
mod sample;
mod terms;
#[cfg(test)]
mod tests;
mod views;

pub use find::leaks;
pub use sample::LeakInput;
