//! The sets that the model names, as sets of the table.
//!
//! Owns: which names are sets of the table and of which kind, what of them the kernel has, and the elements that stand for
//! members.
//! Never: keeps members; the model does.
//!
//! Of prefixes one inside another only the outermost are elements, as the kernel takes no ranges that overlap. What a
//! member changes is found from the member, its way up to everything, and the members inside of it.
//!
//! Rules look a set up by its name, so a rule is compiled anew when the name begins or ends to be a set of the table. That
//! is rare: then everything is ([`Error::Turned`]).
//!
//! Invariant: the elements of a delta are the difference between the members when the model was last applied and now.
//!
//! How it is tested: members at random beside all elements made anew here; `tests/native/sets.rs` with a kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::{Error, Fate, Fields, Kind, SetTag, Table, Tags, declare};
use crate::compile::Ipsets;
use crate::layout::native::declare::{self as declaring, SetKind as Declared};
use crate::layout::native::delta::SetDelta;
use crate::layout::native::field::Field;
use crate::layout::native::names::{self, Names};
use crate::name::{IpsetName, NameError, SetName};
use crate::nft::Element;
use crate::rule::{Match, Rule};
use crate::wrap::{self, AddressSet, SetKind};

/// The sets of a table that rules name.
#[derive(Debug, Clone, Default)]
pub(in crate::layout::native) struct Own(BTreeMap<IpsetName, SetKind>);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Those of the model.
    own: Arc<Own>,
    /// Those that the kernel has.
    committed: BTreeMap<IpsetName, SetKind>,
}

impl Own {
    /// What the set is, if it is the table's.
    pub(in crate::layout::native) fn kind(&self, name: &IpsetName) -> Option<SetKind> {
        self.0.get(name).copied()
    }

    /// The rule as the passes look at it: members of a set of the table's own count nothing.
    pub(in crate::layout::native) fn without_memory(&self, rule: &Arc<Rule>) -> Arc<Rule> {
        let counts = |m: &Match| matches!(m, Match::Set(set) if self.0.contains_key(&set.name.value));
        if self.0.is_empty() || !rule.matches.iter().any(counts) {
            return rule.clone();
        }
        let mut rule = Rule::clone(rule);
        for m in rule.matches.iter_mut().filter(|m| counts(m)) {
            if let Match::Set(set) = m {
                (set.keep_counters, set.keep_subcounters) = (true, true);
            }
        }
        Arc::new(rule)
    }

    /// What tells rules apart that name the same sets: which of these are the table's, and of which kind.
    pub(in crate::layout::native) fn mark(&self, rule: &Rule) -> Vec<(usize, SetKind)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        rule.set_names().enumerate().filter_map(|(at, name)| Some((at, self.kind(name)?))).collect()
    }
}

/// The sets of the table, and beside them the ipsets.
pub(super) struct Known<'a> {
    own: Arc<Own>,
    names: &'a Names,
    ipsets: &'a dyn Ipsets,
}

impl<'a> Known<'a> {
    pub(super) fn new(named: &Named, names: &'a Names, ipsets: &'a dyn Ipsets) -> Self {
        Self { own: named.own.clone(), names, ipsets }
    }
}

impl Ipsets for Known<'_> {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        self.ipsets.index(name)
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        self.ipsets.name(index)
    }

    fn set(&self, name: &IpsetName) -> Option<SetName> {
        self.names.named(self.own.kind(name)?, name).ok()
    }

    fn named(&self, set: &str) -> Option<IpsetName> {
        names::named_set(set)
    }
}

impl Named {
    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    /// The kernel has the sets of the model.
    pub(super) fn commit(&mut self) {
        self.committed.clone_from(&self.own.0);
    }
}

