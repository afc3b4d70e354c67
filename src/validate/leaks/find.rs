//! What of all candidates is a leak.

use super::sample::{LeakInput, Sample, mean_recall, p_value};
use super::terms::{Form, Term, excess, largest_excess, terms};
use super::views::{Kind, View, derived, given};
use crate::evaluate::{Estimate, Leak, wilson};

/// Largest p, corrected for all candidates of a kind. There are three kinds, so at most 3 % of data without any relation
/// between rows and labels could pass; the limits below let fewer pass.
const LARGEST_P: f64 = 0.01;

/// Share of the way from chance to perfect that a column must go alone, and that the low end of its interval must go.
const WAY: f64 = 0.75;
const WAY_LOW: f64 = 0.5;

/// Share of the rows with a term that are of its class, and the low end of its interval.
const PURE: f64 = 0.98;
const PURE_LOW: f64 = 0.85;

/// Share of the class's rows that have the term; a code has less need of it, as its digits mean nothing.
const COVERS: f64 = 0.9;
const CODE_COVERS: f64 = 0.5;

/// Share from which a term that begins or ends the text is a leak even where the text without it tells as much: no theme
/// is named in the same place of every text.
const COVERS_ALL: f64 = 0.98;

/// Elsewhere the text without it must get fewer of the class's rows right: the name of a theme ("virtual" card) can
/// stand in every text of its class, but then the other words tell the theme, too.
const MOST_WITHOUT: f64 = 0.7;

/// Two candidates that agree on more of the rows are one.
const SAME: f64 = 0.9;

/// Most candidates of the text that are tried without (two models each).
const TRIED_WITHOUT: usize = 5;

/// What tells the class beyond what meaning can, the strongest of each kind first; nothing where the rows have not two
/// classes. A leak with [`Leak::in_input`] false is no fault of the input, but should be known.
pub fn leaks(input: &LeakInput<'_>) -> Vec<Leak> {
    let Some(sample) = Sample::new(input) else { return Vec::new() };
    let views = given(&sample);
    let mut found: Vec<Leak> = Vec::new();
    for (view, accuracy, p) in strong(&sample, &views, input.text) {
        let outside = view.kind.is_outside();
        // The place includes the file; and what the text tells better is no news.
        let known =
            found.iter().any(|leak| !leak.in_input) || input.text.is_some_and(|t| t >= accuracy.value);
        if !(outside && known) {
            found.push(of_view(&sample, view, accuracy, p, views.len()));
        }
    }
    found.extend(of_text(&sample));
    found
}

/// Codes, words and pieces of words.
fn of_text(sample: &Sample<'_>) -> Vec<Leak> {
    let (views, terms) = (derived(sample), terms(sample));
    let mut distinct: Vec<(&View, Estimate, f64)> = Vec::new();
    for (view, accuracy, p) in strong(sample, &views, None) {
        if !distinct.iter().any(|(known, ..)| alike(sample, known, view)) {
            distinct.push((view, accuracy, p));
        }
    }
    distinct.truncate(TRIED_WITHOUT);
    distinct.retain(|(view, accuracy, _)| {
        let without = sample.by_text(|at| view.text_without(sample, at));
        accuracy.low > mean_recall(&without)
    });
    let mut marks = marks(sample, &terms);
    // One way to say it: a single mark of two classes in its own words, several by where they stand.
    let guesses: Vec<_> = distinct.iter().map(|(view, ..)| view.guesses(sample, &sample.classes)).collect();
    let explained = |(term, class, _): &(&Term, usize, f64), guesses: &[Option<usize>]| {
        let rows: Vec<usize> =
            term.rows.iter().filter_map(|&at| (at as usize).checked_sub(sample.learn)).collect();
        let same = rows.iter().filter(|&&at| guesses[at] == Some(*class)).count();
        same as f64 >= SAME * rows.len() as f64
    };
    let two = (1.0 / sample.chance()).round() < 3.0;
    let mut kept = Vec::new();
    for ((view, accuracy, p), guesses) in distinct.into_iter().zip(guesses) {
        let by = marks.iter().filter(|mark| explained(mark, &guesses)).count();
        if !(two && by == 1) {
            marks.retain(|mark| !explained(mark, &guesses));
            kept.push(of_view(sample, view, accuracy, p, views.len()));
        }
    }
    kept.extend(marks.into_iter().map(|(term, class, p)| of_term(sample, term, class, p, terms.len())));
    kept
}

