//! Where set-up puts what all projects of a user share.

use std::path::PathBuf;

/// The per-user cache that set-up fills: `$PIPELINE_CACHE`, else `$XDG_CACHE_HOME/pipeline`, else `~/.cache/pipeline`.
pub fn user_cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    variable("PIPELINE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|d| d.join("pipeline")))
        .or_else(|| variable("HOME").map(|d| d.join(".cache/pipeline")))
        .unwrap_or_else(|| PathBuf::from(".cache/pipeline"))
}
