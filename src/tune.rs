//! A declared space of config values, and what to try next in it.

use std::collections::BTreeMap;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tpe::TpeOptimizer;

use crate::config::{Config, ConfigError, HeadKind, SpaceAxis};

/// Trials drawn at random before the search learns from them.
const RANDOM_TRIALS: usize = 8;

/// Values by their dotted key.
pub type Values = BTreeMap<String, toml::Value>;

/// The space that is searched where the config declares none: what has moved the figures of other datasets.
pub fn default_space(head: HeadKind) -> BTreeMap<String, SpaceAxis> {
    let text = match head {
        HeadKind::Kernel | HeadKind::Ensemble => {
            r#"
            "data.join_text" = [false, true]
            "features.terms" = [true, false]
            "features.text_shape" = [true, false]
            "features.min_count" = [2, 5, 15]
            "train.range_weight" = [0.3, 0.0]
            "train.class_weights" = [false, true]
            "#
        }
        HeadKind::Network => {
            r#"
            "train.hidden" = [[], [64], [128], [256], [128, 64]]
            "train.dropout" = { low = 0.1, high = 0.8 }
            "train.learning_rate" = { low = 1e-4, high = 3e-3, log = true }
            "train.weight_decay" = { low = 1e-5, high = 1e-2, log = true }
            "train.batch_size" = [32, 64, 128]
            "train.focal_gamma" = [0.0, 1.0, 2.0]
            "train.label_smoothing" = [0.0, 0.05, 0.1]
            "train.class_weights" = [false, true]
            "train.members" = [1, 5]
            "#
        }
        HeadKind::Trees => {
            r#"
            "train.trees.depth" = [3, 4, 5, 6, 8]
            "train.trees.learning_rate" = { low = 0.02, high = 0.2, log = true }
            "train.trees.columns" = { low = 0.02, high = 1.0, log = true }
            "train.trees.rows" = { low = 0.5, high = 1.0 }
            "#
        }
        HeadKind::Knn | HeadKind::Prototypes | HeadKind::Logistic => {
            r#"
            "data.join_text" = [false, true]
            "features.text_shape" = [true, false]
            "train.range_weight" = [0.3, 0.0]
            "train.class_weights" = [false, true]
            "#
        }
    };
    toml::from_str(text).unwrap_or_else(|e| unreachable!("the space is tested: {e}"))
}

/// One value that is searched for.
struct SearchAxis {
    /// Its key in the config, as in `tune.space`.
    key: String,
    /// What it may be.
    axis: SpaceAxis,
    optimizer: TpeOptimizer,
}

/// A search by the tree-structured Parzen estimator (Bergstra et al. 2011), each value for itself.
pub struct Search {
    axes: Vec<SearchAxis>,
    asked: Vec<f64>,
    told: usize,
    rng: ChaCha8Rng,
}

