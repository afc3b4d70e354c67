//! Simulated data of which it is known whether the label leaks.

use std::path::PathBuf;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{LeakInput, leaks};
use crate::evaluate::Leak;
use crate::table::{Cells, ContentHash, Dataset, Row};

/// Honest rows: every class has topic words that half of its rows use, and a few of the others do; a column and a number
/// that lean to the class.
fn healthy(rows: usize, classes: usize, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let topics = rng.random_range(1..4usize);
    let (own, other) = (rng.random_range(0.4..0.6), rng.random_range(0.02..0.05));
    let lean = rng.random_range(0.0..0.4);
    let row = |at: usize| {
        let class = rng.random_range(0..classes);
        let mut words: Vec<String> = vec!["take the".into()];
        // Common words are commoner, as in any language.
        let word = |u: f64| format!("w{:x}rd", 7919 * (1 + (u * u * u * 600.0) as usize) % 4093);
        words.extend((0..rng.random_range(8..40)).map(|_| word(rng.random())));
        for topic in 0..classes * topics {
            if rng.random_bool(if topic % classes == class { own } else { other }) {
                let place = rng.random_range(1..=words.len());
                words.insert(place, format!("topic{}x", (b'a' + topic as u8) as char));
            }
        }
        words.push(["and play.", "then stop.", "for 10 minutes."][rng.random_range(0..3)].into());
        let leaning = if rng.random_bool(lean) { class } else { rng.random_range(0..classes) };
        Row {
            file: rng.random_range(0..3),
            line: at as u64,
            cells: Cells {
                texts: vec![words.join(" ")],
                numeric: vec![Some(leaning as f32 + rng.random_range(0.0..3.0))],
                categories: vec![vec![leaning.to_string()]],
            },
            class,
            title: at.to_string(),
            in_test_files: false,
            range: None,
            weight: 1.0,
            collected: None,
            tasks: vec![],
            group: None,
            record: ContentHash::default(),
        }
    };
    Dataset {
        rows: (0..rows).map(row).collect(),
        files: ["a.csv", "b.csv", "c.csv"].map(PathBuf::from).to_vec(),
        text_fields: vec!["text".into()],
        classes: (0..classes).map(|c| format!("{}class", (b'a' + c as u8) as char)).collect(),
        numeric: vec!["age".into()],
        categorical: vec!["size".into()],
        tasks: vec![],
    }
}

/// Every fifth row is checked on; a text of this balanced accuracy stands beside.
fn found(dataset: &Dataset, text: f64) -> Vec<Leak> {
    let (learn, check): (Vec<usize>, Vec<usize>) = (0..dataset.rows.len()).partition(|r| r % 5 > 0);
    leaks(&LeakInput { dataset, learn: &learn, check: &check, groups: &[], text: Some(text), seed: 7 })
}

/// `healthy` with every row changed, given its class and its place.
fn spoiled(rows: usize, classes: usize, change: impl Fn(&mut Row, usize)) -> Dataset {
    let mut dataset = healthy(rows, classes, 3);
    dataset.rows.iter_mut().enumerate().for_each(|(at, row)| change(row, at));
    dataset
}

fn names(dataset: &Dataset) -> Vec<String> {
    found(dataset, 0.6).into_iter().map(|leak| leak.what).collect()
}

#[test]
fn healthy_data_has_hardly_ever_a_leak() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut alarms = Vec::new();
    for seed in 0..200 {
        let (rows, classes) = (rng.random_range(60..1000), rng.random_range(2..=10));
        let found = found(&healthy(rows, classes, seed), 0.6);
        if !found.is_empty() {
            alarms.push(format!("{rows} rows of {classes} classes: {}", found[0]));
        }
    }
    assert!(alarms.len() <= 4, "{}: {alarms:#?}", alarms.len());
}

#[test]
fn a_column_that_tells_the_class_is_found() {
    let all = spoiled(300, 4, |row, _| row.cells.categories[0] = vec![format!("v{}", row.class)]);
    assert_eq!(names(&all), ["column `size`"]);
    // Right in 89 of 100 rows, where the text is in 60.
    let partly = spoiled(800, 4, |row, at| {
        let value = if at * 37 % 100 < 89 { row.class } else { (row.class + 1 + at % 3) % 4 };
        row.cells.categories[0] = vec![value.to_string()];
    });
    let leaks = found(&partly, 0.6);
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    let leak = &leaks[0];
    assert!((0.84..0.94).contains(&leak.accuracy.value) && leak.accuracy.low < 0.89, "{leak}");
    assert!(leak.in_input && leak.p < 0.01 && leak.how.contains("without"), "{leak}");
    let age = spoiled(300, 2, |row, at| {
        row.cells.numeric[0] = Some(if row.class == 1 { 30.0 + at as f32 } else { 3.0 });
    });
    assert_eq!(names(&age), ["column `age`"]);
}

