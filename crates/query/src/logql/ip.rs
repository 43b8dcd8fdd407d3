//! `ip("...")`: finds addresses inside text and compares them with an address, a range or a network.

use std::net::IpAddr;

/// What addresses match.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct IpMatcher {
    first: u128,
    last: u128,
    v4: bool,
}

/// Longest text of an address, IPv4 in IPv6 and a zone left out.
const ADDRESS_BYTES_MAX: usize = 45;

impl IpMatcher {
    /// An address, `first-last` or `address/bits`.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        Self::parse(pattern)
            .ok_or_else(|| format!("ip: invalid pattern: {}", language::logql::units::quote(pattern)))
    }

    fn parse(pattern: &str) -> Option<Self> {
        let address = |text: &str| text.trim().parse::<IpAddr>().ok();
        if let Some((first, last)) = pattern.split_once('-') {
            let (first, last) = (address(first)?, address(last)?);
            let same = first.is_ipv4() == last.is_ipv4() && number(first) <= number(last);
            return same.then(|| Self { first: number(first), last: number(last), v4: first.is_ipv4() });
        }
        if let Some((network, bits)) = pattern.split_once('/') {
            let network = address(network)?;
            let bits: u32 = bits.parse().ok()?;
            let width = if network.is_ipv4() { 32 } else { 128 };
            let host_bits = width_checked(width, bits)?;
            let mask = if host_bits == 128 { u128::MAX } else { (1_u128 << host_bits) - 1 };
            let first = number(network) & !mask;
            return Some(Self { first, last: first | mask, v4: network.is_ipv4() });
        }
        let one = address(pattern)?;
        Some(Self { first: number(one), last: number(one), v4: one.is_ipv4() })
    }

    fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.v4 && (self.first..=self.last).contains(&number(address))
    }

    /// Whether `text` holds a matching address anywhere.
    pub(super) fn found_in(&self, text: &str) -> bool {
        let part_of_address = |b: u8| b.is_ascii_hexdigit() || b == b'.' || b == b':';
        let mut rest = text.as_bytes();
        while let Some(start) = rest.iter().position(|b| b.is_ascii_hexdigit() || *b == b':') {
            rest = rest.get(start..).unwrap_or_default();
            let run = rest.iter().position(|b| !part_of_address(*b)).unwrap_or(rest.len());
            let (token, after) = rest.split_at(run);
            if self.any_prefix(token) {
                return true;
            }
            rest = after;
        }
        false
    }

    /// An address at the start of `token`; a port or a full stop may follow.
    fn any_prefix(&self, token: &[u8]) -> bool {
        let token = std::str::from_utf8(token).unwrap_or_default();
        let dots = token.bytes().filter(|b| *b == b'.').count();
        if self.v4 {
            let v4 = token.split(':').find(|part| part.bytes().filter(|b| *b == b'.').count() >= 3);
            let v4 = v4.unwrap_or_default().trim_end_matches('.');
            return dots >= 3 && v4.parse::<IpAddr>().is_ok_and(|address| self.holds(address));
        }
        let token = token.trim_end_matches('.');
        token.len() <= ADDRESS_BYTES_MAX && token.parse::<IpAddr>().is_ok_and(|address| self.holds(address))
    }
}

fn width_checked(width: u32, bits: u32) -> Option<u32> {
    width.checked_sub(bits)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let matcher = IpMatcher::new(pattern).expect(pattern);
        assert_eq!(matcher.found_in(text), expected, "{pattern} in {text:?}");
    }

    #[test]
    fn addresses_are_found_inside_text() {
        check("192.168.1.0/24", "src 192.168.1.10 ok", true);
        check("192.168.1.0/24", "src 192.168.2.10 ok", false);
        check("10.0.0.0/8", "client 10.0.0.7:80", true);
        check("10.0.0.7", "at 10.0.0.7.", true);
        check("192.168.1.1-192.168.1.9", "addr=192.168.1.5", true);
        check("192.168.1.1-192.168.1.4", "addr=192.168.1.5", false);
        check("2001:db8::/32", "addr 2001:db8::1 x", true);
        check("::1", "no address: here", false);
        check("0.0.0.0/0", "1.2.3", false);
    }

    #[test]
    fn other_patterns_are_refused() {
        for bad in ["", "x", "1.1.1.1/33", "2.2.2.2-1.1.1.1", "1.1.1.1-::1"] {
            assert!(IpMatcher::new(bad).is_err(), "{bad}");
        }
    }
}
