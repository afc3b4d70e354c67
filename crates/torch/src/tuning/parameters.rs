//! Which weights learn, and how fast.

use pipeline::fine_tuning::{Depth, Phase, TuningSettings};

use super::model::Model;

/// A weight that learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    /// Its greatest learning rate.
    pub rate: f64,
    /// Whether it decays: biases and layer norms do not.
    pub decays: bool,
}

/// What learns in a phase, by name.
pub fn learning(model: &Model, settings: &TuningSettings, phase: Phase) -> Vec<Parameter> {
    let layers = model.bert.config.num_hidden_layers;
    let frozen = model.frozen(settings.depth);
    let rate = |name: &str| {
        let of_head = model.readout.owns(name);
        match phase {
            _ if of_head => (phase != Phase::Contrastive).then_some(settings.head_learning_rate),
            Phase::Head => None,
            Phase::Contrastive | Phase::Encoder => {
                let level = level(name)?;
                let learns = match settings.depth {
                    Depth::Top(_) => level > frozen,
                    Depth::Lora { .. } => name.ends_with(".lora_a") || name.ends_with(".lora_b"),
                    Depth::Full => true,
                };
                let below = layers.saturating_sub(level);
                learns.then(|| settings.learning_rate * settings.layer_decay.powi(below as i32))
            }
        }
    };
    let parameter = |name: &String| {
        let decays = !name.ends_with(".bias") && !name.contains("LayerNorm");
        Some(Parameter { name: name.clone(), rate: rate(name)?, decays })
    };
    model.bert.weights.keys().filter_map(parameter).collect()
}

/// 0 for the embeddings, from 1 for the layers; `None` for what is neither.
fn level(name: &str) -> Option<usize> {
    if name.starts_with("embeddings.") {
        return Some(0);
    }
    let layer = name.strip_prefix("encoder.layer.")?.split('.').next()?;
    layer.parse::<usize>().ok().map(|layer| layer + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_from_names() {
        assert_eq!(level("embeddings.LayerNorm.bias"), Some(0));
        assert_eq!(level("encoder.layer.11.output.dense.weight"), Some(12));
        assert_eq!((level("pooler.dense.weight"), level("encoder.layer.x.y")), (None, None));
    }
}
