//! The numbers of ipsets, asked for when a rule names one.
//!
//! Owns: the answers of one application, and the first question that failed.
//! Never: asks twice, or for sets that no changed rule names.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::compile::Ipsets;
use crate::kernel::{self, Kernel};
use crate::name::IpsetName;

/// [`Ipsets`] of a kernel.
pub(super) struct AskedIpsets<'k, 'a, K: ?Sized> {
    kernel: &'a RefCell<&'k mut K>,
    known: RefCell<HashMap<IpsetName, Option<u16>>>,
    failure: RefCell<Option<kernel::Error>>,
}

impl<'k, 'a, K: Kernel + ?Sized> AskedIpsets<'k, 'a, K> {
    pub(super) fn new(kernel: &'a RefCell<&'k mut K>) -> Self {
        Self { kernel, known: RefCell::default(), failure: RefCell::default() }
    }

    /// Why a question was not answered. An ipset that could not be asked for looks as if it were not there.
    pub(super) fn failure(&self) -> Option<kernel::Error> {
        self.failure.borrow_mut().take()
    }
}

impl<K: Kernel + ?Sized> Ipsets for AskedIpsets<'_, '_, K> {
    fn index(&self, name: &IpsetName) -> Option<u16> {
        if let Some(known) = self.known.borrow().get(name) {
            return *known;
        }
        let answer = self.kernel.borrow_mut().ipset_index(name).unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            None
        });
        self.known.borrow_mut().insert(name.clone(), answer);
        answer
    }

    fn name(&self, index: u16) -> Option<IpsetName> {
        let known = self.known.borrow();
        known.iter().find(|(_, number)| **number == Some(index)).map(|(name, _)| name.clone())
    }
}
