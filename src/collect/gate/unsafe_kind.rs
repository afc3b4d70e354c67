//! What a text may be about that is nothing for families.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a text may be about that is nothing for families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsafeKind {
    /// Sexual acts, pornography, bodies as a stimulus; not anatomy, reproduction, bathing.
    Sexual,
    /// Suicide, self-harm, starving, dangerous dares.
    SelfHarm,
    /// Weapons that are meant to wound; not toys and tools of that name.
    Weapons,
    /// Illegal drugs, smoking, drunkenness; not medicines and drug stores.
    Drugs,
    /// Slurs and gross insults.
    Slurs,
    /// Killing, wounding, torturing of people and pets; not contests, films, rules of safety.
    Violence,
}

impl UnsafeKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Sexual, Self::SelfHarm, Self::Weapons, Self::Drugs, Self::Slurs, Self::Violence];
}

impl fmt::Display for UnsafeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sexual => "sex",
            Self::SelfHarm => "self-harm",
            Self::Weapons => "weapons",
            Self::Drugs => "drugs",
            Self::Slurs => "slurs",
            Self::Violence => "violence",
        })
    }
}
