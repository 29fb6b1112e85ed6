//! The form of a rule that is left of it in the kernel.
//!
//! Owns: [`normal`]: a rule as it would be read back.
//! Never: is what a rule is compiled from.
//!
//! Identities and content hashes are made of this form, so that a rule is known again whichever way it was written: by the
//! text that was given first, or by the text that is shown.
//!
//! Invariant: rules of one normal form have one program; the normal form of a normal form is itself.

use std::cell::RefCell;
use std::sync::Arc;

use crate::compile::native::{compile, lift};
use crate::compile::{Ipsets, Program};
use crate::name::IpsetName;
use crate::rule::{Family, Rule};

/// Every ipset has a number: that of its first mention.
#[derive(Default)]
struct Mentioned(RefCell<Vec<IpsetName>>);

impl Ipsets for Mentioned {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        let mut names = self.0.borrow_mut();
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        });
        u16::try_from(at).ok()
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.0.borrow().get(usize::from(index)).cloned()
    }
}

/// The rule as it would be read back; a rule that has no program stays as it is.
pub(super) fn normal(rule: &Arc<Rule>, family: Family) -> Arc<Rule> {
    let (ipsets, mut program) = (Mentioned::default(), Program::default());
    let compiled = compile(rule, family, None, &ipsets, &mut program);
    match compiled.ok().and_then(|_| lift(&program, family, &ipsets).ok()) {
        Some(read) if read != **rule => Arc::new(read),
        _ => rule.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::matches::{Multiport, MultiportSide};
    use crate::rule::{Match, PortRange};

    #[test]
    fn one_port_in_a_list_is_the_same_as_the_port() {
        let port = PortRange::single(22);
        let list = Multiport { side: MultiportSide::Destination, negated: false, ports: vec![port] };
        let mut listed = Rule::new().tcp().accept();
        listed.matches = vec![Match::Multiport(list)];
        let plain = Arc::new(Rule::new().tcp().dport(port).accept());
        assert_eq!(normal(&Arc::new(listed), Family::Ipv4), plain);
        assert!(Arc::ptr_eq(&normal(&plain, Family::Ipv4), &plain));
    }
}
