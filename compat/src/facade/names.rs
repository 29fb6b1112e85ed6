//! Names as the originals make them: from the program's name, cut to length.
//!
//! Owns: which names are cut to what, and the memory that no two become one.
//! Never: lets a cut name stand for a second chain.
//!
//! Where the truth is: `get_binary_name` and `get_chain_name` of `neutron/agent/linux/iptables_manager.py`; nova cuts
//! the component's name only (`nova/network/linux_net.py`).

use std::collections::HashMap;

use nftwrap::name::{ChainName, NameError, WrapName};
use nftwrap::rule::ChainRef;
use nftwrap::wrap::{Profile, Table, TableId};

use super::error::FacadeError;

/// Whose habits the manager has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// `nova.network.linux_net`: three IPv4 tables and IPv6 `filter`; chain names are not cut.
    Nova,
    /// `neutron.agent.linux.iptables_manager`: comments, `raw`, `mangle`; chain names are cut.
    Neutron,
}

impl Style {
    pub(super) fn profile(self) -> Profile {
        match self {
            Self::Nova => Profile::Nova,
            Self::Neutron => Profile::Neutron,
        }
    }

    /// The component's name: the first 16 characters; neutron makes blanks underscores.
    pub(super) fn wrap_name(self, binary: &str) -> Result<WrapName, NameError> {
        let cut: String = binary.chars().take(WrapName::MAX).collect();
        match self {
            Self::Nova => WrapName::new(&cut),
            Self::Neutron => WrapName::new(&cut.replace(' ', "_")),
        }
    }

    /// The longest own part of a chain's name, in characters.
    fn longest(self, wrap: bool) -> usize {
        match (self, wrap) {
            (Self::Nova, _) => usize::MAX,
            (Self::Neutron, true) => ChainName::IPTABLES_MAX - WrapName::MAX - 1,
            (Self::Neutron, false) => ChainName::IPTABLES_MAX,
        }
    }
}

/// The name that the originals take from the command line: the last part of the program's path.
#[must_use]
pub fn binary_name(argv0: &str) -> &str {
    argv0.rsplit('/').next().unwrap_or(argv0)
}

/// The names of a manager's chains that were cut.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) style: Style,
    /// Whole names by table, kind and what is left of them.
    cut: HashMap<(TableId, bool, String), String>,
}

impl Names {
    pub(super) fn new(style: Style) -> Self {
        Self { style, cut: HashMap::new() }
    }

    /// The chain that the name means in a table.
    pub(super) fn chain(&mut self, table: &Table, name: &str, wrap: bool) -> Result<ChainRef, FacadeError> {
        let left: String = name.chars().take(self.style.longest(wrap)).collect();
        let name_left = ChainName::new(&left)?;
        let chain = if wrap { ChainRef::Wrapped(name_left) } else { ChainRef::Named(name_left) };
        if left != name {
            let used = table.has_chain(&chain) || table.is_referenced(&chain);
            let whole = self.cut.entry((table.id(), wrap, left.clone())).or_insert_with(|| name.to_owned());
            if whole != name {
                if used {
                    let (name, other) = (name.to_owned(), whole.clone());
                    return Err(FacadeError::Cut { table: table.id(), name, cut: left, other });
                }
                // Nothing is left of the chain that had the name.
                name.clone_into(whole);
            }
        }
        Ok(chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_named_after_the_program() {
        assert_eq!(binary_name("/usr/bin/nova-api-metadata"), "nova-api-metadata");
        let name = |style: Style, binary: &str| style.wrap_name(binary).unwrap().to_string();
        assert_eq!(name(Style::Nova, "nova-api-metadata"), "nova-api-metadat");
        assert_eq!(name(Style::Nova, "nova-api-os-compute"), "nova-api-os-comp");
        assert_eq!(name(Style::Neutron, &"xbcdef".repeat(5)), "xbcdefxbcdefxbcd");
        assert_eq!(name(Style::Neutron, binary_name("python -m unittest")), "python_-m_unitte");
    }
}
