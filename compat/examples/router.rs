//! A router of neutron's L3 agent, with real packets, in namespaces that vanish afterwards.
//!
//! `cargo run -p nftwrap-compat --example router` as root. Two networks, two floating addresses, and an update that the
//! kernel refuses: rules, addresses and packets are the same before and after it.
//!
//! ```text
//! outside 203.0.113.1 --- qg-  router  qr- 10.1.0.1 --- 10.1.0.11 guest 1
//!                                      qr- 10.2.0.1 --- 10.2.0.12 guest 2
//! ```

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use nftwrap::l3_router::state::{ConntrackHelper, FloatingIp, Gateway, HelperName, Id, InternalPort, Metadata, Router};
use nftwrap::l3_router::{Outcome, RouterOptions, Routers};
use nftwrap::name::InterfaceName;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::rtnl::{Address, Kind, LinkChange, NewLink, Peer, Route, Rtnl};
use nftwrap::rule::Protocol;

type Done<T> = Result<T, Box<dyn Error>>;

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const GUESTS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 1, 0, 11), Ipv4Addr::new(10, 2, 0, 12)];
const FLOATING: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 101), Ipv4Addr::new(203, 0, 113, 102)];

#[allow(dead_code, reason = "the test that runs this file has a main of its own")]
fn main() -> Done<()> {
    let directory = std::env::temp_dir().join(format!("nftwrap-router-{}", std::process::id()));
    let told = run(&directory);
    std::fs::remove_dir(&directory)?;
    for line in told? {
        println!("{line}");
    }
    Ok(())
}

/// Does it all; what happened, a line each.
pub(crate) fn run(directory: &std::path::Path) -> Done<Vec<String>> {
    let mut told = Vec::new();
    let host = Namespace::fresh()?;
    let outside = machine(&host, "qg-1f2e3d4c-5b", "203.0.113.1/24", None)?;
    let first = machine(&host, "qr-aa11bb22-cc", "10.1.0.11/24", Some(Ipv4Addr::new(10, 1, 0, 1)))?;
    let second = machine(&host, "qr-dd44ee55-ff", "10.2.0.12/24", Some(Ipv4Addr::new(10, 2, 0, 1)))?;

    // The router is stated as a whole; its devices are taken from the host's namespace.
    let mut router = Router::new(Id::new("6b3d5a1e-8c4f-4e57-9a10-0c2f1d7e9b44")?);
    router.ports.push(InternalPort::new(Id::new("aa11bb22-cc33-4d44")?, vec!["10.1.0.1/24".parse()?]));
    router.ports.push(InternalPort::new(Id::new("dd44ee55-ff66-4a77")?, vec!["10.2.0.1/24".parse()?]));
    let address = vec!["203.0.113.10/24".parse()?];
    router.gateway = Some(Gateway::new(Id::new("1f2e3d4c-5b6a-4a1b")?, address, vec![OUTSIDE.into()]));
    router.metadata = Metadata::Redirected { port: Metadata::PORT };
    let options = RouterOptions { directory: directory.into(), announcements: 1, ..RouterOptions::for_host(host) };
    let routers = Routers::new(options);
    told.push(format!("router: {}", line(&routers.add(&router)?)));
    told.push(format!("guest 1 is seen outside as {}", seen(&first, &outside, OUTSIDE)?));

    router.floating = FLOATING.iter().zip(GUESTS).map(|(floating, fixed)| FloatingIp::new(*floating, fixed)).collect();
    told.push(format!("two floating addresses: {}", line(&routers.update(&router)?)));
    let packets = || -> Done<Vec<String>> {
        Ok(vec![
            format!("guest 1 is seen outside as {}", seen(&first, &outside, OUTSIDE)?),
            format!("guest 2 reaches guest 1 by {} as {}", FLOATING[0], seen(&second, &first, FLOATING[0])?),
            format!("outside reaches guest 2 by {} as {}", FLOATING[1], seen(&outside, &second, FLOATING[1])?),
        ])
    };
    let before = packets()?;
    told.extend(before.clone());

    // No kernel has this helper. All else of the update would be fine, and none of it happens.
    let mut bad = router.clone();
    bad.floating.remove(0);
    bad.ports.remove(1);
    let helper = HelperName::new("no-such-helper")?;
    bad.helpers.push(ConntrackHelper { id: Id::new("c5df2fe5-c600")?, protocol: Protocol::UDP, port: 69, helper });
    match routers.update(&bad) {
        Ok(_) => return Err("the kernel took a helper that nobody has".into()),
        Err(error) => told.push(format!("refused: {error}")),
    }
    if packets()? != before {
        return Err("a refused update has changed what packets do".into());
    }
    let again = routers.update(&router)?;
    if !again.is_idle() {
        return Err(format!("a refused update has changed something: {again:?}").into());
    }
    told.push("nothing has changed".to_owned());
    routers.remove(&router.id)?;
    Ok(told)
}

/// A machine with one interface, whose other end is a device of the host.
fn machine(host: &Namespace, device: &str, address: &str, gateway: Option<Ipv4Addr>) -> Done<Namespace> {
    let machine = Namespace::fresh()?;
    let eth0 = InterfaceName::new("eth0")?;
    let peer = Peer { name: eth0.clone(), namespace: Some(machine.clone()), mac: None, mtu: None };
    Rtnl::open_in(host)?.add_link(&NewLink::new(InterfaceName::new(device)?, Kind::Veth(peer)))?;
    let mut rtnl = Rtnl::open_in(&machine)?;
    let link = rtnl.require_link(&eth0)?;
    rtnl.set_link(&link, &LinkChange::up(true))?;
    rtnl.add_address(&Address::new(&link, address.parse()?))?;
    if let Some(gateway) = gateway {
        rtnl.add_route(&Route::new("0.0.0.0/0".parse()?, link.index, Some(gateway.into())))?;
    }
    Ok(machine)
}

/// Who a server of one machine sees when another one asks for `to` and gets an answer.
fn seen(from: &Namespace, at: &Namespace, to: Ipv4Addr) -> Done<IpAddr> {
    let server = at.run(|| UdpSocket::bind("0.0.0.0:0"))??;
    let client = from.run(|| UdpSocket::bind("0.0.0.0:0"))??;
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    }
    client.connect((to, server.local_addr()?.port()))?;
    client.send(b"question")?;
    let (_, who) = server.recv_from(&mut [0; 16])?;
    server.send_to(b"answer", who)?;
    client.recv(&mut [0; 16])?;
    Ok(who.ip())
}

fn line(outcome: &Outcome) -> String {
    let Outcome { rules, addresses, routes, .. } = outcome;
    format!("{} messages in one transaction, {addresses} addresses, {routes} routes", rules.messages)
}
