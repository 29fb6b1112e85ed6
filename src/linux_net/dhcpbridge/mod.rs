//! The lease script: what dnsmasq runs when a lease comes, changes or goes, and to be told the leases when it starts.
//!
//! Owns: what dnsmasq says in arguments and environment ([`Call`]), the answer to it, and a file for each network in which
//! the script and the host's agent meet ([`LeaseBook`]).
//! Never: reads arguments or environment itself; the binary `nova-dhcpbridge` does. Never decides who has an address: that
//! is the agent's, and dnsmasq has it from the hosts file.
//!
//! Invariant: what is no call of dnsmasq changes nothing, and the error names the word. Actions that this version does not
//! know (`tftp`, `arp-add` and later ones) succeed and do nothing, as `dnsmasq(8)` wants it.
//! Invariant: the answer to `init` needs no lock: whoever starts dnsmasq holds that of the directory meanwhile.
//!
//! An agent that keeps leases elsewhere implements [`Leases`] and has a script of its own.
//!
//! Where the truth is: `--dhcp-script` and `--leasefile-ro` in `dnsmasq(8)`, `src/helper.c` and `src/lease.c` of dnsmasq 2.90;
//! nova's `cmd/dhcpbridge.py`. Differences are listed in [`manual::parity`](crate::manual::parity).
//!
//! How tested: unit tests here; `compat/tests/dhcpbridge.rs` has a real dnsmasq run the binary.

mod book;

use std::ffi::{OsStr, OsString};
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use thiserror::Error;

use super::dnsmasq::{HostName, LabelError, NetworkId, lease_line};
use crate::name::MacAddress;

pub use book::{BookError, LeaseBook};

/// The variable in which dnsmasq hands on the network's id, as [`command_line`](super::dnsmasq::command_line) sets it.
const NETWORK_ID: &str = "NETWORK_ID";

/// An address that a guest holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The guest's hardware address.
    pub mac: MacAddress,
    /// The address.
    pub address: Ipv4Addr,
    /// The guest's name, as dnsmasq knows it.
    pub name: Option<HostName>,
}

/// What dnsmasq wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It starts, and asks which leases there are.
    Init,
    /// A guest was given an address.
    Add(Lease),
    /// A lease was renewed, or there was one already. nova does nothing then: a lease counts from the start of dnsmasq.
    Old,
    /// A guest gave its address back, or its lease ended.
    Del(Lease),
    /// Something else, which is none of a lease script's business.
    Other(String),
}

/// A call of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The network that dnsmasq serves.
    pub network: NetworkId,
    /// What it wants.
    pub action: Action,
}

