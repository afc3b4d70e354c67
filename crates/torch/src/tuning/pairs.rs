//! Pairs of rows of one class and of two.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Two rows, and whether they are of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub rows: [usize; 2],
    pub same: bool,
}

/// At most `count` pairs of rows of these `classes`, half of each kind where there are both: every row in turn is given one of
/// its class and one of another, as in SetFit. The class of a row that has none is `None`; it is in no pair.
pub fn draw(classes: &[Option<usize>], count: usize, rng: &mut ChaCha8Rng) -> Vec<Pair> {
    let mut order: Vec<usize> = (0..classes.len()).filter(|&row| classes[row].is_some()).collect();
    // Rows by their classes, and where those of each class are.
    let mut by_class = order.clone();
    by_class.sort_by_key(|&row| classes[row]);
    let first = |class| by_class.partition_point(|&row| classes[row] < class);
    let mut pairs = Vec::new();
    while pairs.len() < count {
        let before = pairs.len();
        order.shuffle(rng);
        for &row in &order {
            let class = classes[row];
            let own = first(class)..first(class.map(|class| class + 1));
            if own.len() > 1 && pairs.len() < count {
                // One of the others of its class: those behind it move up by one.
                let drawn = by_class[own.start + rng.random_range(0..own.len() - 1)];
                let other = if drawn == row { by_class[own.end - 1] } else { drawn };
                pairs.push(Pair { rows: [row, other], same: true });
            }
            let others = by_class.len() - own.len();
            if others > 0 && pairs.len() < count {
                let drawn = rng.random_range(0..others);
                let at = if drawn < own.start { drawn } else { drawn + own.len() };
                pairs.push(Pair { rows: [row, by_class[at]], same: false });
            }
        }
        if pairs.len() == before {
            break;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn pairs_are_of_both_kinds_bounded_and_of_no_row_with_itself() {
        let classes: Vec<Option<usize>> = (0..60).map(|row| (row % 7 != 0).then_some(row % 3)).collect();
        let pairs = draw(&classes, 1000, &mut ChaCha8Rng::seed_from_u64(3));
        assert_eq!(pairs.len(), 1000);
        assert_eq!(pairs.iter().filter(|pair| pair.same).count(), 500);
        for Pair { rows: [a, b], same } in &pairs {
            assert!(a != b && classes[*a].is_some() && classes[*b].is_some());
            assert_eq!(classes[*a] == classes[*b], *same);
        }
        // Every other row of the class is drawn.
        let with: std::collections::HashSet<usize> =
            pairs.iter().filter(|pair| pair.same && pair.rows[0] == 1).map(|pair| pair.rows[1]).collect();
        assert!(with.len() > 5, "{with:?}");
    }

    #[test]
    fn what_has_no_pairs_has_none() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        assert!(draw(&[], 10, &mut rng).is_empty() && draw(&[Some(1)], 10, &mut rng).is_empty());
        let one_class = draw(&[Some(1); 3], 10, &mut rng);
        assert!(one_class.len() == 10 && one_class.iter().all(|pair| pair.same));
        let one_each = draw(&[Some(0), Some(1)], 10, &mut rng);
        assert!(one_each.len() == 10 && one_each.iter().all(|pair| !pair.same));
    }
}
