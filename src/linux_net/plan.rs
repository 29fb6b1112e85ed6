//! Values of networks that are to be made: subnets of a range, and what follows from each.
//!
//! Owns: the arithmetic of `nova-manage network create`: gateway, DHCP server and range, reserved addresses, VLAN, bridge.
//! Never: keeps networks, or asks what there are: who has the database says which VLANs are taken. Touches no host.
//!
//! Invariant: all networks of a request can be, or none is planned: a range that is too small or a VLAN that is not to be had is an
//! error before anything is made.
//!
//! Where the truth is: `create_networks` of nova's `NetworkManager` and `VlanManager`.
//! How it is tested: here, by the numbers of nova's own tests.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnetwork::{Ipv4Network, Ipv6Network};
use thiserror::Error;

use super::bridge::NetAttrs;
use crate::name::InterfaceName;

/// The last VLAN that a frame can be of.
const LAST_VLAN: u16 = 4094;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    /// The name of the networks; with several each has its number behind it.
    pub label: String,
    /// How many.
    pub networks: u32,
    /// The range that they are cut from. Its host bits count for nothing.
    pub range: Ipv4Network,
    /// How many addresses each has, rounded up to a power of two; `None` for the whole range of a single one, else 256.
    pub size: Option<u32>,
    /// The range of IPv6, of which each gets a /64; a longer one stays as it is, for one network.
    pub range_v6: Option<Ipv6Network>,
    /// The gateway of all; `None` for the first host of each.
    pub gateway: Option<Ipv4Addr>,
    /// The same for IPv6; `None` for the second address of each.
    pub gateway_v6: Option<Ipv6Addr>,
    /// The DHCP server of all; `None` for the gateway of each.
    pub dhcp_server: Option<Ipv4Addr>,
    /// VLANs for them; `None` for flat networks.
    pub vlans: Option<Vlans>,
}

/// Which VLANs networks get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlans {
    /// Which are counted from where.
    pub choice: VlanChoice,
    /// Those of networks that there are.
    pub taken: BTreeSet<u16>,
    /// Addresses at the top that are for clients of the VPN.
    pub vpn_clients: u32,
    /// The first public port of the VPN.
    pub vpn_start: u16,
}

/// A VLAN by number, or the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VlanChoice {
    /// That one, for a single network.
    Given(u16),
    /// Behind those of networks that there are, counted from here.
    From(u16),
}

/// A network that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub label: String,
    /// Network, broadcast, gateway and DHCP server, as a bridge needs them.
    pub attrs: NetAttrs,
    /// The gateway of IPv6.
    pub gateway_v6: Option<Ipv6Addr>,
    /// The first address that DHCP gives out.
    pub dhcp_start: Ipv4Addr,
    /// The addresses that no guest gets.
    pub reserved: BTreeSet<Ipv4Addr>,
    /// VLAN and VPN, of a network that has them.
    pub vlan: Option<PlannedVlan>,
}

/// What a network of a VLAN has beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVlan {
    /// Its number.
    pub number: u16,
    /// Its bridge, `br<number>`.
    pub bridge: InterfaceName,
    /// The address of its VPN instance.
    pub vpn_private: Ipv4Addr,
    /// The public port that leads there.
    pub vpn_port: u16,
}

/// Why networks cannot be made as asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No network was asked for.
    #[error("no network is asked for; ask for one at least")]
    None,
    /// A network without room for its gateway and a guest.
    #[error("a network of {0} addresses has no room for a guest; give it 8 at least")]
    Small(u64),
    /// The range has fewer addresses.
    #[error(
        "{networks} networks of {size} addresses do not fit in {range}; take a larger range, or fewer or smaller networks"
    )]
    Range {
        /// How many networks.
        networks: u32,
        /// The addresses of each.
        size: u64,
        /// The range.
        range: String,
    },
    /// No VLAN has that number.
    #[error("there is no VLAN {0}; VLANs go from 1 to 4094")]
    Vlan(u32),
    /// The VLAN is another network's.
    #[error("VLAN {0} is another network's")]
    VlanTaken(u16),
    /// One VLAN for several networks.
    #[error("VLAN {vlan} is for one network, and {networks} are asked for; say from where VLANs are counted")]
    OneVlan {
        /// The VLAN.
        vlan: u16,
        /// How many networks.
        networks: u32,
    },
    /// There are no ports for the VPNs of all.
    #[error("the ports of VPNs from {0} on go beyond 65535")]
    VpnPorts(u16),
    /// All addresses of a network are reserved.
    #[error("network {0} has no address left for a guest; reserve fewer for clients of the VPN")]
    Full(Ipv4Network),
}