/// Views that tell the class alone far better than chance, best first, with their p. A column may also do so by telling
/// clearly more than `text`.
fn strong<'v>(sample: &Sample<'_>, views: &'v [View], text: Option<f64>) -> Vec<(&'v View, Estimate, f64)> {
    let chance = sample.chance();
    let way = |value: f64| (value - chance) / (1.0 - chance);
    let mut passing: Vec<(&View, Estimate)> = views
        .iter()
        .map(|view| (view, sample.balanced(view.balanced_accuracy(sample, &sample.classes))))
        .filter(|(view, alone)| {
            // Half of the way, and at most half of the text's mistakes.
            let beats = |t: f64| alone.low > t && 1.0 - alone.value <= (1.0 - t) / 2.0;
            let more = view.kind == Kind::Column && text.is_some_and(beats) && way(alone.value) >= WAY_LOW;
            (way(alone.value) >= WAY && way(alone.low) >= WAY_LOW) || more
        })
        .collect();
    if passing.is_empty() {
        return Vec::new();
    }
    // Of equals the one with fewer values, then the first.
    passing.sort_by(|(a, of_a), (b, of_b)| {
        of_b.value.total_cmp(&of_a.value).then(a.rows.len().cmp(&b.rows.len()))
    });
    let largest = |classes: &[usize]| {
        views.iter().map(|view| view.balanced_accuracy(sample, classes)).fold(0.0, f64::max)
    };
    let by_chance = sample.largest_by_chance(largest);
    let with_p = passing.into_iter().map(|(view, alone)| (view, alone, p_value(&by_chance, alone.value)));
    with_p.filter(|(_, _, p)| *p <= LARGEST_P).collect()
}

/// Whether two views tell the same of nearly all rows.
fn alike(sample: &Sample<'_>, a: &View, b: &View) -> bool {
    let (a, b) = (a.guesses(sample, &sample.classes), b.guesses(sample, &sample.classes));
    let same = a.iter().zip(&b).filter(|(a, b)| a == b).count();
    same as f64 >= SAME * a.len() as f64
}

