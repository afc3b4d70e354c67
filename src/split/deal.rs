//! Groups to parts, classes balanced.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Deal whole groups to parts so that every part gets about its share of every class.
///
/// Returns the part index of each row. Groups are taken in a seeded random order, large ones first, each to the part
/// that lacks its classes most, relative to what the part is due (the greedy rule of scikit-learn's
/// `StratifiedGroupKFold`, with unequal shares). A part that is due less than a row of each of them takes one only as long as it
/// lacks rows at all: so the shares hold over all rows, where those of small classes cannot. `k` equal shares give the folds of k-fold cross-validation.
///
/// `groups` and `classes` have one entry a row; `shares` add up to 1.
pub fn deal(groups: &[usize], classes: &[usize], shares: &[f64], seed: u64) -> Vec<usize> {
    let class_count = classes.iter().max().map_or(0, |m| m + 1);
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    for (row, &group) in groups.iter().enumerate() {
        let index = *place.entry(group).or_insert_with(|| {
            members.push(Vec::new());
            members.len() - 1
        });
        members[index].push(row);
    }
    members.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));

    let mut totals = vec![0.0; class_count];
    classes.iter().for_each(|&c| totals[c] += 1.0);
    let due = |part: usize, class: usize| (shares[part] * totals[class]).max(1e-9);
    let mut dealt = vec![vec![0.0; class_count]; shares.len()];
    let mut parts = vec![0; groups.len()];
    let mut sizes = vec![0; shares.len()];
    for rows in members {
        let want = |part: usize| -> f64 {
            rows.iter()
                .map(|&row| {
                    let due = due(part, classes[row]);
                    (due - dealt[part][classes[row]]) / due
                })
                .sum()
        };
        let open = |part: usize| {
            let whole = rows.iter().any(|&row| due(part, classes[row]) >= 1.0);
            whole || ((sizes[part] + rows.len()) as f64) < shares[part] * groups.len() as f64 + 0.5
        };
        // The first of equals, since the largest share comes first in train/validation/test; of those with the same share the
        // one with the fewest rows, or many small classes would fill the first folds and leave the last ones empty.
        let part = (1..shares.len()).fold(0, |best, p| {
            let lacks_more = want(p) - want(best);
            let fewer = shares[p] == shares[best] && sizes[p] < sizes[best];
            let better = lacks_more > 1e-12 || (fewer && lacks_more > -1e-12);
            let takes = if open(p) == open(best) { better } else { open(p) };
            if takes { p } else { best }
        });
        sizes[part] += rows.len();
        for &row in &rows {
            dealt[part][classes[row]] += 1.0;
            parts[row] = part;
        }
    }
    parts
}
