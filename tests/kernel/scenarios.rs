//! Transactions with what the kernel says to them.

use nftwrap::kernel::{Errno, Fake};
use nftwrap::nft::expr::{Counter, Masq, NatFlags, Register, Unknown, Verdict};
use nftwrap::nft::uapi::*;
use nftwrap::nft::{
    BaseChain, Chain, Element, Family, Object, ObjectData, Policy, Rule, Set, SetFlags, Table, TableFlags,
};
use nftwrap::transaction::{Batch, RuleHead, RuleVerb};

use crate::lab::Lab;
use crate::objects::*;
use crate::running;
use crate::session::{Session, difference};

/// Runs a scenario on the fake, and on the running kernel where it may, and compares the logs.
fn on_both(name: &str, scenario: impl Fn(&mut Session<'_>)) {
    let lab = Lab::new(&[]);
    let points_at_policies = Lab::new(&[]).is_none_or(|lab| running::points_at_policies(&mut lab.kernel()));
    let mut fake = Fake::new();
    let mut session = Session { points_at_policies, ..Session::new(&mut fake) };
    scenario(&mut session);
    let of_fake = session.log;
    let Some(lab) = lab else { return };
    running::load_modules();
    // In a namespace of its own: it uses up handles.
    let differs = Lab::new(&[]).and_then(|lab| running::differs(&mut lab.kernel(), name));
    if let Some(difference) = differs {
        return eprintln!("not beside this kernel: {difference}");
    }
    let mut live = lab.kernel();
    let mut session = Session { points_at_policies, ..Session::new(&mut live) };
    scenario(&mut session);
    let difference = difference(&of_fake, &session.log);
    assert!(difference.is_empty(), "{name}\n{difference}");
}

macro_rules! scenarios {
    ($($name:ident = |$s:ident| $body:block)*) => {
        $(#[test]
        fn $name() {
            on_both(stringify!($name), |$s: &mut Session<'_>| $body);
        })*
    };
}

/// A table with the chains `in` (base), `a`, `b` and `c`.
fn filled(s: &mut Session<'_>) {
    s.good(|b| {
        b.create_table(&table("t"), O);
        b.create_chain(&base("t", "in", "filter", NF_INET_LOCAL_IN, 0), O);
        for name in ["a", "b", "c"] {
            b.create_chain(&chain("t", name), O);
        }
    });
}

fn add(b: &mut Batch, chain: &str, expr: nftwrap::nft::expr::Expr) {
    b.add_rule(&rule("t", chain, vec![expr]), O);
}

scenarios! {
    tables_are_added_once_and_created_once = |s| {
        s.good(|b| b.add_table(&table("t"), O));
        s.good(|b| b.add_table(&table("t"), O));
        s.bad(&[(0, Errno::EXIST)], |b| b.create_table(&table("t"), O));
        s.good(|b| b.add_table(&Table { userdata: Some([1, 2, 3].into()), ..table("u") }, O));
        s.good(|b| b.add_table(&Table { flags: TableFlags::DORMANT, ..table("t") }, O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_table(&Table { flags: TableFlags::from_bits_retain(64), ..table("x") }, O));
        s.good(|b| b.delete_table(Family::Ip, &tname("t"), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.delete_table(Family::Ip, &tname("t"), O));
    }

    a_table_goes_with_all_that_is_in_it = |s| {
        filled(s);
        s.good(|b| {
            add(b, "in", jump("a"));
            add(b, "a", goto("b"));
            b.add_set(&vmap("t", "m", 1), O);
            b.add_elements(&elements("t", "m", vec![mapped(1, Verdict::Jump(cname("c")))]), O);
            b.add_rule(&rule("t", "b", lookup("m", 0, Some(Register::VERDICT))), O);
        });
        s.good(|b| b.delete_table(Family::Ip, &tname("t"), O));
    }

    an_owned_table_is_its_sockets = |s| {
        s.good(|b| b.add_table(&Table { flags: TableFlags::OWNER, ..table("t") }, O));
        s.good(|b| b.add_chain(&chain("t", "a"), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_table(&Table { flags: TableFlags::DORMANT, ..table("t") }, O));
    }

    one_bad_operation_undoes_all = |s| {
        filled(s);
        s.bad(&[(1, Errno::NOENT), (3, Errno::NOENT)], |b| {
            add(b, "a", accept());
            add(b, "nowhere", accept());
            b.add_table(&table("u"), O);
            b.delete_chain(Family::Ip, &tname("t"), &cname("nowhere"), O);
            b.delete_chain(Family::Ip, &tname("t"), &cname("c"), O);
        });
    }

    chains_have_types_hooks_and_priorities = |s| {
        filled(s);
        s.bad(&[(0, Errno::EXIST)], |b| b.create_chain(&chain("t", "a"), O));
        s.good(|b| b.add_chain(&chain("t", "a"), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.add_chain(&chain("nowhere", "a"), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.add_chain(&base("t", "x", "wrong", 0, 0), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&base("t", "x", "filter", 7, 0), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&base("t", "x", "nat", NF_INET_FORWARD, 0), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&base("t", "x", "nat", NF_INET_PRE_ROUTING, -300), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&base("t", "x", "route", NF_INET_LOCAL_IN, 0), O));
        s.good(|b| b.add_chain(&base("t", "x", "route", NF_INET_LOCAL_OUT, -150), O));
        s.good(|b| b.add_chain(&base("t", "y", "nat", NF_INET_POST_ROUTING, 100), O));
        // Several chains at one hook and priority are fine.
        s.good(|b| b.add_chain(&base("t", "z", "nat", NF_INET_POST_ROUTING, 100), O));
    }

    a_base_chain_changes_policy_and_counters_only = |s| {
        filled(s);
        let with = |base: BaseChain| Chain { base: Some(base), ..chain("t", "in") };
        let here = || base("t", "in", "filter", NF_INET_LOCAL_IN, 0).base.unwrap();
        s.good(|b| b.add_chain(&with(BaseChain { policy: Some(Policy::Drop), ..here() }), O));
        s.good(|b| b.add_chain(&with(BaseChain { policy: None, ..here() }), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&with(BaseChain { hook: NF_INET_FORWARD, ..here() }), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&with(BaseChain { priority: 1, ..here() }), O));
        s.bad(&[(0, Errno::EXIST)], |b| {
            b.add_chain(&with(BaseChain { kind: "nat".into(), hook: NF_INET_LOCAL_IN, ..here() }), O);
        });
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&base("t", "a", "filter", NF_INET_LOCAL_IN, 0), O));
        let hooked = Some(BaseChain { policy: None, ..here() });
        s.bad(&[(0, Errno::EXIST)], |b| b.add_chain(&Chain { base: hooked, ..chain("t", "a") }, O));
        let counters = Some(Counter { packets: 3, bytes: 200 });
        s.good(|b| b.add_chain(&Chain { counters, ..with(here()) }, O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.add_chain(&Chain { counters, ..chain("t", "a") }, O));
        s.good(|b| b.add_chain(&Chain { userdata: Some([7; 9].into()), ..chain("t", "u") }, O));
        s.good(|b| b.add_chain(&Chain { userdata: Some([8; 9].into()), ..chain("t", "u") }, O));
    }

    a_renamed_chain_is_renamed_where_it_is_used = |s| {
        filled(s);
        s.good(|b| {
            add(b, "in", jump("a"));
            add(b, "in", goto("b"));
        });
        let handle = |s: &mut Session<'_>, name: &str| {
            s.kernel.chain(Family::Ip, &tname("t"), &cname(name)).unwrap().unwrap().handle.unwrap()
        };
        let a = handle(s, "a");
        s.bad(&[(0, Errno::EXIST)], |b| b.rename_chain(Family::Ip, &tname("t"), a, &cname("b"), O));
        // Until the commit the old name is in force.
        s.good(|b| {
            b.rename_chain(Family::Ip, &tname("t"), a, &cname("new"), O);
            add(b, "a", accept());
        });
        s.bad(&[(0, Errno::NOENT)], |b| add(b, "a", accept()));
        let other = handle(s, "b");
        s.bad(&[(1, Errno::EXIST)], |b| {
            b.rename_chain(Family::Ip, &tname("t"), a, &cname("twice"), O);
            b.rename_chain(Family::Ip, &tname("t"), other, &cname("twice"), O);
        });
    }

    a_chain_that_is_used_stays = |s| {
        filled(s);
        s.good(|b| {
            add(b, "in", jump("a"));
            add(b, "a", accept());
            add(b, "b", jump("b"));
        });
        s.bad(&[(0, Errno::BUSY)], |b| b.delete_chain(Family::Ip, &tname("t"), &cname("a"), O));
        // Its own rules go with it, unless they lead back to it.
        s.good(|b| b.flush_chain(Family::Ip, &tname("t"), &cname("in"), O));
        s.good(|b| b.delete_chain(Family::Ip, &tname("t"), &cname("a"), O));
        s.bad(&[(0, Errno::BUSY)], |b| b.delete_chain(Family::Ip, &tname("t"), &cname("b"), O));
        s.good(|b| {
            b.flush_chain(Family::Ip, &tname("t"), &cname("b"), O);
            b.delete_chain(Family::Ip, &tname("t"), &cname("b"), O);
            b.create_chain(&chain("t", "b"), O);
        });
    }

    rules_stand_where_they_are_put = |s| {
        filled(s);
        let mark = |n: u8| Rule { userdata: Some([n; 3].into()), ..rule("t", "a", vec![accept()]) };
        s.good(|b| {
            b.add_rule(&mark(1), O);
            b.add_rule(&mark(2), O);
            b.insert_rule(&mark(3), O);
        });
        let rules = s.kernel.rules(Family::Ip, &tname("t"), Some(&cname("a"))).unwrap();
        let handles: Vec<u64> = rules.iter().map(|r| r.handle.unwrap()).collect();
        s.good(|b| {
            b.insert_rule(&Rule { position: Some(handles[1]), ..mark(4) }, O);
            b.add_rule(&Rule { position: Some(handles[1]), ..mark(5) }, O);
            b.replace_rule(&mark(6), handles[1], O);
        });
        s.bad(&[(0, Errno::NOENT)], |b| b.replace_rule(&mark(7), 999, O));
        s.bad(&[(0, Errno::NOENT)], |b| b.add_rule(&Rule { position: Some(999), ..mark(7) }, O));
        s.bad(&[(1, Errno::NOENT)], |b| {
            b.delete_rule(Family::Ip, &tname("t"), &cname("a"), handles[0], O);
            b.delete_rule(Family::Ip, &tname("t"), &cname("a"), handles[0], O);
        });
        // A rule that this batch has deleted still counts as a place.
        s.good(|b| {
            b.delete_rule(Family::Ip, &tname("t"), &cname("a"), handles[0], O);
            b.insert_rule(&Rule { position: Some(handles[0]), ..mark(8) }, O);
        });
        s.good(|b| b.flush_table(Family::Ip, &tname("t"), O));
        s.good(|b| b.flush_chain(Family::Ip, &tname("t"), &cname("a"), O));
    }

    a_rule_needs_its_targets = |s| {
        filled(s);
        s.bad(&[(0, Errno::NOENT)], |b| add(b, "a", jump("nowhere")));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| add(b, "a", jump("in")));
        s.bad(&[(0, Errno::INVAL)], |b| add(b, "a", verdict(Verdict::Other(3))));
        s.bad(&[(0, Errno::NOENT)], |b| add(b, "a", Unknown { name: "nothing".into(), data: None }.into()));
        s.bad(&[(0, Errno::NOENT)], |b| b.add_rule(&rule("t", "a", lookup("nowhere", 0, None)), O));
        // Order matters: the chain comes first.
        s.bad(&[(0, Errno::NOENT)], |b| {
            add(b, "a", jump("later"));
            b.add_chain(&chain("t", "later"), O);
        });
    }

    a_rule_has_limits = |s| {
        filled(s);
        let counter = || Counter { packets: 0, bytes: 0 }.into();
        s.good(|b| b.add_rule(&rule("t", "a", (0..127).map(|_| counter()).collect()), O));
        s.bad(&[(0, Errno::INVAL)], |b| b.add_rule(&rule("t", "a", (0..129).map(|_| counter()).collect()), O));
        s.good(|b| b.add_rule(&Rule { userdata: Some([1; 256].into()), ..rule("t", "a", vec![]) }, O));
        s.bad(&[(0, Errno::RANGE)], |b| {
            b.add_rule(&Rule { userdata: Some([1; 257].into()), ..rule("t", "a", vec![]) }, O);
        });
        s.bad(&[(0, Errno::RANGE)], |b| {
            b.operation(NFT_MSG_NEWCHAIN, 0x400, Family::Ip, O, |w| {
                w.string(NFTA_CHAIN_TABLE, "t");
                w.string(NFTA_CHAIN_NAME, &"n".repeat(256));
            });
        });
        s.good(|b| b.add_chain(&chain("t", &"n".repeat(255)), O));
    }

    loops_are_refused = |s| {
        filled(s);
        s.bad(&[(2, Errno::MLINK)], |b| {
            add(b, "in", jump("a"));
            add(b, "a", jump("b"));
            add(b, "b", jump("a"));
        });
        // What no base chain leads to is not looked at.
        s.good(|b| {
            add(b, "b", jump("c"));
            add(b, "c", jump("b"));
        });
        s.bad(&[(0, Errno::MLINK)], |b| add(b, "in", jump("b")));
        // A loop is found only when everything else is good.
        s.bad(&[(1, Errno::NOENT)], |b| {
            add(b, "in", jump("b"));
            add(b, "nowhere", accept());
        });
    }

    a_loop_in_a_new_table_is_refused = |s| {
        s.bad(&[(4, Errno::MLINK)], |b| {
            b.create_table(&table("t"), O);
            b.create_chain(&base("t", "in", "filter", NF_INET_LOCAL_IN, 0), O);
            b.create_chain(&chain("t", "a"), O);
            add(b, "a", jump("a"));
            add(b, "in", jump("a"));
        });
    }

    jumps_nest_fifteen_deep = |s| {
        filled(s);
        let name = |n: u32| format!("n{n}");
        s.good(|b| {
            for n in 1..=16 {
                b.add_chain(&chain("t", &name(n)), O);
            }
            add(b, "in", jump("n1"));
            for n in 1..15 {
                add(b, &name(n), jump(&name(n + 1)));
            }
        });
        s.bad(&[(0, Errno::MLINK)], |b| add(b, "n15", jump("n16")));
    }

    expressions_run_in_their_hooks = |s| {
        filled(s);
        let masquerade = || Masq { flags: NatFlags::empty(), proto_min: None, proto_max: None }.into();
        s.good(|b| add(b, "a", masquerade()));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| add(b, "in", jump("a")));
        s.good(|b| b.add_chain(&base("t", "post", "nat", NF_INET_POST_ROUTING, 100), O));
        s.good(|b| add(b, "post", jump("a")));
        s.bad(&[(1, Errno::OPNOTSUPP)], |b| {
            b.add_chain(&base("t", "pre", "nat", NF_INET_PRE_ROUTING, -100), O);
            add(b, "pre", jump("a"));
        });
    }

    sets_are_declared_alike = |s| {
        filled(s);
        s.good(|b| b.add_set(&set("t", "s", 1), O));
        s.good(|b| b.add_set(&set("t", "s", 2), O));
        s.bad(&[(0, Errno::EXIST)], |b| b.create_set(&set("t", "s", 1), O));
        s.bad(&[(0, Errno::EXIST)], |b| b.add_set(&Set { key_len: 8, ..set("t", "s", 1) }, O));
        s.bad(&[(0, Errno::EXIST)], |b| b.add_set(&vmap("t", "s", 1), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.add_set(&set("nowhere", "s", 1), O));
        s.bad(&[(0, Errno::INVAL)], |b| b.add_set(&Set { id: None, ..set("t", "x", 1) }, O));
        s.bad(&[(0, Errno::INVAL)], |b| b.add_set(&Set { data: None, ..vmap("t", "x", 1) }, O));
        s.good(|b| b.delete_set(Family::Ip, &tname("t"), &sname("s"), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.delete_set(Family::Ip, &tname("t"), &sname("s"), O));
    }

    elements_are_there_once = |s| {
        filled(s);
        s.good(|b| {
            b.add_set(&set("t", "s", 1), O);
            b.add_elements(&elements("t", "s", vec![key(1), key(2)]), O);
        });
        s.good(|b| b.add_elements(&elements("t", "s", vec![key(2), key(3)]), O));
        s.bad(&[(0, Errno::EXIST)], |b| b.create_elements(&elements("t", "s", vec![key(4), key(3)]), O));
        s.good(|b| b.delete_elements(&elements("t", "s", vec![key(1)]), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.delete_elements(&elements("t", "s", vec![key(2), key(1)]), O));
        s.bad(&[(0, Errno::INVAL)], |b| b.add_elements(&elements("t", "s", vec![Element::new(&[1, 2])]), O));
        s.bad(&[(0, Errno::INVAL)], |b| b.add_elements(&elements("t", "s", vec![mapped(9, Verdict::Accept)]), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.add_elements(&elements("t", "x", vec![key(1)]), O));
        s.good(|b| {
            b.delete_elements(&elements("t", "s", vec![key(2)]), O);
            b.create_elements(&elements("t", "s", vec![key(2)]), O);
        });
        s.good(|b| b.flush_set(Family::Ip, &tname("t"), &sname("s"), O));
    }

    a_full_set_takes_no_more = |s| {
        filled(s);
        s.good(|b| b.add_set(&Set { size: Some(2), ..set("t", "s", 1) }, O));
        s.good(|b| b.add_elements(&elements("t", "s", vec![key(1), key(2)]), O));
        s.bad(&[(0, Errno::NFILE)], |b| b.add_elements(&elements("t", "s", vec![key(3)]), O));
        s.good(|b| {
            b.delete_elements(&elements("t", "s", vec![key(1)]), O);
            b.add_elements(&elements("t", "s", vec![key(3)]), O);
        });
    }

    verdict_maps_jump = |s| {
        filled(s);
        s.good(|b| {
            b.add_set(&vmap("t", "m", 1), O);
            b.add_elements(&elements("t", "m", vec![mapped(1, Verdict::Jump(cname("a"))), mapped(2, Verdict::Drop)]), O);
            b.add_rule(&rule("t", "in", lookup("m", 0, Some(Register::VERDICT))), O);
        });
        s.bad(&[(0, Errno::BUSY)], |b| b.delete_chain(Family::Ip, &tname("t"), &cname("a"), O));
        s.bad(&[(0, Errno::BUSY)], |b| b.delete_set(Family::Ip, &tname("t"), &sname("m"), O));
        s.bad(&[(0, Errno::EXIST)], |b| b.add_elements(&elements("t", "m", vec![mapped(2, Verdict::Accept)]), O));
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| {
            b.add_elements(&elements("t", "m", vec![mapped(3, Verdict::Goto(cname("in")))]), O);
        });
        s.bad(&[(0, Errno::NOENT)], |b| {
            b.add_elements(&elements("t", "m", vec![mapped(3, Verdict::Goto(cname("nowhere")))]), O);
        });
        // A loop through the map.
        s.bad(&[(0, Errno::MLINK)], |b| b.add_rule(&rule("t", "a", lookup("m", 0, Some(Register::VERDICT))), O));
        s.good(|b| {
            b.delete_elements(&elements("t", "m", vec![mapped(1, Verdict::Jump(cname("a")))]), O);
            b.delete_chain(Family::Ip, &tname("t"), &cname("a"), O);
        });
    }

    a_lookup_fits_its_set = |s| {
        filled(s);
        s.good(|b| {
            b.add_set(&set("t", "s", 1), O);
            b.add_set(&vmap("t", "m", 2), O);
        });
        s.bad(&[(0, Errno::INVAL)], |b| b.add_rule(&rule("t", "a", lookup("s", 0, Some(Register::VERDICT))), O));
        s.bad(&[(0, Errno::INVAL)], |b| b.add_rule(&rule("t", "a", lookup("m", 0, Some(Register::R2))), O));
        s.good(|b| b.add_rule(&rule("t", "a", lookup("m", 0, None)), O));
    }

    an_anonymous_set_goes_with_its_rule = |s| {
        filled(s);
        let anonymous = |id| Set { flags: SetFlags::ANONYMOUS | SetFlags::CONSTANT, ..set("t", "__set%d", id) };
        let filling = |b: &mut Batch, id| {
            b.add_set(&anonymous(id), O);
            let mut elements = elements("t", "__set%d", vec![key(1), key(2)]);
            elements.set_id = Some(id);
            b.add_elements(&elements, O);
        };
        s.good(|b| {
            for id in [1, 2] {
                filling(b, id);
                b.add_rule(&rule("t", "a", lookup("__set%d", id, None)), O);
            }
        });
        // One that no rule uses spoils the commit as a whole.
        s.bad(&[(0, Errno::INVAL)], |b| filling(b, 1));
        s.bad(&[(3, Errno::BUSY)], |b| {
            filling(b, 1);
            b.add_rule(&rule("t", "a", lookup("__set%d", 1, None)), O);
            b.add_rule(&rule("t", "b", lookup("__set%d", 1, None)), O);
        });
        s.bad(&[(0, Errno::OPNOTSUPP)], |b| b.delete_elements(&elements("t", "__set0", vec![key(1)]), O));
        let rules = s.kernel.rules(Family::Ip, &tname("t"), Some(&cname("a"))).unwrap();
        s.good(|b| b.delete_rule(Family::Ip, &tname("t"), &cname("a"), rules[0].handle.unwrap(), O));
        s.good(|b| {
            filling(b, 9);
            b.add_rule(&rule("t", "a", lookup("__set%d", 9, None)), O);
        });
        s.good(|b| b.flush_chain(Family::Ip, &tname("t"), &cname("a"), O));
    }

    objects_are_used_by_name = |s| {
        filled(s);
        let counter = || Object::new(
            Family::Ip, tname("t"), "count".into(), ObjectData::Counter(Counter { packets: 1, bytes: 2 }));
        let user = || nftwrap::nft::expr::Objref::Name { kind: NFT_OBJECT_COUNTER, name: "count".into() }.into();
        s.bad(&[(0, Errno::NOENT)], |b| add(b, "a", user()));
        s.good(|b| b.add_object(&counter(), O));
        s.good(|b| b.add_object(&counter(), O));
        s.bad(&[(0, Errno::EXIST)], |b| b.create_object(&counter(), O));
        s.good(|b| add(b, "a", user()));
        s.bad(&[(0, Errno::BUSY)], |b| b.delete_object(Family::Ip, &tname("t"), NFT_OBJECT_COUNTER, "count", O));
        s.good(|b| {
            b.flush_chain(Family::Ip, &tname("t"), &cname("a"), O);
            b.delete_object(Family::Ip, &tname("t"), NFT_OBJECT_COUNTER, "count", O);
        });
        s.bad(&[(0, Errno::NOENT)], |b| b.delete_object(Family::Ip, &tname("t"), NFT_OBJECT_COUNTER, "count", O));
    }

    a_batch_of_another_generation_is_stale = |s| {
        filled(s);
        let now = s.kernel.generation().unwrap();
        s.commit_at(Some(now), |b| b.add_chain(&chain("t", "d"), O));
        assert!(s.kernel.generation().unwrap() == now + 1, "a commit moves the generation");
        s.commit_at(Some(now), |b| b.add_chain(&chain("t", "e"), O));
        assert!(s.log.contains("commit: stale; check: stale; generation +0"), "{}", s.log);
        // Generation 0 fits always.
        s.commit_at(Some(0), |b| b.add_chain(&chain("t", "f"), O));
        // What changes nothing moves nothing.
        s.good(|b| b.add_table(&table("t"), O));
        s.good(|b| b.flush_chain(Family::Ip, &tname("t"), &cname("a"), O));
        s.good(|_| {});
    }

    families_are_apart = |s| {
        for family in [Family::Ip, Family::Ip6, Family::Inet, Family::Bridge] {
            let t = Table::new(family, tname("t"));
            let mut c = base("t", "in", "filter", NF_INET_LOCAL_IN, 0);
            c.family = family;
            s.good(|b| {
                b.create_table(&t, O);
                b.create_chain(&c, O);
            });
        }
        s.good(|b| b.delete_table(Family::Ip6, &tname("t"), O));
        s.bad(&[(0, Errno::NOENT)], |b| b.delete_table(Family::Ip6, &tname("t"), O));
    }

    the_hot_path_writes_what_the_rule_writes = |s| {
        filled(s);
        s.good(|b| {
            let (table, chain) = (tname("t"), cname("a"));
            let head = RuleHead {
                family: Family::Ip,
                table: &table,
                chain: &chain,
                verb: RuleVerb::Append(None),
                compat: None,
                userdata: &[5, 6],
            };
            b.rule_with(&head, O, |w| nftwrap::nft::expr::encode_list(&[accept()], w));
            b.add_rule(&Rule { userdata: Some([5, 6].into()), ..rule("t", "a", vec![accept()]) }, O);
        });
    }
}
