//! The marks of address scopes.
//!
//! Owns: which mark a scope has, for the life of a router.
//! Never: gives a mark to two scopes, or takes one back.
//!
//! A packet carries the mark of the scope that it came from, in the upper half of the packet's mark; the number of the
//! first is 1024. Connections carry it as well, so a scope that changed its mark would lose its connections: marks are kept
//! while a process has the router, and a new process finds them again in the kernel's rules ([`recover`]).
//!
//! How it is tested: here, and by restarts in `tests/l3_router`.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Id, Router, StateError};
use crate::rule::{Family, MarkMask};

/// The bits that scopes have.
pub(super) const MASK: u32 = 0xffff_0000;
/// The number of networks without a scope, and the first.
const FIRST: u32 = 1024;
/// The last number.
const LAST: u32 = 2047;

/// Marks by scope; `None` is the scope of networks without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeMarks(BTreeMap<Option<Id>, u32>);

impl Default for ScopeMarks {
    fn default() -> Self {
        Self(BTreeMap::from([(None, FIRST)]))
    }
}

impl ScopeMarks {
    /// Marks of a router that has no scopes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a mark to each scope of the router that has none: those of the outside network first, then those of the ports,
    /// then those of floating addresses.
    ///
    /// # Errors
    /// [`StateError::Bad`] when all are given away.
    pub fn assign(&mut self, router: &Router) -> Result<(), StateError> {
        for family in Family::BOTH {
            let outside = router.gateway.iter().map(|gateway| gateway.scopes.of(family));
            for scope in outside.chain(router.ports.iter().map(|port| port.scopes.of(family))) {
                self.take(scope)?;
            }
        }
        router.floating.iter().try_for_each(|ip| self.take(ip.fixed_scope.as_ref()))
    }

    fn take(&mut self, scope: Option<&Id>) -> Result<(), StateError> {
        let scope = scope.cloned();
        if self.0.contains_key(&scope) {
            return Ok(());
        }
        let used: BTreeSet<u32> = self.0.values().copied().collect();
        let Some(free) = (FIRST..=LAST).find(|number| !used.contains(number)) else {
            let value = scope.map(|id| id.to_string()).unwrap_or_default();
            return Err(StateError::Bad { what: "address scope", value, problem: "is one more than there are marks" });
        };
        self.0.insert(scope, free);
        Ok(())
    }

    /// The mark of a scope; 0, which no scope has, for one that was not assigned.
    #[must_use]
    pub fn of(&self, scope: Option<&Id>) -> MarkMask {
        let number = self.0.get(&scope.cloned()).copied().unwrap_or(0);
        MarkMask { value: number << 16, mask: MASK }
    }
}

/// The marks that an earlier process gave: each with the scope whose device is marked so in the kernel. A mark that two
/// scopes would have, or a scope with two marks, is not believed: the state has changed since.
pub(super) fn recover(found: &[(Option<Id>, u32)]) -> ScopeMarks {
    let mut claims: BTreeSet<(&Id, u32)> = BTreeSet::new();
    let mut spoiled: BTreeSet<u32> = BTreeSet::from([FIRST]);
    for (scope, value) in found {
        let number = value >> 16;
        match scope {
            Some(scope) => drop(claims.insert((scope, number))),
            None => drop(spoiled.insert(number)),
        }
    }
    let once = |claim: &&(&Id, u32)| {
        let (scope, number) = claim;
        let same = claims.iter().filter(|(other, taken)| other == scope || taken == number).count();
        same == 1 && !spoiled.contains(number) && (FIRST..=LAST).contains(number)
    };
    let mut marks = ScopeMarks::new();
    marks.0.extend(claims.iter().filter(once).map(|(scope, number)| (Some((*scope).clone()), *number)));
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l3_router::state::{AddressScopes, InternalPort};

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn router(scopes: &[Option<&str>]) -> Router {
        let mut router = Router::new(id("r"));
        router.ports = scopes
            .iter()
            .enumerate()
            .map(|(at, scope)| InternalPort {
                scopes: AddressScopes { v4: scope.map(id), v6: None },
                ..InternalPort::new(id(&format!("p{at}")), Vec::new())
            })
            .collect();
        router
    }

    fn value(marks: &ScopeMarks, scope: Option<&str>) -> u32 {
        marks.of(scope.map(id).as_ref()).value
    }

    /// The first number is that of no scope, the next that of the first new one; another router starts anew.
    #[test]
    fn numbers_are_given_in_turn_and_kept() {
        let mut marks = ScopeMarks::new();
        marks.assign(&router(&[Some("a"), None, Some("b")])).unwrap();
        let all = [value(&marks, None), value(&marks, Some("a")), value(&marks, Some("b"))];
        assert_eq!(all, [0x400_0000, 0x401_0000, 0x402_0000]);
        marks.assign(&router(&[Some("c"), Some("b")])).unwrap();
        assert_eq!([value(&marks, Some("b")), value(&marks, Some("c"))], [0x402_0000, 0x403_0000]);
        let mut other = ScopeMarks::new();
        other.assign(&router(&[Some("b")])).unwrap();
        assert_eq!(value(&other, Some("b")), 0x401_0000);
    }

    #[test]
    fn there_is_an_end_of_numbers() {
        let scopes: Vec<String> = (0..1024).map(|n| format!("s{n}")).collect();
        let scopes: Vec<Option<&str>> = scopes.iter().map(|scope| Some(&**scope)).collect();
        assert!(ScopeMarks::new().assign(&router(&scopes[..1023])).is_ok());
        assert!(ScopeMarks::new().assign(&router(&scopes)).is_err());
    }

    #[test]
    fn a_new_process_believes_marks_that_are_clear() {
        let claim = |scope: Option<&str>, mark| (scope.map(id), mark);
        let found = [claim(Some("A"), 0x405_0000), claim(Some("B"), 0x403_0000), claim(None, 0x400_0000)];
        let mut marks = recover(&found);
        assert_eq!([value(&marks, Some("A")), value(&marks, Some("B"))], [0x405_0000, 0x403_0000]);
        marks.assign(&router(&[Some("A"), Some("B"), None, Some("D")])).unwrap();
        assert_eq!(value(&marks, Some("D")), 0x401_0000);
        // Both were one scope before: neither keeps the mark. Nor is one believed that is nobody's, or of no scope.
        let found = [claim(Some("A"), 0x405_0000), claim(Some("B"), 0x405_0000), claim(Some("D"), 0x400_0000)];
        assert_eq!(recover(&found), ScopeMarks::new());
        assert_eq!(recover(&[claim(Some("A"), 0x1_0000)]), ScopeMarks::new());
        assert_eq!(recover(&[claim(Some("A"), 0x401_0000), claim(Some("A"), 0x402_0000)]), ScopeMarks::new());
    }
}
