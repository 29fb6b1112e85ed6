//! Names for numbers: protocols, services, users and groups.
//!
//! Owns: the protocol names that iptables knows by itself, and the files of the system for all others.
//! Never: asks a name server or NSS; opens a file before a name comes up that needs it.
//!
//! Invariant: each file is read at most once, and only when parsing; nothing is printed by a name from a file.
//!
//! Where the truth is: `xtables_chain_protos` of `libxtables/xtables.c` for the fixed list and its order.

use std::sync::OnceLock;

use nftwrap::rule::Protocol;

/// The protocols that need no file, in iptables' order: the first name with a number is the one that is printed.
const PROTOCOLS: [(&str, u8); 15] = [
    ("tcp", 6),
    ("sctp", 132),
    ("udp", 17),
    ("udplite", 136),
    ("icmp", 1),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("esp", 50),
    ("ah", 51),
    ("mobility-header", 135),
    ("ipv6-mh", 135),
    ("mh", 135),
    ("dccp", 33),
    ("ipcomp", 108),
    ("all", 0),
];

/// The protocol of this name, in any case.
pub(crate) fn protocol(name: &str) -> Option<Protocol> {
    let known = PROTOCOLS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some(&(_, number)) = known {
        return Some(Protocol(number));
    }
    static FILE: OnceLock<Vec<(Box<str>, u8)>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let entry = |words: Vec<&str>| {
            let number = words.get(1).and_then(|n| n.parse().ok());
            let aliases = words.get(2..).unwrap_or_default().iter().copied();
            let names: Vec<_> = words.first().copied().into_iter().chain(aliases).map(Box::from).collect();
            number.map(|number| names.into_iter().map(move |name| (name, number)))
        };
        lines("/etc/protocols").iter().filter_map(|line| entry(fields(line))).flatten().collect()
    });
    file.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, number)| Protocol(number))
}

/// The name that a protocol is printed by, if it is one of the fixed list.
pub(crate) fn protocol_name(protocol: Protocol) -> Option<&'static str> {
    PROTOCOLS.iter().find(|&&(_, number)| number == protocol.0).map(|&(name, _)| name)
}

/// The port of a service of this protocol, or of any when the protocol is not known.
pub(crate) fn service(name: &str, protocol: Option<Protocol>) -> Option<u16> {
    struct Service(Box<str>, u16, Option<Protocol>);
    static FILE: OnceLock<Vec<Service>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let entry = |words: Vec<&str>| {
            let (port, protocol) = words.get(1)?.split_once('/')?;
            let (port, protocol) = (port.parse().ok()?, self::protocol(protocol));
            let aliases = words.get(2..).unwrap_or_default().iter().copied();
            let names: Vec<_> = words.first().copied().into_iter().chain(aliases).map(Box::from).collect();
            Some(names.into_iter().map(move |name| Service(name, port, protocol)))
        };
        lines("/etc/services").iter().filter_map(|line| entry(fields(line))).flatten().collect()
    });
    let fits = |s: &&Service| *s.0 == *name && (protocol.is_none() || s.2 == protocol);
    file.iter().find(fits).map(|s| s.1)
}

/// The number of a user.
pub(crate) fn user(name: &str) -> Option<u32> {
    static FILE: OnceLock<Vec<(Box<str>, u32)>> = OnceLock::new();
    numbered(FILE.get_or_init(|| accounts("/etc/passwd")), name)
}

/// The number of a group.
pub(crate) fn group(name: &str) -> Option<u32> {
    static FILE: OnceLock<Vec<(Box<str>, u32)>> = OnceLock::new();
    numbered(FILE.get_or_init(|| accounts("/etc/group")), name)
}

fn numbered(entries: &[(Box<str>, u32)], name: &str) -> Option<u32> {
    entries.iter().find(|(known, _)| **known == *name).map(|&(_, number)| number)
}

/// The names and numbers of a file like `/etc/passwd`.
fn accounts(path: &str) -> Vec<(Box<str>, u32)> {
    let entry = |line: &String| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((Box::from(name), fields.nth(1)?.parse().ok()?))
    };
    lines(path).iter().filter_map(entry).collect()
}

/// The lines of a file; a file that cannot be read has none, so that its names are unknown names.
fn lines(path: &str) -> Vec<String> {
    let text = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// The words of a line up to its comment.
fn fields(line: &str) -> Vec<&str> {
    line.split('#').next().unwrap_or_default().split_ascii_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_protocol_is_printed() {
        assert_eq!(protocol("ICMPv6"), Some(Protocol::ICMPV6));
        assert_eq!(protocol_name(Protocol::ICMPV6), Some("ipv6-icmp"));
        assert_eq!(protocol_name(Protocol::MH), Some("mobility-header"));
        assert_eq!(protocol_name(Protocol(47)), None);
        assert_eq!(protocol("no such protocol"), None);
    }

    #[test]
    fn names_come_from_the_files_of_the_system() {
        assert_eq!(user("root"), Some(0));
        assert_eq!(group("root"), Some(0));
        assert_eq!(service("no-such-service", None), None);
    }
}
