//! Rows looked at through one small hole: a column, the file, the place in it, or a piece of the text at a fixed spot.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use super::sample::{Sample, mean_recall};

/// A value with fewer rows learned from is taken for any other rare one.
const LEAST_ROWS: usize = 3;

/// Share of the rows with one value from which the view shows too little.
const NEARLY_ALL: f64 = 0.98;

/// Share of the rows with a word from which what follows it may be a code.
const EVERYWHERE: f64 = 0.8;

/// Most such words of a field, the commonest.
const ANCHORS: usize = 20;

/// Most bins of a number, or three a class if that is more.
const BINS: usize = 20;

/// What a value is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A column that the model is given.
    Column,
    /// A piece of the text.
    Text,
    /// The file of the row.
    File,
    /// Its place there.
    Place,
}

impl Kind {
    /// Whether it is nothing that a model is given.
    pub fn is_outside(self) -> bool {
        matches!(self, Kind::File | Kind::Place)
    }
}

/// The rows by the value that is seen of them.
pub struct View {
    pub what: String,
    pub kind: Kind,
    /// Field and spot of the piece of the text.
    pub spot: Option<(usize, Spot)>,
    /// Places in the sample of each value, ascending.
    pub rows: Vec<Vec<u32>>,
}

impl View {
    /// `None` where nearly all rows look alike.
    fn new<T: Eq + Hash>(
        sample: &Sample<'_>,
        what: String,
        kind: Kind,
        value: impl Fn(usize) -> Option<T>,
    ) -> Option<Self> {
        // 0: no value; 1: a rare one.
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); 2];
        let mut place: HashMap<T, usize> = HashMap::new();
        for at in 0..sample.rows.len() {
            let group = value(at).map_or(0, |value| {
                *place.entry(value).or_insert_with(|| {
                    rows.push(Vec::new());
                    rows.len() - 1
                })
            });
            rows[group].push(at as u32);
        }
        let (rare, mut kept): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .partition(|rows| rows.partition_point(|&at| (at as usize) < sample.learn) < LEAST_ROWS);
        let mut rare = rare.concat();
        rare.sort_unstable();
        kept.push(rare);
        kept.retain(|rows| !rows.is_empty());
        let most = kept.iter().map(Vec::len).max().unwrap_or(0) as f64;
        let shows = kept.len() > 1 && most < NEARLY_ALL * sample.rows.len() as f64;
        shows.then_some(Self { what, kind, spot: None, rows: kept })
    }

    /// For each place checked on (in the order of the sample) the class that its value has most of, as a share of the
    /// class; none where no row learned from has the value.
    pub fn guesses(&self, sample: &Sample<'_>, classes: &[usize]) -> Vec<Option<usize>> {
        let totals = sample.totals(&classes[..sample.learn]);
        let mut counts = vec![0usize; totals.len()];
        let mut guesses = vec![None; sample.rows.len() - sample.learn];
        for rows in &self.rows {
            let (learn, check) = rows.split_at(rows.partition_point(|&at| (at as usize) < sample.learn));
            learn.iter().for_each(|&at| counts[classes[at as usize]] += 1);
            let share = |class: usize| counts[class] as f64 / totals[class].max(1) as f64;
            let better = |best: Option<usize>, &at: &u32| {
                let class = classes[at as usize];
                let order = |best: usize| share(class).total_cmp(&share(best)).then(best.cmp(&class)).is_gt();
                if best.is_none_or(order) { Some(class) } else { best }
            };
            let guess = learn.iter().fold(None, better);
            check.iter().for_each(|&at| guesses[at as usize - sample.learn] = guess);
            learn.iter().for_each(|&at| counts[classes[at as usize]] = 0);
        }
        guesses
    }

    /// Balanced accuracy of [`View::guesses`], with these classes of the places of the sample.
    pub fn balanced_accuracy(&self, sample: &Sample<'_>, classes: &[usize]) -> f64 {
        let mut rows = vec![[0; 2]; sample.dataset.classes.len()];
        for (guess, &class) in self.guesses(sample, classes).into_iter().zip(&classes[sample.learn..]) {
            rows[class][0] += 1;
            rows[class][1] += usize::from(guess == Some(class));
        }
        mean_recall(&rows)
    }

    /// The text of a place in the sample without the piece that this view sees.
    pub fn text_without(&self, sample: &Sample<'_>, at: usize) -> String {
        let mut texts = sample.texts[at].clone();
        if let Some((field, spot)) = &self.spot
            && let Some(piece) = spot.find(&texts[*field])
        {
            texts[*field].replace_range(piece, " ");
        }
        texts.join("\n")
    }
}

