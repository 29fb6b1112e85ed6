//! A kernel under test, with a log of all that was said and seen.

use std::fmt::Write as _;

use nftwrap::kernel::{CommitError, Errno, Kernel, Rejection};
use nftwrap::nft::{self, Family, listing};
use nftwrap::transaction::Batch;

pub(crate) const FAMILIES: [Family; 4] = [Family::Ip, Family::Ip6, Family::Inet, Family::Bridge];

/// A kernel and the log of what happened to it.
pub(crate) struct Session<'k> {
    pub(crate) kernel: &'k mut dyn Kernel,
    pub(crate) log: String,
    /// The handles of the rules of the last commit, by the numbers of their operations, as far as they are known.
    pub(crate) handles: Vec<(usize, u64)>,
    /// Whether the log has the places of attributes that their policies refuse.
    pub(crate) points_at_policies: bool,
}

impl<'k> Session<'k> {
    pub(crate) fn new(kernel: &'k mut dyn Kernel) -> Self {
        Self { kernel, log: String::new(), handles: Vec::new(), points_at_policies: true }
    }

    /// Commits what `fill` puts into a batch; logs the outcome and the ruleset after it. Returns the errno of each
    /// refused operation, counted from 0.
    pub(crate) fn commit(&mut self, fill: impl FnOnce(&mut Batch)) -> Vec<(usize, Errno)> {
        self.commit_at(None, fill)
    }

    pub(crate) fn commit_at(&mut self, generation: Option<u32>, fill: impl FnOnce(&mut Batch)) -> Vec<(usize, Errno)> {
        let mut batch = Batch::begin(generation);
        batch.ask_for_handles();
        fill(&mut batch);
        let sealed = batch.seal().unwrap();
        let before = self.kernel.generation().unwrap();
        // What a check says is what the commit then says, and it changes nothing.
        let error = self.kernel.check(&sealed).err();
        let checked = self.outcome(error.as_ref());
        assert_eq!(self.kernel.generation().unwrap(), before, "a check moves no generation");
        let outcome = self.kernel.commit(&sealed);
        self.handles = outcome.iter().flat_map(|committed| sealed.handles(&committed.echoed)).collect();
        let error = outcome.err();
        let moved = self.kernel.generation().unwrap().wrapping_sub(before);
        let committed = self.outcome(error.as_ref());
        writeln!(self.log, "commit: {committed}; check: {checked}; generation +{moved}").unwrap();
        writeln!(self.log, "handles {:?}", self.handles).unwrap();
        let snapshot = snapshot(self.kernel);
        self.log.push_str(&snapshot);
        let rejections = error.as_ref().map(CommitError::rejections).unwrap_or_default();
        rejections.iter().map(|r| (sealed.index(r.seq).unwrap(), r.errno)).collect()
    }

    /// Commits what must be good.
    #[track_caller]
    pub(crate) fn good(&mut self, fill: impl FnOnce(&mut Batch)) {
        let refused = self.commit(fill);
        assert!(refused.is_empty() && self.log.contains("commit: ok"), "{refused:?}\n{}", self.log);
    }

    /// Commits what must be refused, at these operations with these errors.
    #[track_caller]
    pub(crate) fn bad(&mut self, expected: &[(usize, Errno)], fill: impl FnOnce(&mut Batch)) {
        assert_eq!(self.commit(fill), expected, "{}", self.log);
    }

    fn outcome(&self, error: Option<&CommitError>) -> String {
        let place = |r: &Rejection| r.offset.filter(|_| self.points_at_policies || r.errno != Errno::RANGE);
        match error {
            None => "ok".to_owned(),
            Some(CommitError::Refused(rejections)) => rejections
                .iter()
                .map(|r| format!("[{} {} at {:?}]", r.seq, r.errno.name().unwrap_or("?"), place(r)))
                .collect::<Vec<_>>()
                .join(" "),
            Some(CommitError::Stale { .. }) => "stale".to_owned(),
            Some(other) => panic!("{other}"),
        }
    }
}

/// Everything in the namespace, as text.
pub(crate) fn snapshot(kernel: &mut dyn Kernel) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        for table in kernel.tables(family).unwrap() {
            let owned = table.owner.is_some();
            writeln!(
                text,
                "table {family} {} handle {:?} flags {:?} uses {:?} owned {owned} userdata {:?}",
                table.name, table.handle, table.flags, table.uses, table.userdata
            )
            .unwrap();
            self::table(kernel, &table, &mut text);
        }
    }
    text
}

fn table(kernel: &mut dyn Kernel, table: &nft::Table, text: &mut String) {
    for set in kernel.sets(table.family, &table.name).unwrap() {
        let mut elements = kernel.elements(table.family, &table.name, &set.name).unwrap();
        // Each algorithm has an order of its own.
        elements.sort_by(|a, b| (&a.key, a.flags.bits()).cmp(&(&b.key, b.flags.bits())));
        writeln!(text, "  {set:?}").unwrap();
        for element in elements {
            writeln!(text, "    {element:?}").unwrap();
        }
    }
    for object in kernel.objects(table.family, &table.name).unwrap() {
        writeln!(text, "  {object:?}").unwrap();
    }
    for chain in kernel.chains(table.family).unwrap().into_iter().filter(|c| c.table == table.name) {
        let one = kernel.chain(table.family, &table.name, &chain.name).unwrap();
        assert_eq!(one.as_ref(), Some(&chain), "one chain is what the dump of all says");
        writeln!(
            text,
            "  chain {} handle {:?} {:?} {:?} uses {:?} flags {:?} userdata {:?}",
            chain.name, chain.handle, chain.base, chain.counters, chain.uses, chain.flags, chain.userdata
        )
        .unwrap();
        for rule in kernel.rules(table.family, &table.name, Some(&chain.name)).unwrap() {
            writeln!(
                text,
                "    rule {:?} after {:?} userdata {:?}: {}",
                rule.handle,
                rule.position,
                rule.userdata,
                listing::compact(&rule.expressions)
            )
            .unwrap();
        }
    }
}

/// The first place where two logs differ, with the lines before it; empty when they do not.
pub(crate) fn difference(fake: &str, kernel: &str) -> String {
    let (fake, kernel): (Vec<_>, Vec<_>) = (fake.lines().collect(), kernel.lines().collect());
    let same = fake.iter().zip(&kernel).take_while(|(a, b)| a == b).count();
    if same == fake.len() && same == kernel.len() {
        return String::new();
    }
    let mut text = String::new();
    for line in &fake[same.saturating_sub(20)..same] {
        writeln!(text, "         {line}").unwrap();
    }
    for (who, lines) in [("fake  ", &fake), ("kernel", &kernel)] {
        writeln!(text, "{who} > {}", lines.get(same).unwrap_or(&"(the end)")).unwrap();
    }
    text
}
