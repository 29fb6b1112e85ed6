//! The kernel that the command line means: this namespace, another one, or a sandbox.

use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::{self, Namespace};

use crate::args::Where;
use crate::failure::Failure;

/// Opens the kernel. The namespace of a sandbox lives as long as what is returned.
pub(crate) fn open(place: &Where) -> Result<Live, Failure> {
    let namespace = match &place.netns {
        _ if place.sandbox => sandbox()?,
        None => Namespace::current(),
        Some(path) if path.contains('/') => Namespace::path(path).map_err(|e| Failure::other(e.to_string()))?,
        Some(name) => Namespace::named(name).map_err(|e| Failure::other(e.to_string()))?,
    };
    Live::open_in(&namespace).map_err(|error| Failure::other(format!("cannot open a netlink socket: {error}")))
}

/// A fresh namespace; without privilege, inside a user namespace of our own.
fn sandbox() -> Result<Namespace, Failure> {
    Namespace::fresh()
        .or_else(|error| {
            if !error.is_not_permitted() {
                return Err(error);
            }
            namespace::enter_user_namespace()?;
            Namespace::fresh()
        })
        .map_err(|error| Failure::other(format!("cannot make a sandbox: {error}")))
}
