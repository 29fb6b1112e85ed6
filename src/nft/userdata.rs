//! User data of rules and chains: bytes that the kernel keeps and every tool may read.
//!
//! Owns: the list of `type: u8, length: u8, value` that libnftnl lays down, the comment in it, and our own mark, which
//! says to which component a rule or chain belongs.
//! Never: drops what it does not know: other tools' entries come back byte for byte.
//!
//! The mark has type 0x77 and holds a version (1), the role (0 normal, 1 top, 2 bottom) and the component's name,
//! empty for what all components share.
//! `iptables-nft` and `nft` skip entry types that they do not know.
//!
//! Invariant: nothing longer than `NFT_USERDATA_MAXLEN` (256 bytes) is ever written.
//!
//! Where the truth is: `src/udata.c` and `include/libnftnl/udata.h` (libnftnl 1.2), `nft_rule_policy`,
//! `net/netfilter/nf_tables_api.c` (Linux v6.12).

use thiserror::Error;

use super::uapi::NFT_USERDATA_MAXLEN;
use crate::name::{Comment, WrapName};

/// `NFTNL_UDATA_RULE_COMMENT`, and the same number for chains.
const COMMENT: u8 = 0;
/// Far from the numbers that libnftnl hands out one by one.
const OWNER: u8 = 0x77;
const OWNER_VERSION: u8 = 1;
const MAX: usize = NFT_USERDATA_MAXLEN as usize;

/// Why user data cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserdataError {
    /// All entries together are longer than the kernel takes.
    #[error("user data of {len} bytes, the kernel takes {MAX}")]
    TooLong {
        /// The bytes needed.
        len: usize,
    },
    /// The bytes are not a list of entries.
    #[error("user data is cut off after {at} bytes")]
    Truncated {
        /// Where the list breaks off.
        at: usize,
    },
}

/// Where in a shared chain a rule of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Role {
    /// After the top rules, in order.
    #[default]
    Normal = 0,
    /// At the top of the chain.
    Top = 1,
    /// At the end of the chain, behind the rules of everyone.
    Bottom = 2,
}

impl Role {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Normal,
            1 => Self::Top,
            2 => Self::Bottom,
            _ => return None,
        })
    }
}

/// The mark of a component on its rules and chains.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Where the rule stands.
    pub role: Role,
    /// Who it belongs to; `None` for what all components of a profile share, such as the jump to `nova-filter-top`.
    pub component: Option<WrapName>,
}

/// An entry that is kept and not understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its type.
    pub kind: u8,
    /// Its value, at most 255 bytes.
    pub value: Box<[u8]>,
}

/// The user data of a rule or chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Userdata {
    /// The comment.
    pub comment: Option<Comment>,
    /// Our mark.
    pub owner: Option<Owner>,
    /// Everything else, in order.
    pub others: Vec<Entry>,
}

impl Userdata {
    /// Writes the entries to the end of `buf`: comment, mark, the rest.
    ///
    /// # Errors
    /// [`UserdataError::TooLong`]; `buf` is then as it was before.
    pub fn encode(&self, buf: &mut Vec<u8>) -> Result<(), UserdataError> {
        let start = buf.len();
        let written = self.write(buf);
        let len = buf.len() - start;
        let written = written.and(if len > MAX { Err(UserdataError::TooLong { len }) } else { Ok(()) });
        if written.is_err() {
            buf.truncate(start);
        }
        written
    }

    fn write(&self, buf: &mut Vec<u8>) -> Result<(), UserdataError> {
        if let Some(comment) = &self.comment {
            append_comment(buf, comment)?;
        }
        if let Some(owner) = &self.owner {
            append_owner(buf, owner.role, owner.component.as_ref());
        }
        self.others.iter().try_for_each(|other| append(buf, other.kind, &[&other.value]))
    }

    /// Reads user data. An entry whose value is not what its type says is kept among the others.
    ///
    /// # Errors
    /// [`UserdataError::Truncated`] when the bytes are not a list of entries, as those of a tool that does not use
    /// libnftnl's form.
    pub fn decode(bytes: &[u8]) -> Result<Self, UserdataError> {
        let mut userdata = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let Some(&[kind, len]) = rest.first_chunk() else { return Err(UserdataError::Truncated { at }) };
            let end = 2 + usize::from(len);
            let Some(value) = rest.get(2..end) else { return Err(UserdataError::Truncated { at }) };
            rest = rest.get(end..).unwrap_or_default();
            userdata.take(kind, value);
        }
        Ok(userdata)
    }

    fn take(&mut self, kind: u8, value: &[u8]) {
        match kind {
            COMMENT if self.comment.is_none() => {
                self.comment = decode_comment(value);
                if self.comment.is_some() {
                    return;
                }
            }
            OWNER if self.owner.is_none() => {
                self.owner = decode_owner(value);
                if self.owner.is_some() {
                    return;
                }
            }
            _ => {}
        }
        self.others.push(Entry { kind, value: value.into() });
    }
}

