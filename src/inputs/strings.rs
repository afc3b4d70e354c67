//! Many short strings in one allocation: a vocabulary has a hundred thousand, and a program that only answers one text has to
//! read them all.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list of strings, one behind the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strings {
    all: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Strings {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The string at a place below [`Strings::len`].
    pub fn get(&self, place: usize) -> &str {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.all[start..self.ends[place]]
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|place| self.get(place))
    }

    /// The place of a string, if the strings are in ascending order.
    pub fn find(&self, wanted: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    fn push(&mut self, string: &str) {
        self.all.push_str(string);
        self.ends.push(self.all.len());
    }
}

impl<'s> FromIterator<&'s str> for Strings {
    fn from_iter<I: IntoIterator<Item = &'s str>>(strings: I) -> Self {
        let mut all = Self::default();
        strings.into_iter().for_each(|string| all.push(string));
        all
    }
}

impl Serialize for Strings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Strings, A::Error> {
                let mut strings = Strings::default();
                while list.next_element_seed(Next(&mut strings))?.is_some() {}
                Ok(strings)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Puts a string behind the others without an allocation of its own.
struct Next<'a>(&'a mut Strings);

impl<'de> serde::de::DeserializeSeed<'de> for Next<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Next<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, string: &str) -> Result<(), E> {
        self.0.push(string);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_and_survive_json() {
        let strings: Strings = ["", "a", "ab", "b\"\u{e9}"].into_iter().collect();
        assert_eq!(strings.iter().collect::<Vec<_>>(), ["", "a", "ab", "b\"\u{e9}"]);
        for (place, string) in strings.iter().enumerate() {
            assert_eq!(strings.find(string), Some(place));
        }
        assert_eq!((strings.find("aa"), strings.find("z"), Strings::default().find("")), (None, None, None));
        let json = serde_json::to_string(&strings).unwrap();
        assert_eq!(serde_json::from_str::<Strings>(&json).unwrap(), strings);
        assert!(serde_json::from_str::<Strings>("[1]").is_err());
    }
}
