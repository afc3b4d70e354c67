//! How one request is made.

/// How one request is made.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchSettings {
    /// The name that robots.txt may speak to, letters, `-` and `_` only (RFC 9309 §2.2.1). Default `pipeline`.
    pub agent: String,
    /// An address of a page or mailbox where the owner of a site can reach who collects; goes into the User-Agent.
    /// Default: none.
    pub contact: String,
    /// Longest time from the look-up of the name to the last byte, in seconds. Default 30.
    pub timeout_s: f64,
    /// Largest page in bytes, counted after decompression. Default 5 MiB.
    pub max_bytes: u64,
    /// Hosts, with or without a port, that may be asked though they are not on the public internet. Default: none.
    pub allow_hosts: Vec<String>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            agent: "pipeline".to_owned(),
            contact: String::new(),
            timeout_s: 30.0,
            max_bytes: 5 << 20,
            allow_hosts: Vec::new(),
        }
    }
}

impl FetchSettings {
    /// The User-Agent: name, version and contact.
    pub fn user_agent(&self) -> String {
        let name = format!("{}/{}", self.agent, env!("CARGO_PKG_VERSION"));
        if self.contact.is_empty() { name } else { format!("{name} (+{})", self.contact) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_the_program_and_who_runs_it() {
        let settings =
            FetchSettings { contact: "https://lab.example/bot".into(), ..FetchSettings::default() };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(settings.user_agent(), format!("pipeline/{version} (+https://lab.example/bot)"));
    }
}
