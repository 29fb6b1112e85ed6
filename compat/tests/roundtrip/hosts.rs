//! Hosts with instances that have much in common, as the passes look for it.

use std::fmt::Write;

use nftwrap::rule::Family;
use proptest::prelude::*;

/// A host.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) family: Family,
    pub(crate) component: &'static str,
    pub(crate) instances: u32,
    /// The kind of the instance with that number is one of these, in turn.
    pub(crate) kinds: Vec<Vec<u8>>,
    /// Whether instances are reached by interface, too, and have anti-spoofing of their own.
    pub(crate) ports: bool,
    /// How many addresses and prefixes the kinds accept from.
    pub(crate) sources: u8,
    /// Rules that break the runs.
    pub(crate) breaks: u8,
}

/// Rules that instances choose from.
const POOL: [&str; 9] = [
    "-p tcp -m tcp --dport 22 -j ACCEPT",
    "-p tcp -m tcp --dport 80:90 -m comment --comment \"web\" -j ACCEPT",
    "-p udp -m udp --sport 67 --dport 68 -j RETURN",
    "-m state --state RELATED,ESTABLISHED -j ACCEPT",
    "-p tcp -m multiport --dports 1000:2000,3000 -j DROP",
    "-m mark --mark 0x1/0xff -j DROP",
    "-p tcp -m tcp --sport 1024 -j MARK --set-xmark 0x5/0xffffffff",
    "-m limit --limit 5/min -j LOG --log-prefix \"x \"",
    "-j $fallback",
];

pub(crate) fn host() -> impl Strategy<Value = Host> {
    prop::sample::select(&Family::BOTH[..]).prop_flat_map(of)
}

/// A host with this family.
pub(crate) fn of(family: Family) -> impl Strategy<Value = Host> {
    let kind = prop::collection::vec(0..9u8, 0..5);
    let parts = (0..30u32, prop::collection::vec(kind, 1..4), any::<bool>(), 0..20u8, 0..3u8);
    parts.prop_map(move |(instances, kinds, ports, sources, breaks)| Host {
        family,
        component: "c",
        instances,
        kinds,
        ports,
        sources,
        breaks,
    })
}

impl Host {
    pub(crate) fn sample() -> Self {
        let kinds = vec![vec![0, 3, 8], vec![1, 8]];
        Self { family: Family::Ipv4, component: "c", instances: 24, kinds, ports: true, sources: 16, breaks: 1 }
    }

    fn address(&self, net: u8, number: u32) -> String {
        match self.family {
            Family::Ipv4 => format!("10.{net}.{}.{}", number / 250, number % 250 + 1),
            Family::Ipv6 => format!("2001:db8:{net:x}::{:x}", number + 1),
        }
    }

    /// The save file of the component.
    pub(crate) fn text(&self) -> String {
        let host = if self.family == Family::Ipv4 { 32 } else { 128 };
        let mut chains = vec!["local".to_owned(), "fallback".to_owned(), "FORWARD".to_owned()];
        let mut rules = vec!["-A FORWARD -j $FORWARD".to_owned(), "-A $FORWARD -j $local".to_owned()];
        let mut zones = Vec::new();
        for number in 0..self.instances {
            let inst = format!("inst-{number}");
            rules.push(format!("-A $local -d {}/{host} -j ${inst}", self.address(0, number)));
            if self.breaks > 0 && number % 11 == 10 {
                rules.push(format!("-A $local -p tcp -m tcp --dport {} -j DROP", 7000 + number));
            }
            if self.breaks > 1 && number == 9 {
                rules.push("-A $local -m mark --mark 0x9 -j LOG".to_owned());
            }
            let kind = &self.kinds[number as usize % self.kinds.len()];
            for source in 0..self.sources {
                let (len, word) = if source % 3 == 0 { (host - 8, "RETURN") } else { (host, "RETURN") };
                rules.push(format!(
                    "-A ${inst} -s {}/{len} -j {word}",
                    self.address(source + 1, 250 * u32::from(source))
                ));
            }
            rules.extend(kind.iter().map(|rule| format!("-A ${inst} {}", POOL[usize::from(*rule)])));
            if self.ports {
                let (out, spoof) = (format!("o{number}"), format!("s{number}"));
                rules.push(format!("-A $FORWARD -i tap{number} -j ${out}"));
                rules.push(format!("-A ${out} -p udp -m udp --sport 68 --dport 67 -j RETURN"));
                rules.push(format!("-A ${out} -j ${spoof}"));
                rules.push(format!("-A ${out} -j $fallback"));
                let mac = format!("FA:16:3E:00:00:{:02X}", number % 256);
                rules.push(format!(
                    "-A ${spoof} -s {}/{host} -m mac --mac-source {mac} -j RETURN",
                    self.address(0, number)
                ));
                rules.push(format!("-A ${spoof} -j DROP"));
                chains.extend([out, spoof]);
                zones.push(format!(
                    "-A $PREROUTING -i tap{number} -m comment --comment \"Set zone for {number}\" -j CT --zone {}",
                    100 + number
                ));
            }
            chains.push(inst);
        }
        if self.breaks > 0 {
            rules
                .extend((0..8).map(|port| format!("-A $fallback -p tcp -m tcp --dport {} -j ACCEPT", 8000 + 2 * port)));
        }
        rules.push("-A $fallback -j DROP".to_owned());
        let mut text = "*raw\n:$PREROUTING - [0:0]\n-A PREROUTING -j $PREROUTING\n".to_owned();
        zones.iter().for_each(|rule| {
            let _ = writeln!(text, "{rule}");
        });
        text.push_str("COMMIT\n*filter\n");
        chains.iter().for_each(|chain| {
            let _ = writeln!(text, ":${chain} - [0:0]");
        });
        rules.iter().for_each(|rule| {
            let _ = writeln!(text, "{rule}");
        });
        text.push_str("COMMIT\n");
        text
    }
}