impl PlanRequest {
    /// The networks, in order.
    ///
    /// # Errors
    /// [`PlanError`]; nothing is planned then.
    pub fn plan(&self) -> Result<Vec<Planned>, PlanError> {
        if self.networks == 0 {
            return Err(PlanError::None);
        }
        if let Some(vlans) = &self.vlans {
            vlans.check(self.networks)?;
        }
        let (subnets, six) = (self.subnets()?, self.subnets_v6()?);
        let mut taken = self.vlans.as_ref().map(|vlans| vlans.taken.clone()).unwrap_or_default();
        let existing = taken.len();
        let mut planned = Vec::new();
        for (index, (subnet, six)) in (0..).zip(subnets.into_iter().zip(six)) {
            planned.push(self.network(index, existing, subnet, six, &mut taken)?);
        }
        Ok(planned)
    }

    fn network(
        &self,
        index: u32,
        existing: usize,
        subnet: Ipv4Network,
        six: Option<Ipv6Network>,
        taken: &mut BTreeSet<u16>,
    ) -> Result<Planned, PlanError> {
        let full = || PlanError::Full(subnet);
        let gateway = match self.gateway {
            Some(gateway) => gateway,
            None => subnet.nth(1).ok_or_else(full)?,
        };
        let server = self.dhcp_server.unwrap_or(gateway);
        let free = |address: &Ipv4Addr| *address != server && *address != gateway;
        let mut starts = (2..).map_while(|nth| subnet.nth(nth)).filter(free);
        let first = starts.next().ok_or_else(full)?;
        let mut top = 1;
        let mut bottom = 2;
        let mut dhcp_start = first;
        let mut vlan = None;
        if let Some(vlans) = &self.vlans {
            (top, bottom) = (vlans.vpn_clients.saturating_add(1), 3);
            dhcp_start = starts.next().ok_or_else(full)?;
            let number = vlans.number(index, existing, taken)?;
            let bridge = InterfaceName::new(&format!("br{number}")).map_err(|_| PlanError::Vlan(number.into()))?;
            let port = u16::try_from(index).ok().and_then(|index| vlans.vpn_start.checked_add(index));
            let vpn_port = port.ok_or(PlanError::VpnPorts(vlans.vpn_start))?;
            vlan = Some(PlannedVlan { number, bridge, vpn_private: first, vpn_port });
        }
        let size = subnet.size();
        if top >= size || u64::from(bottom) + u64::from(top) >= u64::from(size) {
            return Err(full());
        }
        let mut reserved: BTreeSet<_> = (0..bottom).chain(size - top..size).filter_map(|nth| subnet.nth(nth)).collect();
        let vpn = vlan.as_ref().map(|vlan| vlan.vpn_private);
        reserved.extend([gateway, server].into_iter().chain(vpn).filter(|address| subnet.contains(*address)));
        if dhcp_start >= subnet.nth(size - top).unwrap_or(Ipv4Addr::BROADCAST) {
            return Err(full());
        }
        let gateway_v6 = self.gateway_v6.or_else(|| Some(Ipv6Addr::from(u128::from(six?.network()) + 1)));
        let label = if self.networks == 1 { self.label.clone() } else { format!("{}_{index}", self.label) };
        let (gateway, dhcp_server) = (Some(gateway), Some(server));
        let attrs = NetAttrs { cidr: subnet, broadcast: Some(subnet.broadcast()), gateway, dhcp_server, cidr_v6: six };
        Ok(Planned { label, attrs, gateway_v6: gateway_v6.filter(|_| six.is_some()), dhcp_start, reserved, vlan })
    }

    /// The parts of the range, one for each network.
    fn subnets(&self) -> Result<Vec<Ipv4Network>, PlanError> {
        let whole = 1_u64 << (32 - u32::from(self.range.prefix()));
        let size = match self.size {
            Some(size) => u64::from(size).next_power_of_two(),
            None if self.networks == 1 => whole,
            None => 256,
        };
        if size < 8 {
            return Err(PlanError::Small(size));
        }
        let wrong = || PlanError::Range { networks: self.networks, size, range: self.range.to_string() };
        if u64::from(self.networks) * size > whole {
            return Err(wrong());
        }
        let prefix = u8::try_from(32 - size.trailing_zeros()).map_err(|_| wrong())?;
        let start = u64::from(u32::from(self.range.network()));
        let subnet = |index: u32| {
            let address = u32::try_from(start + u64::from(index) * size).map_err(|_| wrong())?;
            Ipv4Network::new(address.into(), prefix).map_err(|_| wrong())
        };
        (0..self.networks).map(subnet).collect()
    }

