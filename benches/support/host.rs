//! From the text of a host to the model, as an agent that is given text does it.

use nftwrap::rule::Family;
use nftwrap::wrap::{Model, ModelError, TableKind};
use nftwrap_compat::load::{LoadError, load};
use nftwrap_compat::restore::{SaveFile, Scope};

/// Text that cannot be read: the generator and the parser disagree.
#[derive(Debug)]
pub(crate) struct Unreadable(String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// Reads a whole host, or the text of one more guest.
pub(crate) fn parse(text: &str) -> Result<SaveFile, Unreadable> {
    SaveFile::parse_scoped(text.as_bytes(), Family::Ipv4, Scope::Part).map_err(|errors| {
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Unreadable(messages.join("; "))
    })
}

/// Puts chains and rules into the model.
pub(crate) fn add(model: &mut Model, file: SaveFile) -> Result<(), LoadError> {
    load(model, Family::Ipv4, file, false)
}

/// Takes a guest out of the model, with the jump to it.
pub(crate) fn remove(model: &mut Model, instance: u32) -> Result<(), ModelError> {
    model.table_mut(Family::Ipv4, TableKind::Filter)?.remove_chain(&format!("nova-compute-inst-{instance}"))?;
    Ok(())
}
