//! Several components and other programs in one namespace.

use nftwrap::Manager;
use nftwrap::kernel::Kernel;

use crate::world::*;

const FOREIGN: &str = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:admin - [0:0]\n\
    :nova-compute-custom - [0:0]\n\
    [5:50] -A INPUT -s 9.9.9.9/32 -j ACCEPT\n[6:60] -A INPUT -s 9.9.9.0/24 -j DROP\n\
    [7:70] -A INPUT -s 9.9.9.9/32 -j ACCEPT\n\
    [1:10] -A FORWARD -m comment --comment \"allow nova-compute migration\" -j admin\n\
    [2:20] -A admin -j nova-compute-custom\n[3:30] -A nova-compute-custom -p tcp -j ACCEPT\nCOMMIT\n\
    *nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n\
    [4:40] -A POSTROUTING -s 192.168.122.0/24 -j ACCEPT\nCOMMIT\n";

/// The lines of other programs, in order.
fn foreign_lines(text: &str) -> Vec<&str> {
    let is_ours = |line: &str| {
        ["nova-compute-", "nova-network-", "nova-api-", "nova-filter-top", "nova-postrouting-bottom"]
            .iter()
            .any(|name| line.contains(name))
            && !line.contains("nova-compute-custom")
    };
    text.lines().filter(|line| line.contains("-A ") && !is_ours(line)).collect()
}

