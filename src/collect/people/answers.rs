//! Answers of several people, read back from whatever they were written in; each bad one is named, and the others count.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::answers_csv::read_csv;
use super::answers_json::read_json;
use super::people_error::PeopleError;
use super::said::{Place, Said, Unread};
use super::votes::{Sizes, Vote, Votes};
use crate::table::shorten;

/// A file of answers: a task's CSV filled in, or an export of Label Studio (JSON or JSON-MIN).
#[derive(Clone, Copy, Debug)]
pub struct AnswerFile<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// What stands in it.
    pub bytes: &'a [u8],
    /// Whose answers they are, where the file itself does not say.
    pub annotator: Option<&'a str>,
}

/// An answer that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The row, an index of the ids asked about.
    pub row: usize,
    /// Who has given it, an index of [`Answers::annotators`].
    pub annotator: usize,
    /// The class, an index of the classes.
    pub class: usize,
    /// The file, an index of the files read.
    pub file: usize,
    /// Where in it.
    pub place: Place,
}

/// An answer that does not count, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFault {
    /// The file.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// What stands there.
    pub value: String,
    /// Why it does not count.
    pub why: String,
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {:?} {}", self.file, self.place, shorten(&self.value, 60), self.why)
    }
}

/// All that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Names of those who have answered, in the order in which they were met; case and outer spaces part nobody.
    pub annotators: Vec<String>,
    /// The answers that count, one a row and annotator.
    pub answers: Vec<Answer>,
    /// Those that do not.
    pub faults: Vec<AnswerFault>,
    /// Rows that somebody left blank or skipped.
    pub blank: usize,
    /// Answers that somebody has given already, the same again.
    pub repeated: usize,
}

impl Answers {
    /// The answers as votes about `rows` rows and `classes` classes.
    ///
    /// # Errors
    /// The answers are of more rows or classes.
    pub fn votes(&self, rows: usize, classes: usize) -> Result<Votes, PeopleError> {
        let vote =
            |answer: &Answer| Vote { row: answer.row, annotator: answer.annotator, class: answer.class };
        let sizes = Sizes { rows, annotators: self.annotators.len(), classes };
        Votes::new(sizes, self.answers.iter().map(vote).collect())
    }
}

/// Read answers about the rows with these `ids`, of these `classes`. Nothing is an error: what cannot be used is among the faults.
pub fn read_answers(files: &[AnswerFile<'_>], ids: &[String], classes: &[String]) -> Answers {
    let mut reader = Reader {
        ids: ids.iter().enumerate().map(|(row, id)| (id.trim(), row)).collect(),
        classes: classes.iter().enumerate().map(|(class, name)| (folded(name), class)).collect(),
        annotators: HashMap::new(),
        given: HashMap::new(),
        answers: Answers::default(),
    };
    for (number, file) in files.iter().enumerate() {
        let text = decoded(file.bytes);
        let json = text.trim_start().starts_with(['[', '{']);
        let said = if json { read_json(&text) } else { read_csv(&text) };
        for said in said {
            let outcome = said.and_then(|said| reader.take(said, number, file));
            if let Err(Unread { place, value, why }) = outcome {
                reader.answers.faults.push(AnswerFault { file: file.name.to_owned(), place, value, why });
            }
        }
    }
    reader.answers
}

struct Reader<'a> {
    ids: HashMap<&'a str, usize>,
    classes: HashMap<String, usize>,
    annotators: HashMap<String, usize>,
    /// The class of each answer by row and annotator.
    given: HashMap<(usize, usize), usize>,
    answers: Answers,
}

