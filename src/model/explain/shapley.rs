//! Shapley values: what each player adds to the value of a game, the mean over all orders in which they may join.
//!
//! Sampled over permutations (Castro, Gómez & Tejada 2009), each followed by its reverse (Mitchell et al. 2022, "Sampling Permutations for
//! Shapley Value Estimation"), so that what two players do to one another is shared evenly between them in every draw. In each order the
//! players' parts add up to the value of all less that of none, and so do their means.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Who takes part: a truth value for each player.
pub type Coalition = Vec<bool>;

/// A part of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// In the unit of the value.
    pub value: f64,
    /// Of the mean over the draws; 0 where all coalitions were asked.
    pub standard_error: f64,
}

/// What each player adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributions {
    /// The value of nobody.
    pub none: f64,
    /// The value of all players.
    pub all: f64,
    /// `draws × players`: one where all coalitions were asked, else the mean over an order and its reverse in each.
    draws: Vec<Vec<f64>>,
}

impl Contributions {
    /// Whether all coalitions were asked, so that nothing was left to chance.
    pub fn is_exact(&self) -> bool {
        self.draws.len() == 1
    }

    /// What `players` add together. What they add is not independent, so that the error is that of their sums.
    pub fn share(&self, players: impl Iterator<Item = usize> + Clone) -> Share {
        let sums: Vec<f64> =
            self.draws.iter().map(|draw| players.clone().map(|player| draw[player]).sum()).collect();
        let count = sums.len() as f64;
        let value = sums.iter().sum::<f64>() / count;
        let squares: f64 = sums.iter().map(|sum| (sum - value).powi(2)).sum();
        let standard_error = if self.is_exact() { 0.0 } else { (squares / (count - 1.0) / count).sqrt() };
        Share { value, standard_error }
    }
}

/// About how many coalitions [`shapley`] asks of; of `permutations` orders some coalitions are the same.
pub fn coalitions(players: usize, permutations: usize) -> usize {
    let sampled = 2 * permutations.div_ceil(2).max(2) * players;
    let all = u32::try_from(players).ok().and_then(|players| 1usize.checked_shl(players));
    all.unwrap_or(usize::MAX).min(sampled + 2)
}