/// Where a piece of a text stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    First,
    Last,
    /// Right after the first such word.
    After(String),
    /// The first run of letters and digits that has both.
    Code,
    FirstNumber,
    LastNumber,
    /// How long it is: no piece that could be taken out.
    Length,
}

impl Spot {
    fn find(&self, text: &str) -> Option<Range<usize>> {
        let range = |piece: &str| {
            let start = piece.as_ptr() as usize - text.as_ptr() as usize;
            start..start + piece.len()
        };
        let digit = |run: &&str| run.contains(|c: char| c.is_numeric());
        let letter = |run: &&str| run.contains(char::is_alphabetic);
        match self {
            Spot::First => text.split_whitespace().next(),
            Spot::Last => text.split_whitespace().next_back(),
            Spot::After(word) => runs(text).skip_while(|run| run != word).nth(1),
            Spot::Code => runs(text).find(|run| digit(run) && letter(run)),
            Spot::FirstNumber => runs(text).find(digit),
            Spot::LastNumber => runs(text).filter(digit).last(),
            Spot::Length => None,
        }
        .map(range)
    }

    fn name(&self) -> String {
        match self {
            Spot::First => "the first word".into(),
            Spot::Last => "the last word".into(),
            Spot::After(word) => format!("the word after \"{word}\""),
            Spot::Code => "the first word of letters and digits".into(),
            Spot::FirstNumber => "the first word with a digit".into(),
            Spot::LastNumber => "the last word with a digit".into(),
            Spot::Length => "the length".into(),
        }
    }
}

/// Runs of letters and digits.
pub fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty())
}

/// The parts of a piece that are looked at, the simplest first.
const CUTS: [&str; 8] = [
    "the first letter of ",
    "the last letter of ",
    "the first 2 letters of ",
    "the last 2 letters of ",
    "the first 3 letters of ",
    "the last 3 letters of ",
    "what stands before the digits of ",
    "",
];

/// The part of a piece that is meant by one of [`CUTS`].
fn cut(piece: &str, which: usize) -> &str {
    let start = |n: usize| piece.char_indices().nth(n).map_or(piece.len(), |(at, _)| at);
    let length = piece.chars().count();
    match (which, which / 2 + 1) {
        (0 | 2 | 4, n) => &piece[..start(n)],
        (1 | 3 | 5, n) => &piece[start(length.saturating_sub(n))..],
        (6, _) => &piece[..piece.find(char::is_numeric).unwrap_or(piece.len())],
        _ => piece,
    }
}