impl Reader<'_> {
    fn take(&mut self, said: Said, file: usize, from: &AnswerFile<'_>) -> Result<(), Unread> {
        let Said { place, id, annotator, label } = said;
        let fault = |value: &str, why: &str| Unread { place, value: value.to_owned(), why: why.to_owned() };
        // The apostrophe is the one that keeps a spreadsheet from taking a cell for a formula.
        let bare = |cell: &str| cell.trim().strip_prefix('\'').map(str::to_owned);
        let row = self.ids.get(id.trim()).copied();
        let row = row.or_else(|| self.ids.get(bare(&id)?.as_str()).copied());
        let Some(row) = row else {
            return Err(fault(
                &id,
                if id.trim().is_empty() { "is no id" } else { "is the id of no row asked about" },
            ));
        };
        if label.trim().is_empty() {
            self.answers.blank += 1;
            return Ok(());
        }
        let Some(&class) = self.classes.get(&folded(&label)) else {
            return Err(fault(&label, "is none of the classes"));
        };
        let written = bare(&annotator).unwrap_or_else(|| annotator.trim().to_owned());
        let name = if written.is_empty() { from.annotator.unwrap_or_default().trim() } else { &written };
        if name.is_empty() {
            return Err(fault(&id, "is answered by nobody: there is no annotator"));
        }
        let annotators = &mut self.answers.annotators;
        let annotator = *self.annotators.entry(folded(name)).or_insert_with(|| {
            annotators.push(name.to_owned());
            annotators.len() - 1
        });
        match self.given.get(&(row, annotator)) {
            None => {
                self.given.insert((row, annotator), class);
                self.answers.answers.push(Answer { row, annotator, class, file, place });
                Ok(())
            }
            Some(&before) if before == class => {
                self.answers.repeated += 1;
                Ok(())
            }
            Some(_) => {
                let why =
                    format!("is another answer of {name:?} about {:?}; the first one counts", id.trim());
                Err(Unread { place, value: label, why })
            }
        }
    }
}

/// What labels and names share that only case, spaces and the numbers' `.0` part.
fn folded(text: &str) -> String {
    let lower = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    // A spreadsheet makes 1.0 of 1, and the other way round.
    match lower.strip_suffix(".0") {
        Some(whole) if whole.bytes().all(|b| b.is_ascii_digit()) && !whole.is_empty() => whole.to_owned(),
        _ => lower,
    }
}

