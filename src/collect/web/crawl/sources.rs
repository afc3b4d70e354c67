//! Where a collection starts: listed pages, sitemaps, archives.

use std::path::{Path, PathBuf};

use crate::collect::web::error::WebError;

/// Where a collection starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// Addresses of pages.
    pub pages: Vec<String>,
    /// Addresses of sitemaps.
    pub sitemaps: Vec<String>,
    /// WARC files, plain or gzip. Their pages are not asked for.
    pub archives: Vec<PathBuf>,
}

/// The addresses in a file: one a line; empty lines and lines that begin with `#` are passed over.
///
/// # Errors
/// The file cannot be read.
pub fn read_list(path: &Path) -> Result<Vec<String>, WebError> {
    let bytes = std::fs::read(path).map_err(WebError::of("read", path))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_have_remarks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("urls.txt");
        std::fs::write(&path, "\u{feff}https://e.org/a\r\n\n  # later\n https://e.org/b#c \n").unwrap();
        assert_eq!(read_list(&path).unwrap(), ["https://e.org/a", "https://e.org/b#c"]);
        let missing = read_list(&folder.path().join("none")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read ") && missing.contains("none"), "{missing}");
    }
}
