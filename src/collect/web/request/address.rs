//! Which hosts may be asked: checked by name, by the address a name resolves to, and held to at connecting.
//!
//! [`Guard`] is the resolver of the HTTP client, and the client connects to nothing but what its resolver returned.
//! So the address that is checked is the one that is connected to: a name that changes between the check and the
//! connection (DNS rebinding) changes nothing.

use std::net::IpAddr;
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::{Host, Url};

use super::reserved::reserved_range;
use crate::collect::web::error::WebError;
use crate::collect::web::refusal::Refusal;

/// Lets through public addresses and the hosts that the settings name.
#[derive(Clone, Debug)]
pub struct Guard {
    allowed: Arc<[Allowed]>,
    names: Arc<dyn Resolver>,
}

/// A host of `allow_hosts`.
#[derive(Debug, PartialEq)]
struct Allowed {
    /// As it stands in an address: lower case, an IPv6 address in brackets.
    host: String,
    /// `None`: any port.
    port: Option<u16>,
}

impl Guard {
    /// A guard that asks the system for addresses. `allow_hosts` are hosts (`intranet.example`, `127.0.0.1`, `[::1]`)
    /// or hosts with a port (`127.0.0.1:8080`) that may be asked wherever they are.
    ///
    /// # Errors
    /// One of them is no host.
    pub fn new(allow_hosts: &[String]) -> Result<Self, WebError> {
        Self::with_names(allow_hosts, Arc::new(DefaultResolver::default()))
    }

    /// As [`Guard::new`], with another source of addresses.
    ///
    /// # Errors
    /// As [`Guard::new`].
    pub fn with_names(allow_hosts: &[String], names: Arc<dyn Resolver>) -> Result<Self, WebError> {
        let allowed = allow_hosts.iter().map(|text| allowed_host(text)).collect::<Result<_, _>>()?;
        Ok(Self { allowed, names })
    }

    /// Whether `url` may be asked, as far as can be said without resolving its name.
    ///
    /// # Errors
    /// Another scheme than http and https, user info, or a literal address that is reserved and not named.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme { scheme: url.scheme().to_owned() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let address = match url.host() {
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            None => {
                let reason = "it names no host".to_owned();
                return Err(Refusal::NoAddress { address: url.to_string(), reason });
            }
        };
        let host = url.host_str().unwrap_or_default();
        self.check_address(host, url.port_or_known_default(), address)
    }

    fn check_address(&self, host: &str, port: Option<u16>, address: IpAddr) -> Result<(), Refusal> {
        match reserved_range(address) {
            Some(range) if !self.is_named(host, port) => {
                Err(Refusal::Reserved { host: host.to_owned(), address, range })
            }
            _ => Ok(()),
        }
    }

    fn is_named(&self, host: &str, port: Option<u16>) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.allowed.iter().any(|a| a.host == host && (a.port.is_none() || a.port == port))
    }
}

