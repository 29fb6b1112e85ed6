//! How a layout is asked for.

use nftwrap::Manager;
use nftwrap::layout::Layout;
use nftwrap::wrap::Model;

use super::failure::Failure;

/// A manager that puts the model where the layout says.
pub(crate) fn manager<K>(model: Model, kernel: K, layout: &Layout) -> Result<Manager<K>, Failure> {
    match layout {
        Layout::Iptables => Ok(Manager::with_kernel(model, kernel)),
        Layout::Native(_) => Err(Failure("not in this version".into())),
    }
}
