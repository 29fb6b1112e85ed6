//! The small values in rule text: numbers, ports, addresses, masks, interfaces, names.
//!
//! Owns: text to the value types of `nftwrap::rule`, and back.
//! Never: knows which option a value belongs to; [`Fault`] leaves the naming to the caller.
//!
//! Where the truth is: `libxtables/xtables.c` and `xtoptions.c` of iptables 1.8.11.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nftwrap::rule::{ChainRef, Family, InterfaceMatch, MarkMask, Masked, PortRange, Protocol};

use crate::error::ErrorKind;
use crate::{ext, names};

/// Why a value is none.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The error stands for itself.
    Kind(ErrorKind),
    /// No value of this option.
    Bad,
    /// A number that must be between these.
    Range(u64, u64),
}

impl From<ErrorKind> for Fault {
    fn from(kind: ErrorKind) -> Self {
        Self::Kind(kind)
    }
}

/// A whole number: decimal, `0x` hexadecimal or `0` octal, without sign.
pub(crate) fn number(text: &str, low: u64, high: u64) -> Result<u64, Fault> {
    strtoul(text).filter(|n| (low..=high).contains(n)).ok_or(Fault::Range(low, high))
}

/// A number as C's `strtoul` with base 0 takes it, without sign or blanks.
fn strtoul(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

pub(crate) fn u8(text: &str) -> Result<u8, Fault> {
    let n = number(text, 0, u8::MAX.into())?;
    u8::try_from(n).map_err(|_| Fault::Bad)
}

pub(crate) fn u16(text: &str) -> Result<u16, Fault> {
    let n = number(text, 0, u16::MAX.into())?;
    u16::try_from(n).map_err(|_| Fault::Bad)
}

pub(crate) fn u32(text: &str) -> Result<u32, Fault> {
    let n = number(text, 0, u32::MAX.into())?;
    u32::try_from(n).map_err(|_| Fault::Bad)
}

pub(crate) fn u64(text: &str) -> Result<u64, Fault> {
    number(text, 0, u64::MAX)
}

/// `a[:b]`; an empty side is the limit of its end.
pub(crate) fn range<T>(text: &str, ends: (T, T), one: impl Fn(&str) -> Result<T, Fault>) -> Result<(T, T), Fault>
where
    T: Copy + PartialOrd,
{
    let Some((low, high)) = text.split_once(':') else {
        return one(text).map(|n| (n, n));
    };
    let low = if low.is_empty() { ends.0 } else { one(low)? };
    let high = if high.is_empty() { ends.1 } else { one(high)? };
    if low > high {
        return Err(ErrorKind::ReversedRange { range: text.into() }.into());
    }
    Ok((low, high))
}

/// A port by number or by the name of its service.
pub(crate) fn port(text: &str, protocol: Option<Protocol>) -> Result<u16, Fault> {
    if let Some(port) = strtoul(text).and_then(|n| u16::try_from(n).ok()) {
        return Ok(port);
    }
    names::service(text, protocol).ok_or_else(|| ErrorKind::InvalidPort { port: text.into() }.into())
}

/// `port[:port]`.
pub(crate) fn port_range(text: &str, protocol: Option<Protocol>) -> Result<PortRange, Fault> {
    let (first, last) = range(text, (0, u16::MAX), |text| port(text, protocol))?;
    PortRange::new(first, last).ok_or(Fault::Bad)
}

/// `V[/M]`; without mask all bits count.
pub(crate) fn mark_mask(text: &str) -> Result<MarkMask, Fault> {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    Ok(MarkMask { value: u32(value)?, mask: u32(mask)? })
}

/// A protocol by number or name.
pub(crate) fn protocol(text: &str) -> Result<Protocol, Fault> {
    if let Some(number) = strtoul(text).and_then(|n| u8::try_from(n).ok()) {
        return Ok(Protocol(number));
    }
    names::protocol(text).ok_or_else(|| ErrorKind::UnknownProtocol { name: text.into() }.into())
}

/// An address without mask.
pub(crate) fn address(text: &str, family: Family) -> Result<IpAddr, Fault> {
    let address = match family {
        Family::Ipv4 => dotted(text, false).map(IpAddr::V4),
        Family::Ipv6 => text.parse().ok().map(IpAddr::V6),
    };
    address.ok_or_else(|| ErrorKind::UnknownHost { host: text.into() }.into())
}

/// `address[/mask]` as it stands: bits outside the mask are kept.
pub(crate) fn masked_raw(text: &str, family: Family) -> Result<Masked, Fault> {
    let (host, mask) = match text.rsplit_once('/') {
        Some((host, mask)) => (host, Some(mask)),
        None => (text, None),
    };
    // iptables never looks at an address that its mask makes irrelevant, but a word in its place is still a mistake.
    let address = address(host, family)?;
    let bad_mask = |mask: &str| Fault::from(ErrorKind::InvalidMask { mask: mask.into() });
    Ok(match address {
        IpAddr::V4(addr) => {
            let bits =
                |m: &str| prefix_length(m, 32).map(|n| Ipv4Addr::from(u32::MAX.checked_shl(32 - n).unwrap_or(0)));
            let read = |m: &str| if m.contains('.') { dotted(m, true) } else { bits(m) };
            let mask = mask.map(|m| read(m).ok_or_else(|| bad_mask(m)));
            Masked::V4 { addr, mask: mask.transpose()?.unwrap_or(Ipv4Addr::BROADCAST) }
        }
        IpAddr::V6(addr) => {
            let bits = |m| prefix_length(m, 128).map(|n| Ipv6Addr::from(u128::MAX.checked_shl(128 - n).unwrap_or(0)));
            let mask = mask.map(|m: &str| m.parse().ok().or_else(|| bits(m)).ok_or_else(|| bad_mask(m)));
            Masked::V6 { addr, mask: mask.transpose()?.unwrap_or_else(|| u128::MAX.into()) }
        }
    })
}

/// `address[/mask]` with the bits outside the mask cleared.
pub(crate) fn masked(text: &str, family: Family) -> Result<Masked, Fault> {
    Ok(match masked_raw(text, family)? {
        Masked::V4 { addr, mask } => Masked::v4(addr, mask),
        Masked::V6 { addr, mask } => Masked::v6(addr, mask),
    })
}

fn prefix_length(text: &str, width: u32) -> Option<u32> {
    strtoul(text).and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= width)
}

