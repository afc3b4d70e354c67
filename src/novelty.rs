//! How unlike the rows of a training a new row is: by the distance of its texts to the nearest of theirs, told as a p-value.
//!
//! Deep nearest neighbours (Sun et al. 2022, arXiv 2204.06507) with the threshold of a conformal test (Vovk et al. 2005, chapter 7). A training
//! row is compared with the other groups alone, so that copies of it do not make every new row look strange. Each text field is compared with
//! itself, and a row is as strange as its strangest text: one that is blank, or alike in most rows, says nothing of the others.

use std::path::Path;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::embed::Embeddings;
use crate::heads::{Floats, TensorError, Tensors, Whole};

/// A row is unlike those of the training where at most this share of rows like those would be as strange. It is the rate of false alarms.
pub const UNLIKE: f32 = 0.01;

/// Rows that new ones are compared with: three megabytes for two fields of 384 values.
const MOST_LANDMARKS: usize = 1000;
/// Rows whose distances are kept.
const MOST_DISTANCES: usize = 4000;
/// Rows that are compared at once.
const BLOCK: usize = 256;

/// The texts of rows.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    /// The embeddings of each text field: `rows × dims`.
    pub fields: &'a [Embeddings],
    /// Whether the text of a field is blank, by field and row.
    pub is_blank: &'a (dyn Fn(usize, usize) -> bool + Sync),
}

impl Texts<'_> {
    /// The embeddings of a field of some rows, each of length 1; zeros of a blank text.
    fn units(&self, field: usize, rows: &[usize]) -> Vec<f32> {
        let of = |&row: &usize| unit(self.fields[field].row(row), (self.is_blank)(field, row));
        rows.iter().flat_map(of).collect()
    }

    /// For each of `rows`, `1 − cosine` of its text in a field to the nearest of the `landmarks` of other groups, which are the units of the
    /// rows that stand beside them; infinity where there are none, no number where the text is blank.
    fn apart(
        &self,
        field: usize,
        rows: &[usize],
        (landmarks, of): (&[f32], &[usize]),
        groups: &[usize],
    ) -> Vec<f32> {
        let apart = |rows: &[usize]| {
            let may_be = |row: usize, landmark: usize| groups[rows[row]] != groups[of[landmark]];
            nearest(&self.units(field, rows), landmarks, self.fields[field].dims, may_be)
        };
        let mut found: Vec<f32> = rows.par_chunks(BLOCK).flat_map_iter(apart).collect();
        for (distance, &row) in found.iter_mut().zip(rows) {
            if (self.is_blank)(field, row) {
                *distance = f32::NAN;
            }
        }
        found
    }
}

/// Rows of a training, and how far such rows are from each other.
#[derive(Clone, Debug)]
pub struct Novelty {
    dims: usize,
    fields: Vec<Field>,
    /// Of training rows the smallest of their fields' ranks, ascending.
    ranks: Vec<f32>,
}

/// A text field.
#[derive(Clone, Debug)]
struct Field {
    /// `landmarks × dims`, each of length 1; of a blank text zeros, which are near nothing.
    landmarks: Floats,
    /// Of training rows to their nearest landmark in another group, `1 − cosine`, ascending.
    distances: Vec<f32>,
}

impl Novelty {
    /// From the texts of the rows of a training, with the near-duplicate group of each; the first `asked` of them say how far such rows are
    /// from others. `None` where these are too few to tell: no row could have a p-value of [`UNLIKE`].
    pub fn fit(texts: Texts<'_>, groups: &[usize], asked: usize, seed: u64) -> Option<Self> {
        let (rows, dims) = (groups.len(), texts.fields.first()?.dims);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let chosen = sample(&mut rng, rows, rows.min(MOST_LANDMARKS)).into_vec();
        let asked = sample(&mut rng, asked, asked.min(MOST_DISTANCES)).into_vec();
        let mut fields = Vec::with_capacity(texts.fields.len());
        // Of each field, the distance of each row; none of a blank text.
        let mut all: Vec<Vec<f32>> = Vec::with_capacity(texts.fields.len());
        for place in 0..texts.fields.len() {
            let landmarks = texts.units(place, &chosen);
            let found = texts.apart(place, &asked, (&landmarks, &chosen), groups);
            let mut distances: Vec<f32> = found.iter().copied().filter(|d| d.is_finite()).collect();
            distances.sort_unstable_by(f32::total_cmp);
            fields.push(Field { landmarks: Floats::Own(landmarks), distances });
            all.push(found);
        }
        let least = |row: usize| {
            let ranks = fields.iter().zip(&all).filter(|(_, of)| of[row].is_finite());
            ranks.map(|(field, of)| field.rank(of[row])).reduce(f32::min)
        };
        let mut ranks: Vec<f32> = (0..asked.len()).filter_map(least).collect();
        ranks.sort_unstable_by(f32::total_cmp);
        let novelty = Self { dims, fields, ranks };
        (novelty.least() <= UNLIKE).then_some(novelty)
    }