/// Writes a comment entry.
///
/// # Errors
/// [`UserdataError::TooLong`] when the comment is longer than 253 bytes: with its NUL and the entry's header it is then
/// over the kernel's limit.
pub fn append_comment(buf: &mut Vec<u8>, comment: &Comment) -> Result<(), UserdataError> {
    append(buf, COMMENT, &[comment.as_str().as_bytes(), &[0]])
}

/// Writes our mark: that of a component, or that of what all components share.
pub fn append_owner(buf: &mut Vec<u8>, role: Role, component: Option<&WrapName>) {
    // A component's name has at most 16 bytes, so this cannot be too long.
    let name = component.map_or("", WrapName::as_str);
    let _ = append(buf, OWNER, &[&[OWNER_VERSION, role as u8], name.as_bytes()]);
}

fn append(buf: &mut Vec<u8>, kind: u8, value: &[&[u8]]) -> Result<(), UserdataError> {
    let len = value.iter().map(|part| part.len()).sum::<usize>();
    match u8::try_from(len) {
        Ok(field) if len + 2 <= MAX => {
            buf.extend_from_slice(&[kind, field]);
            value.iter().for_each(|part| buf.extend_from_slice(part));
            Ok(())
        }
        _ => Err(UserdataError::TooLong { len: len + 2 }),
    }
}

fn decode_comment(value: &[u8]) -> Option<Comment> {
    let (0, text) = value.split_last()? else { return None };
    Comment::new(std::str::from_utf8(text).ok()?).ok()
}

fn decode_owner(value: &[u8]) -> Option<Owner> {
    let ([OWNER_VERSION, role], component) = value.split_first_chunk()? else { return None };
    let component = match component {
        [] => None,
        name => Some(WrapName::new(std::str::from_utf8(name).ok()?).ok()?),
    };
    Some(Owner { role: Role::from_code(*role)?, component })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Userdata {
        Userdata {
            comment: Some(Comment::new("web in").unwrap()),
            owner: Some(Owner { role: Role::Top, component: WrapName::new("nova-compute").ok() }),
            others: vec![Entry { kind: 9, value: [1, 2].into() }],
        }
    }

    #[test]
    fn comment_and_mark_have_the_bytes_that_other_tools_read() {
        let mut buf = Vec::new();
        full().encode(&mut buf).unwrap();
        assert_eq!(buf, b"\x00\x07web in\0\x77\x0e\x01\x01nova-compute\x09\x02\x01\x02");
        assert_eq!(Userdata::decode(&buf), Ok(full()));
        assert_eq!(Userdata::decode(&[]), Ok(Userdata::default()));
    }

    #[test]
    fn a_mark_without_a_name_is_common() {
        let mut buf = Vec::new();
        append_owner(&mut buf, Role::Bottom, None);
        assert_eq!(buf, b"\x77\x02\x01\x02");
        assert_eq!(Userdata::decode(&buf).unwrap().owner, Some(Owner { role: Role::Bottom, component: None }));
    }

    #[test]
    fn every_truncation_fails_or_ends_on_an_entry() {
        let mut buf = Vec::new();
        full().encode(&mut buf).unwrap();
        for cut in 1..buf.len() {
            assert_eq!(Userdata::decode(&buf[..cut]).is_ok(), [9, 25].contains(&cut), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_understood_survives() {
        // A comment with a line break, a mark of a later version, a second comment.
        let bytes = b"\x00\x03a\n\0\x77\x03\x02\x00x\x00\x02b\0\x00\x02c\0";
        let userdata = Userdata::decode(bytes).unwrap();
        assert_eq!(userdata.comment, Some(Comment::new("b").unwrap()));
        assert_eq!(userdata.owner, None);
        assert_eq!(userdata.others.iter().map(|e| e.kind).collect::<Vec<_>>(), [0, 0x77, 0]);
        let mut again = Vec::new();
        userdata.encode(&mut again).unwrap();
        assert_eq!(Userdata::decode(&again), Ok(userdata));
    }

    #[test]
    fn nothing_over_the_kernels_limit_is_written() {
        let with = |len: usize| Userdata { comment: Comment::new(&"c".repeat(len)).ok(), ..full() };
        let mut buf = vec![1];
        assert!(with(234).encode(&mut buf).is_err(), "comment and mark and the rest are 257 bytes");
        assert_eq!(buf, [1]);
        with(233).encode(&mut buf).unwrap();
        let mut alone = Vec::new();
        append_comment(&mut alone, &Comment::new(&"c".repeat(253)).unwrap()).unwrap();
        assert_eq!(alone.len(), 256);
        assert!(append_comment(&mut Vec::new(), &Comment::new(&"c".repeat(254)).unwrap()).is_err());
    }
}