/// Terms that are nearly all of one class and in nearly all of it, with the class and p; of those in the same rows one.
fn marks<'t>(sample: &Sample<'_>, terms: &'t [Term]) -> Vec<(&'t Term, usize, f64)> {
    let totals = sample.totals(&sample.classes[..sample.learn]);
    let held = sample.totals(&sample.classes[sample.learn..]);
    let covers = |term: &Term| if term.form == Form::Code { CODE_COVERS } else { COVERS };
    let passing = terms.iter().flat_map(|term| (0..totals.len()).map(move |class| (term, class)));
    let passing = passing.filter(|(term, class)| {
        let [have, of_class] = term.learned(sample, *class);
        let pure = wilson(of_class as f64, have as f64);
        let [have_checked, of_class_checked] = term.checked(sample, *class);
        let covered = |count: usize, of: usize, share: f64| of > 0 && count as f64 >= share * of as f64;
        pure.value >= PURE
            && pure.low >= PURE_LOW
            && covered(of_class, totals[*class], covers(term))
            && covered(of_class_checked, have_checked, SAME)
            && covered(of_class_checked, held[*class], covers(term) - 0.1)
    });
    let mut distinct: Vec<(&Term, usize)> = Vec::new();
    for (term, class) in passing {
        let same = |known: &Term| {
            let both = term.rows.iter().filter(|at| known.rows.binary_search(at).is_ok()).count();
            both as f64 >= SAME * term.rows.len().max(known.rows.len()) as f64
        };
        if !distinct.iter().any(|(known, of)| *of == class && same(known)) {
            distinct.push((term, class));
        }
    }
    if distinct.is_empty() {
        return Vec::new();
    }
    let by_chance = sample.largest_by_chance(|classes| largest_excess(sample, terms, classes));
    let all = sample.totals(&sample.classes);
    let mut tried = 0;
    let mut marks: Vec<(&Term, usize, f64)> = distinct
        .into_iter()
        .map(|(term, class)| {
            let count = term.learned(sample, class)[1] + term.checked(sample, class)[1];
            let share = all[class] as f64 / sample.rows.len() as f64;
            let excess = excess(count, term.rows.len(), share, sample.rows.len());
            (term, class, p_value(&by_chance, excess))
        })
        .filter(|(term, class, p)| {
            let everywhere = term.learned(sample, *class)[1] as f64 >= COVERS_ALL * totals[*class] as f64;
            let mark = everywhere && term.at_the_ends(sample) as f64 >= SAME * term.rows.len() as f64;
            if *p > LARGEST_P || mark || term.form == Form::Code {
                return *p <= LARGEST_P;
            }
            tried += 1;
            if tried > TRIED_WITHOUT {
                return false;
            }
            let [rows, right] = sample.by_text(|at| term.text_without(sample, at))[*class];
            let (covered, without) = (term.checked(sample, *class)[1], wilson(right as f64, rows as f64));
            without.value <= MOST_WITHOUT && covered as f64 > without.high * held[*class] as f64
        })
        .collect();
    marks.sort_by_key(|(term, ..)| std::cmp::Reverse(term.rows.len()));
    marks
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn interval(estimate: Estimate) -> String {
    format!("{} ({:.1}–{:.1})", percent(estimate.value), 100.0 * estimate.low, 100.0 * estimate.high)
}

fn of_view(sample: &Sample<'_>, view: &View, accuracy: Estimate, p: f64, tried: usize) -> Leak {
    let alone = format!(
        "alone it has {} balanced accuracy on rows not learned from, chance is {}",
        interval(accuracy),
        percent(sample.chance())
    );
    let meaning = match view.kind {
        Kind::File => {
            "what else differs between the files (source, form) is learned as the class, and figures hold for such files only"
                .to_owned()
        }
        Kind::Place => {
            "rows of one class stand together, which is harmless where parts are drawn at random".to_owned()
        }
        Kind::Column | Kind::Text => {
            let mut value = vec![0; sample.rows.len()];
            let rows = view.rows.iter().enumerate().flat_map(|(v, rows)| rows.iter().map(move |&at| (v, at)));
            rows.for_each(|(v, at)| value[at as usize] = v);
            lost(sample, &|at| view.text_without(sample, at), &value)
        }
    };
    let in_input = !view.kind.is_outside();
    Leak { what: view.what.clone(), how: format!("{alone}; {meaning}"), accuracy, p, tried, in_input }
}

fn of_term(sample: &Sample<'_>, term: &Term, class: usize, p: f64, tried: usize) -> Leak {
    let [have, of_class] = term.checked(sample, class);
    let rows = sample.totals(&sample.classes[sample.learn..])[class];
    let accuracy = wilson(of_class as f64, have as f64);
    let mut has = vec![0; sample.rows.len()];
    term.rows.iter().for_each(|&at| has[at as usize] = 1);
    let how = format!(
        "{of_class} of the {have} rows not learned from that have it are {} ({:.1}–{:.1} %), and {} of the class's rows have it; {}",
        sample.dataset.classes[class],
        100.0 * accuracy.low,
        100.0 * accuracy.high,
        percent(of_class as f64 / rows.max(1) as f64),
        lost(sample, &|at| term.text_without(sample, at), &has)
    );
    Leak { what: term.name(), how, accuracy, p, tried, in_input: true }
}

/// What a model of the text loses without the leak, of which every place of the sample has a value.
fn lost(sample: &Sample<'_>, without: &dyn Fn(usize) -> String, value: &[usize]) -> String {
    let with = sample.by_text(|at| format!("{} leak_{}", without(at), value[at]));
    let without = sample.by_text(without);
    format!(
        "TF-IDF + logistic regression has {} with it, {} without",
        percent(mean_recall(&with)),
        percent(mean_recall(&without))
    )
}