    /// The smallest p-value there can be.
    fn least(&self) -> f32 {
        1.0 / (self.ranks.len() + 1) as f32
    }

    /// For each row, the share of rows like those of the training that are at least as strange, in `(0, 1]`; as many text fields as in the
    /// training, with embeddings of as many values.
    pub fn p_values(&self, texts: Texts<'_>) -> Vec<f32> {
        let rows = texts.fields.first().map_or(0, Embeddings::rows);
        let mut least = vec![1.0f32; rows];
        for (place, (field, embeddings)) in self.fields.iter().zip(texts.fields).enumerate() {
            least.par_chunks_mut(BLOCK).enumerate().for_each(|(block, least)| {
                let first = block * BLOCK;
                let of = |row: usize| unit(embeddings.row(row), (texts.is_blank)(place, row));
                let units: Vec<f32> = (first..first + least.len()).flat_map(of).collect();
                let found = nearest(&units, &field.landmarks, self.dims, |_, _| true);
                for (row, (least, distance)) in least.iter_mut().zip(found).enumerate() {
                    if !(texts.is_blank)(place, first + row) {
                        *least = least.min(field.rank(distance));
                    }
                }
            });
        }
        let p_value =
            |rank: f32| (self.ranks.partition_point(|&known| known <= rank) + 1) as f32 * self.least();
        least.into_iter().map(p_value).collect()
    }

    /// Write it, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TensorError> {
        let mut tensors = Tensors::default();
        for (place, field) in self.fields.iter().enumerate() {
            let size = [field.landmarks.len() / self.dims, self.dims];
            tensors.put(&format!("{place}.landmarks"), &size, &field.landmarks);
            tensors.put(&format!("{place}.distances"), &[field.distances.len()], &field.distances);
        }
        tensors.put("ranks", &[self.ranks.len()], &self.ranks);
        tensors.write(path)
    }

    /// From the `bytes` of the file at `path`, for rows of so many text `fields` of `dims` values.
    ///
    /// # Errors
    /// They are no such file.
    pub fn load(path: &Path, bytes: Whole, fields: usize, dims: usize) -> Result<Self, TensorError> {
        let mut tensors = Tensors::parse(path, bytes)?;
        let mut ascending = |name: &str| {
            let mut values = tensors.take::<f32>(name, &[tensors.rows_of(name)])?;
            values.sort_unstable_by(f32::total_cmp);
            Ok::<_, TensorError>(values)
        };
        let ranks = ascending("ranks")?;
        let distances: Vec<_> =
            (0..fields).map(|place| ascending(&format!("{place}.distances"))).collect::<Result<_, _>>()?;
        let field = |(place, distances)| {
            let name = format!("{place}.landmarks");
            let landmarks = tensors.take_numbers(&name, &[tensors.rows_of(&name), dims])?;
            Ok(Field { landmarks, distances })
        };
        Ok(Self {
            dims,
            fields: distances.into_iter().enumerate().map(field).collect::<Result<_, TensorError>>()?,
            ranks,
        })
    }
}

impl Field {
    /// The share of training rows that are at least as far from their nearest; in `(0, 1]`.
    fn rank(&self, distance: f32) -> f32 {
        let nearer = self.distances.partition_point(|&known| known < distance);
        (self.distances.len() - nearer + 1) as f32 / (self.distances.len() + 1) as f32
    }
}

