//! What was typed: the command line as clap reads it, without any I/O.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nftwrap::layout::Passes;
use nftwrap::name::WrapName;

/// Wrapped iptables chains, committed to nftables in one netlink transaction.
///
/// Exit codes: 0 done, 2 bad input, 4 the kernel refused, 1 anything else.
#[derive(Debug, Parser)]
#[command(name = "nftwrap", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the kernel to what a file states, in one transaction
    Apply(Load),
    /// Print what apply would change, and change nothing
    Plan(Load),
    /// Let the kernel validate what apply would send, and change nothing
    Check(Load),
    /// Print the chains and rules that stand in the kernel
    Show(Show),
    /// Remove everything that a component left
    Flush(Flush),
    /// Print a rule's nft form, its expressions, and what of it needs an xt extension
    Translate(Translate),
}

/// Which network namespace is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct Where {
    /// Network namespace: a name as in `ip netns`, or a path
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "sandbox")]
    pub(crate) netns: Option<String>,
    /// Use a fresh network namespace that vanishes afterwards: nothing on the host is touched
    #[arg(long)]
    pub(crate) sandbox: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// iptables-save text of IPv4 with all its tables; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["ipv4", "ipv6"], conflicts_with = "ipv4")]
    pub(crate) file: Option<PathBuf>,
    /// The same as FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) ipv4: Option<PathBuf>,
    /// ip6tables-save text; goes into the same transaction
    #[arg(long, value_name = "FILE")]
    pub(crate) ipv6: Option<PathBuf>,
    /// The component whose wrapped chains the file states: `$chain` is NAME-chain, and everybody else's rules stay.
    /// What it left earlier goes, also in the family that no file is given for.
    /// Without it the file is the whole content of the tables it names
    #[arg(long, value_name = "NAME")]
    pub(crate) wrap: Option<WrapName>,
    /// How chains become kernel objects
    #[arg(long, value_enum, default_value_t = Layout::Iptables)]
    pub(crate) layout: Layout,
    /// The chains that the component expects to find made
    #[arg(long, value_enum, default_value_t = Profile::Bare, requires = "wrap")]
    pub(crate) profile: Profile,
    /// Start new rules and policies from the `[packets:bytes]` of the file; what stands keeps what it has counted.
    /// In the native layout: count packets and bytes of each rule that is an element of a map, from zero
    #[arg(long)]
    pub(crate) counters: bool,
    /// Print one line of JSON with sizes and times
    #[arg(long)]
    pub(crate) stats: bool,
    /// After apply, print what stands in the kernel
    #[arg(long, value_name = "FORMAT", value_enum, num_args = 0..=1, default_missing_value = "save")]
    pub(crate) show: Option<Format>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Where,
    #[command(flatten)]
    pub(crate) native: NativeLayout,
}

/// Settings of `--layout native`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "With --layout native")]
pub(crate) struct NativeLayout {
    /// What the names of the tables begin with: NAME-filter, NAME-nat. The component's name if not given, or `nftwrap`
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<WrapName>,
    /// Other components use the group, too: built-in and unwrapped chains are common to all of them, and the tables have
    /// no owner
    #[arg(long, requires_all = ["group", "wrap"])]
    pub(crate) shared: bool,
    /// What is added to the priorities of iptables' hooks: below 0 the tables are met before those of iptables. The kernel
    /// takes no chain for nat at -200 or before, so that with a nat table -99 is the least
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-10_000..=10_000))]
    pub(crate) priority: Option<i32>,
    /// The passes of the compiler that run: `all`, `none`, or some of dispatch, sharing, folding, families
    #[arg(long, value_name = "PASS[,PASS...]", value_parser = passes)]
    pub(crate) passes: Option<Passes>,
}

/// A list of passes.
fn passes(text: &str) -> Result<Passes, String> {
    match text {
        "all" => return Ok(Passes::all()),
        "none" => return Ok(Passes::empty()),
        _ => {}
    }
    let mut passes = Passes::empty();
    for word in text.split(',') {
        match Passes::NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, pass)) => passes |= *pass,
            None => {
                let known: Vec<&str> = Passes::NAMES.iter().map(|(name, _)| *name).collect();
                return Err(format!("`{word}` is no pass: say `all`, `none`, or a list of {}", known.join(", ")));
            }
        }
    }
    Ok(passes)
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Only the chains of this component, and its rules in shared chains
    #[arg(long, value_name = "NAME")]
    pub(crate) wrap: Option<WrapName>,
    /// Only the tables of this group of the native layout
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<WrapName>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Save)]
    pub(crate) format: Format,
    /// The same as --format json
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Flush {
    /// The component; it goes from the tables of iptables and from those of the native layout, whatever the group
    #[arg(long, value_name = "NAME")]
    pub(crate) wrap: WrapName,
    /// Print one line of JSON with sizes and times
    #[arg(long)]
    pub(crate) stats: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Translate {
    /// A rule as iptables takes it, with or without `-t TABLE` and `-A CHAIN`
    #[arg(value_name = "RULE", required = true, allow_hyphen_values = true, trailing_var_arg = true)]
    pub(crate) rule: Vec<String>,
    /// The rule is one of ip6tables
    #[arg(long, short = '6')]
    pub(crate) ipv6: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// The tables that iptables-nft uses; every rule shows in stock iptables
    Iptables,
    /// Tables of the component's own, compiled: maps instead of rules, one chain for all that say the same
    Native,
}

impl Layout {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Native => "native",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// No chains but those of the file
    Bare,
    /// nova-filter-top, nova-postrouting-bottom, local, snat, float-snat
    Nova,
    /// neutron-filter-top, neutron-postrouting-bottom, local, snat, float-snat, mark
    Neutron,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// iptables-save text
    Save,
    /// nft commands; the register program of a rule that nft has no words for
    Nft,
    /// JSON
    Json,
    /// Chains as a tree of jumps, for people
    Tree,
}
