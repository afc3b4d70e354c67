//! One cell: plain text, a JSON list, or a Python list literal.

use std::borrow::Cow;

/// A cell that no spreadsheet takes for a formula: one that it would has a ' before it. A number is none.
pub fn harmless(cell: &str) -> Cow<'_, str> {
    let formula = cell.len() > 1 && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let computes = formula && cell.parse::<f64>().is_err();
    if computes { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The items of a list cell, or `None` where the cell is plain text.
///
/// JSON (`["a", "b"]`) and Python (`['a', "b's"]`) lists of strings and numbers are recognised; anything else that
/// merely begins with a bracket is plain text.
fn list(cell: &str) -> Option<Vec<String>> {
    if !(cell.starts_with('[') && cell.ends_with(']')) {
        return None;
    }
    if let Ok(items) = serde_json::from_str::<Vec<serde_json::Value>>(cell) {
        return items
            .into_iter()
            .map(|item| match item {
                serde_json::Value::String(s) => Some(s),
                serde_json::Value::Number(n) => Some(n.to_string()),
                _ => None,
            })
            .collect();
    }
    python_list(&cell[1..cell.len() - 1])
}

/// Items of a Python list literal without its brackets: quoted strings with backslash escapes, or bare numbers.
fn python_list(inner: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut chars = inner.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(&first) = chars.peek() else { return Some(items) };
        let mut item = String::new();
        if first == '\'' || first == '"' {
            chars.next();
            loop {
                match chars.next()? {
                    '\\' => match chars.next()? {
                        'n' => item.push('\n'),
                        't' => item.push('\t'),
                        other => item.push(other),
                    },
                    c if c == first => break,
                    c => item.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|&c| c != ',') {
                item.push(c);
            }
            item.truncate(item.trim_end().len());
            item.parse::<f64>().ok()?;
        }
        items.push(item);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// The text of a cell: the items of a list as one text, sentences after one another, words with commas between.
pub fn text(cell: &str) -> String {
    let Some(items) = list(cell) else { return cell.to_owned() };
    let mut text = String::new();
    for item in items.iter().map(|i| i.trim()).filter(|i| !i.is_empty()) {
        if !text.is_empty() {
            text.push_str(if text.ends_with(['.', '!', '?', ':', ';', '…']) { " " } else { ", " });
        }
        text.push_str(item);
    }
    text
}

/// The items of a cell as they stand, and whether it is a list; plain text is its own single item.
pub fn items(cell: &str) -> (Vec<String>, bool) {
    match list(cell) {
        Some(items) => (items, true),
        None => (vec![cell.to_owned()], false),
    }
}

/// The category values of a cell: each item of a list, or the plain text; lower case, none for an empty cell.
pub fn values(cell: &str) -> Vec<String> {
    let mut values: Vec<String> =
        items(cell).0.iter().map(|v| v.trim().to_lowercase()).filter(|v| !v.is_empty()).collect();
    values.sort();
    values.dedup();
    values
}

/// Lower case, letters and digits only, words separated by one space: what two spellings of one title share.
pub fn normalise(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// At most `limit` characters, with `…` where something was left out.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_each_spelling_give_the_same_text() {
        for cell in
            [r#"["calm", "indoor play"]"#, "['calm', 'indoor play']", r#"[ "calm" , 'indoor play', ]"#]
        {
            assert_eq!(text(cell), "calm, indoor play", "{cell}");
        }
        assert_eq!(text("calm, indoor play"), "calm, indoor play");
        assert_eq!(text("[]"), "");
    }

    #[test]
    fn steps_read_as_sentences() {
        assert_eq!(text(r#"['Pour it out.', "Don't stop!", 'Rest']"#), "Pour it out. Don't stop! Rest");
    }

    #[test]
    fn python_quotes_and_escapes() {
        assert_eq!(list(r#"['it\'s', "a \"b\"", 3]"#).unwrap(), ["it's", "a \"b\"", "3"]);
    }

    #[test]
    fn a_bracket_alone_makes_no_list() {
        for cell in ["[1] first, then [2]", "[see below]", "['a' 'b']", "['open]", "[{\"a\": 1}]"] {
            assert_eq!(text(cell), cell);
        }
    }

    #[test]
    fn values_are_sorted_lower_case_and_unique() {
        assert_eq!(values("['Heat', 'small parts', 'heat ']"), ["heat", "small parts"]);
        assert_eq!(values("2-4"), ["2-4"]);
        assert!(values("").is_empty());
    }

    #[test]
    fn titles_normalise() {
        assert_eq!(normalise("  Café-Crème: the  GAME! "), "café crème the game");
    }
}
