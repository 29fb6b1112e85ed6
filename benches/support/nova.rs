//! Tables of a nova-compute host with any number of guests, as text for each of the tools that we measure.
//!
//! Owns: the ruleset that the benches load and that `compat/examples` shows: the skeleton of a nova manager, and for each
//! guest a wrapped chain of ten rules and the jump to it.
//! Never: runs anything, or depends on more than the number of the guest.
//!
//! Invariant: the same number of guests is the same text, byte for byte.
//! Invariant: [`Nova::nft`] filters as [`Nova::save`] does, rule for rule.
//!
//! Where the truth is: the rules that nova's iptables firewall driver writes for a guest (kilo and liberty, with the
//! provider chain), in its order.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Rules in the chain of one guest; the jump to it is one more.
pub(crate) const RULES_PER_INSTANCE: usize = 10;
/// Security groups. Guests differ in nothing but address and group, so this is the number of distinct chains as well.
pub(crate) const GROUPS: u32 = 256;

/// The component in the examples and benches.
pub(crate) const WRAP: &str = "nova-compute";

const FIRST_V4: Ipv4Addr = Ipv4Addr::new(10, 16, 0, 2);
const FIRST_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0xf816, 0x3eff, 0xfe00, 0);

/// The family of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `iptables-save`.
    V4,
    /// `ip6tables-save`.
    V6,
}

/// How a text names the wrapped chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As in the kernel, `nova-compute-inst-1`: what the stock tools take.
    Kernel,
    /// By reference, `$inst-1`: what `nftwrap apply --wrap nova-compute` takes.
    Wrapped,
}

/// A nova-compute host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nova {
    /// Number of guests. They are numbered from 1.
    pub(crate) instances: u32,
}

/// A rule of a guest in both languages; `{P}` stands for what comes before the name of a wrapped chain.
pub(crate) struct Body {
    pub(crate) iptables: String,
    pub(crate) nft: String,
}

impl Body {
    fn new(iptables: impl Into<String>, nft: impl Into<String>) -> Self {
        Self { iptables: iptables.into(), nft: nft.into() }
    }
}

impl Nova {
    /// A host with this many guests.
    #[must_use]
    pub(crate) fn new(instances: u32) -> Self {
        Self { instances }
    }

    /// The whole host as `iptables-save` text: `*nat`, `*mangle` (IPv4 only) and `*filter`.
    #[must_use]
    pub(crate) fn save(self, family: Family, naming: Naming) -> String {
        let prefix = naming.prefix();
        let mut text = String::new();
        if family == Family::V4 {
            text.push_str(&NAT.replace("{P}", prefix));
            text.push_str(&MANGLE.replace("{P}", prefix));
        }
        text.push_str("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
        for chain in ["FORWARD", "INPUT", "OUTPUT"] {
            let _ = writeln!(text, ":{prefix}{chain} - [0:0]");
        }
        for instance in 1..=self.instances {
            let _ = writeln!(text, ":{prefix}inst-{instance} - [0:0]");
        }
        for chain in ["local", "provider", "sg-fallback"] {
            let _ = writeln!(text, ":{prefix}{chain} - [0:0]");
        }
        text.push_str(":nova-filter-top - [0:0]\n");
        text.push_str(&FILTER.replace("{P}", prefix));
        if family == Family::V4 {
            text.push_str(&PLUGGED.replace("{P}", prefix));
        }
        for instance in 1..=self.instances {
            add_rules(&mut text, family, prefix, instance);
        }
        text.push_str("COMMIT\n");
        text
    }

    /// What adds the next guest to this host, for `iptables-restore --noflush`.
    #[must_use]
    pub(crate) fn add_one(self) -> String {
        let prefix = Naming::Kernel.prefix();
        let instance = self.instances + 1;
        let mut text = format!("*filter\n:{prefix}inst-{instance} - [0:0]\n");
        add_rules(&mut text, Family::V4, prefix, instance);
        text.push_str("COMMIT\n");
        text
    }

    /// What takes that guest away again, for `iptables-restore --noflush`.
    #[must_use]
    pub(crate) fn remove_one(self) -> String {
        let prefix = Naming::Kernel.prefix();
        let instance = self.instances + 1;
        let address = address_v4(instance);
        format!(
            "*filter\n-D {prefix}local -d {address}/32 -j {prefix}inst-{instance}\n-F {prefix}inst-{instance}\n\
             -X {prefix}inst-{instance}\nCOMMIT\n"
        )
    }

    /// The IPv4 host in the language of `nft -f`.
    ///
    /// This is no translation of a kernel dump: a rule with an xt extension is printed as a comment that cannot be
    /// loaded, so the generator says the same in native expressions, with the counters that iptables has.
    #[must_use]
    pub(crate) fn nft(self) -> String {
        let prefix = Naming::Kernel.prefix();
        let mut text = NFT_SKELETON.replace("{P}", prefix);
        text.push_str("table ip filter {\n");
        let _ = writeln!(text, "\tchain {prefix}local {{");
        for instance in 1..=self.instances {
            let _ = writeln!(text, "\t\t{}", nft_jump(prefix, instance));
        }
        text.push_str("\t}\n");
        for instance in 1..=self.instances {
            let _ = writeln!(text, "\tchain {prefix}inst-{instance} {{");
            for body in bodies(Family::V4, group(instance)) {
                let _ = writeln!(text, "\t\t{}", body.nft.replace("{P}", prefix));
            }
            text.push_str("\t}\n");
        }
        text.push_str("}\n");
        text
    }

    /// What adds the next guest to this host, for `nft -f`.
    #[must_use]
    pub(crate) fn nft_add_one(self) -> String {
        let prefix = Naming::Kernel.prefix();
        let instance = self.instances + 1;
        let mut text = format!("add chain ip filter {prefix}inst-{instance}\n");
        for body in bodies(Family::V4, group(instance)) {
            let _ = writeln!(text, "add rule ip filter {prefix}inst-{instance} {}", body.nft.replace("{P}", prefix));
        }
        let _ = writeln!(text, "add rule ip filter {prefix}local {}", nft_jump(prefix, instance));
        text
    }

    /// What takes that guest away again, for `nft -f`. A rule is deleted by its handle, which whoever made it was told.
    #[must_use]
    pub(crate) fn nft_remove_one(self, jump_handle: u64) -> String {
        let prefix = Naming::Kernel.prefix();
        let instance = self.instances + 1;
        format!(
            "delete rule ip filter {prefix}local handle {jump_handle}\nflush chain ip filter {prefix}inst-{instance}\n\
             delete chain ip filter {prefix}inst-{instance}\n"
        )
    }
}

impl Naming {
    fn prefix(self) -> &'static str {
        match self {
            Self::Kernel => "nova-compute-",
            Self::Wrapped => "$",
        }
    }
}

