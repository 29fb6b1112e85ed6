//! The routers of a host.
//!
//! Owns: which routers there are, and a lock for each.
//! Never: holds a lock of all routers while it works on one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::router::{L3Router, Outcome};
use super::state::{Id, Router};
use super::traffic::Traffic;
use super::{RouterError, RouterOptions};

/// A place for a router, which may be being made.
type Slot = Arc<Mutex<Option<L3Router>>>;

/// The routers of a host. Threads work on different routers at the same time, and on one in turn.
#[derive(Debug)]
pub struct Routers {
    options: Arc<RouterOptions>,
    routers: Mutex<BTreeMap<Id, Slot>>,
}

impl Routers {
    /// Those of a process that has just started: none yet. Each one that an earlier process left is found by
    /// [`add`](Routers::add).
    #[must_use]
    pub fn new(options: RouterOptions) -> Self {
        Self { options: Arc::new(options), routers: Mutex::default() }
    }

    /// Those that there are.
    #[must_use]
    pub fn ids(&self) -> Vec<Id> {
        let slots: Vec<(Id, Slot)> = lock(&self.routers).iter().map(|(id, slot)| (id.clone(), slot.clone())).collect();
        slots.into_iter().filter(|(_, slot)| lock(slot).is_some()).map(|(id, _)| id).collect()
    }

    /// Makes the namespace of a router, so that devices can be given to it before it is added.
    ///
    /// # Errors
    /// As [`L3Router::open`].
    pub fn prepare(&self, id: &Id) -> Result<crate::netlink::namespace::Namespace, RouterError> {
        self.on(id, |slot, options| {
            let router = match slot.take() {
                Some(router) => router,
                None => L3Router::open(id, options)?,
            };
            Ok(slot.insert(router).namespace().clone())
        })
    }

    /// Makes a router, or takes over that which an earlier process left; one that is there is updated.
    ///
    /// # Errors
    /// As [`L3Router::open`] and [`L3Router::update`]; a namespace that this call made is gone again.
    pub fn add(&self, router: &Router) -> Result<Outcome, RouterError> {
        // Before a namespace is made for nothing.
        router.check()?;
        self.on(&router.id, |slot, options| {
            let known = slot.is_some();
            let mut own = match slot.take() {
                Some(own) => own,
                None => L3Router::open(&router.id, options)?,
            };
            match own.update(router) {
                Err(error) if own.is_new() && !known => {
                    Err(error.with_failures(own.remove().err().into_iter().collect()))
                }
                done => {
                    *slot = Some(own);
                    done
                }
            }
        })
    }

    /// Brings a router to another state.
    ///
    /// # Errors
    /// [`RouterError::Unknown`], and as [`L3Router::update`].
    pub fn update(&self, router: &Router) -> Result<Outcome, RouterError> {
        self.with(&router.id, |own| own.update(router))?
    }

    /// Takes a router away. One that is gone is fine, and so is one that an earlier process left.
    ///
    /// # Errors
    /// As [`L3Router::remove`]; the router is still there then.
    pub fn remove(&self, id: &Id) -> Result<(), RouterError> {
        self.on(id, |slot, options| {
            if slot.is_none() {
                let name = super::names::Names::of(&Router::new(id.clone()))?.namespace;
                match crate::netlink::namespace::Namespace::path(options.directory.join(name)) {
                    Err(error) if error.is_missing() => return Ok(()),
                    found => drop(found?),
                }
                *slot = Some(L3Router::open(id, options)?);
            }
            if let Some(router) = slot.as_mut() {
                router.remove()?;
            }
            *slot = None;
            Ok(())
        })
    }

    /// What the labels of a router have counted, as [`L3Router::traffic`].
    ///
    /// # Errors
    /// [`RouterError::Unknown`], and as [`L3Router::traffic`].
    pub fn traffic(&self, id: &Id, reset: bool) -> Result<Vec<Traffic>, RouterError> {
        self.with(id, |own| own.traffic(reset))?
    }

    /// Does something with a router, whose lock is held meanwhile.
    ///
    /// # Errors
    /// [`RouterError::Unknown`].
    pub fn with<R>(&self, id: &Id, run: impl FnOnce(&mut L3Router) -> R) -> Result<R, RouterError> {
        let slot = lock(&self.routers).get(id).cloned();
        let unknown = || RouterError::Unknown { id: id.clone() };
        let slot = slot.ok_or_else(unknown)?;
        let mut own = lock(&slot);
        own.as_mut().map(run).ok_or_else(unknown)
    }

    /// Does something with a router's place, which is made, and goes again when there is nothing in it.
    fn on<R>(
        &self,
        id: &Id,
        run: impl FnOnce(&mut Option<L3Router>, Arc<RouterOptions>) -> Result<R, RouterError>,
    ) -> Result<R, RouterError> {
        let slot = lock(&self.routers).entry(id.clone()).or_default().clone();
        let mut own = lock(&slot);
        let done = run(&mut own, self.options.clone());
        let empty = own.is_none();
        drop(own);
        if empty {
            let mut routers = lock(&self.routers);
            // Whoever else has come to the place meanwhile goes on with it.
            if Arc::strong_count(&slot) == 2 && lock(&slot).is_none() {
                routers.remove(id);
            }
        }
        done
    }
}

/// A thread that panicked has left a router whose kernel state is not known to be what it remembers; an update compares.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Routers>();
};
