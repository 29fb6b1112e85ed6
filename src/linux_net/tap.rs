//! Tap devices of guests.

use crate::name::{InterfaceName, MacAddress};
use crate::netlink::errno::Errno;
use crate::netlink::tap::Tap;
use crate::rtnl::{LinkChange, Rtnl};

use super::Error;

/// Makes a tap device that stays: with this Ethernet address, if any, and up. Whether it was not there; one that is there
/// stays as it is.
///
/// It becomes lasting only when all of that is done; when this is interrupted before, it goes away by itself.
///
/// # Errors
/// [`Error::Tap`], [`Error::Rtnl`].
pub fn create_tap_dev(
    rtnl: &mut Rtnl,
    device: &InterfaceName,
    mac: Option<MacAddress>,
    multi_queue: bool,
) -> Result<bool, Error> {
    if rtnl.link(device)?.is_some() {
        return Ok(false);
    }
    let error = |source| Error::Tap { device: device.clone(), source };
    let tap = match Tap::open_in(rtnl.namespace(), device, multi_queue) {
        // Somebody else made it in between, and holds it.
        Err(source) if source.raw_os_error() == Some(Errno::BUSY.0) => return Ok(false),
        other => other.map_err(error)?,
    };
    let link = rtnl.require_link(device)?;
    rtnl.set_link(&link, &LinkChange { mac, up: Some(true), ..LinkChange::default() })?;
    tap.persist().map_err(error)?;
    Ok(true)
}
