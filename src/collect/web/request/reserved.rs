//! Which IP addresses are not on the public internet.
//!
//! After the IANA registries of special-purpose addresses (RFC 6890 and its updates). An IPv6 address that carries an
//! IPv4 address (mapped, NAT64, 6to4) is judged by that one, since that is where its packets go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the range is called in which `address` lies; `None` for an address of the public internet.
pub fn reserved_range(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => reserved_v6(address),
    }
}

/// A block of IPv4 addresses: the first one, the length of the prefix, and what it is for.
struct Block(Ipv4Addr, u32, &'static str);

const BLOCKS: [Block; 16] = [
    Block(Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    Block(Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    Block(Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a carrier"),
    Block(Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    Block(Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    Block(Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    Block(Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols"),
    Block(Ipv4Addr::new(192, 0, 2, 0), 24, "reserved for documentation"),
    Block(Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    Block(Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    Block(Ipv4Addr::new(198, 18, 0, 0), 15, "reserved for benchmarks"),
    Block(Ipv4Addr::new(198, 51, 100, 0), 24, "reserved for documentation"),
    Block(Ipv4Addr::new(203, 0, 113, 0), 24, "reserved for documentation"),
    Block(Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    Block(Ipv4Addr::new(255, 255, 255, 255), 32, "broadcast"),
    Block(Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

fn reserved_v4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |block: &&Block| (address.to_bits() ^ block.0.to_bits()).leading_zeros() >= block.1;
    BLOCKS.iter().find(within).map(|block| block.2)
}

fn reserved_v6(address: Ipv6Addr) -> Option<&'static str> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| reserved_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        [0x64, 0xff9b, ..] => Some("a local NAT64 translation"),
        [0xfc00..=0xfdff, ..] => Some("private"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfec0..=0xfeff, ..] => Some("site-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0x2001, 0, ..] => Some("a Teredo tunnel"),
        [0x2001, 1..=0x1ff, ..] => Some("reserved for protocols"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("reserved for documentation"),
        // Global unicast is handed out of 2000::/3 only; the rest is for something else or for nothing yet.
        [0x2000..=0x3fff, ..] => None,
        _ => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(address: &str) -> Option<&'static str> {
        reserved_range(address.parse().unwrap())
    }

    #[test]
    fn the_edges_of_every_block() {
        for (last_before, first, last, first_after) in [
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
        ] {
            assert_eq!((range(last_before), range(first_after)), (None, None), "{last_before} {first_after}");
            assert!(range(first).is_some() && range(last).is_some(), "{first} {last}");
        }
        assert_eq!(range("0.0.0.0"), Some("unspecified"));
        assert_eq!(range("223.255.255.255"), None);
        assert_eq!(range("224.0.0.1"), Some("multicast"));
        assert_eq!(range("255.255.255.255"), Some("broadcast"));
        assert_eq!(range("254.0.0.1"), Some("reserved"));
        assert_eq!(range("8.8.8.8"), None);
    }

    #[test]
    fn an_embedded_address_is_judged() {
        for (address, expected) in [
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::ffff:8.8.8.8", None),
            ("64:ff9b::a9fe:a9fe", Some("link-local")),
            ("64:ff9b::8.8.8.8", None),
            ("64:ff9b:1::8.8.8.8", Some("a local NAT64 translation")),
            ("2002:7f00:1::", Some("loopback")),
            ("2002:c0a8:101::1", Some("private")),
            ("2002:808:808::1", None),
            ("::127.0.0.1", Some("reserved")),
        ] {
            assert_eq!(range(address), expected, "{address}");
        }
    }

    #[test]
    fn only_global_unicast_is_public() {
        for address in [
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "fec0::1",
            "2001:db8::1",
            "2001::1",
            "2001:2::1",
            "100::1",
            "4000::1",
            "1fff::1",
            "5f00::1",
            "3fff::1",
        ] {
            assert!(range(address).is_some(), "{address}");
        }
        for address in ["2606:4700::1111", "2001:4860:4860::8888", "2001:200::1", "2a00::1", "3ffe::1"] {
            assert_eq!(range(address), None, "{address}");
        }
    }
}