/// For each row the mean, over its texts that are not blank, of `1 − cosine` to the nearest of at most a thousand rows of other
/// groups, which are drawn from `seed`; what is no number where there are none.
pub fn distances(texts: Texts<'_>, groups: &[usize], seed: u64) -> Vec<f32> {
    let rows = groups.len();
    let chosen = sample(&mut ChaCha8Rng::seed_from_u64(seed), rows, rows.min(MOST_LANDMARKS)).into_vec();
    let all: Vec<usize> = (0..rows).collect();
    let mut sums = vec![[0.0f32; 2]; rows];
    for place in 0..texts.fields.len() {
        let landmarks = texts.units(place, &chosen);
        let found = texts.apart(place, &all, (&landmarks, &chosen), groups);
        for (sums, distance) in sums.iter_mut().zip(found).filter(|(_, distance)| distance.is_finite()) {
            *sums = [sums[0] + distance, sums[1] + 1.0];
        }
    }
    sums.into_iter().map(|[sum, count]| sum / count).collect()
}

/// A text's embedding with length 1; zeros of a blank one.
fn unit(row: &[f32], blank: bool) -> impl Iterator<Item = f32> {
    let length = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    let scale = if length > 0.0 && !blank { 1.0 / length } else { 0.0 };
    row.iter().map(move |&v| (f64::from(v) * scale) as f32)
}

