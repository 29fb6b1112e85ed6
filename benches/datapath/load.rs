//! The rules of a host in the router, by each candidate.

use std::str::FromStr;

use nftwrap::Manager;
use nftwrap::kernel::Live;
use nftwrap::layout::Layout;
use nftwrap::name::WrapName;
use nftwrap::netlink::namespace::Namespace;
use nftwrap::wrap::Model;

use crate::fleet::{Fleet, text};
use crate::host;
use crate::support::command::{Scratch, nft};
use crate::support::failure::Failure;

/// Who writes the rules.
#[derive(Debug, Clone)]
pub(crate) enum Candidate {
    /// Nobody: the links alone.
    Nothing,
    /// nftwrap with a layout.
    Ours(&'static str, Layout),
    /// A restore command of iptables.
    Restore(&'static str),
    /// `nft -f`, with a verdict map or without.
    Nft(bool),
}

/// What has to live as long as the rules are to stand.
#[derive(Debug)]
pub(crate) struct Loaded(
    #[expect(dead_code, reason = "tables with an owner go away with its socket")] Option<Manager<Live>>,
);

impl Candidate {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "no rules",
            Self::Ours(name, _) => name,
            Self::Restore(command) => command,
            Self::Nft(true) => "nft -f, verdict map",
            Self::Nft(false) => "nft -f",
        }
    }

    /// Loads the host.
    pub(crate) fn load(&self, fleet: Fleet, router: &Namespace, scratch: &Scratch) -> Result<Loaded, Failure> {
        match self {
            Self::Nothing => {}
            Self::Ours(_, layout) => {
                let component = WrapName::from_str(fleet.shape.component())?;
                let mut model = Model::builder().component(component).ipv6(false).build()?;
                host::add(&mut model, host::parse(&text::save(fleet, "$"))?)?;
                let mut manager = Manager::with_kernel_and_layout(model, Live::open_in(router)?, layout.clone());
                manager.apply()?;
                return Ok(Loaded(Some(manager)));
            }
            Self::Restore(command) => {
                let file = scratch.write("load", &text::save(fleet, &text::kernel_prefix(fleet)))?;
                router.run(|| scratch.restore(command, &file, &[]))??;
            }
            Self::Nft(maps) => {
                let text = text::nft(fleet, *maps).ok_or_else(|| Failure("nf_tables cannot say it".into()))?;
                let file = scratch.write("load.nft", &text)?;
                router.run(|| nft(&file))??;
            }
        }
        Ok(Loaded(None))
    }
}
