//! Words and pieces of words that stand in one class and hardly in another.

use std::collections::HashMap;

use super::sample::Sample;
use super::views::runs;

/// A term in fewer rows shows nothing.
const LEAST_ROWS: usize = 8;

/// Share of the rows with it from which a term shows too little.
const NEARLY_ALL: f64 = 0.95;

/// Digits after which a piece is the beginning of a code: `te4711`, not `mp3` or `covid19`.
const CODE_DIGITS: usize = 3;

/// What kind of term it is, the plainest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// A whole word.
    Word,
    /// What stands before the digits of a word.
    Code,
    /// How a word begins.
    Piece,
    /// Letters inside a word, `^` and `$` being its ends.
    Letters,
}

/// One term and the rows that have it.
pub struct Term {
    pub form: Form,
    pub text: String,
    /// Places in the sample, ascending.
    pub rows: Vec<u32>,
}

impl Term {
    /// Name for people.
    pub fn name(&self) -> String {
        let text = &self.text;
        match self.form {
            Form::Word => format!("word \"{text}\""),
            Form::Code => format!("words of \"{text}\" and digits"),
            Form::Piece => format!("words that begin with \"{text}\""),
            Form::Letters => format!("letters \"{text}\" (^ and $: the ends of a word)"),
        }
    }

    /// How far the rows are those of `class`: the rows that have it and are learned from, and those of them that are.
    pub fn learned(&self, sample: &Sample<'_>, class: usize) -> [usize; 2] {
        self.counted(sample, class, true)
    }

    /// The same of the rows checked on.
    pub fn checked(&self, sample: &Sample<'_>, class: usize) -> [usize; 2] {
        self.counted(sample, class, false)
    }

    fn counted(&self, sample: &Sample<'_>, class: usize, learned: bool) -> [usize; 2] {
        let rows = self.rows.iter().map(|&at| at as usize).filter(|&at| (at < sample.learn) == learned);
        rows.fold([0; 2], |[n, k], at| [n + 1, k + usize::from(sample.classes[at] == class)])
    }

    /// Of the rows that have it those in which the first or the last word of a field does.
    pub fn at_the_ends(&self, sample: &Sample<'_>) -> usize {
        let ends = |text: &String| {
            let mut ends = runs(text).next().into_iter().chain(runs(text).last());
            ends.any(|run| self.is_in(run))
        };
        self.rows.iter().filter(|at| sample.texts[**at as usize].iter().any(ends)).count()
    }

    fn is_in(&self, run: &str) -> bool {
        let mut found = false;
        for_each_of_run(run, &mut |form, text| found |= form == self.form && text == self.text);
        found
    }

    /// The text of a place in the sample without the words that have the term.
    pub fn text_without(&self, sample: &Sample<'_>, at: usize) -> String {
        let text = sample.texts[at].join("\n");
        runs(&text).filter(|run| !self.is_in(run)).collect::<Vec<_>>().join(" ")
    }
}

/// The terms that enough rows have, and not nearly all.
pub fn terms(sample: &Sample<'_>) -> Vec<Term> {
    let mut found: Vec<Term> = Vec::new();
    let mut place: HashMap<(Form, String), usize> = HashMap::new();
    // A word is taken apart once.
    let mut of_run: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, texts) in sample.texts.iter().enumerate() {
        for run in texts.iter().flat_map(|text| runs(text)) {
            let own = of_run.entry(run).or_insert_with(|| {
                let mut own = Vec::new();
                for_each_of_run(run, &mut |form, text| {
                    own.push(*place.entry((form, text.to_owned())).or_insert_with(|| {
                        found.push(Term { form, text: text.to_owned(), rows: Vec::new() });
                        found.len() - 1
                    }));
                });
                own
            });
            for &term in own.iter() {
                if found[term].rows.last() != Some(&(at as u32)) {
                    found[term].rows.push(at as u32);
                }
            }
        }
    }
    let most = NEARLY_ALL * sample.rows.len() as f64;
    found.retain(|term| term.rows.len() >= LEAST_ROWS && term.rows.len() as f64 <= most);
    // The plainest first; of letters the longest.
    found.sort_unstable_by(|a, b| {
        a.form.cmp(&b.form).then(b.text.len().cmp(&a.text.len())).then(a.text.cmp(&b.text))
    });
    found
}

/// The largest standardised excess of a class among the rows of a term (as if drawn without replacement), over all terms
/// and classes.
pub fn largest_excess(sample: &Sample<'_>, terms: &[Term], classes: &[usize]) -> f64 {
    let share: Vec<f64> =
        sample.totals(classes).iter().map(|n| *n as f64 / sample.rows.len() as f64).collect();
    let mut counts = vec![0usize; share.len()];
    let mut largest = 0.0f64;
    for term in terms {
        term.rows.iter().for_each(|&at| counts[classes[at as usize]] += 1);
        let have = term.rows.len();
        for &at in &term.rows {
            let class = classes[at as usize];
            let count = std::mem::take(&mut counts[class]);
            if count > 0 {
                largest = largest.max(excess(count, have, share[class], sample.rows.len()));
            }
        }
    }
    largest
}

/// Standardised excess of `count` of `have` rows over a class's `share`, `have` being drawn of `all`.
pub fn excess(count: usize, have: usize, share: f64, all: usize) -> f64 {
    let (have, left) = (have as f64, 1.0 - have as f64 / all as f64);
    (count as f64 - have * share) / (have * share * (1.0 - share) * left).sqrt().max(1e-9)
}

/// Call `each` with every term of a run of letters and digits.
fn for_each_of_run(run: &str, each: &mut dyn FnMut(Form, &str)) {
    each(Form::Word, run);
    if let Some(digits) = run.find(char::is_numeric).filter(|&at| at > 0)
        && run[digits..].len() >= CODE_DIGITS
        && run[digits..].chars().all(char::is_numeric)
    {
        each(Form::Code, &run[..digits]);
    }
    let mut padded = String::with_capacity(run.len() + 2);
    padded.extend(["^", run, "$"]);
    let starts: Vec<usize> = padded.char_indices().map(|(at, _)| at).chain([padded.len()]).collect();
    let length = starts.len() - 1;
    for size in 3..=6 {
        if size < length - 2 {
            each(Form::Piece, &padded[starts[1]..starts[1 + size]]);
        }
    }
    for size in (3..=5).take_while(|&size| size < length) {
        (0..=length - size).for_each(|at| each(Form::Letters, &padded[starts[at]..starts[at + size]]));
    }
}