    fn subnets_v6(&self) -> Result<Vec<Option<Ipv6Network>>, PlanError> {
        let Some(range) = self.range_v6 else { return Ok((0..self.networks).map(|_| None).collect()) };
        let prefix = range.prefix().max(64);
        let wrong = || PlanError::Range {
            networks: self.networks,
            size: 1 << (128 - u32::from(prefix)).min(63),
            range: range.to_string(),
        };
        // A /64 of any range is more than 32 bits can count, where there are so many.
        let there = 1_u64.checked_shl(u32::from(prefix - range.prefix())).unwrap_or(u64::MAX);
        if u64::from(self.networks) > there || prefix > 126 {
            return Err(wrong());
        }
        let step = 1_u128 << (128 - u32::from(prefix));
        let subnet = |index: u32| {
            let address = u128::from(range.network()) + u128::from(index) * step;
            Ipv6Network::new(address.into(), prefix).map(Some).map_err(|_| wrong())
        };
        (0..self.networks).map(subnet).collect()
    }
}

impl Vlans {
    fn check(&self, networks: u32) -> Result<(), PlanError> {
        let (VlanChoice::Given(start) | VlanChoice::From(start)) = self.choice;
        if start == 0 || start > LAST_VLAN {
            return Err(PlanError::Vlan(start.into()));
        }
        match self.choice {
            VlanChoice::Given(vlan) if networks > 1 => Err(PlanError::OneVlan { vlan, networks }),
            VlanChoice::From(_) if u32::from(start).saturating_add(networks) > LAST_VLAN.into() => {
                Err(PlanError::Vlan(u32::from(start).saturating_add(networks)))
            }
            VlanChoice::Given(_) | VlanChoice::From(_) => Ok(()),
        }
    }

