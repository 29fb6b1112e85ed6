//! Where nova's network code has its counterpart here, function by function, and which test shows each behaviour that nova's
//! own tests check.
//!
//! # Functions
//!
//! All of them are in [`linux_net`](crate::linux_net); names are those of its modules.
//!
//! | nova's `linux_net` | here |
//! |---|---|
//! | `device_exists`, `delete_net_dev` | `device::exists`, `device::delete` |
//! | `add_bridge`, `delete_bridge_dev`, `ensure_bridge`, `remove_bridge` | `bridge::ensure_bridge`, `bridge::remove_bridge` |
//! | `set_device_mtu`, `set_device_enabled`, `set_device_disabled`, `set_device_macaddr` | `device::set_mtu`, `device::set_up`, `device::set_mac` |
//! | `create_tap_dev`, `create_veth_pair` | `tap::create_tap_dev`, `device::create_veth_pair` |
//! | `set_vf_interface_vlan`, `set_device_macaddr_and_vlan`, `set_vf_trusted` | the same in `sriov` |
//! | `pci.utils`: `get_ifname_by_pci_address`, `get_vf_num_by_pci_address`, `get_mac_by_pci_address` | `sriov::Sysfs`: `interface`, `physical_interface`, `vf_number`, `mac` |
//! | `bind_ip`, `unbind_ip`, `bind_floating_ip`, `unbind_floating_ip` | the same: `device::bind_ip`, `device::unbind_ip`, and with the announcement in `host::Host` |
//! | `lookup_ip`, `get_my_linklocal` | `device::global_addresses`, `device::link_local` |
//! | `change_ip`, `routes_show` | [`Rtnl::replace_address`](crate::rtnl::Rtnl::replace_address), [`Rtnl::routes_of`](crate::rtnl::Rtnl::routes_of) |
//! | `send_arp_for_ip` | `announce::Announcer` |
//! | `clean_conntrack` | [`Conntrack::clean`](crate::conntrack::Conntrack::clean) |
//! | `ensure_metadata_ip`, `metadata_forward`, `metadata_accept` | `l3` (the address), `rules::metadata_forward`, `rules::metadata_accept` |
//! | `add_snat_rule`, `init_host` | `rules::add_snat_rule`, `rules::init_host`; what is taken from bridges for it, in `l3` |
//! | `ensure_vpn_forward` | `rules::ensure_vpn_forward` |
//! | `floating_forward_rules`, `ensure_floating_forward`, `remove_floating_forward` | `rules::ensure_floating_forward`, `rules::remove_floating_forward` |
//! | `floating_ebtables_rules`, `ensure_ebtables_rules`, `remove_ebtables_rules` | `redirect` |
//! | `isolate_dhcp_address`, `remove_isolate_dhcp_address` | the same in `isolation` |
//! | `initialize_gateway_device` | `gateway::initialize_gateway_device` |
//! | `plug`, `unplug`, `get_dev` | `interface::InterfaceDriver` |
//! | `ensure_vlan`, `remove_vlan`, `ensure_vlan_bridge`, `remove_vlan_bridge` | the same in `vlan` |
//! | `get_gateway_rules` | `rules::ensure_bridge_rules`, `rules::remove_bridge_rules` |
//! | `get_dhcp_hosts`, `get_dns_hosts`, `get_dhcp_opts`, `get_dhcp_leases` | `dnsmasq`: `dhcp_hosts`, `dns_hosts`, `dhcp_options`, `leases` |
//! | `restart_dhcp`, `update_dhcp`, `update_dns`, `kill_dhcp`, `release_dhcp` | `dnsmasq::Dnsmasq`: `restart`, `update_dhcp`, `update_dns`, `kill`, `release` |
//! | `nova-dhcpbridge` | `dhcpbridge`, and the binary of that name |
//! | `add_dhcp_rules`, `remove_dhcp_rules` (`_dnsmasq_accept`), the mangle rule | `rules`: `add_dhcp_rules`, `add_checksum_rule` and their `remove_` |
//! | `update_ra` | `radvd::Radvd::update` |
//! | `is_pid_cmdline_correct`, `write_to_file` | `pid::Process`, `files::write` |
//! | `get_net_and_mask`, `get_net_and_prefixlen`, `get_ip_version` | types: `Ipv4Network`, `IpNetwork` |
//! | the L3 drivers; the floating-address, flat, flat DHCP and VLAN managers | `l3`, `managers` |
//! | Open vSwitch, Indigo, 6WIND | not here ([`not_yet`](super::not_yet)) |
//!
//! # Behaviours
//!
//! Numbers are those that tests and pages here use for what nova checks (`nova 6.2.35` is 35). A name is a function of a file, which
//! is a test binary or a part of one.
//!
//! | behaviour | test |
//! |---|---|
//! | 20 to 24, source translation | `nova_rules/behaviours`: `source_translation_follows_the_gateway_and_the_forced_range` |
//! | 25 to 28, the metadata port | the same: `the_metadata_port_is_let_in_in_its_hosts_family` |
//! | 29, 30, the metadata address | the same: `the_metadata_address_leads_to_the_service` |
//! | 31, a floating address moves | the same: `a_floating_address_moves_to_another_instance` |
//! | 32, translation before the address | `l3/router`: `translation_stands_before_the_address` |
//! | 33, which interface, and who is skipped | a type: `managers::Bound` has both addresses and the interface ([`parity`](super::parity)) |
//! | 34, an interface that is not there | `l3/router`: `a_device_that_is_not_there_changes_nothing` |
//! | 35, a start is one apply | `dhcp/flows`: `a_start_with_floating_addresses_is_one_transaction` |
//! | 36, each network's rules | `nova_rules/behaviours`: `each_network_has_its_four_rules` |
//! | 37, drivers have the same operations | the compiler: trait `l3::L3Driver`; `the_driver_of_a_host_that_routes_nothing_does_nothing` |
//! | 38, forwarded by default | `nova_rules/behaviours`: `a_bridge_is_forwarded_unless_told_otherwise`; `l3/plug`: `a_flat_network_is_open_or_closed` |
//! | 39, a VLAN's interface | `l3/plug`: `a_vlan_is_on_the_hosts_interface_or_the_networks` |
//! | 40, a flat network's interface | `l3/plug`: `the_hosts_interface_comes_before_the_networks` |
//! | 41, a bridge that is there | `linux_net/bridge`: `the_interface_gives_the_bridge_its_addresses_routes_and_mac`, `what_was_interrupted_is_finished` |
//! | 42, what cannot be enslaved | `l3/plug`: `what_cannot_be_a_port_leaves_neither_bridge_nor_rules` |
//! | 43, two agents make a bridge | `linux_net/bridge`: `two_agents_may_make_the_same_bridge_at_once` |
//! | 44, 45, VLANs | `linux_net/vlan`: `a_vlan_is_made_once_and_its_mtu_is_set_always` |
//! | 46, a bridge is removed, or not | `linux_net/bridge`: `awkward_addresses_and_routes_move_without_loss_and_come_back`, `each_change_may_fail_and_everything_is_put_back` |
//! | 47, no MTU | `linux_net/device`: `an_mtu_of_none_or_nothing_asks_for_nothing` |
//! | 48, 49, a shared DHCP address | `l3/plug`: `a_shared_dhcp_address_is_kept_apart`; `bridged`: `a_shared_dhcp_address_does_not_cross` |
//! | 50 to 53, tries | `bridged`: `only_a_race_is_tried_again`, `a_change_meanwhile_is_seen` |
//! | 54 to 56, addresses and routes of a gateway | `linux_net/gateway`: `the_wanted_address_comes_first_and_the_others_keep_their_order` |
//! | 57, it is first already | the same: `a_wanted_address_that_is_first_changes_nothing_of_ipv4` |
//! | 58, no addresses | the same: `a_device_without_addresses_gets_the_wanted_one` |
//! | 59, Open vSwitch fails | `l3/plug`: `open_vswitch_says_that_it_is_not_supported` ([`parity`](super::parity)) |
//! | 60, tap devices | `linux_net/tap`: `a_tap_device_is_made_once_and_stays` |
//! | 61, pairs | `linux_net/device`: `a_veth_pair_is_made_anew` |
//! | 62, 63, 70, 71, hosts | `dhcp/text`: the tests of hosts |
//! | 64, 72, names | `dhcp/text`: `names_for_the_dns_are_those_of_all_hosts` |
//! | 65, 66, 69, options | `dhcp/text`: the tests of the router |
//! | 67, options of icehouse | `dhcp/text`: `the_lines_that_take_the_router_away_are_those_of_icehouse` ([`parity`](super::parity)) |
//! | 68, leases | `dhcp/text`: `leases_are_those_that_guests_hold` |
//! | 73, files and modes | `dhcp/serve`: `files_are_readable_for_the_user_that_dnsmasq_becomes` |
//! | 74 to 76, arguments | `dhcp/command`: all |
//! | 77, whose process | `dhcp/serve`: `a_pid_file_that_names_another_process_is_not_trusted` |
//! | 78, an address is given back | `dhcp/flows`: `an_address_is_given_back_if_it_can_be` |