impl Table {
    /// Takes over which sets the model has.
    ///
    /// # Errors
    /// [`Error::Turned`] when rules that are known mean something else now.
    pub(super) fn follow_sets(&mut self, table: &wrap::Table) -> Result<(), Error> {
        let names: Vec<&IpsetName> = match self.new {
            true => table.sets().map(AddressSet::name).collect(),
            false => table.dirty_sets().collect(),
        };
        for name in names {
            let wanted = table.set(name).map(AddressSet::kind);
            let committed = self.named.committed.get(name).copied();
            let before = self.named.own.kind(name);
            let turned = (wanted.is_some() && wanted != before)
                || (committed.is_some() && wanted != committed && table.is_set_referenced(name));
            if turned && !self.new && self.rules.names_set(name) {
                return Err(Error::Turned { table: self.id, set: name.clone() });
            }
            if wanted != before {
                let own = Arc::make_mut(&mut self.named.own);
                match wanted {
                    Some(kind) => drop(own.0.insert(name.clone(), kind)),
                    None => drop(own.0.remove(name)),
                }
            }
        }
        self.rules.know_sets(self.named.own.clone());
        Ok(())
    }

    /// What the kernel lacks of the sets.
    pub(super) fn set_deltas(&self, table: &wrap::Table) -> Result<Vec<SetDelta>, NameError> {
        let names: BTreeSet<&IpsetName> = match self.new {
            true => table.sets().map(AddressSet::name).collect(),
            false => table.dirty_sets().collect(),
        };
        let mut deltas = Vec::new();
        for name in names {
            let committed = self.named.committed.get(name).copied().filter(|_| !self.new);
            let set = table.set(name);
            if let Some(kind) = committed
                && set.is_none_or(|set| set.kind() != kind)
            {
                let name = self.setup.names.named(kind, name)?;
                deltas.push(SetDelta { name, fate: Fate::Gone, removed: Vec::new(), added: Vec::new() });
            }
            let Some(set) = set else { continue };
            let own = self.setup.names.named(set.kind(), name)?;
            if committed == Some(set.kind()) {
                let (removed, added) = changes(set);
                if !removed.is_empty() || !added.is_empty() {
                    deltas.push(SetDelta { name: own, fate: Fate::Kept, removed, added });
                }
            } else {
                let fate = Fate::New(Box::new(self.declare_named(set.kind(), &own)));
                deltas.push(SetDelta { name: own, fate, removed: Vec::new(), added: elements(set) });
            }
        }
        Ok(deltas)
    }

    fn declare_named(&self, kind: SetKind, name: &SetName) -> crate::nft::Set {
        let fields = Fields::new([Field::Source(self.id.family.max_prefix())]);
        let tag = SetTag { kind: Kind::Named, context: Fields::default(), fields: fields.clone() };
        let tags = Tags { set: Some(tag), ..Tags::default() };
        let declared = match kind {
            SetKind::Addresses => Declared::Member(&fields),
            SetKind::Prefixes => Declared::Constant { fields: &fields, interval: true, size: 0 },
        };
        declare(&declared, self.id.family, &self.name, name, false, &tags)
    }
}

/// All elements of a set.
fn elements(set: &AddressSet) -> Vec<Element> {
    let mut elements = Vec::with_capacity(set.len());
    let mut inside: Option<IpNetwork> = None;
    for member in set.members() {
        // Those inside of a prefix stand right behind it.
        if inside.is_some_and(|outer| outer.contains(member.ip())) {
            continue;
        }
        inside = Some(member);
        extend(&mut elements, set.kind(), member);
    }
    elements
}

