//! What the running kernel does otherwise than the fake, which is one of Linux 6.18 with everything built in. Found by
//! asking it, never by its version.

use std::path::Path;
use std::sync::Once;

use nftwrap::kernel::{CommitError, Errno, Kernel, Live};
use nftwrap::nft::expr::{Counter, Masq, NatFlags, Objref};
use nftwrap::nft::uapi::{NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_POST_ROUTING, NFT_OBJECT_COUNTER};
use nftwrap::nft::{Family, Object, ObjectData, Table};
use nftwrap::transaction::Batch;

use crate::lab::Lab;
use crate::objects::*;

/// Whether the kernel loads modules. If so, a batch that needs one that is not there is taken back and goes through
/// again (eb014de4fd41, Linux 5.6), and what got a handle the first time gets another one; also when there is no such
/// module.
pub(crate) fn loads_modules() -> bool {
    Path::new("/proc/sys/kernel/modprobe").exists()
}

/// Has the kernel load what the tests of this program use, so that handles are those of a kernel that has it built in,
/// and a chain type is known where the kernel does not ask for it: in changes to chains.
pub(crate) fn load_modules() {
    static LOADED: Once = Once::new();
    LOADED.call_once(|| {
        let Some(lab) = Lab::new(&[]) else { return };
        let mut batch = Batch::begin(None);
        batch.create_table(&table("t"), O);
        batch.create_chain(&base("t", "post", "nat", NF_INET_POST_ROUTING, 100), O);
        let masquerade = Masq { flags: NatFlags::empty(), proto_min: None, proto_max: None };
        batch.add_rule(&rule("t", "post", vec![masquerade.into()]), O);
        let counter = ObjectData::Counter(Counter { packets: 0, bytes: 0 });
        batch.create_object(&Object::new(Family::Ip, tname("t"), "count".into(), counter), O);
        let count = Objref::Name { kind: NFT_OBJECT_COUNTER, name: "count".into() };
        batch.add_rule(&rule("t", "post", vec![count.into()]), O);
        lab.kernel().commit(&batch.seal().unwrap()).unwrap();
    });
}

/// Whether the kernel says where in a message of a batch an attribute is that its policy refuses: "netfilter:
/// nfnetlink: Report extack policy validation errors" (after Linux 6.12).
pub(crate) fn points_at_policies(kernel: &mut Live) -> bool {
    let long = Table { userdata: Some([0; 257].into()), ..table("probe") };
    points(kernel, Errno::RANGE, |b| b.add_table(&long, O))
}

/// What of a scenario's outcome this kernel does otherwise, if anything.
pub(crate) fn differs(kernel: &mut Live, scenario: &str) -> Option<&'static str> {
    match scenario {
        "a_base_chain_changes_policy_and_counters_only" if !refuses_moves(kernel) => Some(MOVES),
        "a_loop_in_a_new_table_is_refused" | "expressions_run_in_their_hooks" | "loops_are_refused"
            if !validates_last(kernel) =>
        {
            Some(VALIDATION)
        }
        "random_batches" if !refuses_moves(kernel) => Some(MOVES),
        "random_batches" if !validates_last(kernel) => Some(VALIDATION),
        "a_lookup_fits_its_set" if !looks_into_maps(kernel) => Some("it has no lookup in a map without its data"),
        "elements_are_there_once" if !points_at_sets(kernel) => {
            Some("it does not point at the set that is missing for an element")
        }
        _ => None,
    }
}

const MOVES: &str = "it refuses another hook for a base chain with EEXIST";
const VALIDATION: &str = "it looks at what a jump leads to when the rule is added";

/// Whether another hook for a base chain that is there is refused as not supported (in Linux 6.12, not in 6.1).
fn refuses_moves(kernel: &mut Live) -> bool {
    let error = check(kernel, |b| {
        b.add_chain(&base("probe", "in", "filter", NF_INET_LOCAL_IN, 0), O);
        b.add_chain(&base("probe", "in", "filter", NF_INET_FORWARD, 0), O);
    });
    let error = error.unwrap_err();
    assert!(error.has(Errno::OPNOTSUPP) || error.has(Errno::EXIST), "{error}");
    error.has(Errno::OPNOTSUPP)
}

/// Whether what rules lead to is looked at from the base chains, when all operations are in place (in Linux 6.12, not in
/// 6.1, which looks at a jump's target when the rule is added).
fn validates_last(kernel: &mut Live) -> bool {
    let outcome = check(kernel, |b| {
        for name in ["a", "b", "c"] {
            b.create_chain(&chain("probe", name), O);
        }
        for (from, to) in [("a", "b"), ("b", "a"), ("c", "a")] {
            b.add_rule(&rule("probe", from, vec![jump(to)]), O);
        }
    });
    outcome.map_err(|error| assert!(error.has(Errno::MLINK), "{error}")).is_ok()
}

/// Whether a map may be asked for its keys alone (in Linux 6.12, not in 6.1).
fn looks_into_maps(kernel: &mut Live) -> bool {
    let outcome = check(kernel, |b| {
        b.create_chain(&chain("probe", "a"), O);
        b.add_set(&vmap("probe", "m", 1), O);
        b.add_rule(&rule("probe", "a", lookup("m", 1, None)), O);
    });
    outcome.map_err(|error| assert!(error.has(Errno::INVAL), "{error}")).is_ok()
}

/// Whether the kernel points at the name of a set that elements are for and that there is not (in Linux 6.12, not in
/// 6.1).
fn points_at_sets(kernel: &mut Live) -> bool {
    points(kernel, Errno::NOENT, |b| b.add_elements(&elements("probe", "missing", vec![key(1)]), O))
}

/// Whether the kernel says where in its message the one error is.
fn points(kernel: &mut Live, errno: Errno, fill: impl FnOnce(&mut Batch)) -> bool {
    let error = check(kernel, fill).unwrap_err();
    let refused = error.rejections().first().unwrap();
    assert_eq!(refused.errno, errno);
    refused.offset.is_some()
}

/// Has the kernel check a batch in which the table `probe` is there.
fn check(kernel: &mut Live, fill: impl FnOnce(&mut Batch)) -> Result<(), CommitError> {
    let mut batch = Batch::begin(None);
    batch.add_table(&table("probe"), O);
    fill(&mut batch);
    kernel.check(&batch.seal().unwrap()).map(drop)
}
