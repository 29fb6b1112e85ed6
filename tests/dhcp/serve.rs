//! A real dnsmasq serves guests on a real link.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nftwrap::linux_net::dnsmasq::{Dnsmasq, FixedIp, Outcome, Settings};
use nftwrap::linux_net::pid::Process;

use crate::fixture::mac;
use crate::world::{World, guest};

#[test]
fn a_guest_is_given_its_address_its_router_and_its_domain() {
    let Some(world) = World::new() else { return };
    assert_eq!(world.dnsmasq().update_dhcp(&world.network, &[guest(1), guest(2)]).unwrap(), Outcome::Started);
    assert!(world.calls().starts_with("init 0\n"), "{}", world.calls());
    for number in [1, 2] {
        let lease = world.ask(number).expect("a lease");
        assert_eq!(lease.address, guest(number).address);
        assert_eq!(lease.router, world.network.gateway);
        assert_eq!(lease.mask, Some(world.network.cidr.mask()));
        assert_eq!(lease.server, world.network.dhcp_server);
        assert_eq!(lease.domain.as_deref(), Some("novalocal"));
        assert_eq!(lease.name, Some(format!("guest{number}")));
        assert_eq!(lease.seconds, 86_400);
        assert!(world.called(&format!("add {} {} guest{number}", mac(number), lease.address)), "{}", world.calls());
    }
    assert!(world.refused(3));
}

#[test]
fn with_a_single_default_gateway_only_the_first_interface_has_a_router() {
    let Some(world) = World::new() else { return };
    let settings = Settings { use_single_default_gateway: true, ..world.settings() };
    let second = FixedIp { first_interface: false, ..guest(2) };
    Dnsmasq::new(settings, world.host.0.clone()).update_dhcp(&world.network, &[guest(1), second]).unwrap();
    assert_eq!(world.ask(1).unwrap().router, world.network.gateway);
    let lease = world.ask(2).unwrap();
    assert_eq!((lease.address, lease.router), (guest(2).address, None));
}

#[test]
fn a_guest_that_comes_later_is_known_after_a_signal() {
    let Some(world) = World::new() else { return };
    let dnsmasq = world.dnsmasq();
    dnsmasq.update_dhcp(&world.network, &[guest(1)]).unwrap();
    let pid = world.pid();
    assert!(pid.is_some());
    assert!(world.refused(2));
    assert_eq!(dnsmasq.update_dhcp(&world.network, &[guest(1), guest(2)]).unwrap(), Outcome::Reloaded);
    assert_eq!(world.ask(2).unwrap().address, guest(2).address);
    assert_eq!(world.pid(), pid);
    // And one that has gone is not.
    dnsmasq.update_dhcp(&world.network, &[guest(2)]).unwrap();
    assert!((0..5).any(|_| world.refused(1)));
}

#[test]
fn names_that_dnsmasq_has_other_uses_for_are_names() {
    let Some(world) = World::new() else { return };
    let names = ["ignore", "infinite", "1h", "42", "10.0.0.1", "a_b", "WEB-1"];
    let guests: Vec<FixedIp> = (1..).zip(names).map(|(number, name)| guest(number).named(name).unwrap()).collect();
    let settings = Settings { dhcp_domain: None, ..world.settings() };
    Dnsmasq::new(settings, world.host.0.clone()).update_dhcp(&world.network, &guests).unwrap();
    for (number, name) in (1..).zip(names) {
        let lease = world.ask(number).unwrap_or_else(|| panic!("{name} has no lease"));
        assert_eq!((lease.address, lease.seconds), (guest(number).address, 86_400), "{name}");
        // The part before the first dot is the name, the rest its domain; dnsmasq makes letters small.
        let first = name.split('.').next().unwrap();
        assert!(lease.name.is_some_and(|told| told.eq_ignore_ascii_case(first)), "{name}");
    }
}

