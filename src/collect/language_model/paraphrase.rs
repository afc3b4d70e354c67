//! Prompts that ask for given rows in other words.

use minijinja::context;

use super::error::CollectError;
use super::plan::{Origin, Planned, chat, described, form, schema, shown};
use super::prompt::render;
use super::rules::{Field, Forbidden, Rules, likeness, words};
use super::task::check_fields;

/// A row to be put in other words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// One text a field, in the order of the fields.
    pub texts: Vec<String>,
    /// What no paraphrase may hold; as [`super::Class::must_not_appear`].
    pub must_not_appear: Vec<String>,
}

const PROMPT: &str = r#"Put this entry in other words, in {{ rows }} {{ "way" if rows == 1 else "different ways" }}:
{{ entry }}

Keep its meaning and every fact, name and number in it. Add nothing.
Change the words and the order of the sentences. Write in the language of the entry.

An entry has:
{% for field in fields %}
- {{ field }}
{% endfor %}
{% if words %}

Never use these words: {{ words | join(", ") }}.
{% endif %}

Answer with JSON of this form, with {{ rows }} {{ "entry" if rows == 1 else "entries" }} in "rows":
{{ form }}"#;

/// One request for each row.
pub struct Paraphrases {
    fields: Vec<Field>,
    sources: std::vec::IntoIter<Source>,
    each: usize,
    row: usize,
}

impl Paraphrases {
    /// `each` paraphrases, 1 to 100, of each of `sources`. The plan ends with them.
    ///
    /// # Errors
    /// A field or a pattern cannot be used, or a source has not a text for each field.
    pub fn new(fields: Vec<Field>, sources: Vec<Source>, each: usize) -> Result<Self, CollectError> {
        check_fields(&fields)?;
        if !(1..=100).contains(&each) {
            return Err(CollectError::setting("paraphrases", each, "it must be 1 to 100"));
        }
        for source in &sources {
            if source.texts.len() != fields.len() {
                let problem = format!("a row has {} texts", fields.len());
                return Err(CollectError::setting(
                    "the number of texts of a row",
                    source.texts.len(),
                    problem,
                ));
            }
            source.must_not_appear.iter().try_for_each(|written| Forbidden::new(written).map(drop))?;
        }
        Ok(Self { fields, sources: sources.into_iter(), each, row: 0 })
    }

    fn plan(&self, row: usize, source: &Source) -> Result<Planned, CollectError> {
        let (fields, number) = (&self.fields, row as u64);
        let forbidden: Result<Vec<Forbidden>, _> =
            source.must_not_appear.iter().map(|w| Forbidden::new(w)).collect();
        let forbidden = forbidden?;
        let prompt = render(
            PROMPT,
            context! {
                rows => self.each,
                entry => shown(fields, &source.texts),
                fields => fields.iter().map(described).collect::<Vec<_>>(),
                words => words(&forbidden),
                form => form(fields),
            },
        );
        let rules = Rules { fields: fields.clone(), forbidden, taken: vec![likeness(&source.texts)] };
        Ok(Planned {
            number,
            messages: chat(prompt.map_err(|reason| CollectError::Prompt { number, reason })?),
            schema: schema(fields, self.each),
            rules,
            rows: self.each,
            origin: Origin::Paraphrase { row },
        })
    }
}

impl Iterator for Paraphrases {
    type Item = Result<Planned, CollectError>;

    fn next(&mut self) -> Option<Self::Item> {
        let source = self.sources.next()?;
        let row = self.row;
        self.row += 1;
        Some(self.plan(row, &source))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.sources.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::task::tests::task;
    use super::*;

    fn source(text: &str) -> Source {
        Source { texts: vec![text.into()], must_not_appear: vec!["toddlers".into()] }
    }

    #[test]
    fn each_row_gets_a_prompt_that_reads_well() {
        let sources = vec![source("Build a \"snowman\" {{ rows }}"), source("Bake")];
        let all: Result<Vec<Planned>, _> = Paraphrases::new(task().fields, sources, 3).unwrap().collect();
        let all = all.unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all[1].number, &all[1].origin), (1, &Origin::Paraphrase { row: 1 }));
        assert_eq!(all[0].rules.taken, ["build a snowman rows"]);
        assert_eq!(
            all[0].messages[1].content,
            r#"Put this entry in other words, in 3 different ways:
{"title":"Build a \"snowman\" {{ rows }}"}

Keep its meaning and every fact, name and number in it. Add nothing.
Change the words and the order of the sentences. Write in the language of the entry.

An entry has:
- "title": a short title, 5 to 80 characters

Never use these words: toddlers.

Answer with JSON of this form, with 3 entries in "rows":
{"rows":[{"title":"…"}]}"#
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let new = |texts: &[&str], pattern: &str, each| {
            let texts = texts.iter().map(ToString::to_string).collect();
            Paraphrases::new(
                task().fields,
                vec![Source { texts, must_not_appear: vec![pattern.into()] }],
                each,
            )
        };
        assert!(new(&["a"], "b", 1).is_ok());
        for bad in [new(&[], "b", 1), new(&["a"], "/(/", 1), new(&["a"], "b", 0), new(&["a"], "b", 101)] {
            assert!(bad.is_err());
        }
    }
}