scenarios! {
    /// Rules, chains, policies and counters of other programs stay as they are; ours come before them, the shared bottom
    /// chain after them; and when we go, what was there is there.
    fn foreign_rules_are_never_touched(connect) {
        Manager::with_kernel(whole(FOREIGN), connect()).apply().unwrap();
        let before = text(connect());
        let mut model = nova("nova-compute");
        add_instance(&mut model, 1, 22);
        let mut manager = Manager::with_kernel(model, connect());
        settle(&mut manager);
        let during = text(connect());
        assert_eq!(foreign_lines(&during), foreign_lines(&before));
        assert!(during.contains(":FORWARD DROP"));
        assert_eq!(rules(connect(), "INPUT")[0], "-j nova-compute-INPUT");
        assert_eq!(rules(connect(), "FORWARD")[0], "-j nova-filter-top");
        let nat = during.split("*nat").nth(1).unwrap();
        let last = nat.lines().rfind(|line| line.contains("-A POSTROUTING")).unwrap();
        assert!(last.ends_with("-j nova-postrouting-bottom"), "{last}");

        remove_chain(manager.model_mut(), "$inst-1");
        settle(&mut manager);
        assert_eq!(foreign_lines(&text(connect())), foreign_lines(&before));
        manager.flush().unwrap();
        let after = text(connect());
        let trim = |text: &str| {
            // Tables and chains that only we needed stay empty: others may hang on to them by now.
            let keep = |line: &&str| line.contains("-A ") || line.starts_with(":nova");
            text.lines().filter(keep).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(trim(&after), trim(&before));
    }

    /// Two components, one name the beginning of the other: each finds its own, and neither moves the other's.
    fn two_components_share_a_namespace(connect) {
        let mut api = Manager::with_kernel(nova("nova-api"), connect());
        let mut metadata = Manager::with_kernel(nova("nova-api-metadat"), connect());
        add(api.model_mut(), "$INPUT", "-p tcp --dport 8775 -j ACCEPT");
        add(metadata.model_mut(), "$INPUT", "-p tcp --dport 8776 -j ACCEPT");
        settle(&mut api);
        settle(&mut metadata);
        let both = text(connect());
        // The first one looks again: nothing of its own has to move.
        api.refresh();
        assert_eq!(api.apply().unwrap().messages, 0);
        assert_eq!(text(connect()), both);
        assert_eq!(rules(connect(), "INPUT"), ["-j nova-api-INPUT", "-j nova-api-metadat-INPUT"]);
        assert_eq!(
            rules(connect(), "FORWARD"),
            ["-j nova-filter-top", "-j nova-api-FORWARD", "-j nova-api-metadat-FORWARD"]
        );
        assert_eq!(rules(connect(), "nova-filter-top"), ["-j nova-api-local", "-j nova-api-metadat-local"]);

        api.flush().unwrap();
        assert_eq!(rules(connect(), "FORWARD"), ["-j nova-filter-top", "-j nova-api-metadat-FORWARD"]);
        assert_eq!(rules(connect(), "nova-api-metadat-INPUT"), ["-p tcp -m tcp --dport 8776 -j ACCEPT"]);
        metadata.refresh();
        assert_eq!(metadata.apply().unwrap().messages, 0);
        metadata.flush().unwrap();
        assert!(!text(connect()).contains("nova"));
    }

    /// Whoever comes third lines up behind; the shared top stays first and the shared bottom last.
    fn three_components_keep_a_fixed_order(connect) {
        let mut managers: Vec<_> = ["nova-api", "nova-network", "nova-compute"]
            .into_iter()
            .map(|name| Manager::with_kernel(nova(name), connect()))
            .collect();
        for manager in &mut managers {
            manager.apply().unwrap();
        }
        let text_before = text(connect());
        for round in 0..2 {
            for manager in &mut managers {
                add_instance(manager.model_mut(), 1 + round, 22);
                manager.apply().unwrap();
            }
        }
        assert_eq!(
            rules(connect(), "FORWARD"),
            ["-j nova-filter-top", "-j nova-api-FORWARD", "-j nova-network-FORWARD", "-j nova-compute-FORWARD"]
        );
        let shared = |text: &str| {
            text.lines().filter(|l| l.contains("-A POSTROUTING")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(shared(&text(connect())), shared(&text_before));
    }

    /// Somebody puts a rule in front of ours, and one behind our bottom: ours go back to their places, theirs stay.
    fn top_stays_first_and_bottom_last(connect) {
        let mut manager = Manager::with_kernel(nova("nova-compute"), connect());
        settle(&mut manager);
        let mut other = Manager::with_kernel(bare("other"), connect());
        // Another component's rules are neighbours; a rule without any mark is foreign. Both are tried.
        add(other.model_mut(), "FORWARD", "-s 1.1.1.1 -j ACCEPT");
        settle(&mut other);
        foreign_in_front(&mut connect(), "FORWARD");
        let front = rules(connect(), "FORWARD");
        assert_eq!(front[0], "-j ACCEPT");
        manager.refresh();
        settle(&mut manager);
        let after = rules(connect(), "FORWARD");
        assert_eq!(after[0], "-j nova-filter-top");
        assert!(after.contains(&"-j ACCEPT".to_owned()) && after.contains(&"-s 1.1.1.1/32 -j ACCEPT".to_owned()));
        let at = |rule: &str| after.iter().position(|r| r == rule).unwrap();
        assert!(at("-j nova-compute-FORWARD") < at("-j ACCEPT"), "{after:?}");
    }

    /// An equal rule that another program has put there is taken for ours and not added a second time.
    fn an_equal_rule_is_adopted(connect) {
        let text = "*filter\n:INPUT ACCEPT [0:0]\n[3:33] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";
        Manager::with_kernel(whole(text), connect()).apply().unwrap();
        let mut model = bare("agent");
        add(&mut model, "INPUT", "-p tcp --dport 22 -j ACCEPT");
        let mut manager = Manager::with_kernel(model, connect());
        assert_eq!(manager.apply().unwrap().messages, 0);
        remove(manager.model_mut(), "INPUT", "-p tcp --dport 22 -j ACCEPT");
        manager.apply().unwrap();
        assert_eq!(rules(connect(), "INPUT"), Vec::<String>::new());
    }

    /// What an agent left that used the iptables tools carries no mark: chains of our names are taken over with all that
    /// is in them, jumps to them get our mark, counters go on, and a later run finds and removes all of it.
    fn unmarked_chains_of_our_names_are_taken_over(connect) {
        let text_before = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
            :nova-filter-top - [0:0]\n:nova-compute-local - [0:0]\n:nova-compute-inst-1 - [0:0]\n\
            :nova-compute-custom - [0:0]\n\
            [4:40] -A FORWARD -j nova-filter-top\n[5:50] -A nova-filter-top -j nova-compute-local\n\
            [6:60] -A nova-compute-local -d 10.0.0.1/32 -j nova-compute-inst-1\n\
            [7:70] -A nova-compute-inst-1 -m state --state RELATED,ESTABLISHED -j ACCEPT\n\
            [8:80] -A nova-compute-inst-1 -s 9.9.9.9/32 -j ACCEPT\n\
            [9:90] -A nova-compute-custom -j ACCEPT\nCOMMIT\n";
        Manager::with_kernel(whole(text_before), connect()).apply().unwrap();
        let mut model = nova("nova-compute");
        add_instance(&mut model, 1, 22);
        settle(&mut Manager::with_kernel(model, connect()));
        let during = text(connect());
        for line in [
            "[4:40] -A FORWARD -j nova-filter-top",
            "[5:50] -A nova-filter-top -j nova-compute-local",
            "[6:60] -A nova-compute-local -d 10.0.0.1/32 -j nova-compute-inst-1",
            "[7:70] -A nova-compute-inst-1 -m state --state RELATED,ESTABLISHED -j ACCEPT",
        ] {
            assert!(during.contains(line), "{line} is missing in {during}");
        }
        assert!(!during.contains("9.9.9.9"), "{during}");

        settle(&mut Manager::with_kernel(nova("nova-compute"), connect()));
        assert!(!text(connect()).contains("inst-1"));
        Manager::with_kernel(nova("nova-compute"), connect()).flush().unwrap();
        let after = text(connect());
        let ours: Vec<&str> = after.lines().filter(|l| l.contains("nova") && !l.contains("custom")).collect();
        // An unmarked chain that is empty says nothing about whose it is.
        assert!(ours.iter().all(|line| line.starts_with(':')), "{after}");
        assert!(after.contains("[9:90] -A nova-compute-custom -j ACCEPT"), "a chain of an administrator stays");
    }

    /// A component's own chain is closed to the others.
    fn no_component_writes_into_anothers_chain(connect) {
        settle(&mut Manager::with_kernel(nova("nova-compute"), connect()));
        let before = text(connect());
        let mut thief = bare("thief");
        add(&mut thief, "nova-compute-local", "-j ACCEPT");
        let error = Manager::with_kernel(thief, connect()).apply().unwrap_err();
        assert!(error.to_string().contains("belongs to the component nova-compute"), "{error}");
        assert_eq!(text(connect()), before);
    }

    /// The other component commits between our reading and our commit: we notice, read again and get through.
    fn a_stale_view_is_read_again(connect) {
        let mut ours = Manager::with_kernel(nova("nova-compute"), connect());
        let mut theirs = Manager::with_kernel(nova("nova-network"), connect());
        ours.apply().unwrap();
        theirs.apply().unwrap();
        for n in 1..=5 {
            add_instance(ours.model_mut(), n, 22);
            add_instance(theirs.model_mut(), n, 80);
            assert_eq!(ours.apply().unwrap().attempts, 2, "the other one was here");
            assert_eq!(theirs.apply().unwrap().attempts, 2);
        }
        assert_eq!(rules(connect(), "nova-compute-local").len(), 5);
        assert_eq!(rules(connect(), "nova-network-local").len(), 5);
    }
}

/// Inserts an unmarked rule at the head of a chain of `ip filter`.
fn foreign_in_front<K: Kernel>(kernel: &mut K, chain: &str) {
    use nftwrap::nft::Family;
    use nftwrap::nft::expr::{Counter, Expr, Immediate, Operand, Register, Verdict};
    use nftwrap::transaction::{Batch, Origin, RuleHead, RuleVerb};
    let mut batch = Batch::begin(None);
    let accept = Immediate { dreg: Register::VERDICT, data: Operand::Verdict(Verdict::Accept) };
    let program = [Expr::Counter(Counter::default()), Expr::Immediate(accept)];
    let head = RuleHead {
        family: Family::Ip,
        table: &"filter".parse().unwrap(),
        chain: &chain.parse().unwrap(),
        verb: RuleVerb::Insert(None),
        compat: None,
        userdata: &[],
    };
    batch.rule_with(&head, Origin(0), |w| nftwrap::nft::expr::encode_list(&program, w));
    kernel.commit(&batch.seal().unwrap()).unwrap();
}