/// UTF-8, UTF-16 by its byte-order mark, or else the Windows code page of western Europe, in which spreadsheets save.
fn decoded(bytes: &[u8]) -> String {
    let (text, _, faulty) = encoding_rs::UTF_8.decode(bytes);
    if faulty { encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned() } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::people::tasks::{TaskRow, Tasks};

    fn own(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    fn read(files: &[(&str, &str, Option<&str>)]) -> Answers {
        let files: Vec<AnswerFile<'_>> = files
            .iter()
            .map(|&(name, text, annotator)| AnswerFile { name, bytes: text.as_bytes(), annotator })
            .collect();
        read_answers(&files, &own(&["a1", "b2", "=3"]), &own(&["Small", "Big (7+)", "1"]))
    }

    fn given(answers: &Answers) -> Vec<[usize; 3]> {
        answers.answers.iter().map(|a| [a.row, a.annotator, a.class]).collect()
    }

    #[test]
    fn a_task_filled_in_comes_back() {
        let rows = ["a1", "b2", "=3"].map(|id| TaskRow { id: id.into(), texts: own(&["-a, \"b\"\nc"]) });
        let tasks = Tasks::new(own(&["title"]), own(&["Small", "Big (7+)"]), rows.to_vec()).unwrap();
        let csv = String::from_utf8(tasks.csv("Ann").unwrap()).unwrap();
        let filled = csv.replace(",,Ann", ", big  (7+) ,Ann");
        let answers = read(&[("ann.csv", &filled, None)]);
        assert_eq!((given(&answers), answers.faults.len()), (vec![[0, 0, 1], [1, 0, 1], [2, 0, 1]], 0));
        assert_eq!(read(&[("ann.csv", &csv, None)]), Answers { blank: 3, ..Answers::default() });
    }

    #[test]
    fn people_are_told_apart_by_column_or_file() {
        let answers = read(&[
            ("all.csv", "id,label,annotator\na1,small,Ann\na1,1.0,Bo\n", None),
            ("bo.csv", "label;id\nSMALL;b2\n", Some("bo ")),
            ("cy.csv", "id\tlabel\nb2\t1\n", Some("Cy")),
            ("label_studio.csv", "annotation_id,annotator,id,label,row_id\n9,4,101,Small,a1\n", None),
        ]);
        assert_eq!(answers.annotators, ["Ann", "Bo", "Cy", "4"]);
        assert_eq!(given(&answers), [[0, 0, 0], [0, 1, 2], [1, 1, 0], [1, 2, 2], [0, 3, 0]]);
        assert_eq!(answers.faults, []);
        let votes = answers.votes(3, 3).unwrap();
        assert_eq!((votes.of_row(1).len(), votes.sizes().annotators), (2, 4));
    }

    #[test]
    fn bad_lines_are_named_and_the_others_count() {
        let text = "id,label,annotator\na1,Small,Ann\nzz,Small,Ann\nb2,Tiny,Ann\nb2,1\n,Small,Ann\nb2,Small,\na1,1,ann\na1,small,ANN\nb2,1,Ann\n";
        let answers = read(&[("x.csv", text, None)]);
        let faults: Vec<String> = answers.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "x.csv line 3: \"zz\" is the id of no row asked about",
                "x.csv line 4: \"Tiny\" is none of the classes",
                "x.csv line 5: \"b2,1\" has 2 cells, the header 3",
                "x.csv line 6: \"\" is no id",
                "x.csv line 7: \"b2\" is answered by nobody: there is no annotator",
                "x.csv line 8: \"1\" is another answer of \"ann\" about \"a1\"; the first one counts",
            ]
        );
        assert_eq!((given(&answers), answers.repeated), (vec![[0, 0, 0], [1, 0, 2]], 1));
    }

    #[test]
    fn both_exports_of_label_studio_are_read() {
        let full = r#"[
          {"id": 7, "data": {"row_id": "a1"}, "annotations": [
            {"completed_by": {"id": 2, "email": "bo@club.org"}, "was_cancelled": false, "result": [
              {"from_name": "other", "type": "choices", "value": {"choices": ["x"]}},
              {"from_name": "label", "type": "choices", "value": {"choices": ["Small"]}}]},
            {"completed_by": 3, "result": [{"from_name": "l", "type": "choices", "value": {"choices": ["1"]}}]},
            {"completed_by": 4, "was_cancelled": true, "result": []}]},
          {"id": 8, "data": {"row_id": "b2"}, "annotations": [
            {"completed_by": 3, "result": [{"from_name": "label", "type": "choices", "value": {"choices": ["1", "Small"]}}]},
            {"completed_by": {}, "result": [{"from_name": "label", "type": "choices", "value": {"choices": ["1"]}}]},
            {"completed_by": 3, "result": "none"}]},
          {"id": 9, "data": {}, "annotations": []},
          3
        ]"#;
        let min = r#"[{"row_id": "b2", "id": 8, "label": "Small", "annotator": 3, "annotation_id": 1},
          {"row_id": "=3", "label": {"choices": ["Big (7+)"]}, "annotator": "bo@club.org"},
          {"row_id": 5, "label": "Small", "annotator": 3}, {"row_id": "=3", "annotator": 3},
          {"row_id": "=3", "label": {"choices": ["1", "Small"]}, "annotator": 3}]"#;
        let answers = read(&[("full.json", full, None), ("min.json", min, None)]);
        assert_eq!(answers.annotators, ["bo@club.org", "3"]);
        assert_eq!(given(&answers), [[0, 0, 0], [0, 1, 2], [1, 1, 0], [2, 0, 1]]);
        let faults: Vec<String> = answers.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "full.json task 2: \"1, Small\" is more than one choice",
                "full.json task 2: \"b2\" is answered by nobody: there is no annotator",
                "full.json task 2: \"\\\"none\\\"\" is no list of results",
                "full.json task 3: \"{}\" has no `row_id`",
                "full.json task 4: \"3\" is no task: it has no `annotations`, nor a `row_id` of its own",
                "min.json task 3: \"5\" is the id of no row asked about",
                "min.json task 5: \"1, Small\" is more than one choice",
            ]
        );
        assert_eq!(answers.blank, 2);
    }

    #[test]
    fn what_is_no_file_of_answers_says_so() {
        for (text, why) in [
            ("", "it is empty"),
            ("name,label\na1,Small\n", "has no column `id`"),
            ("id,text\na1,x\n", "has no column `label`"),
            ("[{\"id\": 1}", "is no JSON: EOF while parsing a list at line 1 column 10"),
            ("{\"a\": 1}", "is no JSON list of tasks"),
        ] {
            let answers = read(&[("x", text, Some("Ann"))]);
            assert_eq!(answers.faults.len(), 1, "{text}");
            assert_eq!(answers.faults[0].why, why, "{text}");
            assert_eq!(answers.answers, []);
        }
    }

    #[test]
    fn spreadsheets_of_every_encoding_are_read() {
        let text = "id;label;annotator\r\na1;Größe;Jörg\r\n";
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let windows = encoding_rs::WINDOWS_1252.encode(text).0.into_owned();
        for bytes in [text.as_bytes(), format!("\u{feff}{text}").as_bytes(), &utf16, &windows] {
            let file = AnswerFile { name: "x", bytes, annotator: None };
            let answers = read_answers(&[file], &own(&["a1"]), &own(&["größe", "b"]));
            assert_eq!(
                (given(&answers), &answers.annotators[..]),
                (vec![[0, 0, 0]], &["Jörg".to_owned()][..])
            );
        }
    }
}