#[test]
fn a_mark_in_the_text_is_found() {
    let first = spoiled(300, 3, |row, _| {
        if row.class == 1 {
            row.cells.texts[0].insert_str(0, "adults ");
        }
    });
    assert_eq!(names(&first), ["word \"adults\""]);
    // In the middle of texts that tell little.
    let inside = spoiled(300, 3, |row, at| {
        row.class = at % 3;
        if row.class == 1 {
            row.cells.texts[0].insert_str(8, " adults");
        }
    });
    assert_eq!(names(&inside), ["word \"adults\""]);
    // A theme that is named in every text, somewhere, by texts that tell it anyway.
    let theme = spoiled(300, 2, |row, at| {
        let words = [["cup", "pan", "fork"], ["sea", "wave", "sand"]][row.class];
        let theme = ["", " virtual"][row.class];
        row.cells.texts[0] = format!("so {}{theme} {} then {at}", words[at % 3], words[at / 3 % 3]);
    });
    assert_eq!(names(&theme), [""; 0]);
    // Of two classes it is one leak, too, wherever else it can be read off.
    let last = spoiled(300, 2, |row, _| {
        if row.class == 1 {
            row.cells.texts[0].push_str(" adults");
        }
    });
    assert_eq!(names(&last), ["word \"adults\""]);
    let code = spoiled(400, 4, |row, at| {
        let class = ["te", "el", "to", "pr"][row.class];
        row.cells.texts[0].push_str(&format!(" ref {class}{}", 1000 + at * 7919 % 9000));
    });
    let leaks = found(&code, 0.6);
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    assert!(leaks[0].what.ends_with("the word after \"ref\" of the text"), "{}", leaks[0]);
    assert!(leaks[0].accuracy.low > 0.9 && leaks[0].how.contains("without"), "{}", leaks[0]);
    // One class alone has codes, in two of three of its rows.
    let some = spoiled(400, 4, |row, at| {
        if row.class == 2 && at % 3 > 0 {
            row.cells.texts[0].push_str(&format!(" te{}", 1000 + at * 7919 % 9000));
        }
    });
    assert_eq!(names(&some), ["words of \"te\" and digits"]);
}

#[test]
fn files_and_order_are_told_as_what_they_are() {
    let files = spoiled(300, 3, |row, _| row.file = row.class);
    let leaks = found(&files, 0.6);
    assert_eq!(leaks.iter().map(|l| l.what.as_str()).collect::<Vec<_>>(), ["the file of a row"]);
    assert!(!leaks[0].in_input);
    let sorted = spoiled(300, 3, |row, at| row.line = (1000 * row.class + at) as u64);
    assert_eq!(names(&sorted), ["the place of a row in its file"]);
}

#[test]
fn copies_count_once() {
    // Ten texts of a class, each thirty times over: no evidence of anything.
    let mut dataset = healthy(20, 2, 5);
    dataset.rows = (0..600).map(|at| dataset.rows[at % 20].clone()).collect();
    dataset.rows.iter_mut().for_each(|row| row.cells.categories[0] = vec![row.class.to_string()]);
    let (learn, check): (Vec<usize>, Vec<usize>) = (0..600).partition(|at| at % 20 > 3);
    let groups: Vec<usize> = (0..600).map(|at| at % 20).collect();
    let input =
        LeakInput { dataset: &dataset, learn: &learn, check: &check, groups: &groups, text: None, seed: 1 };
    assert_eq!(leaks(&input), []);
    assert!(!leaks(&LeakInput { groups: &[], ..input }).is_empty());
}

#[test]
fn odd_data_is_no_error() {
    let empty = spoiled(60, 2, |row, _| row.cells.texts[0].clear());
    assert_eq!(names(&empty), [""; 0]);
    let one = spoiled(60, 2, |row, at| row.class = usize::from(at % 5 == 0));
    assert_eq!(names(&one), [""; 0]);
    let missing = spoiled(60, 3, |row, at| row.class = if at % 5 == 0 { at % 2 } else { 1 + at % 2 });
    names(&missing);
    let letters = spoiled(60, 2, |row, at| row.cells.texts[0] = "ü½٣ßﬀ".repeat(at % 4));
    names(&letters);
    names(&healthy(0, 2, 1));
    names(&healthy(3, 2, 1));
}

#[test]
fn many_rows_take_seconds() {
    let dataset = spoiled(50_000, 4, |row, at| {
        let class = ["te", "el", "to", "pr"][row.class];
        row.cells.texts[0].push_str(&format!(" ref {class}{}", at * 7919 % 90_000));
    });
    let begin = std::time::Instant::now();
    assert_eq!(found(&dataset, 0.6).len(), 1);
    assert!(begin.elapsed().as_secs() < 60);
}