/// What each of so many `players` adds to the value, over `permutations` orders (rounded up to an even number, at least 4), or over all
/// coalitions where these are no more. `values` is asked once, about different coalitions, of which the first has nobody and the second
/// everybody.
///
/// # Errors
/// Those of `values`.
pub fn shapley<E>(
    players: usize,
    permutations: usize,
    seed: u64,
    values: impl FnOnce(&[Coalition]) -> Result<Vec<f64>, E>,
) -> Result<Contributions, E> {
    let pairs = permutations.div_ceil(2).max(2);
    let exact = u32::try_from(players).ok().and_then(|players| 1usize.checked_shl(players));
    let exact = exact.filter(|&coalitions| players == 0 || coalitions <= 2 * pairs * players);
    let mut asked = Asked::default();
    asked.place(vec![false; players]);
    asked.place(vec![true; players]);
    if let Some(coalitions) = exact {
        let of = |set: usize| (0..players).map(|player| set >> player & 1 == 1).collect::<Coalition>();
        let places: Vec<usize> = (0..coalitions).map(|set| asked.place(of(set))).collect();
        let values = values(&asked.coalitions)?;
        let value = |set: usize| values[places[set]];
        // The share of the orders in which just so many players came before.
        let weights = weights(players);
        let added = |player: usize| -> f64 {
            let without = (0..coalitions).filter(|set| set >> player & 1 == 0);
            without
                .map(|set| weights[set.count_ones() as usize] * (value(set | 1 << player) - value(set)))
                .sum()
        };
        let (none, all) = (values[0], value(coalitions - 1));
        return Ok(Contributions { none, all, draws: vec![(0..players).map(added).collect()] });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut orders: Vec<Vec<usize>> = Vec::with_capacity(2 * pairs);
    for _ in 0..pairs {
        let mut order: Vec<usize> = (0..players).collect();
        order.shuffle(&mut rng);
        orders.push(order.clone());
        order.reverse();
        orders.push(order);
    }
    // The places of the coalitions as the players of each order join one after the other.
    let joining: Vec<Vec<usize>> = orders
        .iter()
        .map(|order| {
            let mut coalition = vec![false; players];
            let join = |&player: &usize| {
                coalition[player] = true;
                asked.place(coalition.clone())
            };
            order.iter().map(join).collect()
        })
        .collect();
    let values = values(&asked.coalitions)?;
    let draw = |(orders, joining): (&[Vec<usize>], &[Vec<usize>])| {
        let mut added = vec![0.0; players];
        for (order, places) in orders.iter().zip(joining) {
            let mut before = values[0];
            for (&player, &place) in order.iter().zip(places) {
                added[player] += (values[place] - before) / 2.0;
                before = values[place];
            }
        }
        added
    };
    let draws = orders.chunks_exact(2).zip(joining.chunks_exact(2)).map(draw).collect();
    Ok(Contributions { none: values[0], all: values[1], draws })
}

/// Different coalitions in the order in which they were first named.
#[derive(Default)]
struct Asked {
    coalitions: Vec<Coalition>,
    places: HashMap<Coalition, usize>,
}

impl Asked {
    fn place(&mut self, coalition: Coalition) -> usize {
        let next = self.coalitions.len();
        *self.places.entry(coalition).or_insert_with_key(|coalition| {
            self.coalitions.push(coalition.clone());
            next
        })
    }
}

/// For each number of players that came before, 1 / (players × binomial(players − 1, number)).
fn weights(players: usize) -> Vec<f64> {
    let mut weights = Vec::with_capacity(players);
    let mut choices = 1.0;
    for before in 0..players {
        weights.push(1.0 / (players as f64 * choices));
        choices *= (players - 1 - before) as f64 / (before + 1) as f64;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn of(players: usize, permutations: usize, seed: u64, game: &dyn Fn(&[bool]) -> f64) -> Contributions {
        let values = |coalitions: &[Coalition]| -> Result<Vec<f64>, Infallible> {
            Ok(coalitions.iter().map(|coalition| game(coalition)).collect())
        };
        shapley(players, permutations, seed, values).unwrap()
    }

    fn one(found: &Contributions, player: usize) -> Share {
        found.share(std::iter::once(player))
    }

    /// A glove game: player 0 has a left glove, 1 and 2 a right one each; a pair is worth 1. Shapley: 2/3, 1/6, 1/6.
    #[test]
    fn few_players_are_told_exactly() {
        let found = of(3, 4, 1, &|c| f64::from(u8::from(c[0] && (c[1] || c[2]))));
        assert!(found.is_exact());
        for (player, expected) in [2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0].into_iter().enumerate() {
            let share = one(&found, player);
            assert!((share.value - expected).abs() < 1e-12 && share.standard_error == 0.0, "{share:?}");
        }
        let nobody = of(0, 16, 1, &|_| 5.0);
        assert_eq!((nobody.none, nobody.all, nobody.share(std::iter::empty()).value), (5.0, 5.0, 0.0));
    }

    /// Of a sum each player adds its own part in every order, and of products of two both add half: neither is left to chance.
    #[test]
    fn sums_and_pairs_have_no_error() {
        let weight = |player: usize| player as f64 - 7.3;
        let game = |c: &[bool]| {
            let sum: f64 = (0..20).filter(|&player| c[player]).map(weight).sum();
            sum + 3.0 * f64::from(u8::from(c[2] && c[5]))
        };
        let found = of(20, 8, 3, &game);
        assert!(!found.is_exact());
        for player in 0..20 {
            let share = one(&found, player);
            let half = if [2, 5].contains(&player) { 1.5 } else { 0.0 };
            assert!((share.value - weight(player) - half).abs() < 1e-9, "{player}: {share:?}");
            assert!(share.standard_error < 1e-9, "{share:?}");
        }
    }

    /// A game without order or symmetry: parts add up whatever the draw, all coalitions tell the mean of the samples, and the standard
    /// errors are as large as the means are off.
    #[test]
    fn parts_add_up_and_errors_are_as_large_as_said() {
        const PLAYERS: usize = 10;
        let game = |c: &[bool]| {
            let sum: f64 =
                c.iter().enumerate().map(|(p, &here)| f64::from(u8::from(here)) * (p + 1) as f64).sum();
            (sum / 9.0).sin() * 4.0 + f64::from(u8::from(c[1] && c[4] && !c[7])) * 2.0
        };
        let exact = of(PLAYERS, 1 << 12, 0, &game);
        assert!(exact.is_exact());
        let (mut within, mut all) = (0, 0);
        for seed in 0..40 {
            let found = of(PLAYERS, 32, seed, &game);
            assert!(!found.is_exact());
            let sum = found.share(0..PLAYERS);
            assert!((sum.value - (found.all - found.none)).abs() < 1e-9 && sum.standard_error < 1e-9);
            for player in 0..PLAYERS {
                let (share, truth) = (one(&found, player), one(&exact, player).value);
                within += usize::from((share.value - truth).abs() <= 2.0 * share.standard_error);
                all += 1;
            }
        }
        let share = within as f64 / all as f64;
        assert!((0.88..0.99).contains(&share), "{share}");
        assert_eq!(of(PLAYERS, 32, 5, &game), of(PLAYERS, 32, 5, &game));
        assert_ne!(of(PLAYERS, 32, 5, &game), of(PLAYERS, 32, 6, &game));
    }
}
