//! The groups of the native layout that a component stands in.
//!
//! Owns: [`Group`], found by the marks of tables and the names of directories.
//! Never: reads rules or elements.

use nftwrap::kernel::{Error, Kernel};
use nftwrap::layout::native::lift;
use nftwrap::name::WrapName;
use nftwrap::nft;
use nftwrap::rule::Family;
use nftwrap::wrap::TableKind;

use super::read::userdata;

/// Tables whose names begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What the names begin with.
    pub name: WrapName,
    /// Whether other components may be in it, too.
    pub shared: bool,
}

impl Group {
    /// The groups in which a component has something, by name.
    ///
    /// # Errors
    /// [`Error`] when the kernel cannot be asked.
    pub fn of<K: Kernel + ?Sized>(kernel: &mut K, component: &WrapName) -> Result<Vec<Self>, Error> {
        let mut groups: Vec<Self> = Vec::new();
        for family in Family::BOTH.map(nft::Family::from) {
            for table in kernel.tables(family)? {
                let Some((name, kind)) = table.name.as_str().rsplit_once('-') else { continue };
                let (Ok(name), Some(_)) = (WrapName::new(name), TableKind::from_name(kind)) else { continue };
                let Some(owner) = userdata(table.userdata.as_deref()).owner else { continue };
                if groups.iter().any(|group| group.name == name) {
                    continue;
                }
                let shared = owner.component.is_none();
                let here = match &owner.component {
                    Some(owner) => owner == component,
                    // The sets of a component have its name in front.
                    None => kernel.sets(family, &table.name)?.iter().any(|set| {
                        let rest = set.name.as_str().strip_prefix(component.as_str());
                        rest.is_some_and(|rest| rest.starts_with('/')) && lift::is_ours(set)
                    }),
                };
                if here {
                    groups.push(Self { name, shared });
                }
            }
        }
        groups.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        Ok(groups)
    }
}
