//! Kinds of personal data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonalKind {
    /// An e-mail address, but for those of the domains that are reserved for examples (RFC 2606).
    Email,
    /// An international bank account number (ISO 13616) with the right check digits.
    Iban,
    /// A payment card number of a known issuer with the right check digit.
    Card,
    /// An IPv4 or IPv6 address that anybody could reach: private, local and documentation ranges pass.
    InternetAddress,
    /// A phone number.
    Phone,
}

impl PersonalKind {
    /// All kinds, in the order in which they are looked for: what one has found the next ones leave.
    pub const ALL: [Self; 5] = [Self::Email, Self::Iban, Self::Card, Self::InternetAddress, Self::Phone];

    /// What is put in its place.
    pub fn neutral(self) -> &'static str {
        match self {
            Self::Email => "email address",
            Self::Iban => "account number",
            Self::Card => "card number",
            Self::InternetAddress => "internet address",
            Self::Phone => "phone number",
        }
    }
}

impl fmt::Display for PersonalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Email => "an e-mail address",
            Self::Iban => "a bank account number",
            Self::Card => "a card number",
            Self::InternetAddress => "an internet address",
            Self::Phone => "a phone number",
        })
    }
}
