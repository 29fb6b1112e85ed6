//! Tap devices: nova 6.3.60.

use std::path::Path;

use nftwrap::linux_net::tap::create_tap_dev;

use crate::lab::skip;
use crate::world::{World, name};

fn world() -> Option<World> {
    if !Path::new("/dev/net/tun").exists() {
        skip("there is no /dev/net/tun");
        return None;
    }
    World::new()
}

#[test]
fn a_tap_device_is_made_once_and_stays() {
    let Some(mut w) = world() else { return };
    assert!(create_tap_dev(&mut w.rtnl, &name("tap0"), None, false).unwrap());
    let link = w.link("tap0");
    assert!(link.up && link.kind.as_deref() == Some("tun"), "{link:?}");
    let mac = "02:00:00:00:00:0e".parse().unwrap();
    assert!(!create_tap_dev(&mut w.rtnl, &name("tap0"), Some(mac), false).unwrap());
    assert_eq!(w.link("tap0"), link, "one that is there stays as it is");
    assert!(!create_tap_dev(&mut w.rtnl, &name("eth0"), Some(mac), false).unwrap());
    assert!(create_tap_dev(&mut w.rtnl, &name("tap1"), Some(mac), true).unwrap());
    assert_eq!(w.link("tap1").mac, Some(mac));
    let shown = w.run("ip -d link show tap1");
    assert!(shown.contains("tap") && shown.contains("multi_queue") && shown.contains("persist on"), "{shown}");
    assert!(!w.run("ip -d link show tap0").contains("multi_queue on"));
}