/// An IPv4 address in dotted form. Unless all four parts are demanded, missing ones at the end are zero: `10` is
/// `10.0.0.0`. Parts may be octal or hexadecimal, as the C tools read them.
fn dotted(text: &str, all: bool) -> Option<Ipv4Addr> {
    // The usual form, four decimal parts, is read in one go.
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let mut octets = [0; 4];
    let mut places = octets.iter_mut();
    let mut filled = 0;
    for part in text.split('.') {
        *places.next()? = u8::try_from(strtoul(part)?).ok()?;
        filled += 1;
    }
    (!all || filled == 4).then(|| octets.into())
}

/// A name of an interface, or the start of one with `+`.
pub(crate) fn interface(text: &str) -> Result<InterfaceMatch, Fault> {
    if text.is_empty() {
        return Err(ErrorKind::EmptyInterface.into());
    }
    InterfaceMatch::new(text).map_err(|_| {
        let name = text.into();
        let kind =
            if text.len() > 15 { ErrorKind::InterfaceTooLong { name } } else { ErrorKind::BadInterface { name } };
        kind.into()
    })
}

/// A chain's name, wrapped (`$name`) or not.
pub(crate) fn chain(text: &str) -> Result<ChainRef, Fault> {
    const MAX: usize = nftwrap::name::ChainName::IPTABLES_MAX;
    let name = text.strip_prefix('$').unwrap_or(text);
    let kind = match name.chars().next() {
        Some(first @ ('-' | '!')) => ErrorKind::ChainStart { first },
        // Of a wrapped chain only the model knows the whole name, and checks it.
        _ if name.len() == text.len() && name.len() > MAX => ErrorKind::ChainTooLong { name: name.into() },
        _ if name.len() == text.len() && ext::is_target_name(name) => ErrorKind::ChainClash { name: name.into() },
        _ => match ChainRef::new(text) {
            Ok(chain) => return Ok(chain),
            Err(_) => ErrorKind::BadChainName { name: name.escape_default().to_string().into() },
        },
    };
    Err(kind.into())
}

/// The text up to `max` bytes, cut between characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Appends an address as `inet_ntop` of the C library writes it.
pub(crate) fn print_address(address: IpAddr, out: &mut String) {
    let written = match address {
        IpAddr::V4(v4) => write!(out, "{v4}"),
        // Rust writes the deprecated IPv4-compatible addresses in hexadecimal, the C library in dotted form.
        IpAddr::V6(v6) => match v6.octets() {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if (a, b) != (0, 0) => write!(out, "::{a}.{b}.{c}.{d}"),
            _ => write!(out, "{v6}"),
        },
    };
    debug_assert!(written.is_ok(), "writing to a string succeeds");
}