#[test]
fn names_are_answered_on_networks_with_a_server_on_each_host() {
    let Some(mut world) = World::new() else { return };
    world.network.multi_host = true;
    let guests = [guest(1).on("here"), guest(2).on("there")];
    let dnsmasq = world.dnsmasq();
    assert_eq!(dnsmasq.update_dns(&world.network, &guests).unwrap(), Outcome::Started);
    let text = fs::read_to_string(world.folder.join("networks/nova-br0.hosts")).unwrap();
    assert_eq!(text, "192.168.0.11\tguest1.novalocal\n192.168.0.12\tguest2.novalocal");
    let answer = world.resolve("guest2.novalocal");
    assert_eq!(answer, Some(guest(2).address));
    // Guests of other hosts have names here, and no lease.
    assert_eq!(world.ask(1).unwrap().address, guest(1).address);
    assert!(world.refused(2));
    assert_eq!(dnsmasq.update_dns(&world.network, &guests[..1]).unwrap(), Outcome::Reloaded);
    // Without a domain the names in the file end with the dot that others do not have.
    let settings = Settings { dhcp_domain: None, ..world.settings() };
    let plain = Dnsmasq::new(settings, world.host.0.clone());
    assert_eq!(plain.update_dns(&world.network, &guests).unwrap(), Outcome::Replaced);
    assert_eq!(world.resolve("guest2"), Some(guest(2).address));
}

#[test]
fn a_dnsmasq_that_was_killed_is_noticed_and_started_again() {
    let Some(world) = World::new() else { return };
    let dnsmasq = world.dnsmasq();
    let guests = [guest(1)];
    assert_eq!(dnsmasq.ensure(&world.network, &guests).unwrap(), Outcome::Started);
    assert_eq!(dnsmasq.ensure(&world.network, &guests).unwrap(), Outcome::Running);
    let first = world.pid().unwrap();
    Process::open(first).unwrap().unwrap().kill(Duration::from_secs(5)).unwrap();
    assert_eq!(world.pid(), None);
    assert_eq!(dnsmasq.ensure(&world.network, &guests).unwrap(), Outcome::Started);
    assert_ne!(world.pid(), Some(first));
    assert_eq!(world.ask(1).unwrap().address, guest(1).address);
}

#[test]
fn kill_ends_it_and_once_more_is_fine() {
    let Some(world) = World::new() else { return };
    let dnsmasq = world.dnsmasq();
    dnsmasq.update_dhcp(&world.network, &[guest(1)]).unwrap();
    let pid = world.pid().unwrap();
    assert!(dnsmasq.kill(&world.network.device).unwrap());
    assert!(Process::open(pid).unwrap().is_none());
    assert!(!dnsmasq.kill(&world.network.device).unwrap());
    assert!(world.refused(1));
    assert_eq!(dnsmasq.restart(&world.network, &[guest(1)]).unwrap(), Outcome::Started);
}

