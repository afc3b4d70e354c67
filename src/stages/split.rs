//! The split stage: rows to groups and parts.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::declaration::{Declaration, Finished};
use super::error::BuildError;
use super::files::{RowPlace, place, write_csv};
use super::kin::{Kin, kept_together, kin};
use super::near::{DealtRows, NearCells};
use super::rows::teaches_only;
use super::stage::Stage;
use crate::config::{GivenTestDuplicates, GroupBy};
use crate::counting::{counted, grouped};
use crate::report::Table;
use crate::split::{Groups, Part, Searched, Vectors, deal};
use crate::table::{Dataset, Row, shorten};

/// The split stage.
pub const SPLIT: Declaration = Declaration {
    version: 3,
    reads: &[Stage::Embed],
    config: |config| match config.collect.choice() {
        None => json!({ "seed": config.seed, "split": config.split }),
        Some(collected) => json!({ "seed": config.seed, "split": config.split, "collect": collected }),
    },
    run: |context| context.split(),
};

/// What the split stage counts: rows of each part, and how alike they are.
#[derive(Clone, Debug, Serialize)]
struct SplitSummary {
    train: usize,
    validation: usize,
    test: usize,
    dropped: usize,
    rows_with_duplicates: usize,
    near_duplicate_pairs: usize,
    /// Where there are more rows than `split.exact_rows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    near_cells: Option<NearCells>,
}

/// More classes than this have no line each.
const CLASSES_LISTED: usize = 20;

