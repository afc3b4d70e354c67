//! What an endpoint understands of the chat completions interface, learned from what it refuses.

use std::sync::atomic::{AtomicU8, Ordering};

/// How the answer's form is asked for, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `json_schema` with limits of length and count.
    Schema,
    /// `json_schema` without them.
    SchemaWithoutSizes,
    /// `json_object`: any JSON object.
    Object,
    /// Nothing; the prompt alone asks for JSON.
    Text,
}

impl Format {
    const ALL: [Self; 4] = [Self::Schema, Self::SchemaWithoutSizes, Self::Object, Self::Text];
}

/// The name of the limit of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LengthField {
    /// Of nearly all endpoints.
    MaxTokens,
    /// Of newer models of OpenAI, which refuse the other.
    MaxCompletionTokens,
}

impl LengthField {
    const ALL: [Self; 2] = [Self::MaxTokens, Self::MaxCompletionTokens];
}

/// What one request is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub format: Format,
    pub length: LengthField,
}

/// What is known so far; shared by all threads of a run.
#[derive(Debug, Default)]
pub(super) struct Learned {
    format: AtomicU8,
    length: AtomicU8,
}

impl Learned {
    /// The best that has not been refused.
    pub fn now(&self) -> Dialect {
        let at = |place: &AtomicU8| usize::from(place.load(Ordering::Relaxed));
        Dialect {
            format: Format::ALL.get(at(&self.format)).copied().unwrap_or(Format::Text),
            length: LengthField::ALL
                .get(at(&self.length))
                .copied()
                .unwrap_or(LengthField::MaxCompletionTokens),
        }
    }

    /// Whether the refusal of a request in the dialect `used` is about the dialect, so that another should be tried.
    pub fn learns(&self, used: Dialect, status: u16, body: &str) -> bool {
        if !matches!(status, 400 | 422) {
            return false;
        }
        let body = body.to_ascii_lowercase();
        if used.length == LengthField::MaxTokens && body.contains("max_completion_tokens") {
            self.length.fetch_max(1, Ordering::Relaxed);
            return true;
        }
        const ABOUT_FORMAT: [&str; 6] =
            ["response_format", "json_schema", "json_object", "schema", "grammar", "json mode"];
        if used.format == Format::Text || !ABOUT_FORMAT.iter().any(|word| body.contains(word)) {
            return false;
        }
        // By maximum: of several threads whose requests are refused at once, none goes a step too far.
        let next = Format::ALL.iter().position(|format| *format == used.format).map_or(3, |place| place + 1);
        self.format.fetch_max(u8::try_from(next).unwrap_or(3), Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_goes_one_step_down_and_is_remembered() {
        let learned = Learned::default();
        let first = learned.now();
        assert!(learned.learns(first, 400, "Unknown field: response_format"));
        assert!(learned.learns(first, 400, "Unknown field: response_format"));
        assert_eq!(learned.now().format, Format::SchemaWithoutSizes);
        assert!(learned.learns(learned.now(), 422, "JSON_SCHEMA is not supported"));
        assert!(learned.learns(learned.now(), 400, "json_object is not supported"));
        assert_eq!(learned.now().format, Format::Text);
        assert!(!learned.learns(learned.now(), 400, "response_format"));
    }

    #[test]
    fn other_refusals_teach_nothing() {
        let learned = Learned::default();
        assert!(!learned.learns(learned.now(), 400, "model not found"));
        assert!(!learned.learns(learned.now(), 500, "response_format"));
        assert_eq!(learned.now(), Dialect { format: Format::Schema, length: LengthField::MaxTokens });
        assert!(learned.learns(
            learned.now(),
            400,
            "'max_tokens' is not supported, use 'max_completion_tokens'"
        ));
        assert_eq!(learned.now().length, LengthField::MaxCompletionTokens);
        assert_eq!(learned.now().format, Format::Schema);
    }
}
