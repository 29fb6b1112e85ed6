//! What an operator may want to know while it happens.
//!
//! Owns: the log events of an application, and how loud each is.
//! Never: decides anything; a program that does not listen to `log` pays nothing.
//!
//! `info` is for what happens once in the life of a process (adoption, take-over, a kernel that lacks something), `debug`
//! for what may come with each application. A plan or a check logs nothing: nothing has happened.

use log::{debug, info};

use super::{ATTEMPTS, Report};
use crate::ipset;
use crate::ruleset::{Fallback, NativeChange};

/// Other programs were faster; everything is read again.
pub(super) fn stale(attempt: u32) {
    debug!("the ruleset has moved since it was read: attempt {attempt} of {ATTEMPTS} starts again");
}

/// A set that should be gone, or other, is not.
pub(super) fn ipset_stays(error: &ipset::Error) {
    info!("{error}");
}

/// An application of the native layout is in effect. `adopted`: how many tables stood when it was the first of its process.
pub(super) fn applied(adopted: Option<usize>, changes: &[NativeChange], report: &Report) {
    if let Some(tables @ 1..) = adopted {
        info!("adopted {tables} tables that stood; {} changes brought them to what is wanted", changes.len());
    }
    for change in changes {
        if let NativeChange::AddTable { userdata: None, .. } = change {
            info!("{change}: the process that owned it is gone");
        }
    }
    for fallback in &report.fallbacks {
        match fallback {
            Fallback::Feature { .. } | Fallback::Table { .. } => info!("{fallback}"),
            Fallback::Extension { .. } | Fallback::Unfolded { .. } => debug!("{fallback}"),
        }
    }
}
