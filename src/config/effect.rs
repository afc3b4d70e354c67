//! Which settings have an effect beside the others. One that has none is refused where a file sets it: whoever turns a
//! switch believes that it does something.

use super::augment::{AugmentConfig, SmoteKind};
use super::error::Fault;
use super::evaluate::EvaluateConfig;
use super::features::FeatureConfig;
use super::file::Config;
use super::head_kind::HeadKind;
use super::network::{AveragingKind, OutputKind, ScheduleKind};
use super::split::{GivenTestDuplicates, SplitConfig};
use super::train::TrainConfig;
use super::tuning::EncoderTraining;

/// A key that is set, and why it does nothing.
struct Dead {
    key: String,
    why: String,
}

impl Config {
    /// Whether every setting that differs from its default has an effect.
    pub(super) fn check_effects(&self) -> Result<(), Fault> {
        let dead = self.dead();
        let Some(Dead { key, why }) = dead.first() else { return Ok(()) };
        let alike: Vec<String> = dead[1..]
            .iter()
            .filter(|other| other.why == *why)
            .map(|other| format!("`{}`", other.key))
            .collect();
        let (others, them) = match &alike[..] {
            [] => (String::new(), "it"),
            others => (format!(", nor have {}", others.join(", ")), "them"),
        };
        Fault::at(key, format!("has no effect {why}{others}; remove {them}"))
    }

    /// This config with every setting that has no effect at its default: of two configs that differ in such settings alone,
    /// the same.
    pub fn without_dead_settings(mut self) -> Self {
        if !self.network() {
            let weight = super::train::task_weight();
            self.train.tasks.iter_mut().for_each(|task| task.weight = weight);
        }
        let Ok(mut table) = toml::Table::try_from(&self) else { return self };
        for Dead { key, .. } in self.dead() {
            let mut at = &mut table;
            let (sections, name) = key.rsplit_once('.').unwrap_or(("", &key));
            for section in sections.split('.') {
                match at.get_mut(section).and_then(toml::Value::as_table_mut) {
                    Some(inner) => at = inner,
                    None => return self,
                }
            }
            at.remove(name);
        }
        table.try_into().unwrap_or(self)
    }

    fn network(&self) -> bool {
        self.train.heads().contains(&HeadKind::Network)
    }

    /// Every setting that does nothing, in the order of the file.
    fn dead(&self) -> Vec<Dead> {
        let mut dead = Vec::new();
        let sections = [
            ("features", changed(&self.features, &FeatureConfig::default())),
            ("split", changed(&self.split, &SplitConfig::default())),
            ("augment", changed(&self.augment, &AugmentConfig::default())),
            ("train", changed(&self.train, &TrainConfig::default())),
            ("evaluate", changed(&self.evaluate, &EvaluateConfig::default())),
        ];
        for (section, keys) in sections {
            for key in keys {
                let key = format!("{section}.{key}");
                dead.extend(self.why_dead(&key).map(|why| Dead { key, why }));
            }
        }
        if let Some(i) = self.train.tasks.iter().position(|task| task.weight != super::train::task_weight()) {
            let why = self.head_is_no(HeadKind::Network);
            dead.extend(why.map(|why| Dead { key: format!("train.tasks[{i}].weight"), why }));
        }
        dead
    }

