//! Prompts for new rows, after AttrPrompt (Yu et al. 2023, arXiv 2306.15895): each names a class and a value of each attribute, so
//! that what is written differs in more than its class.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use super::draw::{Combination, Draws, Rounds, stream};
use super::error::CollectError;
use super::plan::{Origin, Planned, chat, described, form, schema, shown};
use super::rules::{Forbidden, Rules, likeness, words};
use super::task::{Task, forbidden};

/// A row shown as an example. Whoever gives it takes it from the training part only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Name of its class.
    pub class: String,
    /// One text a field, in the order of the fields.
    pub texts: Vec<String>,
}

const PROMPT: &str = r#"{{ task }}

Write {{ rows }} new {{ "entry" if rows == 1 else "entries, each different from the others," }} of this kind:
{{ class }}
{% if attributes %}

{{ "It has" if rows == 1 else "All of them have" }} in common:
{% for attribute in attributes %}
- {{ attribute.name }}: {{ attribute.value }}
{% endfor %}
{% endif %}

An entry has:
{% for field in fields %}
- {{ field }}
{% endfor %}
{% if words %}

Never use these words: {{ words | join(", ") }}.
{% endif %}
{% if examples %}

Existing entries of this kind, to show the style. Do not repeat them:
{% for example in examples %}
{{ example }}
{% endfor %}
{% endif %}

Answer with JSON of this form, with {{ rows }} {{ "entry" if rows == 1 else "entries" }} in "rows":
{{ form }}"#;

/// Prompts for the rows of a task, without end; the same for the same task, examples and seed.
pub struct Prompts {
    task: Task,
    draws: Draws,
    number: u64,
    of_class: Vec<OfClass>,
    /// Of each example.
    texts: Vec<Vec<String>>,
}

/// What is the same in all prompts of a class.
struct OfClass {
    forbidden: Vec<Forbidden>,
    /// Numbers of its examples among those given.
    examples: Vec<usize>,
    rounds: Rounds,
}

impl Prompts {
    /// # Errors
    /// The task cannot be used, or an example is of no class or has not a text for each field.
    pub fn new(task: Task, examples: &[Example], seed: u64) -> Result<Self, CollectError> {
        task.check()?;
        for example in examples {
            if task.classes.iter().all(|class| class.name != example.class) {
                return Err(CollectError::setting(
                    "the class of an example",
                    &example.class,
                    "there is no such class",
                ));
            }
            if example.texts.len() != task.fields.len() {
                let problem = format!("a row has {} texts", task.fields.len());
                return Err(CollectError::setting(
                    "the number of texts of an example",
                    example.texts.len(),
                    problem,
                ));
            }
        }
        let of_class = |class: &super::task::Class| {
            let own = examples.iter().enumerate().filter(|(_, example)| example.class == class.name);
            let examples: Vec<usize> = own.map(|(number, _)| number).collect();
            let rounds = Rounds::new(examples.len(), stream(seed, &["examples", &class.name]));
            Ok(OfClass { forbidden: forbidden(class)?, examples, rounds })
        };
        let of_class = task.classes.iter().map(of_class).collect::<Result<_, CollectError>>()?;
        let texts = examples.iter().map(|example| example.texts.clone()).collect();
        Ok(Self { draws: Draws::new(&task, seed), task, number: 0, of_class, texts })
    }

    fn plan(&mut self, number: u64, drawn: Combination) -> Result<Planned, CollectError> {
        let (task, of_class) = (&self.task, &mut self.of_class[drawn.class]);
        let count = task.examples_per_request.min(of_class.examples.len());
        // Two in a row may be the same where one round ends and the next begins.
        let mut picked: Vec<usize> = (0..count).filter_map(|_| of_class.rounds.next()).collect();
        picked.sort_unstable();
        picked.dedup();
        let picked: Vec<usize> = picked.into_iter().map(|place| of_class.examples[place]).collect();
        let examples: Vec<&[String]> = picked.iter().map(|&number| self.texts[number].as_slice()).collect();
        let values = task.attributes.iter().zip(&drawn.values);
        let attributes: Vec<_> = values
            .filter_map(|(attribute, value)| {
                let value = attribute.values.get((*value)?)?;
                Some(context! { name => attribute.name.clone(), value => value.clone() })
            })
            .collect();
        let prompt = render(
            PROMPT,
            context! {
                task => task.task.trim().to_owned(),
                rows => task.rows_per_request,
                class => task.classes[drawn.class].description.trim().to_owned(),
                attributes,
                fields => task.fields.iter().map(described).collect::<Vec<_>>(),
                words => words(&of_class.forbidden),
                examples => examples.iter().map(|texts| shown(&task.fields, texts)).collect::<Vec<_>>(),
                form => form(&task.fields),
            },
        );
        let rules = Rules {
            fields: task.fields.clone(),
            forbidden: of_class.forbidden.clone(),
            taken: examples.iter().map(|texts| likeness(texts)).collect(),
        };
        Ok(Planned {
            number,
            messages: chat(prompt.map_err(|reason| CollectError::Prompt { number, reason })?),
            schema: schema(&task.fields, task.rows_per_request),
            rules,
            rows: task.rows_per_request,
            origin: Origin::Drawn { of: drawn, examples: picked },
        })
    }
}

