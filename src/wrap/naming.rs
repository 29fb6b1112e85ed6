//! The one place where chain names are made: `$name` to kernel name.
//!
//! Owns: wrapping, the length limit, and the names that chains cannot have.
//! Never: shortens a name. Programs that cut names end up with two chains in one; here that is an error.
//!
//! Invariant: a name that [`Naming::checked`] returned fits the kernel and the layout, and `-j` on it means the chain.
//!
//! Where the truth is: `assert_valid_chain_name` (`iptables/xshared.c`, iptables 1.8.9) and `XT_EXTENSION_MAXNAMELEN`.

use std::borrow::Cow;

use super::error::ModelError;
use crate::name::{ChainName, WrapName};
use crate::rule::ChainRef;

/// A chain as callers name it: `$name` for a wrapped chain, as in rule text, or the kernel's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainKey<'a> {
    /// The component's own chain of this logical name.
    Wrapped(&'a str),
    /// The chain of this kernel name: built in, shared between components, or foreign.
    Named(&'a str),
}

impl<'a> From<&'a str> for ChainKey<'a> {
    fn from(text: &'a str) -> Self {
        text.strip_prefix('$').map_or(Self::Named(text), Self::Wrapped)
    }
}

impl<'a> From<&'a String> for ChainKey<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl<'a> From<&'a ChainName> for ChainKey<'a> {
    fn from(name: &'a ChainName) -> Self {
        Self::Named(name.as_str())
    }
}

impl<'a> From<&'a ChainRef> for ChainKey<'a> {
    fn from(chain: &'a ChainRef) -> Self {
        match chain {
            ChainRef::Wrapped(name) => Self::Wrapped(name.as_str()),
            ChainRef::Named(name) => Self::Named(name.as_str()),
        }
    }
}

/// The names of targets, sorted: iptables takes `-j NAME` for them before it looks for a chain.
const TARGETS: [&str; 44] = [
    "ACCEPT",
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CLUSTERIP",
    "CONNMARK",
    "CONNSECMARK",
    "CT",
    "DNAT",
    "DNPT",
    "DROP",
    "DSCP",
    "ECN",
    "HL",
    "HMARK",
    "IDLETIMER",
    "LED",
    "LOG",
    "MARK",
    "MASQUERADE",
    "MIRROR",
    "NETMAP",
    "NFLOG",
    "NFQUEUE",
    "NOTRACK",
    "QUEUE",
    "RATEEST",
    "REDIRECT",
    "REJECT",
    "RETURN",
    "SAME",
    "SECMARK",
    "SET",
    "SNAT",
    "SNPT",
    "SYNPROXY",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TPROXY",
    "TRACE",
    "TTL",
    "ULOG",
];

/// How a model names its chains.
#[derive(Debug, Clone)]
pub(super) struct Naming {
    /// The wrap name; `None` for a model that owns whole tables.
    pub(super) component: Option<WrapName>,
    /// The longest chain name of the layout, in bytes.
    pub(super) max: usize,
}

impl Naming {
    /// The kernel name, unchecked: for looking a chain up.
    pub(super) fn kernel_name<'a>(&self, key: ChainKey<'a>) -> Result<Cow<'a, str>, ModelError> {
        match (key, &self.component) {
            (ChainKey::Named(name), _) => Ok(Cow::Borrowed(name)),
            (ChainKey::Wrapped(logical), Some(wrap)) => {
                let mut name = String::with_capacity(wrap.as_str().len() + 1 + logical.len());
                name.push_str(wrap.as_str());
                name.push('-');
                name.push_str(logical);
                Ok(Cow::Owned(name))
            }
            (ChainKey::Wrapped(logical), None) => Err(ModelError::NoComponent { name: logical.to_owned() }),
        }
    }

    /// The kernel name, checked: for a chain that is made or jumped to.
    pub(super) fn checked(&self, key: ChainKey<'_>) -> Result<ChainName, ModelError> {
        if let ChainKey::Wrapped(logical) = key {
            ChainName::check(logical)?;
        }
        let name = ChainName::new(&self.kernel_name(key)?)?;
        if name.as_str().len() > self.max {
            return Err(ModelError::ChainNameTooLong { name, max: self.max });
        }
        // Few chains are named in capitals: those need no search.
        let capital = name.as_str().starts_with(|c: char| c.is_ascii_uppercase());
        if capital && TARGETS.binary_search(&name.as_str()).is_ok() {
            return Err(ModelError::TargetName { name });
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(wrap: &str) -> Naming {
        Naming { component: Some(WrapName::new(wrap).unwrap()), max: ChainName::IPTABLES_MAX }
    }

    #[test]
    fn targets_are_sorted_for_the_search() {
        assert!(TARGETS.is_sorted());
    }

    #[test]
    fn wrapped_names_get_the_component_in_front() {
        let naming = naming("nova-compute");
        assert_eq!(naming.checked("$inst-1".into()).unwrap().as_str(), "nova-compute-inst-1");
        assert_eq!(naming.checked("nova-filter-top".into()).unwrap().as_str(), "nova-filter-top");
        assert_eq!(naming.checked("in$ide".into()).unwrap().as_str(), "in$ide");
    }

    #[test]
    fn the_limit_holds_for_the_whole_name() {
        let naming = naming("nova-api-metadat");
        assert_eq!(naming.checked("$POSTROUTING".into()).unwrap().as_str().len(), 28);
        let error = naming.checked("$inst-1234567".into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "chain name `nova-api-metadat-inst-1234567` is 29 bytes long, 28 is the most here"
        );
    }

    #[test]
    fn targets_and_broken_names_are_refused() {
        let naming = naming("w");
        assert!(matches!(naming.checked("ACCEPT".into()), Err(ModelError::TargetName { .. })));
        assert!(naming.checked("$ACCEPT".into()).is_ok());
        for bad in ["", "$", "a b", "$a\nb", "-j", "$-j"] {
            assert!(matches!(naming.checked(bad.into()), Err(ModelError::Name(_))), "{bad:?}");
        }
    }

    #[test]
    fn without_a_component_nothing_is_wrapped() {
        let naming = Naming { component: None, max: 28 };
        assert!(matches!(naming.checked("$x".into()), Err(ModelError::NoComponent { .. })));
    }
}