    /// What must be otherwise for a key to have an effect; `None` where it has one.
    fn why_dead(&self, key: &str) -> Option<String> {
        let (train, augment) = (&self.train, &self.augment);
        let without = |unless: bool, what: &str| (!unless).then(|| format!("without {what}"));
        match key {
            "features.terms" => self.head_is_no(HeadKind::Kernel),
            "split.given_test_duplicates" => without(!self.data.test_files.is_empty(), "data.test_files")
                .filter(|_| self.split.given_test_duplicates != GivenTestDuplicates::Drop),
            "augment.synonyms.swap_share" => {
                without(augment.synonyms.variants > 0, "augment.synonyms.variants of at least 1")
            }
            "augment.synonyms.fields"
            | "augment.synonyms.protect"
            | "augment.synonyms.cosine_min"
            | "augment.synonyms.cosine_max" => without(
                augment.synonyms.variants + augment.eda.variants + augment.back_translation.through.len() > 0,
                "augment.synonyms.variants or augment.eda.variants of at least 1, or augment.back_translation.through",
            ),
            "augment.eda.deletion" | "augment.eda.swap" => {
                without(augment.eda.variants > 0, "augment.eda.variants of at least 1")
            }
            "augment.back_translation.from" | "augment.back_translation.models" => {
                without(!augment.back_translation.through.is_empty(), "augment.back_translation.through")
            }
            "augment.back_translation.url" | "augment.back_translation.command" => {
                let back = &augment.back_translation;
                let by_url = back.url.is_some() && key == "augment.back_translation.command";
                without(!back.through.is_empty(), "augment.back_translation.through")
                    .or_else(|| {
                        back.models.is_some().then(|| "with augment.back_translation.models".to_owned())
                    })
                    .or_else(|| by_url.then(|| "with augment.back_translation.url".to_owned()))
            }
            "augment.mixup.lambda" => without(augment.mixup.ratio > 0.0, "augment.mixup.ratio above 0")
                .or_else(|| {
                    augment.mixup.alpha.map(|_| "with augment.mixup.alpha, which draws the weight".to_owned())
                }),
            "augment.mixup.alpha" | "augment.mixup.between_classes" => {
                without(augment.mixup.ratio > 0.0, "augment.mixup.ratio above 0")
            }
            "augment.smote.k" => without(augment.smote.kind != SmoteKind::Off, "augment.smote.kind"),
            "augment.smote.m" => {
                without(augment.smote.kind == SmoteKind::Borderline, "augment.smote.kind = \"borderline\"")
            }
            "train.head" | "train.encoder" | "train.class_weights" | "train.tasks" => None,
            "train.range_weight" if train.range_weight == 0.0 => None,
            "train.range_weight" if self.label.range.is_none() => {
                Some("without label.range, whose numbers it weights".to_owned())
            }
            "train.range_weight" => self.head_is_no(HeadKind::Network).map(|why| {
                format!("{why}: other heads solve the range for itself, and only 0 leaves it out")
            }),
            "train.nearest" => self.head_is_no(HeadKind::Knn),
            "train.kernel.term_weight" if !self.features.terms => {
                Some("with features.terms = false".to_owned())
            }
            "evaluate.decision" if !self.evaluate.costs.is_empty() => {
                Some("with evaluate.costs, by which answers are decided".to_owned())
            }
            _ if train.encoder.is_frozen() && key.starts_with("train.tuning") => {
                Some("with train.encoder = \"frozen\"".to_owned())
            }
            "train.tuning.rank" | "train.tuning.alpha" => {
                without(train.encoder == EncoderTraining::Lora, "train.encoder = \"lora\"")
            }
            _ if key.starts_with("train.tuning") => None,
            _ if key.starts_with("train.kernel.") => self.head_is_no(HeadKind::Kernel),
            _ if key.starts_with("train.trees.") => self.head_is_no(HeadKind::Trees),
            "train.ensemble.frozen" => without(train.head == HeadKind::Ensemble, "train.head = \"ensemble\"")
                .or_else(|| train.encoder.is_frozen().then(|| "with train.encoder = \"frozen\"".to_owned())),
            _ if key.starts_with("train.ensemble.") => {
                without(train.head == HeadKind::Ensemble, "train.head = \"ensemble\"")
            }
            _ if key.starts_with("train.") => {
                self.head_is_no(HeadKind::Network).or_else(|| self.why_dead_in_network(key))
            }
            _ => None,
        }
    }

    /// [`Self::why_dead`] of the keys of a network.
    fn why_dead_in_network(&self, key: &str) -> Option<String> {
        let train = &self.train;
        let without = |unless: bool, what: &str| (!unless).then(|| format!("without {what}"));
        match key {
            _ if key.starts_with("train.plateau.") => {
                without(train.schedule == ScheduleKind::Plateau, "train.schedule = \"plateau\"")
            }
            "train.warmup" => without(train.schedule == ScheduleKind::Cosine, "train.schedule = \"cosine\""),
            "train.focal_gamma" => {
                without(train.output != OutputKind::Coral, "train.output = \"softmax\" or \"corn\"")
            }
            "train.ema_decay" => without(train.averaging == AveragingKind::Ema, "train.averaging = \"ema\""),
            "train.swa_from" => without(train.averaging == AveragingKind::Swa, "train.averaging = \"swa\""),
            "train.dropout" | "train.batch_norm" | "train.manifold_mixup" => {
                without(!train.hidden.is_empty(), "a hidden layer (train.hidden)")
            }
            _ => None,
        }
    }

