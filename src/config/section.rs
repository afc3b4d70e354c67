//! What every section of the config says of itself.

use super::error::Fault;
use super::number::Number;

/// A table of `pipeline.toml`.
pub(super) trait Section {
    /// Every number of the section, set or not, with what it may be; tables in it are sections of their own.
    fn numbers(&self) -> Vec<Number> {
        Vec::new()
    }

    /// What the numbers' bounds do not say, as far as this section alone can tell.
    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }
}