/// The address of a guest.
#[must_use]
pub(crate) fn address_v4(instance: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(FIRST_V4) + instance - 1)
}

/// The address of a guest.
#[must_use]
pub(crate) fn address_v6(instance: u32) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(FIRST_V6) + u128::from(instance))
}

/// The group of a guest: neighbours are in different groups, as on a host that serves many projects.
pub(crate) fn group(instance: u32) -> u32 {
    instance.wrapping_mul(97) % GROUPS
}

fn add_rules(text: &mut String, family: Family, prefix: &str, instance: u32) {
    for body in bodies(family, group(instance)) {
        let _ = writeln!(text, "-A {prefix}inst-{instance} {}", body.iptables.replace("{P}", prefix));
    }
    let _ = match family {
        Family::V4 => {
            writeln!(text, "-A {prefix}local -d {}/32 -j {prefix}inst-{instance}", address_v4(instance))
        }
        Family::V6 => {
            writeln!(text, "-A {prefix}local -d {}/128 -j {prefix}inst-{instance}", address_v6(instance))
        }
    };
}

fn nft_jump(prefix: &str, instance: u32) -> String {
    format!("ip daddr {} counter jump {prefix}inst-{instance}", address_v4(instance))
}

/// The ten rules of a guest of this group: state, provider, DHCP or router advertisement, its own network, a single port, a range of
/// ports with a network, ICMP, its group, fallback.
pub(crate) fn bodies(family: Family, group: u32) -> [Body; RULES_PER_INSTANCE] {
    let port = 5000 + group;
    // The port alone makes a group distinct.
    let network = group % GROUPS;
    let invalid = Body::new("-m state --state INVALID -j DROP", "ct state invalid counter drop");
    let known =
        Body::new("-m state --state RELATED,ESTABLISHED -j ACCEPT", "ct state established,related counter accept");
    let provider = Body::new("-j {P}provider", "counter jump {P}provider");
    let ssh = Body::new("-p tcp -m tcp --dport 22 -j ACCEPT", "tcp dport 22 counter accept");
    let fallback = Body::new("-j {P}sg-fallback", "counter jump {P}sg-fallback");
    let [router, own, range, icmp, group] = match family {
        Family::V4 => [
            Body::new(
                "-s 10.16.0.1/32 -p udp -m udp --sport 67 --dport 68 -j ACCEPT",
                "ip saddr 10.16.0.1 udp sport 67 udp dport 68 counter accept",
            ),
            Body::new("-s 10.16.0.0/12 -j ACCEPT", "ip saddr 10.16.0.0/12 counter accept"),
            Body::new(
                "-s 192.168.0.0/16 -p tcp -m multiport --dports 8000:8100 -j ACCEPT",
                "ip saddr 192.168.0.0/16 tcp dport 8000-8100 counter accept",
            ),
            Body::new("-p icmp -j ACCEPT", "ip protocol icmp counter accept"),
            Body::new(
                format!("-s 172.20.{network}.0/24 -p tcp -m tcp --dport {port} -j ACCEPT"),
                format!("ip saddr 172.20.{network}.0/24 tcp dport {port} counter accept"),
            ),
        ],
        Family::V6 => [
            Body::new(
                "-s fe80::1/128 -p ipv6-icmp -j ACCEPT",
                "ip6 saddr fe80::1 meta l4proto ipv6-icmp counter accept",
            ),
            Body::new("-s fd00:10::/64 -j ACCEPT", "ip6 saddr fd00:10::/64 counter accept"),
            Body::new(
                "-s 2001:db8::/32 -p tcp -m multiport --dports 8000:8100 -j ACCEPT",
                "ip6 saddr 2001:db8::/32 tcp dport 8000-8100 counter accept",
            ),
            Body::new("-p ipv6-icmp -j ACCEPT", "meta l4proto ipv6-icmp counter accept"),
            Body::new(
                format!("-s fd00:20:{group:x}::/48 -p tcp -m tcp --dport {port} -j ACCEPT"),
                format!("ip6 saddr fd00:20:{group:x}::/48 tcp dport {port} counter accept"),
            ),
        ],
    };
    [invalid, known, provider, router, own, ssh, range, icmp, group, fallback]
}

