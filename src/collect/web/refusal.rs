//! Why one page gives no row.

use std::net::IpAddr;

/// Why one page gives no row. The message is what the frontier keeps and a person reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The address cannot be read.
    #[error("{address:?} is no address: {reason}")]
    NoAddress {
        /// What stands there, shortened.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither http nor https.
    #[error("scheme {scheme} is neither http nor https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The address carries a user name or password.
    #[error("address carries a user name or password")]
    UserInfo,
    /// The host is, or resolves to, an address that is not on the public internet.
    #[error("host {host} is at {address}, which is {range}")]
    Reserved {
        /// The host as asked.
        host: String,
        /// Where it is.
        address: IpAddr,
        /// `private`, `loopback`, …
        range: &'static str,
    },
    /// The address is too long.
    #[error("address has {length} characters, above the limit of {limit}")]
    LongAddress {
        /// Characters.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A path that goes round in circles.
    #[error("path repeats {segment:?} {times} times")]
    RepeatedSegment {
        /// The segment.
        segment: String,
        /// How often it stands in the path.
        times: usize,
    },
    /// robots.txt forbids it.
    #[error("robots.txt forbids it")]
    Robots,
    /// Its owner keeps it from being mined.
    #[error("its owner reserves text and data mining ({statement})")]
    MiningReserved {
        /// The header or `<meta>` that says so.
        statement: String,
    },
    /// The host is not asked any more in this run.
    #[error("host left alone: {reason}")]
    LeftAlone {
        /// Why.
        reason: String,
    },
    /// The server answered with an error.
    #[error("server answered {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The server asked to come later.
    #[error("server answered {status} and asked to come later, {tries} times")]
    Later {
        /// 429 or 503.
        status: u16,
        /// How often.
        tries: u32,
    },
    /// A content type that is no page.
    #[error("content type {found:?} is not what was asked for")]
    ContentType {
        /// The type, empty where the server gave none.
        found: String,
    },
    /// A content encoding that was not asked for.
    #[error("content encoding {found:?} cannot be undone")]
    ContentEncoding {
        /// The encoding.
        found: String,
    },
    /// The page is too large, counted after decompression.
    #[error("page has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Redirects without end.
    #[error("redirected more than {limit} times")]
    TooManyRedirects {
        /// The limit.
        limit: u32,
    },
    /// A redirect to an address that its own chain has asked already.
    #[error("redirects in a loop: {to} was asked already")]
    RedirectLoop {
        /// Where it leads.
        to: String,
    },
    /// A redirect that leads nowhere.
    #[error("redirect leads nowhere: {reason}")]
    BadRedirect {
        /// Why.
        reason: String,
    },
    /// The request took too long.
    #[error("no whole answer within {seconds} seconds")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The connection failed, or the page broke off.
    #[error("connection failed: {reason}")]
    Network {
        /// What the system or the protocol said.
        reason: String,
    },
    /// Markup that would cost a parser hours.
    #[error("markup is not parsed: {reason}")]
    Markup {
        /// What is too much.
        reason: String,
    },
    /// The page lacks a column that the rules require.
    #[error("column {column} is missing: {reason}")]
    Lacks {
        /// The column.
        column: String,
        /// What was looked for.
        reason: String,
    },
    /// None of the rules' columns found anything.
    #[error("no column found anything")]
    Empty,
}

/// The name of refusals that other rules may not repeat.
pub(super) const LACKS: &str = "lacks a column";

impl Refusal {
    /// Whether the next run should ask again: what may have been for the moment only.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Robots
            | Self::MiningReserved { .. }
            | Self::LeftAlone { .. }
            | Self::Later { .. }
            | Self::Timeout { .. }
            | Self::Network { .. }
            | Self::Reserved { .. } => true,
            Self::Status { status } => *status >= 500 || *status == 408,
            Self::NoAddress { .. }
            | Self::Scheme { .. }
            | Self::UserInfo
            | Self::LongAddress { .. }
            | Self::RepeatedSegment { .. }
            | Self::ContentType { .. }
            | Self::ContentEncoding { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRedirects { .. }
            | Self::RedirectLoop { .. }
            | Self::BadRedirect { .. }
            | Self::Markup { .. }
            | Self::Lacks { .. }
            | Self::Empty => false,
        }
    }

    /// Whether it speaks of a host that is unwell: several in a row, and the host is left alone.
    pub(super) fn is_of_host(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Network { .. } => true,
            Self::Status { status } => *status >= 500,
            _ => false,
        }
    }

    /// One word for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoAddress { .. } | Self::Scheme { .. } | Self::UserInfo => "no address",
            Self::Reserved { .. } => "reserved address",
            Self::LongAddress { .. } | Self::RepeatedSegment { .. } => "trap",
            Self::Robots => "robots.txt",
            Self::MiningReserved { .. } => "mining reserved",
            Self::LeftAlone { .. } => "host left alone",
            Self::Status { .. } => "status",
            Self::Later { .. } => "asked to come later",
            Self::ContentType { .. } | Self::ContentEncoding { .. } => "content type",
            Self::TooLarge { .. } => "too large",
            Self::TooManyRedirects { .. } | Self::RedirectLoop { .. } | Self::BadRedirect { .. } => {
                "redirect"
            }
            Self::Timeout { .. } => "timeout",
            Self::Network { .. } => "network",
            Self::Markup { .. } => "markup",
            Self::Lacks { .. } | Self::Empty => LACKS,
        }
    }
}
