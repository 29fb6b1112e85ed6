//! The ipsets of a namespace.
//!
//! Owns: their indexes, members and sizes, and the errors of orders that cannot be carried out.
//! Never: keeps the order of a hash; members are listed in their own.
//!
//! Where the truth is: `net/netfilter/ipset/ip_set_core.c`, `ip_set_hash_gen.h` (Linux v6.12).

use std::collections::{BTreeMap, BTreeSet};

use ipnetwork::IpNetwork;

use super::state::State;
use crate::ipset::{Content, DEFAULT_MAXELEM, Error, Family, Form, Kind, Operation, Order, Reason};
use crate::name::IpsetName;
use crate::nft::expr::Expr;

/// The sets, by index.
#[derive(Debug, Clone, Default)]
pub(super) struct Ipsets(BTreeMap<u16, Ipset>);

#[derive(Debug, Clone)]
struct Ipset {
    name: IpsetName,
    form: Form,
    members: BTreeSet<IpNetwork>,
}

impl Ipsets {
    /// Adds an empty set of hosts.
    pub(super) fn add(&mut self, name: &IpsetName) -> u16 {
        self.make(name, Form { kind: Kind::Ip, family: Family::Ipv4, maxelem: DEFAULT_MAXELEM })
    }

    pub(super) fn index(&self, name: &IpsetName) -> Option<u16> {
        self.0.iter().find(|(_, set)| set.name == *name).map(|(index, _)| *index)
    }

    pub(super) fn name(&self, index: u16) -> Option<&IpsetName> {
        self.0.get(&index).map(|set| &set.name)
    }

    pub(super) fn content(&self, name: &IpsetName) -> Option<Content> {
        let set = self.0.get(&self.index(name)?)?;
        Some(Content {
            type_name: set.form.kind.name().to_owned(),
            family: Some(set.form.family),
            maxelem: Some(set.form.maxelem),
            members: set.members.iter().copied().collect(),
            exceptions: Vec::new(),
        })
    }

    /// Carries out an order. Rules of `state` hold the sets that they look into.
    pub(super) fn run(&mut self, order: &Order, state: &State) -> Result<(), Error> {
        let set = order.set();
        let refused = |errno| Error::refused(order.operation(), set, errno);
        if let Order::Create(name, form) = order {
            if self.index(name).is_some() {
                return Err(refused(libc::EEXIST));
            }
            self.make(name, *form);
            return Ok(());
        }
        let Some(index) = self.index(set) else {
            return if matches!(order, Order::Destroy(_)) { Ok(()) } else { Err(refused(libc::ENOENT)) };
        };
        match order {
            Order::Create(..) => {}
            Order::Add(_, members) => members.iter().try_for_each(|member| self.put(index, *member))?,
            Order::Delete(_, members) => {
                if let Some(set) = self.0.get_mut(&index) {
                    set.members.retain(|member| !members.contains(member));
                }
            }
            Order::Swap(_, other) => {
                let other = self.index(other).ok_or_else(|| refused(libc::ENOENT))?;
                self.swap(index, other).map_err(|reason| refused(reason.errno()))?;
            }
            Order::Destroy(_) => {
                if is_referenced(state, index) {
                    return Err(refused(Reason::Busy.errno()));
                }
                self.0.remove(&index);
            }
        }
        Ok(())
    }

    /// The lowest free index, as `find_free_id` gives it.
    fn make(&mut self, name: &IpsetName, form: Form) -> u16 {
        let index = (0..u16::MAX).find(|index| !self.0.contains_key(index)).unwrap_or(u16::MAX);
        self.0.insert(index, Ipset { name: name.clone(), form, members: BTreeSet::new() });
        index
    }

    fn put(&mut self, index: u16, member: IpNetwork) -> Result<(), Error> {
        let Some(set) = self.0.get_mut(&index) else { return Ok(()) };
        let refused = |reason: Reason| Error::refused(Operation::Add, &set.name, reason.errno()).about(Some(member));
        let (family, host) = if member.is_ipv4() { (Family::Ipv4, 32) } else { (Family::Ipv6, 128) };
        let fits = match set.form.kind {
            Kind::Ip => member.prefix() == host && !member.ip().is_unspecified(),
            Kind::Net => member.prefix() > 0,
        };
        if family != set.form.family || !fits {
            return Err(refused(Reason::Element));
        }
        if set.members.len() >= usize::try_from(set.form.maxelem).unwrap_or(usize::MAX)
            && !set.members.contains(&member)
        {
            return Err(refused(Reason::Full));
        }
        set.members.insert(member);
        Ok(())
    }

    /// Names stay with the indexes, and so do rules.
    fn swap(&mut self, a: u16, b: u16) -> Result<(), Reason> {
        let (Some(mut first), Some(mut second)) = (self.0.get(&a).cloned(), self.0.get(&b).cloned()) else {
            return Ok(());
        };
        if (first.form.kind, first.form.family) != (second.form.kind, second.form.family) {
            return Err(Reason::TypeMismatch);
        }
        std::mem::swap(&mut first.name, &mut second.name);
        self.0.insert(a, second);
        self.0.insert(b, first);
        Ok(())
    }
}

/// Whether a rule looks into the set of that index, which is the first number of the match's data.
fn is_referenced(state: &State, index: u16) -> bool {
    let rules = state.tables.iter().flat_map(|table| table.chains.values()).flat_map(|chain| &chain.rules);
    rules.flat_map(|rule| rule.expressions.iter()).any(|expr| match expr {
        Expr::Match(m) => &*m.name == "set" && m.info.starts_with(&index.to_ne_bytes()),
        _ => false,
    })
}