/// `1 − cosine` of each of `rows` to the nearest of those `others` that may be its neighbour, by their places; infinity where none may.
fn nearest(rows: &[f32], others: &[f32], dims: usize, may_be: impl Fn(usize, usize) -> bool) -> Vec<f32> {
    let (count, of) = (rows.len() / dims, others.len() / dims);
    let mut cosines: Mat<f32> = Mat::zeros(of, count);
    let (a, b) =
        (MatRef::from_row_major_slice(others, of, dims), MatRef::from_row_major_slice(rows, count, dims));
    matmul(cosines.as_mut(), Accum::Replace, a, b.transpose(), 1.0, Par::Seq);
    let one = |(row, column): (usize, faer::ColRef<'_, f32>)| {
        let allowed = column.iter().enumerate().filter(|(other, _)| may_be(row, *other));
        allowed.map(|(_, cosine)| (1.0 - cosine).max(0.0)).fold(f32::INFINITY, f32::min)
    };
    cosines.col_iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn distances_are_to_other_groups_and_of_texts_that_are_there() {
        let fields = [
            Embeddings { dims: 2, values: vec![1.0, 0.0, 2.0, 0.0, 0.0, 1.0, 3.0, 3.0] },
            Embeddings { dims: 2, values: vec![0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0] },
        ];
        let is_blank = |field: usize, row: usize| field == 1 && row == 3;
        let found = distances(Texts { fields: &fields, is_blank: &is_blank }, &[0, 0, 1, 2], 1);
        let half = 1.0 - 0.5f32.sqrt();
        // The first two are one group: in the first field the fourth row is their nearest, in the second the third, at a right angle.
        let expected = [(half + 1.0) / 2.0, (half + 1.0) / 2.0, (half + 1.0) / 2.0, half];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }
    const DIMS: usize = 16;
    const NEVER: &(dyn Fn(usize, usize) -> bool + Sync) = &|_, _| false;

    /// Rows around one of ten centres, each `copies` times.
    fn drawn(rows: usize, copies: usize, shift: f32, rng: &mut ChaCha8Rng) -> (Embeddings, Vec<usize>) {
        let mut noise = || -> f32 { 0.5 * Distribution::<f32>::sample(&StandardNormal, rng) };
        let (mut values, mut groups) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let point: Vec<f32> = (0..DIMS)
                .map(|d| if d == row % 10 { 3.0 } else { 0.0 } + if d >= 12 { shift } else { 0.0 } + noise())
                .collect();
            for _ in 0..copies {
                values.extend(point.iter().map(|v| v + 0.01 * noise()));
                groups.push(row);
            }
        }
        (Embeddings { dims: DIMS, values }, groups)
    }

    fn p_values(novelty: &Novelty, fields: &[Embeddings]) -> Vec<f32> {
        novelty.p_values(Texts { fields, is_blank: NEVER })
    }

    /// The rate of false alarms is the one that is said, for many and for few training rows, with copies, and for several fields; what is
    /// elsewhere in one field is seen.
    #[test]
    fn false_alarms_are_as_many_as_said_and_strange_rows_are_seen() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (rows, copies, fields) in [(150, 1, 1), (150, 3, 1), (1000, 1, 1), (3000, 2, 1), (600, 1, 4)] {
            let (mut alarms, mut seen, mut asked) = (0, 0, 0);
            for seed in 0..8 {
                let mut groups = Vec::new();
                let mut many = |rows, copies, shift| -> Vec<Embeddings> {
                    let one = |field| {
                        let shift = if field == 0 { shift } else { 0.0 };
                        let (values, of) = drawn(rows, copies, shift, &mut rng);
                        groups = of;
                        values
                    };
                    (0..fields).map(one).collect()
                };
                let (ordinary, strange) = (many(2000, 1, 0.0), many(2000, 1, 7.0));
                let training = many(rows, copies, 0.0);
                let texts = Texts { fields: &training, is_blank: NEVER };
                let novelty = Novelty::fit(texts, &groups, groups.len(), seed).unwrap();
                let count = |fields| p_values(&novelty, fields).iter().filter(|&&p| p <= UNLIKE).count();
                alarms += count(&ordinary);
                seen += count(&strange);
                asked += 2000;
            }
            let rate = alarms as f64 / asked as f64;
            assert!((0.002..0.02).contains(&rate), "{rows} rows, {fields} fields: {rate}");
            assert!(seen as f64 > 0.95 * asked as f64, "{rows} rows, {fields} fields: {seen} of {asked}");
        }
    }

    /// Of a blank text nothing is said, also where some training rows have none; the others count as they do alone.
    #[test]
    fn a_blank_text_neither_hides_nor_makes_a_strange_row() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let (first, groups) = drawn(500, 1, 0.0, &mut rng);
        let training = [first, drawn(500, 1, 0.0, &mut rng).0];
        let sometimes = |field: usize, row: usize| field == 1 && row.is_multiple_of(5);
        let texts = Texts { fields: &training, is_blank: &sometimes };
        let novelty = Novelty::fit(texts, &groups, 500, 1).unwrap();
        let blank = |field: usize, _: usize| field == 1;
        for (shift, least, most) in [(0.0, 0, 20), (7.0, 950, 1000)] {
            let asked = [drawn(1000, 1, shift, &mut rng).0, drawn(1000, 1, 7.0, &mut rng).0];
            let found = novelty.p_values(Texts { fields: &asked, is_blank: &blank });
            let unlike = found.iter().filter(|&&p| p <= UNLIKE).count();
            assert!((least..=most).contains(&unlike), "{shift}: {unlike}");
        }
    }

    #[test]
    fn too_few_rows_or_groups_cannot_tell() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let fit = |of: (Embeddings, Vec<usize>)| {
            Novelty::fit(Texts { fields: &[of.0], is_blank: NEVER }, &of.1, of.1.len(), 1).is_some()
        };
        assert!(!fit(drawn(98, 1, 0.0, &mut rng)));
        assert!(fit(drawn(99, 1, 0.0, &mut rng)));
        assert!(!fit((drawn(99, 1, 0.0, &mut rng).0, vec![0; 99])));
        assert!(Novelty::fit(Texts { fields: &[], is_blank: NEVER }, &[], 0, 1).is_none());
    }

    #[test]
    fn a_saved_one_says_the_same_and_another_width_is_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (values, groups) = drawn(200, 1, 0.0, &mut rng);
        let fields = [values, drawn(200, 1, 0.0, &mut rng).0];
        let novelty = Novelty::fit(Texts { fields: &fields, is_blank: NEVER }, &groups, 200, 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("novelty.safetensors");
        novelty.save(&path).unwrap();
        let bytes = || Whole::Own(std::fs::read(&path).unwrap());
        let read = Novelty::load(&path, bytes(), 2, DIMS).unwrap();
        let asked = [drawn(300, 1, 1.0, &mut rng).0, drawn(300, 1, 0.0, &mut rng).0];
        assert_eq!(p_values(&read, &asked), p_values(&novelty, &asked));
        let wider = Novelty::load(&path, bytes(), 2, DIMS + 1);
        assert!(matches!(wider, Err(TensorError::Shape { .. })));
        assert!(matches!(Novelty::load(&path, bytes(), 3, DIMS), Err(TensorError::Missing { .. })));
    }
}