/// Appends `/mask`: as a length when it is contiguous. Nothing for a single address unless `always`.
pub(crate) fn print_masked(masked: Masked, always: bool, out: &mut String) {
    let (address, mask, width) = match masked {
        Masked::V4 { addr, mask } => (IpAddr::V4(addr), IpAddr::V4(mask), 32),
        Masked::V6 { addr, mask } => (IpAddr::V6(addr), IpAddr::V6(mask), 128),
    };
    print_address(address, out);
    match masked.prefix_len() {
        Some(len) if len == width && !always => {}
        Some(len) => print(out, format_args!("/{len}")),
        None => {
            out.push('/');
            print_address(mask, out);
        }
    }
}

/// Appends `a` or `a:b`.
pub(crate) fn print_ports(ports: PortRange, separator: char, out: &mut String) {
    print_range((ports.first().into(), ports.last().into()), separator, out);
}

/// Appends `a` or `a:b`.
pub(crate) fn print_range((low, high): (u64, u64), separator: char, out: &mut String) {
    if low == high {
        print(out, format_args!("{low}"));
    } else {
        print(out, format_args!("{low}{separator}{high}"));
    }
}

/// Appends `0xV`, and `/0xM` unless all bits count.
pub(crate) fn print_mark(mark: MarkMask, out: &mut String) {
    print(out, format_args!("{:#x}", mark.value));
    if mark.mask != u32::MAX {
        print(out, format_args!("/{:#x}", mark.mask));
    }
}

/// Appends formatted text; a string takes everything.
pub(crate) fn print(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a string succeeds");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> Option<String> {
        let mut out = String::new();
        print_masked(masked(text, Family::Ipv4).ok()?, true, &mut out);
        Some(out)
    }

    fn v6(text: &str) -> Option<String> {
        let mut out = String::new();
        print_masked(masked(text, Family::Ipv6).ok()?, true, &mut out);
        Some(out)
    }

    #[test]
    fn ipv4_masks_come_in_all_forms() {
        for (text, printed) in [
            ("10.11.12.13/9", "10.0.0.0/9"),
            ("10/8", "10.0.0.0/8"),
            ("10.1/16", "10.1.0.0/16"),
            ("1.2.3.4", "1.2.3.4/32"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("1.2.3.4/255.255.0.0", "1.2.0.0/16"),
            ("1.2.3.4/255.0.255.0", "1.0.3.0/255.0.255.0"),
            ("010.0x10.0.1", "8.16.0.1/32"),
        ] {
            assert_eq!(v4(text).as_deref(), Some(printed), "{text}");
        }
        for bad in [
            "",
            "/",
            "1.2.3.4/",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/255.255",
            "256.0.0.1",
            "1.2.3.4.5",
            "host",
            "::1",
        ] {
            assert_eq!(v4(bad), None, "{bad}");
        }
    }

    #[test]
    fn ipv6_is_printed_as_the_c_library_does() {
        for (text, printed) in [
            ("2001:DB8::1", "2001:db8::1/128"),
            ("::/0", "::/0"),
            ("::1.2.3.4", "::1.2.3.4/128"),
            ("::1:0", "::0.1.0.0/128"),
            ("::5", "::5/128"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4/128"),
            ("2001:db8:0:1:0:0:0:1/64", "2001:db8:0:1::/64"),
            ("fe80::1/ffff::ffff", "fe80::1/ffff::ffff"),
        ] {
            assert_eq!(v6(text).as_deref(), Some(printed), "{text}");
        }
        for bad in ["1.2.3.4", "::1/129", "::1/x", "fe80::1%eth0", ":::"] {
            assert_eq!(v6(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_are_read_as_c_does() {
        for (text, n) in
            [("0", Some(0)), ("10", Some(10)), ("0x1F", Some(31)), ("017", Some(15)), ("0x", None), ("08", None)]
        {
            assert_eq!(strtoul(text), n, "{text}");
        }
        for bad in ["", "-1", "+1", " 1", "1 ", "1e3", "99999999999999999999", "0x+1"] {
            assert_eq!(strtoul(bad), None, "{bad}");
        }
    }

    #[test]
    fn ranges_may_lack_an_end_but_not_be_reversed() {
        assert_eq!(port_range(":80", None).unwrap(), PortRange::new(0, 80).unwrap());
        assert_eq!(port_range("80:", None).unwrap(), PortRange::new(80, 65535).unwrap());
        for bad in ["80:79", "-1", "65536", "", "1:2:3"] {
            assert!(port_range(bad, None).is_err(), "{bad}");
        }
    }
}