/// The columns, the file, and the place in the file.
pub fn given(sample: &Sample<'_>) -> Vec<View> {
    let dataset = sample.dataset;
    let row = |at: usize| &dataset.rows[sample.rows[at]];
    let mut views = Vec::new();
    for (i, name) in dataset.numeric.iter().enumerate() {
        let bin = binned(sample, |at| row(at).cells.numeric[i]);
        views.extend(View::new(sample, format!("column `{name}`"), Kind::Column, |at| bin[at]));
    }
    for (i, name) in dataset.categorical.iter().enumerate() {
        let value = |at: usize| Some(&row(at).cells.categories[i]).filter(|values| !values.is_empty());
        views.extend(View::new(sample, format!("column `{name}`"), Kind::Column, value));
    }
    let file = |at| Some(row(at).file);
    views.extend(View::new(sample, "the file of a row".into(), Kind::File, file));
    views.extend(View::new(sample, "the place of a row in its file".into(), Kind::Place, {
        let mut order: Vec<usize> = (0..sample.rows.len()).collect();
        order.sort_by_key(|&at| (row(at).file, row(at).line));
        let mut place = vec![0; order.len()];
        for file in order.chunk_by(|&a, &b| row(a).file == row(b).file) {
            let blocks = most_bins(sample).min(file.len() / 8).max(1);
            file.iter().enumerate().for_each(|(i, &at)| place[at] = i * blocks / file.len());
        }
        move |at| Some((row(at).file, place[at]))
    }));
    views
}

/// Pieces of the text at fixed spots, and its length.
pub fn derived(sample: &Sample<'_>) -> Vec<View> {
    let fields = &sample.dataset.text_fields;
    let mut views = Vec::new();
    for (field, name) in fields.iter().enumerate() {
        let text = |at: usize| sample.texts[at][field].as_str();
        let of = if fields.len() > 1 { format!(" of `{name}`") } else { " of the text".to_owned() };
        let anchors = anchors(sample, field).into_iter().map(Spot::After);
        let ends = [Spot::Last, Spot::First, Spot::Code, Spot::LastNumber, Spot::FirstNumber];
        for spot in anchors.chain(ends) {
            let piece = |at: usize| spot.find(text(at)).map(|piece| &text(at)[piece]);
            let pieces: Vec<Option<&str>> = (0..sample.rows.len()).map(piece).collect();
            for (which, words) in CUTS.into_iter().enumerate() {
                let what = format!("{words}{}{of}", spot.name());
                let value = |at: usize| pieces[at].map(|piece| cut(piece, which));
                let view = View::new(sample, what, Kind::Text, value);
                views.extend(view.map(|view| View { spot: Some((field, spot.clone())), ..view }));
            }
        }
        let length = binned(sample, |at| Some(text(at).chars().count() as f32));
        let what = format!("{}{of}", Spot::Length.name());
        views.extend(View::new(sample, what, Kind::Text, |at| length[at]));
    }
    views
}

/// The words that most texts have.
fn anchors(sample: &Sample<'_>, field: usize) -> Vec<String> {
    let mut having: HashMap<&str, (usize, usize)> = HashMap::new();
    for (at, texts) in sample.texts.iter().enumerate() {
        for word in runs(&texts[field]) {
            let (count, last) = having.entry(word).or_insert((0, usize::MAX));
            *count += usize::from(*last != at);
            *last = at;
        }
    }
    let mut common: Vec<(usize, &str)> = having.into_iter().map(|(word, (n, _))| (n, word)).collect();
    common.retain(|(n, _)| *n as f64 >= EVERYWHERE * sample.rows.len() as f64);
    common.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    common.into_iter().take(ANCHORS).map(|(_, word)| word.to_owned()).collect()
}

fn most_bins(sample: &Sample<'_>) -> usize {
    BINS.max(3 * sample.dataset.classes.len())
}

/// Numbers by their quantiles among the rows learned from.
fn binned(sample: &Sample<'_>, value: impl Fn(usize) -> Option<f32>) -> Vec<Option<usize>> {
    let mut known: Vec<f32> = (0..sample.learn).filter_map(&value).collect();
    known.sort_by(f32::total_cmp);
    let bins = (known.len() / 5).clamp(4, most_bins(sample));
    let mut edges: Vec<f32> = (1..bins).filter_map(|i| known.get(i * known.len() / bins).copied()).collect();
    edges.dedup();
    (0..sample.rows.len()).map(|at| value(at).map(|v| edges.partition_point(|&edge| edge <= v))).collect()
}
