//! One text or a list of them, as both forms of embedding requests have it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// A text, or a list of texts. A list of lists is refused: it would be pairs or tokens, which are something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Texts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }
            fn visit_string<E>(self, text: String) -> Result<Texts, E> {
                Ok(Texts(vec![text]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_list_is_a_list_of_texts() {
        let of = |json: &str| serde_json::from_str::<Texts>(json).map(|texts| texts.0);
        assert_eq!(of(r#""a""#).unwrap(), ["a"]);
        assert_eq!(of(r#"["a","b"]"#).unwrap(), ["a", "b"]);
        assert!(of("[]").unwrap().is_empty());
        for bad in ["5", "null", "[1, 2]", r#"[["a", "b"]]"#, "{}", "[null]"] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(of("5").unwrap_err().to_string().contains("a text or a list of texts"));
    }
}
