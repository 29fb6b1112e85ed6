//! What labels count, with the router's rules in either layout.

use nftwrap::l3_router::state::*;
use nftwrap::nft::expr::Counter;

use crate::flow::{Flow, PORT};
use crate::world::{OUTSIDE, World, adopted, layouts};
use crate::{id, plain};

fn metered() -> Router {
    let rule = |direction, excluded, network: &str| MeteringRule {
        direction,
        excluded,
        traffic: Traffic::Of(network.parse().unwrap()),
    };
    let label = |name, rules| MeteringLabel { id: id(name), rules };
    let labels = vec![
        label("c5df2fe5-c600-4a2b", vec![rule(Direction::Egress, false, "10.1.0.0/24")]),
        label(
            "c5df2fe5-c600-9999",
            vec![rule(Direction::Egress, false, "0.0.0.0/0"), rule(Direction::Egress, true, "10.1.0.0/24")],
        ),
    ];
    Router { labels, ..plain() }
}

/// A datagram of one byte.
const PACKET: u64 = 29;

#[test]
fn packets_are_counted_and_begun_anew() {
    for layout in layouts() {
        let router = metered();
        let Some(mut world) = World::with(layout.clone(), &router) else { return };
        let read = |world: &World, reset| -> Vec<u64> {
            let all = world.routers.traffic(&router.id, reset).unwrap();
            let counted = all.iter().map(|traffic| traffic.counted.unwrap());
            counted
                .inspect(|Counter { packets, bytes }| assert_eq!(*bytes, packets * PACKET))
                .map(|c| c.packets)
                .collect()
        };
        assert_eq!(read(&world, false), [0, 0]);
        let flow = Flow::new(&world.one, (&world.outside, PORT), (OUTSIDE, PORT));
        for _ in 0..3 {
            flow.ask().unwrap();
        }
        drop(flow);
        Flow::new(&world.two, (&world.outside, PORT), (OUTSIDE, PORT)).ask().unwrap();
        assert_eq!(read(&world, false), [3, 1], "{layout:?}: what comes from the first network is not counted twice");
        // An update leaves what is counted.
        let mut more = router.clone();
        more.floating.push(FloatingIp::new([203, 0, 113, 102].into(), [10, 2, 0, 12].into()));
        world.update(&more);
        assert_eq!(read(&world, true), [3, 1]);
        assert_eq!(read(&world, false), [0, 0]);
        Flow::new(&world.one, (&world.outside, PORT), (OUTSIDE, PORT)).ask().unwrap();
        // Where the kernel itself began anew another process goes on from there.
        world.restart();
        adopted(&world.routers.add(&more).unwrap());
        let counted = read(&world, false);
        assert!(counted == [1, 0] || counted == [4, 1], "{counted:?}");
    }
}

/// A label that begins like one that stands: what that one has counted stays, over a restart as well.
#[test]
fn a_label_keeps_what_it_counted_when_another_comes() {
    for layout in layouts() {
        let both = metered();
        let one = Router { labels: both.labels[..1].to_vec(), ..both.clone() };
        let Some(mut world) = World::with(layout.clone(), &one) else { return };
        let first = |world: &World| world.routers.traffic(&one.id, false).unwrap()[0].counted.unwrap().packets;
        Flow::new(&world.one, (&world.outside, PORT), (OUTSIDE, PORT)).ask().unwrap();
        assert_eq!(first(&world), 1, "{layout:?}");
        world.update(&both);
        assert_eq!(first(&world), 1, "{layout:?}: another came");
        world.restart();
        adopted(&world.routers.add(&both).unwrap());
        assert_eq!(first(&world), 1, "{layout:?}: another process");
        assert!(world.routers.update(&both).unwrap().is_idle());
        world.update(&one);
        assert_eq!(first(&world), 1, "{layout:?}: the other went");
    }
}

/// 95. The original forgets the router and sets it up anew; here the label is set up again by the next update.
#[test]
fn a_label_whose_chain_is_gone_is_set_up_again() {
    let router = metered();
    let Some(world) = World::with(nftwrap::layout::Layout::Iptables, &router) else { return };
    let inside = world.inside(&router);
    inside.run("iptables-nft -S | grep -o 'neutron-meter-l-[^ ]*' | sort -u | while read chain; do iptables-nft -F $chain; ip6tables-nft -F $chain; done");
    let traffic = world.routers.traffic(&router.id, false).unwrap();
    assert!(traffic.iter().all(|label| label.counted.is_none()), "{traffic:?}");
    let outcome = world.update(&router);
    assert!(outcome.metering.messages > 0, "{outcome:?}");
    let traffic = world.routers.traffic(&router.id, false).unwrap();
    assert!(traffic.iter().all(|label| label.counted == Some(Counter::default())), "{traffic:?}");
}