/// Why the script was not called as dnsmasq calls it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The environment lacks a variable.
    #[error("the environment has no {0}")]
    NoVariable(&'static str),
    /// The id of the network cannot be one.
    #[error(transparent)]
    Network(#[from] LabelError),
    /// An argument is missing.
    #[error("{action} has no {what}")]
    Missing {
        /// The action.
        action: String,
        /// The argument.
        what: &'static str,
    },
    /// An argument is not what it should be.
    #[error("{action}: `{}` is no {what}", text.escape_default())]
    Bad {
        /// The action.
        action: String,
        /// What it was to be.
        what: &'static str,
        /// What it is.
        text: String,
    },
}

impl Call {
    /// Understands arguments, without the program's name, and the environment, which is asked by name.
    ///
    /// A name that is no host name is left out: a guest can send any, and has its lease all the same.
    ///
    /// # Errors
    /// [`CallError`].
    ///
    /// ```
    /// use nftwrap::linux_net::dhcpbridge::{Action, Call};
    /// let arguments = ["add", "fa:16:3e:00:00:01", "10.0.0.2", "web-1"].map(Into::into);
    /// let call = Call::parse(&arguments, |name| (name == "NETWORK_ID").then(|| "7".into()))?;
    /// let Action::Add(lease) = call.action else { panic!() };
    /// assert_eq!((lease.address, lease.name), ([10, 0, 0, 2].into(), Some("web-1".parse()?)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(arguments: &[OsString], environment: impl Fn(&str) -> Option<OsString>) -> Result<Self, CallError> {
        let network = environment(NETWORK_ID).ok_or(CallError::NoVariable(NETWORK_ID))?;
        let network = NetworkId::new(&network.to_string_lossy())?;
        let (action, rest) =
            arguments.split_first().ok_or(CallError::Missing { action: "the call".to_owned(), what: "action" })?;
        let action = match action.to_string_lossy().as_ref() {
            "init" => Action::Init,
            "old" => Action::Old,
            word @ "add" => Action::Add(Lease::parse(word, rest)?),
            word @ "del" => Action::Del(Lease::parse(word, rest)?),
            other => Action::Other(other.to_owned()),
        };
        Ok(Self { network, action })
    }

    /// Does what dnsmasq wants; the text that it reads, which is empty for all but [`Action::Init`]. Leases that are told
    /// last `lease_time` from `now`.
    ///
    /// # Errors
    /// That of whoever keeps the leases.
    pub fn answer<L: Leases>(&self, leases: &mut L, now: SystemTime, lease_time: Duration) -> Result<String, L::Error> {
        match &self.action {
            Action::Init => {
                let line = |lease: Lease| lease_line(now, lease_time, lease.mac, lease.address, lease.name.as_ref());
                let mut text: String = leases.held(&self.network)?.into_iter().map(line).collect::<Vec<_>>().join("\n");
                if !text.is_empty() {
                    text.push('\n');
                }
                return Ok(text);
            }
            Action::Add(lease) => leases.leased(&self.network, lease)?,
            Action::Del(lease) => leases.released(&self.network, lease)?,
            Action::Old | Action::Other(_) => {}
        }
        Ok(String::new())
    }
}

impl Lease {
    fn parse(action: &str, words: &[OsString]) -> Result<Self, CallError> {
        let [mac, address, ..] = words else {
            let what = if words.is_empty() { "hardware address" } else { "address" };
            return Err(CallError::Missing { action: action.to_owned(), what });
        };
        let name = words.get(2).and_then(|name| HostName::new(name.to_str()?).ok());
        Ok(Self { mac: word(action, "hardware address", mac)?, address: word(action, "IPv4 address", address)?, name })
    }
}

fn word<T: std::str::FromStr>(action: &str, what: &'static str, text: &OsStr) -> Result<T, CallError> {
    let bad = || CallError::Bad { action: action.to_owned(), what, text: text.to_string_lossy().into_owned() };
    text.to_str().and_then(|text| text.parse().ok()).ok_or_else(bad)
}

/// Whoever keeps the leases of a host.
pub trait Leases {
    /// Why they could not be read or changed.
    type Error;

    /// Those that guests of a network hold.
    ///
    /// # Errors
    /// They cannot be read; dnsmasq does not start then.
    fn held(&mut self, network: &NetworkId) -> Result<Vec<Lease>, Self::Error>;

    /// A guest was given an address, which nobody else has now.
    ///
    /// # Errors
    /// It cannot be kept.
    fn leased(&mut self, network: &NetworkId, lease: &Lease) -> Result<(), Self::Error>;

    /// A guest has given its address back; one that somebody else has by now stays.
    ///
    /// # Errors
    /// It cannot be forgotten.
    fn released(&mut self, network: &NetworkId, lease: &Lease) -> Result<(), Self::Error>;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::UNIX_EPOCH;

    use super::*;