/// Elements that go and come since the model was applied; of a set that is new then, none.
fn changes(set: &AddressSet) -> (Vec<Element>, Vec<Element>) {
    let Some(edits) = set.edits() else { return Default::default() };
    let now = |member: IpNetwork| set.contains(member);
    let before = |member: IpNetwork| edits.joined(member).map_or_else(|| set.contains(member), |joined| !joined);
    let mut touched: BTreeSet<IpNetwork> = edits.added().chain(edits.removed()).collect();
    if set.kind() == SetKind::Prefixes {
        let came = edits.added().filter(|member| !is_covered(*member, now));
        let went = edits.removed().filter(|member| !is_covered(*member, before));
        let nested: Vec<_> = came.chain(went).flat_map(|member| set.members_in(member)).collect();
        touched.extend(nested);
    }
    // Nothing is around a host where all are hosts.
    let hosts = set.kind() == SetKind::Addresses;
    let is_element = |member, is: &dyn Fn(IpNetwork) -> bool| is(member) && (hosts || !is_covered(member, is));
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for member in touched {
        match (is_element(member, &before), is_element(member, &now)) {
            (true, false) => extend(&mut removed, set.kind(), member),
            (false, true) => extend(&mut added, set.kind(), member),
            _ => {}
        }
    }
    (removed, added)
}

/// Whether a prefix around the member is one, too.
fn is_covered(member: IpNetwork, is: impl Fn(IpNetwork) -> bool) -> bool {
    (0..member.prefix()).any(|len| around(member, len).is_some_and(&is))
}

/// The prefix of that length around a member.
fn around(member: IpNetwork, len: u8) -> Option<IpNetwork> {
    let wide = IpNetwork::new(member.ip(), len).ok()?;
    IpNetwork::new(wide.network(), len).ok()
}

/// The elements of one member: a key, or the first key of a range and the one after its last.
fn extend(elements: &mut Vec<Element>, kind: SetKind, member: IpNetwork) {
    let bytes = |ip: std::net::IpAddr| -> Box<[u8]> {
        match ip {
            std::net::IpAddr::V4(ip) => ip.octets().into(),
            std::net::IpAddr::V6(ip) => ip.octets().into(),
        }
    };
    elements.push(Element::new(&bytes(member.network())));
    if kind == SetKind::Prefixes {
        elements.extend(declaring::after(&bytes(member.broadcast())).map(|end| Element::interval_end(&end)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::Family;
    use crate::wrap::{Model, TableKind};

    /// Few prefixes that often lie in one another.
    fn member() -> impl Strategy<Value = IpNetwork> {
        (0..8_u8, prop::sample::select(vec![0_u8, 1, 4, 5, 6, 7, 8, 16, 32]), any::<bool>()).prop_map(
            |(top, len, high)| {
                let address = std::net::Ipv4Addr::new(top << 5, 0, 0, u8::from(high));
                IpNetwork::new(address.into(), len).unwrap()
            },
        )
    }

    proptest! {
        #[test]
        fn changes_lead_from_all_elements_to_all_elements(
            steps in prop::collection::vec((any::<bool>(), member(), any::<bool>()), 1..60)
        ) {
            let name: IpsetName = "s".parse().unwrap();
            let mut model = Model::whole();
            model.table_mut(Family::Ipv4, TableKind::Filter).unwrap().add_set(&name, SetKind::Prefixes).unwrap();
            model.mark_applied();
            let key = |element: &Element| (element.key.clone(), element.flags.bits());
            let mut stands = BTreeSet::new();
            for (join, member, apply) in steps {
                let table = model.table_mut(Family::Ipv4, TableKind::Filter).unwrap();
                let edit = if join { wrap::Table::add_member } else { wrap::Table::remove_member };
                edit(table, &name, member).unwrap();
                if !apply {
                    continue;
                }
                let set = table.set(&name).unwrap();
                let (removed, added) = changes(set);
                for element in &removed {
                    prop_assert!(stands.remove(&key(element)));
                }
                for element in &added {
                    prop_assert!(stands.insert(key(element)));
                }
                let all: BTreeSet<_> = elements(set).iter().map(key).collect();
                prop_assert_eq!(&stands, &all);
                model.mark_applied();
            }
        }
    }

    #[test]
    fn everything_has_no_end() {
        let mut set = Vec::new();
        extend(&mut set, SetKind::Prefixes, "0.0.0.0/0".parse().unwrap());
        assert_eq!(set, [Element::new(&[0; 4])]);
    }
}
