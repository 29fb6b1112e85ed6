//! What the command line asks for.

use nftwrap::layout::Passes;

/// How the bench is called.
pub(crate) const HELP: &str = "\
cargo bench --bench churn -- [OPTIONS]
  --instances N,...    only these numbers of instances
  --bodies N,...       only hosts with these numbers of distinct bodies (nova)
  --shapes NAME,...    only these hosts: nova, distinct, neutron, physdev
  --candidates WORD,.. only candidates whose name has one of these words
  --passes             each compiler pass off, as further rows
  --quick              few samples
  --full               every candidate with every host
  --json               JSON lines instead of tables
  --record             keep records and plots, and the numbers of the README";

/// Numbers of instances that are measured.
const INSTANCES: [u32; 4] = [100, 1_000, 10_000, 50_000];

/// What is asked for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    instances: Vec<u32>,
    pub(crate) bodies: Vec<u32>,
    pub(crate) shapes: Vec<String>,
    candidates: Vec<String>,
    pub(crate) passes: bool,
    pub(crate) quick: bool,
    pub(crate) full: bool,
    pub(crate) json: bool,
    pub(crate) record: bool,
    pub(crate) help: bool,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut words = words.skip(1);
        while let Some(word) = words.next() {
            let mut list = || words.next().ok_or_else(|| format!("{word} takes a list\n{HELP}"));
            match word.as_str() {
                // What `cargo bench` passes to every target.
                "--bench" => {}
                "--instances" => arguments.instances = numbers(&list()?)?,
                "--bodies" => arguments.bodies = numbers(&list()?)?,
                "--shapes" => arguments.shapes = list()?.split(',').map(str::to_owned).collect(),
                "--candidates" => arguments.candidates = list()?.split(',').map(str::to_owned).collect(),
                "--passes" => arguments.passes = true,
                "--quick" => arguments.quick = true,
                "--full" => arguments.full = true,
                "--json" => arguments.json = true,
                "--record" => arguments.record = true,
                "--help" => arguments.help = true,
                other => return Err(format!("unknown argument `{other}`\n{HELP}")),
            }
        }
        Ok(arguments)
    }

    pub(crate) fn sizes(&self) -> &[u32] {
        if self.instances.is_empty() { &INSTANCES } else { &self.instances }
    }

    pub(crate) fn wants_shape(&self, name: &str) -> bool {
        self.shapes.is_empty() || self.shapes.iter().any(|one| one == name)
    }

    pub(crate) fn wants(&self, candidate: &str) -> bool {
        self.candidates.is_empty() || self.candidates.iter().any(|word| candidate.contains(word.as_str()))
    }

    /// Sets of passes to measure besides all of them.
    pub(crate) fn partial(&self) -> Vec<(&'static str, Passes)> {
        let each = Passes::NAMES.into_iter().filter(|_| self.passes);
        each.map(|(name, pass)| (name, Passes::all().difference(pass))).collect()
    }
}

fn numbers(list: &str) -> Result<Vec<u32>, String> {
    let number = |word: &str| word.parse().ok().filter(|number| *number > 0);
    let numbers: Option<Vec<u32>> = list.split(',').map(number).collect();
    numbers.ok_or_else(|| format!("`{list}` is not a list of numbers, 1 or more\n{HELP}"))
}
