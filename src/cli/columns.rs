//! Whether rows have the columns that a model reads.

use anyhow::Result;

use super::exit::BadInput;
use super::progress::Terminal;
use crate::config::nearest;
use crate::progress::Progress;
use crate::table::Wanted;

/// Refuse an input with columns of these `names` where it lacks all text, and name what else it lacks.
pub fn check_columns(terminal: &Terminal, wanted: &Wanted<'_>, names: &[String]) -> Result<()> {
    let lacks = lacking(wanted, names);
    if wanted.texts.iter().all(|text| lacks.contains(&text.as_str())) {
        let near = nearest(&wanted.texts[0], names.iter().map(String::as_str));
        let header = match names {
            [only] if wanted.texts.len() == 1 => format!(
                "; where {only:?} is a text and no name of a column, put a line with {} before it",
                wanted.texts[0]
            ),
            _ => String::new(),
        };
        let message = format!(
            "the model reads the text columns {}; the input has none of them, only {}{near}{header}",
            wanted.texts.join(", "),
            names.join(", ")
        );
        return Err(BadInput(message).into());
    }
    if !lacks.is_empty() {
        terminal.note(&format!("note: the input has no {}; empty is taken", lacks.join(", ")));
    }
    Ok(())
}

fn lacking<'w>(wanted: &Wanted<'w>, names: &[String]) -> Vec<&'w str> {
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    wanted.columns().into_iter().filter(|name| !lower.contains(&name.to_lowercase())).collect()
}