    /// The next one, which is taken from then on.
    fn number(&self, index: u32, existing: usize, taken: &mut BTreeSet<u16>) -> Result<u16, PlanError> {
        let number = match self.choice {
            VlanChoice::Given(vlan) if taken.contains(&vlan) => return Err(PlanError::VlanTaken(vlan)),
            VlanChoice::Given(vlan) => u64::from(vlan),
            VlanChoice::From(start) => {
                let counted = u64::from(start) + u64::from(index) + existing as u64;
                let is_taken = u16::try_from(counted).is_ok_and(|vlan| taken.contains(&vlan));
                // Nobody has one above the highest.
                if is_taken { taken.last().map_or(counted, |highest| u64::from(*highest) + 1) } else { counted }
            }
        };
        let vlan = u16::try_from(number).ok().filter(|vlan| *vlan <= LAST_VLAN);
        let vlan = vlan.ok_or(PlanError::Vlan(u32::try_from(number).unwrap_or(u32::MAX)))?;
        taken.insert(vlan);
        Ok(vlan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(range: &str, networks: u32, size: Option<u32>) -> PlanRequest {
        PlanRequest {
            label: "net".to_owned(),
            networks,
            range: range.parse().unwrap(),
            size,
            range_v6: None,
            gateway: None,
            gateway_v6: None,
            dhcp_server: None,
            vlans: None,
        }
    }

    fn vlans(choice: VlanChoice, taken: &[u16]) -> Option<Vlans> {
        Some(Vlans { choice, taken: taken.iter().copied().collect(), vpn_clients: 0, vpn_start: 1000 })
    }

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    /// nova 107.
    #[test]
    fn networks_of_vlans_have_to_fit() {
        let with = |networks, size, vlans| PlanRequest { vlans, ..request("192.168.0.0/24", networks, size) };
        let from = |start| vlans(VlanChoice::From(start), &[]);
        assert_eq!(with(4094, Some(8), from(1)).plan(), Err(PlanError::Vlan(4095)));
        assert!(matches!(with(100, Some(100), from(1)).plan(), Err(PlanError::Range { size: 128, .. })));
        for bad in [0, 4095, u16::MAX] {
            assert_eq!(with(1, None, from(bad)).plan(), Err(PlanError::Vlan(bad.into())));
            assert_eq!(with(1, None, vlans(VlanChoice::Given(bad), &[])).plan(), Err(PlanError::Vlan(bad.into())));
        }
        for start in [99, 100] {
            let planned = with(2, Some(64), vlans(VlanChoice::From(start), &[100, 101])).plan().unwrap();
            let numbers: Vec<_> = planned.iter().map(|network| network.vlan.as_ref().unwrap().number).collect();
            assert_eq!(numbers, [102, 103], "{start}");
        }
        assert_eq!(with(1, None, vlans(VlanChoice::Given(100), &[100])).plan(), Err(PlanError::VlanTaken(100)));
        let several = with(2, Some(64), vlans(VlanChoice::Given(100), &[]));
        assert_eq!(several.plan(), Err(PlanError::OneVlan { vlan: 100, networks: 2 }));
        let beyond = with(1, None, vlans(VlanChoice::From(4093), &[4094]));
        assert_eq!(beyond.plan(), Err(PlanError::Vlan(4095)), "none is above the highest");
    }

    /// nova 108.
    #[test]
    fn each_network_has_a_server_of_its_own_unless_one_is_given() {
        let servers = |dhcp_server| {
            let planned = PlanRequest { dhcp_server, ..request("192.168.3.1/24", 2, Some(100)) }.plan().unwrap();
            planned.into_iter().map(|network| network.attrs.dhcp_server.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(servers(None), [ip("192.168.3.1"), ip("192.168.3.129")]);
        assert_eq!(servers(Some(ip("192.168.3.1"))), [ip("192.168.3.1"); 2]);
    }

    #[test]
    fn values_follow_from_the_subnet() {
        let flat = &request("10.0.0.0/16", 2, None).plan().unwrap()[1];
        assert_eq!((flat.label.as_str(), flat.attrs.cidr), ("net_1", "10.0.1.0/24".parse().unwrap()));
        assert_eq!((flat.attrs.broadcast, flat.attrs.gateway), (Some(ip("10.0.1.255")), Some(ip("10.0.1.1"))));
        assert_eq!(flat.dhcp_start, ip("10.0.1.2"));
        assert_eq!(flat.reserved, ["10.0.1.0", "10.0.1.1", "10.0.1.255"].map(ip).into());
        let vlans = Some(Vlans { vpn_clients: 5, ..vlans(VlanChoice::From(100), &[]).unwrap() });
        let range_v6 = Some("fd00::/48".parse().unwrap());
        let tagged =
            PlanRequest { vlans, range_v6, dhcp_server: Some(ip("10.0.0.2")), ..request("10.0.0.0/24", 1, None) };
        let tagged = &tagged.plan().unwrap()[0];
        let vlan = tagged.vlan.as_ref().unwrap();
        assert_eq!((vlan.number, vlan.bridge.as_str(), vlan.vpn_port), (100, "br100", 1000));
        assert_eq!((vlan.vpn_private, tagged.dhcp_start), (ip("10.0.0.3"), ip("10.0.0.4")));
        assert_eq!(tagged.reserved.len(), 4 + 6);
        assert_eq!(tagged.attrs.cidr_v6, Some("fd00::/64".parse().unwrap()));
        assert_eq!(tagged.gateway_v6, Some("fd00::1".parse().unwrap()));
        assert_eq!(tagged.label, "net");
    }

    /// Whatever is asked for: planned whole or refused, without a panic.
    #[test]
    fn odd_requests_are_refused_or_fit() {
        for range in ["0.0.0.0/0", "255.255.255.255/32", "10.0.0.0/29", "255.255.255.0/24"] {
            for (networks, size) in
                [(0, None), (1, None), (1, Some(0)), (3, Some(8)), (2, Some(u32::MAX)), (1, Some(1 << 31))]
            {
                for vpn_clients in [0, 4, u32::MAX] {
                    let vlans = Some(Vlans { vpn_clients, ..vlans(VlanChoice::From(1), &[]).unwrap() });
                    for vlans in [None, vlans] {
                        let asked = PlanRequest {
                            vlans,
                            range_v6: Some("fd00::/48".parse().unwrap()),
                            ..request(range, networks, size)
                        };
                        for network in asked.plan().unwrap_or_default() {
                            let cidr = network.attrs.cidr;
                            assert!(cidr.contains(network.dhcp_start) && asked.range.contains(cidr.broadcast()));
                            assert!(!network.reserved.contains(&network.dhcp_start));
                        }
                    }
                }
            }
        }
    }
}
