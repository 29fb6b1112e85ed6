//! Whole rules through libnftnl.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;

use nftnl::nftnl_sys as sys;
use nftwrap::nft::Family;
use nftwrap::nft::expr::Expr;

use crate::expression::Expression;

/// A libnftnl rule.
#[derive(Debug)]
pub struct Rule {
    raw: NonNull<sys::nftnl_rule>,
    family: Family,
}

impl Drop for Rule {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `nftnl_rule_alloc`; its expressions go with it.
        unsafe { sys::nftnl_rule_free(self.raw.as_ptr()) }
    }
}

impl Rule {
    /// A rule of the given chain; `None` when libnftnl does not know one of the expressions.
    #[must_use]
    pub fn build(family: Family, table: &str, chain: &str, expressions: &[Expr]) -> Option<Self> {
        let table = CString::new(table).ok()?;
        let chain = CString::new(chain).ok()?;
        // SAFETY: takes no argument.
        let raw = NonNull::new(unsafe { sys::nftnl_rule_alloc() })?;
        let rule = Self { raw, family };
        // SAFETY: the pointer is valid; libnftnl copies the strings.
        unsafe {
            sys::nftnl_rule_set_u32(raw.as_ptr(), sys::NFTNL_RULE_FAMILY as u16, family.nfproto().into());
            sys::nftnl_rule_set_str(raw.as_ptr(), sys::NFTNL_RULE_TABLE as u16, table.as_ptr());
            sys::nftnl_rule_set_str(raw.as_ptr(), sys::NFTNL_RULE_CHAIN as u16, chain.as_ptr());
        }
        for expr in expressions {
            let expr = Expression::build(expr)?.into_raw();
            // SAFETY: both pointers are valid; the rule owns the expression from now on.
            unsafe { sys::nftnl_rule_add_expr(raw.as_ptr(), expr.as_ptr()) }
        }
        Some(rule)
    }

    /// `NFTA_RULE_COMPAT`.
    pub fn compat(&mut self, protocol: u32, flags: u32) {
        // SAFETY: the pointer is valid.
        unsafe {
            sys::nftnl_rule_set_u32(self.raw.as_ptr(), sys::NFTNL_RULE_COMPAT_PROTO as u16, protocol);
            sys::nftnl_rule_set_u32(self.raw.as_ptr(), sys::NFTNL_RULE_COMPAT_FLAGS as u16, flags);
        }
    }

    /// `NFTA_RULE_HANDLE` or, with the other kind, `NFTA_RULE_POSITION`.
    pub fn handle(&mut self, handle: Option<u64>, position: Option<u64>) {
        let values = [(sys::NFTNL_RULE_HANDLE, handle), (sys::NFTNL_RULE_POSITION, position)];
        for (kind, value) in values {
            if let Some(value) = value {
                // SAFETY: the pointer is valid.
                unsafe { sys::nftnl_rule_set_u64(self.raw.as_ptr(), kind as u16, value) }
            }
        }
    }

    /// `NFTA_RULE_USERDATA`.
    pub fn userdata(&mut self, bytes: &[u8]) {
        // SAFETY: the pointer is valid; libnftnl copies `len` bytes.
        unsafe {
            sys::nftnl_rule_set_data(
                self.raw.as_ptr(),
                sys::NFTNL_RULE_USERDATA as u16,
                bytes.as_ptr().cast(),
                bytes.len() as u32,
            );
        }
    }

    /// The whole `NFT_MSG_NEWRULE` message.
    #[must_use]
    pub fn message(&self, flags: u16, seq: u32) -> Vec<u8> {
        let mut buf = vec![0u8; nftnl::nft_nlmsg_maxsize() as usize];
        // SAFETY: the buffer has room for the largest message.
        let len = unsafe { self.write_to(buf.as_mut_ptr().cast(), flags, seq) };
        buf.truncate(len);
        buf
    }

    /// Writes the message to `buf` and returns its length.
    ///
    /// # Safety
    /// `buf` has room for the largest message, [`nftnl::nft_nlmsg_maxsize`].
    pub(crate) unsafe fn write_to(&self, buf: *mut c_char, flags: u16, seq: u32) -> usize {
        // SAFETY: the caller gives room for the largest message; libnftnl returns the header at the start of `buf`, and
        // the rule is valid.
        unsafe {
            let header = sys::nftnl_nlmsg_build_hdr(
                buf,
                sys::libc::NFT_MSG_NEWRULE as u16,
                self.family.nfproto().into(),
                flags,
                seq,
            );
            sys::nftnl_rule_nlmsg_build_payload(header, self.raw.as_ptr());
            (*header).nlmsg_len as usize
        }
    }

    /// What libnftnl prints for it (`nft --debug=netlink`).
    #[must_use]
    pub fn listing(&self) -> String {
        let mut text = vec![0u8; 65_536];
        // SAFETY: the buffer is as long as it says; libnftnl ends the text with a NUL inside it.
        unsafe {
            sys::nftnl_rule_snprintf(
                text.as_mut_ptr().cast::<c_char>(),
                text.len(),
                self.raw.as_ptr(),
                sys::NFTNL_OUTPUT_DEFAULT,
                0,
            );
        }
        CStr::from_bytes_until_nul(&text).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