impl Search {
    /// A search in `space`, the same for the same seed and losses.
    pub fn new(space: &BTreeMap<String, SpaceAxis>, seed: u64) -> Self {
        let optimizer = |axis: &SpaceAxis| match axis {
            SpaceAxis::Choices(choices) => tpe::categorical_range(choices.len())
                .map(|range| TpeOptimizer::new(tpe::histogram_estimator(), range)),
            SpaceAxis::Span { .. } => {
                let [low, high] = ends(axis);
                tpe::range(low, high).map(|range| TpeOptimizer::new(tpe::parzen_estimator(), range))
            }
        };
        let axes = space.iter().map(|(key, axis)| {
            let made = optimizer(axis).unwrap_or_else(|e| unreachable!("the config checks the space: {e:?}"));
            SearchAxis { key: key.clone(), axis: axis.clone(), optimizer: made }
        });
        Self { axes: axes.collect(), asked: Vec::new(), told: 0, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// What to try next.
    pub fn ask(&mut self) -> Values {
        self.next(self.told < RANDOM_TRIALS)
    }

    /// Something else to try, at random.
    pub fn draw(&mut self) -> Values {
        self.next(true)
    }

    fn next(&mut self, random: bool) -> Values {
        let mut values = Values::new();
        self.asked.clear();
        for SearchAxis { key, axis, optimizer } in &mut self.axes {
            let [low, high] = ends(axis);
            let at = if random {
                self.rng.random_range(low..high)
            } else {
                optimizer.ask(&mut self.rng).unwrap_or(low)
            };
            self.asked.push(at);
            values.insert(key.clone(), value_at(axis, at));
        }
        values
    }

    /// How bad the values last asked for were; infinite where they do not fit together.
    pub fn tell(&mut self, loss: f64) {
        let loss = if loss.is_finite() { loss } else { f64::MAX };
        for (SearchAxis { optimizer, .. }, &at) in self.axes.iter_mut().zip(&self.asked) {
            // It refuses values outside its range and losses that are no numbers; neither occurs.
            let _ = optimizer.tell(at, loss);
        }
        self.told += 1;
    }
}

/// Ends of an axis as the search sees it: logarithms, or the places of a list.
fn ends(axis: &SpaceAxis) -> [f64; 2] {
    match axis {
        SpaceAxis::Choices(choices) => [0.0, choices.len() as f64],
        SpaceAxis::Span { low, high, log: true, .. } => [low.ln(), high.ln()],
        SpaceAxis::Span { low, high, whole: true, .. } => [*low, high + 1.0],
        SpaceAxis::Span { low, high, .. } => [*low, *high],
    }
}

fn value_at(axis: &SpaceAxis, at: f64) -> toml::Value {
    match axis {
        SpaceAxis::Choices(choices) => choices[(at as usize).min(choices.len() - 1)].clone(),
        SpaceAxis::Span { low, high, log, whole } => {
            let value = if *log { at.exp() } else { at }.clamp(*low, *high);
            if *whole {
                toml::Value::Integer(value.floor() as i64)
            } else {
                toml::Value::Float(three_digits(value))
            }
        }
    }
}

/// Rounded to three significant digits: more would look like knowledge.
fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// The config with these values.
///
/// # Errors
/// A key that does not exist, or values that do not fit.
pub fn with_values(config: &Config, values: &Values, path: &Path) -> Result<Config, ConfigError> {
    let unreadable =
        |e: toml::ser::Error| ConfigError::Parse { path: path.to_owned(), message: e.to_string() };
    let mut table = toml::Table::try_from(config).map_err(unreadable)?;
    for (key, value) in values {
        let mut at = &mut table;
        let mut names: Vec<&str> = key.split('.').collect();
        let last = names.pop().unwrap_or_default();
        for name in names {
            let inner = at.entry(name).or_insert_with(|| toml::Table::new().into());
            at = inner.as_table_mut().ok_or_else(|| ConfigError::Invalid {
                path: path.to_owned(),
                key: format!("tune.space.{key}"),
                problem: format!("names no value: {name} is no section"),
            })?;
        }
        at.insert(last.to_owned(), value.clone());
    }
    Config::made(&table, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::parse(include_str!("../pipeline.toml"), Path::new("pipeline.toml")).unwrap()
    }

    #[test]
    fn it_finds_the_good_part_of_a_space() {
        let space: BTreeMap<String, SpaceAxis> = toml::from_str(
            r#"
            "train.dropout" = { low = 0.0, high = 0.9 }
            "train.learning_rate" = { low = 1e-5, high = 1e-1, log = true }
            "train.epochs" = { low = 1, high = 9, whole = true }
            "train.batch_size" = [16, 32, 64]
            "#,
        )
        .unwrap();
        let run = |seed| {
            let mut search = Search::new(&space, seed);
            let mut losses = Vec::new();
            let mut config = config();
            config.train.head = HeadKind::Network;
            for _ in 0..60 {
                let tried = with_values(&config, &search.ask(), Path::new("p")).unwrap().train;
                let rate = (tried.learning_rate.log10() + 3.0).powi(2);
                let batch = if tried.batch_size == 64 { 0.0 } else { 1.0 };
                let loss = (tried.dropout - 0.3).abs() * 3.0
                    + rate
                    + batch
                    + (tried.epochs as f64 - 7.0).abs() / 9.0;
                search.tell(loss);
                losses.push(loss);
            }
            losses
        };
        let losses = run(1);
        assert_eq!(losses, run(1));
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        assert!(mean(&losses[40..]) < 0.6 * mean(&losses[..RANDOM_TRIALS]), "{losses:?}");
    }

    #[test]
    fn the_default_spaces_are_valid_configs() {
        for head in [HeadKind::Kernel, HeadKind::Network, HeadKind::Trees, HeadKind::Knn, HeadKind::Logistic]
        {
            let mut config = config();
            config.train.head = head;
            for (key, axis) in default_space(head) {
                let [low, high] = ends(&axis);
                for at in [low, high] {
                    let values = Values::from([(key.clone(), value_at(&axis, at))]);
                    with_values(&config, &values, Path::new("p")).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_key_that_does_not_exist_is_named() {
        let values = Values::from([("train.dropuot".to_owned(), toml::Value::Float(0.5))]);
        let error = with_values(&config(), &values, Path::new("p")).unwrap_err().to_string();
        assert!(error.contains("did you mean `dropout`"), "{error}");
    }
}
