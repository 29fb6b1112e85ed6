//! `-j MASQUERADE` and `-j REDIRECT`: translation to the host's own address.

use nftwrap::rule::Target;
use nftwrap::rule::targets::PortNat;

use super::{Extension, OptionSpec, Options, Parse, nat};
use crate::error::ParseError;
use crate::value;

pub(crate) static MASQUERADE: Extension = Extension {
    name: "MASQUERADE",
    family: None,
    options: &[
        OptionSpec::value(&["to-ports"], &["port[-port]"]),
        OptionSpec::flag(&["random"]),
        OptionSpec::flag(&["random-fully"]),
    ],
    summary: "the outgoing interface's address as source; table nat, POSTROUTING",
    parse: Parse::Target(|o| parse(o).map(Target::Masquerade)),
};

pub(crate) static REDIRECT: Extension = Extension {
    name: "REDIRECT",
    family: None,
    options: &[OptionSpec::value(&["to-ports"], &["port[-port]"]), OptionSpec::flag(&["random"])],
    summary: "this host as destination; table nat, PREROUTING and OUTPUT",
    parse: Parse::Target(|o| parse(o).map(Target::Redirect)),
};

fn parse(o: &Options<'_, '_>) -> Result<PortNat, ParseError> {
    let protocol = o.protocol.map(|p| p.value);
    let ports = o.value("to-ports", |text| nat::port_range(text, protocol))?;
    if ports.is_some() {
        nat::check_ports(o)?;
    }
    Ok(PortNat { ports, options: nat::flags(o) })
}

pub(super) fn print(port_nat: &PortNat, extension: &Extension, out: &mut String) {
    value::print(out, format_args!(" -j {}", extension.name));
    if let Some(ports) = port_nat.ports {
        out.push_str(" --to-ports ");
        value::print_ports(ports, '-', out);
    }
    nat::print_flags(port_nat.options, out);
}