impl Context<'_> {
    fn split(&self) -> Result<Finished, BuildError> {
        let (config, dataset) = (&self.project.config, self.dataset()?);
        let (values, dims) = self.cosine_vectors(&dataset)?;
        let vectors = Vectors::new(&values, dims);
        let titles: Vec<&str> = dataset.rows.iter().map(|r| r.title.as_str()).collect();
        let cosine = config.split.near_duplicate_cosine;
        let Kin { mut pairs, orphans } = kin(&dataset);
        pairs.extend(config.split.group.iter().flat_map(|by| kept_together(by, &dataset)));
        let (mut groups, mut near_pairs) = (Groups::new(&titles, &pairs), 0);
        let begin = Instant::now();
        let searched = self.near_search().for_each_pair(vectors, cosine, self.progress, |pair| {
            groups.join(pair.rows[0], pair.rows[1]);
            near_pairs += 1;
        })?;
        let seconds = begin.elapsed().as_secs_f64();
        let mut parts = self.deal_parts(&dataset, &groups.of_all(), &orphans);
        let near_cells = match &searched {
            Searched::Exact => None,
            Searched::Approximate(recall) => {
                let mut dealt = DealtRows { dataset: &dataset, parts: &mut parts, groups: &mut groups };
                Some(self.mended(vectors, recall, seconds, &mut dealt)?)
            }
        };
        let group = groups.of_all();
        let mut sizes: HashMap<usize, usize> = HashMap::new();
        group.iter().for_each(|group| *sizes.entry(*group).or_insert(0) += 1);
        let grouped = sizes.values().filter(|rows| **rows > 1).sum();
        self.say_of_large_groups(&dataset, &group, &sizes);
        for part in Part::USED {
            if !parts.contains(&part) {
                return Err(BuildError::EmptyPart {
                    part: part.name(),
                    rows: parts.len(),
                    groups: sizes.len(),
                });
            }
        }
        let path = self.project.split_file();
        let header = ["row", "file", "line", "class", "group", "part"];
        write_csv(
            &path,
            &header,
            (0..dataset.rows.len()).map(|row| {
                let RowPlace { file, line } = place(&dataset, row);
                let class = dataset.classes[dataset.rows[row].class].clone();
                vec![row.to_string(), file, line, class, group[row].to_string(), parts[row].name().into()]
            }),
        )?;
        self.log_split(&dataset, &parts);
        let count = |part: Part| parts.iter().filter(|&&p| p == part).count();
        let summary = SplitSummary {
            train: count(Part::Train),
            validation: count(Part::Validation),
            test: count(Part::Test),
            dropped: count(Part::Dropped),
            rows_with_duplicates: grouped,
            near_duplicate_pairs: near_pairs,
            near_cells,
        };
        Ok(Finished::new(vec![path], &summary))
    }

    /// The part of each row. Rows that only teach, and rows that are not used, are not dealt: the former go with their group,
    /// which is the rows that they were made from or are like.
    fn deal_parts(&self, dataset: &Dataset, group: &[usize], orphans: &[usize]) -> Vec<Part> {
        let config = &self.project.config;
        let is_used =
            |row: &Row| row.collected.as_ref().is_none_or(|of| config.collect.used.contains(&of.kind));
        let dealt: Vec<usize> = (0..dataset.rows.len())
            .filter(|&row| !teaches_only(config, &dataset.rows[row]) && is_used(&dataset.rows[row]))
            .collect();
        let mut parts = vec![Part::Dropped; dataset.rows.len()];
        let own = self.deal_some(dataset, group, &dealt);
        let mut of_group = HashMap::new();
        for (&row, part) in dealt.iter().zip(own) {
            parts[row] = part;
            // Where near-duplicates of a given test part are kept, a group is of several parts: the test part is the safe one.
            let of_group = of_group.entry(group[row]).or_insert(part);
            *of_group = if part == Part::Test { part } else { *of_group };
        }
        for row in (0..dataset.rows.len()).filter(|&row| teaches_only(config, &dataset.rows[row])) {
            parts[row] = match of_group.get(&group[row]) {
                _ if orphans.contains(&row) => Part::Dropped,
                Some(part) => *part,
                None => Part::Train,
            };
        }
        if !orphans.is_empty() {
            self.progress.note(&format!(
                "warning: {} made from rows that are not in the data any more, and not used",
                counted(orphans.len(), "collected row was", "collected rows were")
            ));
        }
        parts
    }

    /// The part of each of the rows `some`; a given test part stays as it is and the rest is dealt to the other two.
    fn deal_some(&self, dataset: &Dataset, group: &[usize], some: &[usize]) -> Vec<Part> {
        use GivenTestDuplicates::Drop;
        let config = &self.project.config.split;
        let seed = self.project.config.seed_for("split");
        let rows: Vec<&Row> = some.iter().map(|&row| &dataset.rows[row]).collect();
        let group: Vec<usize> = some.iter().map(|&row| group[row]).collect();
        let classes: Vec<usize> = rows.iter().map(|row| row.class).collect();
        if !rows.iter().any(|row| row.in_test_files) {
            let shares = [config.train, config.validation, config.test];
            return deal(&group, &classes, &shares, seed).into_iter().map(|p| Part::USED[p]).collect();
        }
        let given = rows.iter().zip(&group).filter(|(row, _)| row.in_test_files);
        let in_test: HashSet<usize> = given.map(|(_, &group)| group).collect();
        let drops = |row: usize| in_test.contains(&group[row]) && config.given_test_duplicates == Drop;
        let not_test = || (0..rows.len()).filter(|&r| !rows[r].in_test_files);
        let repeated = not_test().filter(|&r| in_test.contains(&group[r])).count();
        let rest: Vec<usize> = not_test().filter(|&r| !drops(r)).collect();
        let total = config.train + config.validation;
        let shares = [config.train / total, config.validation / total];
        let pick = |values: &[usize]| rest.iter().map(|&r| values[r]).collect::<Vec<_>>();
        let dealt = deal(&pick(&group), &pick(&classes), &shares, seed);
        let mut parts = vec![Part::Test; rows.len()];
        not_test().filter(|&r| drops(r)).for_each(|r| parts[r] = Part::Dropped);
        rest.iter().zip(dealt).for_each(|(&row, part)| parts[row] = Part::USED[part]);
        if repeated > 0 {
            let what = if config.given_test_duplicates == Drop {
                "left out"
            } else {
                "kept (split.given_test_duplicates)"
            };
            self.progress.note(&format!(
                "{} in the given test part, {what}",
                counted(repeated, "row has a near-duplicate", "rows have near-duplicates")
            ));
        }
        parts
    }

    /// Say how many rows of every class are in every part, and which class lacks rows where.
    fn log_split(&self, dataset: &Dataset, parts: &[Part]) {
        let counts = Part::USED.map(|part| {
            let mut counts = vec![0; dataset.classes.len()];
            let here = dataset.rows.iter().zip(parts).filter(|(_, of)| **of == part);
            here.for_each(|(row, _)| counts[row.class] += 1);
            counts
        });
        let mut log = Table::new(["class", "train", "validation", "test"]);
        match dataset.classes.len() {
            0..=CLASSES_LISTED => {
                for (class, name) in dataset.classes.iter().enumerate() {
                    log.push(
                        [name.clone()].into_iter().chain(counts.each_ref().map(|of| grouped(of[class]))),
                    );
                }
            }
            classes => {
                let sorted = counts.clone().map(|mut of| {
                    of.sort_unstable();
                    of
                });
                let named = [("fewest", 0), ("median", classes / 2), ("most", classes - 1)];
                for (name, place) in named {
                    let name = format!("{name} of {} classes", grouped(classes));
                    log.push([name].into_iter().chain(sorted.each_ref().map(|of| grouped(of[place]))));
                }
            }
        }
        for (part, counts) in Part::USED.into_iter().zip(&counts) {
            let without = dataset.classes.iter().enumerate().filter(|(class, _)| counts[*class] == 0);
            let without: Vec<String> = without.map(|(_, name)| format!("`{}`", shorten(name, 40))).collect();
            let some = match without.len() {
                0 => continue,
                1 => format!("class {} has", without[0]),
                2..=5 => format!("classes {} have", without.join(", ")),
                count => format!("{count} of {} classes have", dataset.classes.len()),
            };
            self.progress.note(&format!("warning: {some} no row in the {} part", part.name()));
        }
        self.say_of_shares(parts);
        self.progress.note(log.to_string().trim_end());
    }

    /// Say it where rows that must stay together are so many that the parts cannot be what they should.
    fn say_of_large_groups(&self, dataset: &Dataset, group: &[usize], sizes: &HashMap<usize, usize>) {
        const LARGE: f64 = 0.05;
        let Some((largest, rows)) = sizes.iter().max_by_key(|(group, rows)| (**rows, **group)) else {
            return;
        };
        let share = *rows as f64 / group.len() as f64;
        if share <= LARGE || *rows < 10 {
            return;
        }
        let of: Vec<usize> = (0..group.len()).filter(|&row| group[row] == *largest).collect();
        let title = &dataset.rows[of[0]].title;
        let one_title = !title.is_empty() && of.iter().all(|&row| dataset.rows[row].title == *title);
        let group = |row: usize| &dataset.rows[row].group;
        let kept = match &self.project.config.split.group {
            Some(GroupBy::Column(name))
                if group(of[0]).is_some() && of.iter().all(|&r| group(r) == group(of[0])) =>
            {
                Some(format!("`{name}` of {}", group(of[0]).as_deref().unwrap_or_default()))
            }
            Some(GroupBy::File)
                if of.iter().all(|&row| dataset.rows[row].file == dataset.rows[of[0]].file) =>
            {
                Some(format!("file {}", dataset.files[dataset.rows[of[0]].file].display()))
            }
            _ => None,
        };
        let why = if let Some(kept) = kept {
            format!("are of one group (split.group), {kept}")
        } else if one_title {
            format!("have the title {title:?}; name another column in data.title, or none")
        } else {
            "are near-duplicates of each other; split.near_duplicate_cosine says how near is too near"
                .to_owned()
        };
        self.progress.note(&format!(
            "warning: {} ({:.0} %) stay in one part because they {why}",
            counted(*rows, "row", "rows"),
            100.0 * share
        ));
    }

    /// Say it where the parts are not of the sizes that were asked for.
    fn say_of_shares(&self, parts: &[Part]) {
        const OFF: f64 = 0.03;
        let split = &self.project.config.split;
        let given = !self.project.config.data.test_files.is_empty();
        let used =
            parts.iter().filter(|part| Part::USED.contains(part) && !(given && **part == Part::Test)).count();
        let all = split.train + split.validation + if given { 0.0 } else { split.test };
        let asked =
            [(Part::Train, split.train), (Part::Validation, split.validation), (Part::Test, split.test)];
        let asked = &asked[..if given { 2 } else { 3 }];
        let found = |part: Part| parts.iter().filter(|p| **p == part).count() as f64 / used.max(1) as f64;
        if asked.iter().any(|(part, share)| (found(*part) - share / all).abs() > OFF) {
            let of = |(part, share): &(Part, f64)| {
                format!("{} {:.2} for {:.2}", part.name(), found(*part), share / all)
            };
            let of: Vec<String> = asked.iter().map(of).collect();
            self.progress.note(&format!(
                "warning: the parts are not of the sizes in [split]: {}; classes are small, or near-duplicates stay together",
                of.join(", ")
            ));
        }
    }
}
