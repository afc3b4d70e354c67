//! The properties by which an evaluation asks where the model is worse.

use super::context::Context;
use super::rows::Rows;
use crate::evaluate::{Named, Slicing};
use crate::novelty::{Texts, distances};

/// Values of a column that are looked at, the most frequent ones.
const MOST_VALUES: usize = 20;

impl Context<'_> {
    /// The rows `of` by every categorical column, by file, length of the texts, how near their number is to the edge of a class, and
    /// distance from other rows.
    pub(super) fn slicings(&self, rows: &Rows, of: &[usize]) -> Vec<Slicing> {
        let data = &rows.dataset;
        let mut slicings = Vec::new();
        for (place, column) in data.categorical.iter().enumerate() {
            let values = of.iter().enumerate().flat_map(|(at, &row)| {
                data.rows[row].cells.categories[place].iter().map(move |value| (at, value.clone()))
            });
            slicings.push(most_frequent(Slicing::of_values(column, values)));
        }
        if data.files.len() > 1 {
            let file =
                |(at, &row): (usize, &usize)| (at, data.files[data.rows[row].file].display().to_string());
            slicings.push(most_frequent(Slicing::of_values("file", of.iter().enumerate().map(file))));
        }
        let words = |&row: &usize| {
            let texts = data.rows[row].cells.texts.iter();
            texts.map(|text| text.split_whitespace().count()).sum::<usize>() as f32
        };
        let words: Vec<f32> = of.iter().map(words).collect();
        let of_words: Named<'_> = &|from, to| match from == to {
            true => format!("{from} words"),
            false => format!("{from} – {to} words"),
        };
        slicings.push(Slicing::of_numbers("length of the texts", &words, &[of_words; 4]));
        let edges: Vec<f32> = self
            .project
            .config
            .label
            .range
            .iter()
            .flat_map(|rule| rule.classes.iter().filter_map(|class| class.below.map(|edge| edge as f32)))
            .collect();
        if !(edges.is_empty() || rows.ranges.is_empty()) {
            let off = |&row: &usize| {
                let [low, high] = rows.ranges[row];
                let middle = (low + high) / 2.0;
                edges.iter().map(|edge| (middle - edge).abs()).fold(f32::INFINITY, f32::min)
            };
            let off: Vec<f32> = of.iter().map(off).collect();
            let of_edge: Named<'_> = &|from, to| format!("{from:.1} – {to:.1}");
            slicings.push(Slicing::of_numbers("distance to the edge of a class", &off, &[of_edge; 4]));
        }
        let apart = self.distances(rows, of);
        let names: [Named<'_>; 4] = [
            &|_, to| format!("the nearest (cosine {:.2} and more)", 1.0 - to),
            &|from, to| format!("near (cosine {:.2} – {:.2})", 1.0 - to, 1.0 - from),
            &|from, to| format!("far (cosine {:.2} – {:.2})", 1.0 - to, 1.0 - from),
            &|from, _| format!("the farthest (cosine {:.2} and less)", 1.0 - from),
        ];
        slicings.push(Slicing::of_numbers("distance to other rows", &apart, &names));
        slicings
    }

    /// How far the texts of each of the rows `of` are from those of other groups.
    fn distances(&self, rows: &Rows, of: &[usize]) -> Vec<f32> {
        let fields = rows.fields(&rows.raw, of);
        let is_blank = |field: usize, at: usize| rows.is_blank(field, of[at]);
        let texts = Texts { fields: &fields, is_blank: &is_blank };
        distances(texts, &rows.truth(of).groups, self.project.config.seed_for("slices"))
    }
}

fn most_frequent(mut slicing: Slicing) -> Slicing {
    slicing.values.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
    slicing.values.truncate(MOST_VALUES);
    slicing
}
