//! The bundled example is what the generator of the benches prints, so that both show the same job.
#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

use std::fs;
use std::path::Path;

#[path = "../benches/support/nova.rs"]
#[allow(dead_code, reason = "the generator also serves the benches")]
mod nova;

use nova::{Family, GROUPS, Naming, Nova, RULES_PER_INSTANCE};

/// Guests of the example host.
const INSTANCES: u32 = 200;

fn example(family: Family) -> (&'static str, String) {
    let (file, tool) = match family {
        Family::V4 => ("nova-compute.v4.save", "iptables-save"),
        Family::V6 => ("nova-compute.v6.save", "ip6tables-save"),
    };
    let head = format!(
        "# A nova-compute host with {INSTANCES} guests, as {tool} text. `$name` is a wrapped chain:\n\
         # with `--wrap nova-compute` its name in the kernel is nova-compute-name.\n"
    );
    (file, head + &Nova::new(INSTANCES).save(family, Naming::Wrapped))
}

/// `NFTWRAP_UPDATE=1` writes the files anew.
#[test]
fn the_bundled_example_is_what_the_generator_prints() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat/examples");
    for family in [Family::V4, Family::V6] {
        let (file, expected) = example(family);
        if std::env::var_os("NFTWRAP_UPDATE").is_some() {
            fs::write(examples.join(file), &expected).unwrap();
        }
        let text = fs::read_to_string(examples.join(file)).unwrap();
        assert!(text == expected, "{file} is not what the generator prints; NFTWRAP_UPDATE=1 writes it anew");
    }
}

#[test]
fn the_generator_states_the_job_of_the_benches() {
    let instances = 1_000;
    let text = Nova::new(instances).save(Family::V4, Naming::Kernel);
    let rules = |chain: &str| -> Vec<&str> {
        let start = format!("-A {chain} ");
        text.lines().filter_map(|line| line.strip_prefix(&start)).collect()
    };
    assert_eq!(rules("nova-compute-local").len(), 1_000, "one jump for each guest");
    let mut bodies: Vec<Vec<&str>> = (1..=instances).map(|n| rules(&format!("nova-compute-inst-{n}"))).collect();
    assert!(bodies.iter().all(|body| body.len() == RULES_PER_INSTANCE));
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), GROUPS as usize, "guests of the same group have the same rules");
}
