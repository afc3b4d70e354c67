//! Which class and which values of the attributes each request is about, so that all of them come about equally often.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::task::Task;

/// What the rows of one request have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combination {
    /// Index of the class in the task.
    pub class: usize,
    /// Index of the drawn value for each attribute of the task; `None` of one that the class has not.
    pub values: Vec<Option<usize>>,
}

/// Combinations of a task, without end.
///
/// Classes come by their shares: at each point the class that lacks most of its share is next. Each class draws the values of
/// each attribute for itself, in rounds: a value comes again when all the others have come, in an order shuffled anew. So within
/// a class, counts of an attribute's values differ by at most 1, and no value can give the class away by being drawn
/// more often in it.
pub struct Draws {
    shares: Vec<f64>,
    drawn: Vec<f64>,
    /// By class and attribute.
    rounds: Vec<Vec<Option<Rounds>>>,
}

impl Draws {
    /// Of a checked `task`. Each class and attribute has a stream of its own by its name, so that one more does not move the
    /// others.
    pub fn new(task: &Task, seed: u64) -> Self {
        let whole: f64 = task.classes.iter().map(|class| class.share).sum();
        let rounds = |class: &str| {
            let of_attribute = |attribute: &super::task::Attribute| {
                let has = attribute.classes.is_empty() || attribute.classes.iter().any(|name| name == class);
                has.then(|| {
                    Rounds::new(attribute.values.len(), stream(seed, &["attribute", class, &attribute.name]))
                })
            };
            task.attributes.iter().map(of_attribute).collect()
        };
        Self {
            shares: task.classes.iter().map(|class| class.share / whole).collect(),
            drawn: vec![0.0; task.classes.len()],
            rounds: task.classes.iter().map(|class| rounds(&class.name)).collect(),
        }
    }

    fn next_class(&self) -> usize {
        let total: f64 = self.drawn.iter().sum::<f64>() + 1.0;
        let lack = |class: usize| self.shares[class] * total - self.drawn[class];
        (1..self.shares.len())
            .fold(0, |best, class| if lack(class) > lack(best) + 1e-9 { class } else { best })
    }
}

impl Iterator for Draws {
    type Item = Combination;

    fn next(&mut self) -> Option<Combination> {
        let class = self.next_class();
        *self.drawn.get_mut(class)? += 1.0;
        let values =
            self.rounds[class].iter_mut().map(|rounds| rounds.as_mut().and_then(Rounds::next)).collect();
        Some(Combination { class, values })
    }
}

/// The numbers below a count, each once a round, every round shuffled anew.
pub(super) struct Rounds {
    order: Vec<usize>,
    next: usize,
    random: ChaCha8Rng,
}

impl Rounds {
    /// Of the numbers below `count`.
    pub fn new(count: usize, seed: u64) -> Self {
        Self { order: (0..count).collect(), next: 0, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next number; `None` where the count is 0.
    pub fn next(&mut self) -> Option<usize> {
        if self.next == 0 {
            self.order.shuffle(&mut self.random);
        }
        let number = *self.order.get(self.next)?;
        self.next = (self.next + 1) % self.order.len();
        Some(number)
    }
}

/// The seed of the stream that `names` name.
pub(super) fn stream(seed: u64, names: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for name in names {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::task::tests::task;
    use super::*;

    fn draws(count: usize, seed: u64) -> Vec<Combination> {
        Draws::new(&task(), seed).take(count).collect()
    }

    #[test]
    fn classes_come_by_their_shares_at_every_point() {
        for count in 1..200 {
            let first = draws(count, 1).iter().filter(|drawn| drawn.class == 0).count() as f64;
            assert!((first - 0.75 * count as f64).abs() <= 1.0, "{first} of {count}");
        }
        let mut shares = task();
        shares.classes[1].share = 0.0;
        assert!(Draws::new(&shares, 1).take(50).all(|drawn| drawn.class == 0));
    }

    #[test]
    fn values_come_equally_often_within_each_class() {
        for count in [1, 7, 40, 101] {
            let all = draws(count, 3);
            for class in 0..2 {
                let of_class: Vec<&Combination> = all.iter().filter(|drawn| drawn.class == class).collect();
                for (attribute, values) in [(0, 4), (1, 3), (2, 2)] {
                    let counts = (0..values).map(|value| {
                        of_class.iter().filter(|drawn| drawn.values[attribute] == Some(value)).count()
                    });
                    let counts: Vec<usize> = counts.collect();
                    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                    assert!(most - least <= 1, "class {class}, attribute {attribute}: {counts:?}");
                    let expected = if (class, attribute) == (1, 2) { 0 } else { of_class.len() };
                    assert_eq!(counts.iter().sum::<usize>(), expected);
                }
            }
        }
    }

    #[test]
    fn pairs_of_values_all_come() {
        let pairs: std::collections::BTreeSet<_> =
            draws(400, 1).iter().map(|drawn| [drawn.values[0], drawn.values[1]]).collect();
        assert_eq!(pairs.len(), 12);
    }

    #[test]
    fn a_seed_gives_one_order_and_another_attribute_does_not_move_it() {
        assert_eq!(draws(50, 7), draws(50, 7));
        assert_ne!(draws(50, 7), draws(50, 8));
        let mut more = task();
        let mut added = more.attributes[0].clone();
        added.name = "weather".into();
        more.attributes.push(added);
        let first = |all: Vec<Combination>| {
            all.into_iter().map(|drawn| drawn.values[..3].to_vec()).collect::<Vec<_>>()
        };
        let with: Vec<Combination> = Draws::new(&more, 7).take(50).collect();
        assert!(with.iter().any(|drawn| drawn.values[3] != drawn.values[0]));
        assert_eq!(first(with), first(draws(50, 7)));
    }
}
