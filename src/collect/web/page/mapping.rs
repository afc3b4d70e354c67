//! What a user may set of how a dataset's row is made of what a page says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{ColumnRule, CssRule};

/// What a row is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// A rule for each column of the dataset.
    pub columns: BTreeMap<String, ColumnRule>,
    /// Columns that say the same in each row.
    pub constants: BTreeMap<String, String>,
    /// Fields that rules may name as `css.NAME`.
    pub css: BTreeMap<String, CssRule>,
}
