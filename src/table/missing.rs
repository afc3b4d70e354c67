//! Cells that stand for nothing.

/// Spellings of a value that is not there.
pub struct Missing {
    /// In lower case.
    spellings: Vec<String>,
    longest: usize,
}

impl Missing {
    /// Those of `data.missing`; an empty cell is missing always.
    pub fn new(spellings: &[String]) -> Self {
        let spellings: Vec<String> = spellings.iter().map(|s| s.trim().to_lowercase()).collect();
        Self { longest: spellings.iter().map(String::len).max().unwrap_or(0), spellings }
    }

    /// The trimmed `cell`, or the empty text where that is missing.
    pub fn empty<'c>(&self, cell: &'c str) -> &'c str {
        let cell = cell.trim();
        if cell.len() <= self.longest && self.spellings.contains(&cell.to_lowercase()) { "" } else { cell }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_nothing() {
        let missing = Missing::new(&["NA".into(), "-".into(), " null ".into()]);
        for cell in ["", "  ", "NA", " na ", "-", "NULL"] {
            assert_eq!(missing.empty(cell), "", "{cell}");
        }
        for cell in ["Nana", "--", "nullable", "banana"] {
            assert_eq!(missing.empty(cell), cell);
        }
        assert_eq!(Missing::new(&[]).empty("NA"), "NA");
    }
}