pub(crate) const NAT: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:{P}OUTPUT - [0:0]
:{P}POSTROUTING - [0:0]
:{P}PREROUTING - [0:0]
:{P}float-snat - [0:0]
:{P}snat - [0:0]
:nova-postrouting-bottom - [0:0]
-A PREROUTING -j {P}PREROUTING
-A OUTPUT -j {P}OUTPUT
-A POSTROUTING -j {P}POSTROUTING
-A POSTROUTING -j nova-postrouting-bottom
-A {P}snat -j {P}float-snat
-A nova-postrouting-bottom -j {P}snat
COMMIT
";

pub(crate) const MANGLE: &str = "\
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:{P}POSTROUTING - [0:0]
-A POSTROUTING -j {P}POSTROUTING
COMMIT
";

pub(crate) const FILTER: &str = "\
-A INPUT -j {P}INPUT
-A FORWARD -j nova-filter-top
-A FORWARD -j {P}FORWARD
-A OUTPUT -j nova-filter-top
-A OUTPUT -j {P}OUTPUT
-A nova-filter-top -j {P}local
-A {P}sg-fallback -j DROP
";

/// What plugging the bridge and the provider firewall add.
pub(crate) const PLUGGED: &str = "\
-A {P}FORWARD -i br100 -j ACCEPT
-A {P}FORWARD -o br100 -j ACCEPT
-A {P}provider -s 198.51.100.99/32 -p tcp -m multiport --dports 1:65535 -j DROP
-A {P}provider -s 203.0.113.0/24 -p icmp -m icmp --icmp-type 8/0 -j DROP
";

pub(crate) const NFT_SKELETON: &str = "\
table ip nat {
	chain {P}OUTPUT { }
	chain {P}POSTROUTING { }
	chain {P}PREROUTING { }
	chain {P}float-snat { }
	chain {P}snat { counter jump {P}float-snat; }
	chain nova-postrouting-bottom { counter jump {P}snat; }
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		counter jump {P}PREROUTING
	}
	chain INPUT { type nat hook input priority 100; policy accept; }
	chain OUTPUT {
		type nat hook output priority -100; policy accept;
		counter jump {P}OUTPUT
	}
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		counter jump {P}POSTROUTING
		counter jump nova-postrouting-bottom
	}
}
table ip mangle {
	chain {P}POSTROUTING { }
	chain PREROUTING { type filter hook prerouting priority mangle; policy accept; }
	chain INPUT { type filter hook input priority mangle; policy accept; }
	chain FORWARD { type filter hook forward priority mangle; policy accept; }
	chain OUTPUT { type route hook output priority mangle; policy accept; }
	chain POSTROUTING {
		type filter hook postrouting priority mangle; policy accept;
		counter jump {P}POSTROUTING
	}
}
table ip filter {
	chain {P}local { }
	chain {P}INPUT { }
	chain {P}OUTPUT { }
	chain {P}FORWARD {
		iifname \"br100\" counter accept
		oifname \"br100\" counter accept
	}
	chain {P}provider {
		ip saddr 198.51.100.99 tcp dport 1-65535 counter drop
		ip saddr 203.0.113.0/24 icmp type echo-request icmp code 0 counter drop
	}
	chain {P}sg-fallback { counter drop; }
	chain nova-filter-top { counter jump {P}local; }
	chain INPUT {
		type filter hook input priority filter; policy accept;
		counter jump {P}INPUT
	}
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
		counter jump nova-filter-top
		counter jump {P}FORWARD
	}
	chain OUTPUT {
		type filter hook output priority filter; policy accept;
		counter jump nova-filter-top
		counter jump {P}OUTPUT
	}
}
";
