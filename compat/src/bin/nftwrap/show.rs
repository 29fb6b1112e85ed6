//! `show`: what stands in the kernel.

use nftwrap::rule::Family;
use nftwrap_compat::view::View;

use crate::args::{Format, Show};
use crate::failure::Failure;
use crate::{kernel, output};

pub(crate) fn show(args: &Show) -> Result<(), Failure> {
    let mut kernel = kernel::open(&args.place)?;
    let mut view = View::read(&mut kernel).map_err(|error| Failure::apply(&[], &error.into()))?;
    if let Some(group) = &args.group {
        view.retain_group(group.as_str());
    }
    if let Some(component) = &args.wrap {
        view.retain_component(component);
    }
    print(&view, if args.json { Format::Json } else { args.format })
}

/// Prints a view. IPv6 tables follow IPv4 ones under a line of their own, because save text does not say its family.
pub(crate) fn print(view: &View, format: Format) -> Result<(), Failure> {
    match format {
        Format::Save => {
            for (family, heading) in [(Family::Ipv4, "# IPv4\n"), (Family::Ipv6, "# IPv6\n")] {
                let text = view.save(family, true);
                if !text.is_empty() {
                    output::print(heading)?;
                    output::print(&text)?;
                }
            }
            Ok(())
        }
        Format::Nft => output::print(&view.nft()),
        Format::Json => output::print_json(&view.json()),
        Format::Tree => output::print(&view.tree()),
    }
}