    fn parse(words: &[&str]) -> Result<Call, CallError> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Call::parse(&words, |name| (name == "NETWORK_ID").then(|| "net-7".into()))
    }

    fn action(words: &[&str]) -> Action {
        let call = parse(words).unwrap();
        assert_eq!(call.network.as_str(), "net-7");
        call.action
    }

    fn lease(name: Option<&str>) -> Lease {
        let name = name.map(|name| name.parse().unwrap());
        Lease { mac: MacAddress([0xde, 0xad, 0xbe, 0xef, 0, 1]), address: [10, 0, 0, 2].into(), name }
    }

    #[test]
    fn each_action_is_understood() {
        let words = ["DE:AD:BE:EF:00:01", "10.0.0.2", "web-1"];
        assert_eq!(action(&["init"]), Action::Init);
        assert_eq!(action(&[&["add"], &words[..]].concat()), Action::Add(lease(Some("web-1"))));
        assert_eq!(action(&[&["del"], &words[..2]].concat()), Action::Del(lease(None)));
        assert_eq!(action(&[&["old"], &words[..]].concat()), Action::Old);
        // As for DHCPv6, whose words are others.
        assert_eq!(action(&["old", "00:01:00:01", "fd00::2"]), Action::Old);
        for other in ["tftp", "arp-add", "relay-snoop", "ADD", ""] {
            assert_eq!(action(&[other, "x"]), Action::Other(other.to_owned()));
        }
    }

    #[test]
    fn a_guest_cannot_lose_its_lease_or_harm_others_by_its_name() {
        for name in ["", "a b", "a\n1 2 3", "-x", "\u{fc}", "*"] {
            assert_eq!(action(&["add", "de:ad:be:ef:00:01", "10.0.0.2", name]), Action::Add(lease(None)), "{name:?}");
        }
    }

    #[test]
    fn what_is_no_call_says_which_word_is_wrong() {
        for (words, said) in [
            (&[][..], "the call has no action"),
            (&["add"], "add has no hardware address"),
            (&["del", "de:ad:be:ef:00:01"], "del has no address"),
            (&["add", "06-de:ad:be:ef:00:01", "10.0.0.2"], "add: `06-de:ad:be:ef:00:01` is no hardware address"),
            (&["add", "de:ad:be:ef:00:01", "fd00::2"], "add: `fd00::2` is no IPv4 address"),
            (&["del", "de:ad:be:ef:00:01", "10.0.0.2\n"], "del: `10.0.0.2\\n` is no IPv4 address"),
        ] {
            assert_eq!(parse(words).unwrap_err().to_string(), said);
        }
        let init = ["init".into()];
        assert_eq!(Call::parse(&init, |_| None).unwrap_err().to_string(), "the environment has no NETWORK_ID");
        let error = Call::parse(&init, |_| Some("../x".into())).unwrap_err();
        assert!(error.to_string().starts_with("the network id `../x` holds '/'"), "{error}");
    }

    /// Writes down what it is told.
    #[derive(Default)]
    struct Told(Vec<String>);

    impl Leases for Told {
        type Error = Infallible;

        fn held(&mut self, network: &NetworkId) -> Result<Vec<Lease>, Infallible> {
            self.0.push(format!("held {network}"));
            Ok(vec![lease(Some("web-1")), lease(None)])
        }

        fn leased(&mut self, network: &NetworkId, lease: &Lease) -> Result<(), Infallible> {
            self.0.push(format!("leased {network} {}", lease.address));
            Ok(())
        }

        fn released(&mut self, network: &NetworkId, lease: &Lease) -> Result<(), Infallible> {
            self.0.push(format!("released {network} {}", lease.address));
            Ok(())
        }
    }

    #[test]
    fn only_a_start_is_answered_with_leases() {
        let (now, day) = (UNIX_EPOCH + Duration::from_secs(1_700_000_000), Duration::from_secs(86_400));
        let mut told = Told::default();
        let mut answer = |words: &[&str]| parse(words).unwrap().answer(&mut told, now, day).unwrap();
        assert_eq!(
            answer(&["init"]),
            "1700086400 de:ad:be:ef:00:01 10.0.0.2 web-1 *\n1700086400 de:ad:be:ef:00:01 10.0.0.2 * *\n"
        );
        for action in ["add", "old", "del", "tftp"] {
            assert_eq!(answer(&[action, "de:ad:be:ef:00:01", "10.0.0.2"]), "");
        }
        assert_eq!(told.0, ["held net-7", "leased net-7 10.0.0.2", "released net-7 10.0.0.2"]);
    }
}
