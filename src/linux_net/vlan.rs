//! VLAN devices: the frames of a device that carry a tag.
//!
//! Never: takes another device for a VLAN's, or deletes it, because it has the name.

use super::Error;
use super::bridge::{self, NetAttrs};
use super::steps::Steps;
use crate::name::{InterfaceName, MacAddress};
use crate::rtnl::kind::Data;
use crate::rtnl::{Kind, Link, LinkChange, NewLink, Rtnl, Tolerate};

/// A VLAN of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// Its number, below 4,095.
    pub number: u16,
    /// The device that carries it.
    pub base: InterfaceName,
    /// Its device's Ethernet address when it is made; `None` for that of the base.
    pub mac: Option<MacAddress>,
    /// The longest packet, also of a device that is there; `None` and 0 leave it as it is.
    pub mtu: Option<u32>,
    /// Its device's name; `None` is `vlan` and the number.
    pub name: Option<InterfaceName>,
}

impl Vlan {
    /// The name of its device.
    ///
    /// # Errors
    /// Never with a number below 4,095.
    pub fn device(&self) -> Result<InterfaceName, Error> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => default_name(self.number),
        }
    }
}

fn default_name(number: u16) -> Result<InterfaceName, Error> {
    let bad =
        || Error::BadValue { what: "VLAN number", value: number.to_string(), problem: "is not between 0 and 4094" };
    if number > 4094 {
        return Err(bad());
    }
    InterfaceName::new(&format!("vlan{number}")).map_err(|_| bad())
}

/// Makes the device of a VLAN unless it is there, and gives it its MTU in any case; the device's name.
///
/// # Errors
/// [`Error::NotAVlan`], [`Error::OtherVlan`] and [`Error::OtherVlanBase`] when the name belongs to another device; [`Error::Rtnl`], `ENODEV` when the base is
/// not there, `EEXIST` when this VLAN of the base has a device of another name, and `EOPNOTSUPP` when the kernel has no
/// VLANs.
pub fn ensure_vlan(rtnl: &mut Rtnl, vlan: &Vlan) -> Result<InterfaceName, Error> {
    let name = vlan.device()?;
    Steps::run(rtnl, &[], |steps| ensure(steps, vlan, &name))?;
    Ok(name)
}

fn ensure(steps: &mut Steps<'_>, vlan: &Vlan, name: &InterfaceName) -> Result<Link, Error> {
    if steps.rtnl().link(name)?.is_none() {
        let parent = steps.rtnl().require_link(&vlan.base)?.index;
        let kind = Kind::Vlan { parent, id: vlan.number };
        let device = NewLink { mac: vlan.mac, up: true, ..NewLink::new(name.clone(), kind) };
        if !steps.add_link(&device)? && steps.rtnl().link(name)?.is_none() {
            // Not the name is taken but the number, or no longer: the kernel says which.
            steps.make_link(&device)?;
        }
    }
    let link = steps.rtnl().require_link(name)?;
    check(&link, vlan.number)?;
    let others = steps.rtnl().links()?;
    let carrier = others.iter().find(|other| Some(other.index) == link.parent).map(|other| &other.name);
    if carrier != Some(&vlan.base) {
        let (device, wanted) = (name.clone(), vlan.base.clone());
        return Err(Error::OtherVlanBase { device, found: carrier.cloned(), wanted });
    }
    if let Some(mtu) = vlan.mtu.filter(|mtu| *mtu != 0 && *mtu != link.mtu) {
        let change = |mtu| LinkChange { mtu: Some(mtu), ..LinkChange::default() };
        steps.set_link(&link, &change(mtu), change(link.mtu))?;
    }
    Ok(link)
}

/// Whether the device is that VLAN's, of whatever base.
fn check(link: &Link, number: u16) -> Result<(), Error> {
    match link.data {
        Data::Vlan { id } if id == number => Ok(()),
        Data::Vlan { id } => Err(Error::OtherVlan { device: link.name.clone(), found: id, wanted: number }),
        _ => Err(Error::NotAVlan { device: link.name.clone(), kind: link.kind.clone() }),
    }
}

/// Deletes the device of a VLAN that has its default name; whether it was there.
///
/// # Errors
/// [`Error::NotAVlan`] and [`Error::OtherVlan`] when the name belongs to another device; [`Error::Rtnl`].
pub fn remove_vlan(rtnl: &mut Rtnl, number: u16) -> Result<bool, Error> {
    let Some(link) = rtnl.link(&default_name(number)?)? else { return Ok(false) };
    check(&link, number)?;
    Ok(rtnl.delete_link(&link).or_missing()?)
}

/// Makes the device of a VLAN and a bridge with it as a port; the device's name.
///
/// # Errors
/// Those of [`ensure_vlan`] and [`ensure_bridge`](bridge::ensure_bridge). A VLAN device that was made stays.
pub fn ensure_vlan_bridge(
    rtnl: &mut Rtnl,
    vlan: &Vlan,
    bridge: &InterfaceName,
    net_attrs: Option<&NetAttrs>,
) -> Result<InterfaceName, Error> {
    let device = ensure_vlan(rtnl, vlan)?;
    bridge::ensure_bridge(rtnl, bridge, Some(&device), net_attrs)?;
    Ok(device)
}

/// Deletes a bridge, gives its addresses back to the VLAN's device, and deletes that too; the name that it had.
///
/// # Errors
/// Those of [`remove_bridge`](bridge::remove_bridge) and [`remove_vlan`]; a device that is none of the VLAN's is found before
/// the bridge goes.
pub fn remove_vlan_bridge(
    rtnl: &mut Rtnl,
    number: u16,
    bridge: &InterfaceName,
    net_attrs: Option<&NetAttrs>,
) -> Result<InterfaceName, Error> {
    let device = default_name(number)?;
    if let Some(link) = rtnl.link(&device)? {
        // Before anything is gone.
        check(&link, number)?;
    }
    bridge::remove_bridge(rtnl, bridge, Some(&device), net_attrs)?;
    remove_vlan(rtnl, number)?;
    Ok(device)
}