#[test]
fn a_pid_file_that_names_another_process_is_not_trusted() {
    let Some(world) = World::new() else { return };
    let dnsmasq = world.dnsmasq();
    // It even has the name of the file in its arguments.
    let name = world.folder.join("networks/nova-br0.conf");
    let mut other = Command::new("/bin/sh").args(["-c", "read line"]).arg(&name).stdin(Stdio::piped()).spawn().unwrap();
    fs::create_dir_all(world.folder.join("networks")).unwrap();
    for text in [format!("{}\n", other.id()), "garbage".to_owned(), "-1".to_owned(), "1".to_owned(), String::new()] {
        fs::write(world.pid_file(), &text).unwrap();
        assert!(!dnsmasq.kill(&world.network.device).unwrap(), "{text}");
        assert_eq!(dnsmasq.update_dhcp(&world.network, &[guest(1)]).unwrap(), Outcome::Started, "{text}");
        assert!(dnsmasq.kill(&world.network.device).unwrap());
    }
    assert_eq!(other.try_wait().unwrap(), None, "it was left alone");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_change_that_a_signal_does_not_carry_is_a_new_process() {
    let Some(world) = World::new() else { return };
    world.dnsmasq().update_dhcp(&world.network, &[guest(1)]).unwrap();
    let first = world.pid();
    let settings = Settings { dhcp_domain: Some("other.example".parse().unwrap()), ..world.settings() };
    let other = Dnsmasq::new(settings, world.host.0.clone());
    assert_eq!(other.ensure(&world.network, &[guest(1)]).unwrap(), Outcome::Replaced);
    assert_eq!(world.ask(1).unwrap().domain.as_deref(), Some("other.example"));
    assert_ne!(world.pid(), first);
}

/// The lease script is told the network by the environment: leases of one must not go to the file of another.
#[test]
fn a_network_of_another_id_has_a_new_process() {
    let Some(mut world) = World::new() else { return };
    let dnsmasq = world.dnsmasq();
    dnsmasq.update_dhcp(&world.network, &[guest(1)]).unwrap();
    world.network.id = "other".parse().unwrap();
    assert_eq!(dnsmasq.update_dhcp(&world.network, &[guest(1)]).unwrap(), Outcome::Replaced);
    assert_eq!(dnsmasq.ensure(&world.network, &[guest(1)]).unwrap(), Outcome::Running);
    assert!(world.ask(1).is_some());
    assert!(world.called(&format!("add {} {} guest1", mac(1), guest(1).address)), "{}", world.calls());
}

#[test]
fn a_namespace_that_was_made_anew_has_a_new_process() {
    let Some(mut world) = World::new() else { return };
    world.dnsmasq().update_dhcp(&world.network, &[guest(1)]).unwrap();
    world.guests.run("ip link delete tap0");
    let Some(host) = crate::lab::Lab::new(&[]) else { return };
    world.host = host;
    world.link();
    assert_eq!(world.dnsmasq().ensure(&world.network, &[guest(1)]).unwrap(), Outcome::Replaced);
    assert_eq!(world.ask(1).unwrap().address, guest(1).address);
}

#[test]
fn files_are_readable_for_the_user_that_dnsmasq_becomes() {
    let Some(world) = World::new() else { return };
    world.dnsmasq().update_dhcp(&world.network, &[guest(1)]).unwrap();
    let folder = world.folder.join("networks");
    fs::set_permissions(folder.join("nova-br0.conf"), fs::Permissions::from_mode(0o600)).unwrap();
    world.dnsmasq().restart(&world.network, &[guest(1)]).unwrap();
    for kind in ["conf", "opts"] {
        let mode = fs::metadata(folder.join(format!("nova-br0.{kind}"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644, "{kind}");
    }
}

#[test]
fn many_callers_at_once_start_one_process() {
    let Some(world) = World::new() else { return };
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let call = || world.dnsmasq().ensure(&world.network, &[guest(1)]).unwrap();
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Started).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Running).count(), 3, "{outcomes:?}");
}

#[test]
fn an_error_has_the_command_and_what_it_printed() {
    let Some(mut world) = World::new() else { return };
    world.network.dhcp_server = [203, 0, 113, 1].into();
    let said = world.dnsmasq().update_dhcp(&world.network, &[]).unwrap_err().to_string();
    assert!(said.contains(" NETWORK_ID=0 dnsmasq --strict-order "), "{said}");
    assert!(said.contains("exit status: 2: dnsmasq: failed to create listening socket for 203.0.113.1"), "{said}");
    let settings = Settings { program: "/nonexistent/dnsmasq".into(), ..world.settings() };
    let error = Dnsmasq::new(settings, world.host.0.clone()).update_dhcp(&world.network, &[]).unwrap_err();
    assert!(error.is_missing() && error.to_string().ends_with("No such file or directory (ENOENT)"), "{error}");
}