impl Iterator for Prompts {
    type Item = Result<Planned, CollectError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, drawn) = (self.number, self.draws.next()?);
        self.number += 1;
        Some(self.plan(number, drawn))
    }
}

/// `template` with `values` in it. Values are put in as they are: nothing in them is read as a template.
pub(super) fn render(template: &str, values: minijinja::Value) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    environment.render_str(template, values).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::task::tests::task;
    use super::*;

    fn examples() -> Vec<Example> {
        let example = |class: &str, text: &str| Example { class: class.into(), texts: vec![text.into()] };
        vec![
            example("toddlers", "Stack {{ cups }}"),
            example("toddlers", "Splash in puddles"),
            example("toddlers", "Sing"),
            example("teenagers", "Repair a bike"),
        ]
    }

    fn prompts(count: usize) -> Vec<Planned> {
        let prompts = Prompts::new(task(), &examples(), 5).unwrap();
        prompts.take(count).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_prompt_reads_well() {
        let mut task = task();
        task.attributes.iter_mut().for_each(|attribute| attribute.values.truncate(1));
        let mut prompts = Prompts::new(task, &examples()[3..], 5).unwrap();
        let mut planned = || prompts.next().unwrap().unwrap();
        let (first, second) = (planned(), planned());
        assert_eq!(
            first.messages[1].content,
            r#"Titles of things that families do.

Write 4 new entries, each different from the others, of this kind:
something for toddlers

All of them have in common:
- season: winter
- place: at home
- bedtime: soon

An entry has:
- "title": a short title, 5 to 80 characters

Never use these words: toddlers.

Answer with JSON of this form, with 4 entries in "rows":
{"rows":[{"title":"…"}]}"#
        );
        assert_eq!(second.number, 1);
        let all: Vec<String> = [second, planned(), planned()].map(|p| p.messages[1].content.clone()).to_vec();
        let with = all.iter().find(|prompt| prompt.contains("teenagers")).unwrap();
        assert!(with.contains("Do not repeat them:\n{\"title\":\"Repair a bike\"}\n\nAnswer"), "{with}");
        assert!(!with.contains("bedtime"), "{with}");
    }

    #[test]
    fn prompts_are_the_same_for_the_same_seed() {
        let words = |prompts: Vec<Planned>| prompts.into_iter().map(|p| p.messages).collect::<Vec<_>>();
        assert_eq!(words(prompts(20)), words(prompts(20)));
        let mut of_one = prompts(20);
        of_one.dedup_by(|a, b| a.messages == b.messages);
        assert_eq!(of_one.len(), 20);
    }

    #[test]
    fn examples_are_of_the_class_and_may_not_be_repeated() {
        for planned in prompts(30) {
            let Origin::Drawn { of: drawn, .. } = &planned.origin else { panic!("not drawn") };
            let text = &planned.messages[1].content;
            assert_eq!(text.contains("Repair a bike"), drawn.class == 1);
            let shown =
                ["Stack {{ cups }}", "Splash in puddles", "Sing"].iter().filter(|e| text.contains(**e));
            assert_eq!(shown.count(), planned.rules.taken.len() * usize::from(drawn.class == 0));
        }
        let taken: Vec<String> = prompts(30).into_iter().flat_map(|p| p.rules.taken).collect();
        assert!(["stack cups", "splash in puddles", "sing"].iter().all(|e| taken.iter().any(|t| t == e)));
    }

    #[test]
    fn examples_that_do_not_fit_are_errors() {
        let bad = |class: &str, texts: &[&str]| {
            let texts = texts.iter().map(ToString::to_string).collect();
            Prompts::new(task(), &[Example { class: class.into(), texts }], 1).err().unwrap().to_string()
        };
        assert!(bad("adults", &["x"]).contains("adults"));
        assert!(bad("toddlers", &["x", "y"]).contains("1 texts"));
    }
}
