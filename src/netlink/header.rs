//! Message headers: `nlmsghdr`, its flags, and the family header of netfilter messages, `nfgenmsg`.
//!
//! Owns: the 16 bytes in front of every netlink message and the 4 bytes in front of every netfilter message.
//! Never: knows which messages a subsystem has.
//!
//! Invariant: the same bit means different things in a get, a new and a delete request and in a reply, so each has
//! its own flag type; a bit that is not named here is kept.
//!
//! Where the truth is: `include/uapi/linux/netlink.h`, `include/uapi/linux/netfilter/nfnetlink.h` (Linux v6.12).

use bitflags::bitflags;

use super::message::MessageError;

/// `NLMSG_NOOP`: a message to skip.
pub const NLMSG_NOOP: u16 = 1;
/// `NLMSG_ERROR`: an acknowledgement, good or bad.
pub const NLMSG_ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a multipart answer.
pub const NLMSG_DONE: u16 = 3;

bitflags! {
    /// `NLM_F_*` of a request that reads.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct GetFlags: u16 {
        /// `NLM_F_REQUEST`.
        const REQUEST = 0x1;
        /// `NLM_F_ACK`: answer even when nothing went wrong.
        const ACK = 0x4;
        /// `NLM_F_ROOT`.
        const ROOT = 0x100;
        /// `NLM_F_MATCH`.
        const MATCH = 0x200;
        /// `NLM_F_DUMP`: everything, in a multipart answer.
        const DUMP = 0x300;
        const _ = !0;
    }
}

bitflags! {
    /// `NLM_F_*` of a request that makes or changes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NewFlags: u16 {
        /// `NLM_F_REQUEST`.
        const REQUEST = 0x1;
        /// `NLM_F_ACK`: answer even when nothing went wrong.
        const ACK = 0x4;
        /// `NLM_F_ECHO`: answer with the object as the kernel has made it.
        const ECHO = 0x8;
        /// `NLM_F_REPLACE`: put it in the place of an existing one.
        const REPLACE = 0x100;
        /// `NLM_F_EXCL`: fail when it exists.
        const EXCL = 0x200;
        /// `NLM_F_CREATE`: make it when it does not exist.
        const CREATE = 0x400;
        /// `NLM_F_APPEND`: at the end of the list; without it, a rule goes to the front.
        const APPEND = 0x800;
        const _ = !0;
    }
}

bitflags! {
    /// `NLM_F_*` of a request that deletes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct DeleteFlags: u16 {
        /// `NLM_F_REQUEST`.
        const REQUEST = 0x1;
        /// `NLM_F_ACK`: answer even when nothing went wrong.
        const ACK = 0x4;
        /// `NLM_F_ECHO`: answer with the object that was deleted.
        const ECHO = 0x8;
        /// `NLM_F_NONREC`: fail when it still holds something.
        const NONREC = 0x100;
        const _ = !0;
    }
}

bitflags! {
    /// `NLM_F_*` of what the kernel sends.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ReplyFlags: u16 {
        /// `NLM_F_MULTI`: more messages follow, up to `NLMSG_DONE`.
        const MULTI = 0x2;
        /// `NLM_F_DUMP_INTR`: what is dumped changed meanwhile, the answer may be inconsistent.
        const DUMP_INTR = 0x10;
        /// `NLM_F_CAPPED`: an acknowledgement that does not carry the whole request.
        const CAPPED = 0x100;
        /// `NLM_F_ACK_TLVS`: an acknowledgement with extended-ack attributes.
        const ACK_TLVS = 0x200;
        const _ = !0;
    }
}

/// `struct nlmsghdr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// `nlmsg_len`: bytes of the message, this header included, padding not.
    pub len: u32,
    /// `nlmsg_type`: subsystem in the high byte for netfilter.
    pub kind: u16,
    /// `nlmsg_flags`; see the flag types of this module.
    pub flags: u16,
    /// `nlmsg_seq`: the answer has that of the request.
    pub seq: u32,
    /// `nlmsg_pid`: the port of the socket, 0 for the kernel.
    pub port: u32,
}

impl Header {
    /// Its size in bytes.
    pub const LEN: usize = 16;

    /// The bytes, in host order.
    #[inline]
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [l0, l1, l2, l3] = self.len.to_ne_bytes();
        let [k0, k1] = self.kind.to_ne_bytes();
        let [f0, f1] = self.flags.to_ne_bytes();
        let [s0, s1, s2, s3] = self.seq.to_ne_bytes();
        let [p0, p1, p2, p3] = self.port.to_ne_bytes();
        [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3]
    }

    /// Reads the header in front of `bytes`.
    ///
    /// # Errors
    /// [`MessageError::Truncated`] when there are fewer than [`Header::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let Some(&[l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3]) = bytes.first_chunk() else {
            return Err(MessageError::Truncated { needed: Self::LEN, left: bytes.len() });
        };
        Ok(Self {
            len: u32::from_ne_bytes([l0, l1, l2, l3]),
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            seq: u32::from_ne_bytes([s0, s1, s2, s3]),
            port: u32::from_ne_bytes([p0, p1, p2, p3]),
        })
    }

    /// The flags, when the kernel sent the message.
    #[must_use]
    pub fn reply_flags(&self) -> ReplyFlags {
        ReplyFlags::from_bits_retain(self.flags)
    }
}

/// `struct nfgenmsg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FamilyHeader {
    /// `nfgen_family`: `NFPROTO_*`, 0 for all or none.
    pub family: u8,
    /// `version`: always `NFNETLINK_V0`, 0.
    pub version: u8,
    /// `res_id`, in network order on the wire: the subsystem in batch begin and end; in a dump of nf_tables the low
    /// 16 bits of the generation.
    pub res_id: u16,
}

impl FamilyHeader {
    /// Its size in bytes.
    pub const LEN: usize = 4;

    /// The header for a family, with nothing else set.
    #[must_use]
    pub const fn new(family: u8) -> Self {
        Self { family, version: 0, res_id: 0 }
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [r0, r1] = self.res_id.to_be_bytes();
        [self.family, self.version, r0, r1]
    }

    /// Reads the header in front of `bytes`; the rest are attributes.
    ///
    /// # Errors
    /// [`MessageError::Truncated`] when there are fewer than [`FamilyHeader::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), MessageError> {
        let Some((&[family, version, r0, r1], rest)) = bytes.split_first_chunk() else {
            return Err(MessageError::Truncated { needed: Self::LEN, left: bytes.len() });
        };
        Ok((Self { family, version, res_id: u16::from_be_bytes([r0, r1]) }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_went() {
        let header = Header { len: 20, kind: 0x0a06, flags: 0xc05, seq: 0x0102_0304, port: 7 };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        assert_eq!(&bytes[4..6], &0x0a06_u16.to_ne_bytes());
        let family = FamilyHeader { family: 2, version: 0, res_id: 10 };
        assert_eq!(family.encode(), [2, 0, 0, 10], "res_id is in network order");
        assert_eq!(FamilyHeader::decode(&[2, 0, 0, 10, 9]), Ok((family, &[9][..])));
    }

    #[test]
    fn every_truncation_fails() {
        for cut in 0..Header::LEN {
            assert_eq!(Header::decode(&[0; 16][..cut]), Err(MessageError::Truncated { needed: 16, left: cut }));
        }
        for cut in 0..FamilyHeader::LEN {
            assert!(FamilyHeader::decode(&[0; 4][..cut]).is_err());
        }
    }
}