    fn head_is_no(&self, wanted: HeadKind) -> Option<String> {
        let name =
            |head: HeadKind| toml::Value::try_from(head).map(|name| name.to_string()).unwrap_or_default();
        let heads = self.train.heads();
        (!heads.contains(&wanted)).then(|| match self.train.head {
            HeadKind::Ensemble => format!("without {} among train.ensemble.heads", name(wanted)),
            head => format!("with train.head = {}, only with {}", name(head), name(wanted)),
        })
    }
}

/// Dotted keys of what is set otherwise than by default; a list is one value.
fn changed<T: serde::Serialize>(section: &T, default: &T) -> Vec<String> {
    fn collect(prefix: &str, of: &toml::Table, default: &toml::Table, found: &mut Vec<String>) {
        for (key, value) in of {
            let other = default.get(key);
            match (value, other) {
                (toml::Value::Table(value), Some(toml::Value::Table(other))) => {
                    collect(&format!("{prefix}{key}."), value, other, found);
                }
                _ if other == Some(value) => {}
                _ => found.push(format!("{prefix}{key}")),
            }
        }
    }
    let mut found = Vec::new();
    if let (Ok(of), Ok(default)) = (toml::Table::try_from(section), toml::Table::try_from(default)) {
        collect("", &of, &default, &mut found);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parsed(rest: &str) -> Result<Config, String> {
        let text = format!(
            "name = \"t\"\ndata = {{ files = [\"a.csv\"], text_fields = [\"t\"] }}\nlabel.column = \"l\"\n{rest}"
        );
        Config::parse(&text, Path::new("p.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_switch_without_effect_is_refused_with_what_it_needs() {
        for (rest, key, needs) in [
            (
                "[train]\nfocal_gamma = 2",
                "train.focal_gamma",
                "train.head = \"kernel\", only with \"network\"",
            ),
            ("[train]\nhidden = [8]", "train.hidden", "only with \"network\""),
            ("[train]\nhead = \"knn\"\nkernel.gamma = 2", "train.kernel.gamma", "only with \"kernel\""),
            ("[train]\nrange_weight = 3", "train.range_weight", "label.range"),
            ("[train]\nhead = \"network\"\nwarmup = 0.2", "train.warmup", "train.schedule = \"cosine\""),
            (
                "[train]\nhead = \"network\"\nhidden = []\nmanifold_mixup = 1",
                "train.manifold_mixup",
                "hidden layer",
            ),
            ("[train]\n[[train.tasks]]\ncolumn = \"c\"\nweight = 3", "train.tasks[0].weight", "only with"),
            (
                "[train]\nhead = \"network\"\n[augment.eda]\nswap = 0.3",
                "augment.eda.swap",
                "augment.eda.variants",
            ),
            (
                "[train]\nhead = \"ensemble\"\nensemble.heads = [\"knn\", \"kernel\"]\nmembers = 2",
                "train.members",
                "without \"network\" among train.ensemble.heads",
            ),
            ("[split]\ngiven_test_duplicates = \"keep\"", "split.given_test_duplicates", "data.test_files"),
        ] {
            let error = parsed(rest).expect_err(rest);
            assert!(error.contains(&format!("{key} has no effect")) && error.contains(needs), "{error}");
        }
        parsed("[train]\nclass_weights = true").unwrap();
        parsed("[train]\nhead = \"network\"\nschedule = \"cosine\"\nwarmup = 0.2\nfocal_gamma = 2").unwrap();
    }

    #[test]
    fn configs_that_differ_in_nothing_that_matters_become_one() {
        let raw = |rest: &str| {
            let text = format!(
                "name = \"t\"\ndata = {{ files = [\"a.csv\"], text_fields = [\"t\"] }}\nlabel.column = \"l\"\n{rest}"
            );
            toml::from_str::<Config>(&text).unwrap()
        };
        let one = raw(
            "[train]\ndropout = 0.3\nplateau.factor = 0.1\n[augment.smote]\nk = 9\n[[train.tasks]]\ncolumn = \"c\"\nweight = 3",
        );
        let other = raw("[[train.tasks]]\ncolumn = \"c\"");
        assert_eq!(one.without_dead_settings(), other.without_dead_settings());
        let network = raw("[train]\nhead = \"network\"\ndropout = 0.3");
        assert_eq!(network.clone().without_dead_settings(), network);
    }
}
