//! Which file declares which stage.

use super::declaration::Declaration;
use super::stage::Stage;
use super::{augment, embed, evaluate, split, train};

/// What a stage says of itself.
pub fn declaration(stage: Stage) -> &'static Declaration {
    match stage {
        Stage::Embed => &embed::EMBED,
        Stage::Split => &split::SPLIT,
        Stage::Augment => &augment::AUGMENT,
        Stage::Train => &train::TRAIN,
        Stage::Evaluate => &evaluate::EVALUATE,
    }
}