impl Resolver for Guard {
    /// The addresses of a host that may be connected to; those that may not are left out.
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default();
        let mut checked = self.empty();
        let mut refused = None;
        for address in found.iter() {
            match self.check_address(host, Some(address.port()), address.ip()) {
                Ok(()) => checked.push(*address),
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        match refused {
            Some(refusal) if checked.is_empty() => Err(ureq::Error::Other(Box::new(refusal))),
            _ if checked.is_empty() => Err(ureq::Error::HostNotFound),
            _ => Ok(checked),
        }
    }
}

fn allowed_host(text: &str) -> Result<Allowed, WebError> {
    // The parser of addresses knows every spelling of a host, `0x7f.1` and `[::0001]` too.
    let parsed = Url::parse(&format!("http://{text}/")).ok().filter(|url| {
        url.username().is_empty() && url.path() == "/" && url.query().is_none() && url.fragment().is_none()
    });
    let Some(host) = parsed.as_ref().and_then(Url::host_str) else {
        return WebError::setting("allow_hosts", text, "each must be a host, or a host and a port");
    };
    let stated = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    Ok(Allowed { host: host.trim_end_matches('.').to_owned(), port: stated })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::net::SocketAddr;

    /// Names and where they are, for tests: no name server is asked.
    #[derive(Debug)]
    pub struct Book(pub Vec<(&'static str, Vec<IpAddr>)>);

    impl Resolver for Book {
        fn resolve(
            &self,
            uri: &Uri,
            config: &Config,
            timeout: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let Some((_, addresses)) = self.0.iter().find(|(name, _)| Some(*name) == uri.host()) else {
                // Of the rest only literal loopback addresses are let through: were the guard broken, no test would send
                // anything to another machine.
                let literal = uri.host().and_then(|h| h.trim_matches(['[', ']']).parse::<IpAddr>().ok());
                return match literal.is_some_and(|address| address.is_loopback()) {
                    true => DefaultResolver::default().resolve(uri, config, timeout),
                    false => Err(ureq::Error::HostNotFound),
                };
            };
            let mut found = self.empty();
            for address in addresses {
                found.push(SocketAddr::new(*address, uri.port_u16().unwrap_or(80)));
            }
            Ok(found)
        }
    }

    fn guard(allowed: &[&str], names: Vec<(&'static str, Vec<IpAddr>)>) -> Guard {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        Guard::with_names(&allowed, Arc::new(Book(names))).unwrap()
    }

    fn check(guard: &Guard, url: &str) -> Result<(), Refusal> {
        guard.check(&Url::parse(url).unwrap())
    }

    fn resolve(guard: &Guard, uri: &str) -> Result<Vec<SocketAddr>, String> {
        let config = Config::builder().build();
        let timeout = NextTimeout {
            after: ureq::unversioned::transport::time::Duration::NotHappening,
            reason: ureq::Timeout::Global,
            ..NextTimeout::default()
        };
        match guard.resolve(&uri.parse().unwrap(), &config, timeout) {
            Ok(found) => Ok(found.iter().copied().collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn other_schemes_and_user_info_are_refused() {
        let guard = guard(&[], vec![]);
        assert_eq!(check(&guard, "ftp://a.example/"), Err(Refusal::Scheme { scheme: "ftp".into() }));
        assert_eq!(check(&guard, "file:///etc/passwd"), Err(Refusal::Scheme { scheme: "file".into() }));
        assert_eq!(check(&guard, "http://me@a.example/"), Err(Refusal::UserInfo));
        assert_eq!(check(&guard, "http://:secret@a.example/"), Err(Refusal::UserInfo));
        assert_eq!(check(&guard, "https://a.example/"), Ok(()));
    }

    #[test]
    fn every_spelling_of_a_loopback_address_is_refused() {
        let guard = guard(&[], vec![]);
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://0.0.0.0/",
            "http://１２７.0.0.1/",
        ] {
            assert!(matches!(check(&guard, url), Err(Refusal::Reserved { .. })), "{url}");
        }
    }

    #[test]
    fn a_named_host_is_let_through_and_no_other_port_of_it() {
        let any = guard(&["127.0.0.1"], vec![]);
        assert_eq!(check(&any, "http://127.0.0.1:9/"), Ok(()));
        let one = guard(&["127.0.0.1:80"], vec![]);
        assert_eq!(check(&one, "http://127.0.0.1/"), Ok(()));
        assert!(check(&one, "http://127.0.0.1:6379/").is_err());
        assert!(check(&one, "http://127.0.0.2/").is_err());
        let bracketed = guard(&["[::1]"], vec![]);
        assert_eq!(check(&bracketed, "http://[::1]:1234/"), Ok(()));
        let error = Guard::new(&["http://x/".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("allow_hosts is \"http://x/\""), "{error}");
    }

    #[test]
    fn a_name_is_judged_by_where_it_is() {
        let (inside, outside): (IpAddr, IpAddr) = ("10.0.0.7".parse().unwrap(), "8.8.8.8".parse().unwrap());
        let names = vec![("inside.test", vec![inside]), ("mixed.test", vec![inside, outside])];
        let guard = guard(&[], names.clone());
        let refused = resolve(&guard, "http://inside.test/").unwrap_err();
        assert!(refused.contains("inside.test is at 10.0.0.7, which is private"), "{refused}");
        // Of a host at both, only the public address is connected to.
        assert_eq!(resolve(&guard, "http://mixed.test/").unwrap(), [SocketAddr::new(outside, 80)]);
        let named = super::tests::guard(&["inside.test"], names);
        assert_eq!(resolve(&named, "http://INSIDE.test/").map_err(|_| ()), Err(()));
        assert_eq!(resolve(&named, "http://inside.test/").unwrap(), [SocketAddr::new(inside, 80)]);
    }
}
