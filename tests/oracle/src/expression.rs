//! nftwrap's expressions as libnftnl's.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;

use nftnl::nftnl_sys as sys;
use nftwrap::nft::expr::{
    BitwiseOp, Ct, Data, Expr, Exthdr, HashKind, Meta, Objref, Operand, Payload, Register, SetRef, SocketKey,
};
use nftwrap::nft::uapi;

/// A libnftnl expression.
#[derive(Debug)]
pub struct Expression(NonNull<sys::nftnl_expr>);

impl Drop for Expression {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `nftnl_expr_alloc` and was not given away (`into_raw` forgets the value).
        unsafe { sys::nftnl_expr_free(self.0.as_ptr()) }
    }
}

impl Expression {
    fn new(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name is a C string that lives for the call; libnftnl copies nothing and looks its table up.
        NonNull::new(unsafe { sys::nftnl_expr_alloc(name.as_ptr()) }).map(Self)
    }

    fn u8(&mut self, kind: u32, value: u8) {
        // SAFETY: the pointer is valid and ours alone; callers pass the attribute's own width, as the manual lists it.
        unsafe { sys::nftnl_expr_set_u8(self.0.as_ptr(), kind as u16, value) }
    }

    fn u16(&mut self, kind: u32, value: u16) {
        // SAFETY: as in `u8`.
        unsafe { sys::nftnl_expr_set_u16(self.0.as_ptr(), kind as u16, value) }
    }

    fn u32(&mut self, kind: u32, value: u32) {
        // SAFETY: as in `u8`.
        unsafe { sys::nftnl_expr_set_u32(self.0.as_ptr(), kind as u16, value) }
    }

    fn u64(&mut self, kind: u32, value: u64) {
        // SAFETY: as in `u8`.
        unsafe { sys::nftnl_expr_set_u64(self.0.as_ptr(), kind as u16, value) }
    }

    fn text(&mut self, kind: u32, value: &str) -> Option<()> {
        let value = CString::new(value).ok()?;
        // SAFETY: as in `u8`; libnftnl copies the string.
        unsafe { sys::nftnl_expr_set_str(self.0.as_ptr(), kind as u16, value.as_ptr()) };
        Some(())
    }

    fn data(&mut self, kind: u32, value: &Data) {
        let bytes = value.as_bytes();
        // SAFETY: as in `u8`; libnftnl copies `len` bytes into a register of 64.
        unsafe { sys::nftnl_expr_set(self.0.as_ptr(), kind as u16, bytes.as_ptr().cast(), bytes.len() as u32) };
    }

    /// The info of an xt extension, which libnftnl frees with the expression.
    fn info(&mut self, kind: u32, value: &[u8]) -> Option<()> {
        // SAFETY: a new block of at least one byte, filled with `len` bytes before it is given to libnftnl, which owns
        // it from then on and calls `free` on it.
        unsafe {
            let block = libc_malloc(value.len().max(1));
            let block = NonNull::new(block)?;
            std::ptr::copy_nonoverlapping(value.as_ptr(), block.as_ptr(), value.len());
            sys::nftnl_expr_set(self.0.as_ptr(), kind as u16, block.as_ptr().cast(), value.len() as u32);
        }
        Some(())
    }

    fn register(&mut self, kind: u32, register: Option<Register>) {
        if let Some(register) = register {
            self.u32(kind, register.0);
        }
    }

    fn nonzero(&mut self, kind: u32, value: u32) {
        if value != 0 {
            self.u32(kind, value);
        }
    }

    fn set(&mut self, name: u32, id: u32, set: &SetRef) -> Option<()> {
        self.nonzero(id, set.id);
        self.text(name, &set.name)
    }

    /// The libnftnl form of `expr`; `None` when libnftnl does not know the expression.
    #[must_use]
    pub fn build(expr: &Expr) -> Option<Self> {
        let mut e = Self::new(expr.name())?;
        e.fill(expr)?;
        Some(e)
    }

    fn fill(&mut self, expr: &Expr) -> Option<()> {
        match expr {
            Expr::Bitwise(b) => {
                self.u32(sys::NFTNL_EXPR_BITWISE_SREG, b.sreg.0);
                self.u32(sys::NFTNL_EXPR_BITWISE_DREG, b.dreg.0);
                self.u32(sys::NFTNL_EXPR_BITWISE_LEN, b.len);
                match b.op {
                    BitwiseOp::MaskXor { mask, xor } => {
                        self.data(sys::NFTNL_EXPR_BITWISE_MASK, &mask);
                        self.data(sys::NFTNL_EXPR_BITWISE_XOR, &xor);
                    }
                    BitwiseOp::Lshift(bits) => {
                        self.u32(sys::NFTNL_EXPR_BITWISE_DATA, bits);
                        self.u32(sys::NFTNL_EXPR_BITWISE_OP, uapi::NFT_BITWISE_LSHIFT);
                    }
                    BitwiseOp::Rshift(bits) => {
                        self.u32(sys::NFTNL_EXPR_BITWISE_DATA, bits);
                        self.u32(sys::NFTNL_EXPR_BITWISE_OP, uapi::NFT_BITWISE_RSHIFT);
                    }
                }
            }
            Expr::Byteorder(b) => {
                self.u32(sys::NFTNL_EXPR_BYTEORDER_SREG, b.sreg.0);
                self.u32(sys::NFTNL_EXPR_BYTEORDER_DREG, b.dreg.0);
                self.u32(sys::NFTNL_EXPR_BYTEORDER_OP, b.op.number());
                self.u32(sys::NFTNL_EXPR_BYTEORDER_LEN, b.len);
                self.u32(sys::NFTNL_EXPR_BYTEORDER_SIZE, b.size);
            }
            Expr::Cmp(c) => {
                self.u32(sys::NFTNL_EXPR_CMP_SREG, c.sreg.0);
                self.u32(sys::NFTNL_EXPR_CMP_OP, c.op.number());
                self.data(sys::NFTNL_EXPR_CMP_DATA, &c.data);
            }
            Expr::Connlimit(c) => {
                self.u32(sys::NFTNL_EXPR_CONNLIMIT_COUNT, c.count);
                self.nonzero(sys::NFTNL_EXPR_CONNLIMIT_FLAGS, c.over.into());
            }
            Expr::Counter(c) => {
                self.u64(sys::NFTNL_EXPR_CTR_PACKETS, c.packets);
                self.u64(sys::NFTNL_EXPR_CTR_BYTES, c.bytes);
            }
            Expr::Ct(c) => {
                let (key, direction) = match *c {
                    Ct::Load { key, dreg, direction } => {
                        self.u32(sys::NFTNL_EXPR_CT_DREG, dreg.0);
                        (key, direction)
                    }
                    Ct::Store { key, sreg, direction } => {
                        self.u32(sys::NFTNL_EXPR_CT_SREG, sreg.0);
                        (key, direction)
                    }
                };
                self.u32(sys::NFTNL_EXPR_CT_KEY, key.0);
                if let Some(direction) = direction {
                    self.u8(sys::NFTNL_EXPR_CT_DIR, direction as u8);
                }
            }
            Expr::Dynset(d) => {
                self.set(sys::NFTNL_EXPR_DYNSET_SET_NAME, sys::NFTNL_EXPR_DYNSET_SET_ID, &d.set)?;
                self.u32(sys::NFTNL_EXPR_DYNSET_OP, d.op.number());
                self.u32(sys::NFTNL_EXPR_DYNSET_SREG_KEY, d.sreg_key.0);
                self.register(sys::NFTNL_EXPR_DYNSET_SREG_DATA, d.sreg_data);
                if let Some(timeout) = d.timeout {
                    self.u64(sys::NFTNL_EXPR_DYNSET_TIMEOUT, timeout);
                }
                let mut flags = if d.inverted { uapi::NFT_DYNSET_F_INV } else { 0 };
                if d.exprs.len() > 1 {
                    flags |= uapi::NFT_DYNSET_F_EXPR;
                }
                self.nonzero(sys::NFTNL_EXPR_DYNSET_FLAGS, flags);
                for inner in &d.exprs {
                    let inner = Self::build(inner)?.into_raw();
                    // SAFETY: both pointers are valid; the outer expression owns the inner one from now on.
                    unsafe {
                        sys::nftnl_expr_add_expr(self.0.as_ptr(), sys::NFTNL_EXPR_DYNSET_EXPRESSIONS, inner.as_ptr())
                    }
                }
            }
            Expr::Exthdr(x) => {
                let (kind, op) = match *x {
                    Exthdr::Load { dreg, kind, offset, len, op, present } => {
                        self.u32(sys::NFTNL_EXPR_EXTHDR_DREG, dreg.0);
                        self.u32(sys::NFTNL_EXPR_EXTHDR_OFFSET, offset);
                        self.u32(sys::NFTNL_EXPR_EXTHDR_LEN, len);
                        self.nonzero(sys::NFTNL_EXPR_EXTHDR_FLAGS, present.into());
                        (kind, op)
                    }
                    Exthdr::Store { sreg, kind, offset, len, op } => {
                        self.u32(sys::NFTNL_EXPR_EXTHDR_SREG, sreg.0);
                        self.u32(sys::NFTNL_EXPR_EXTHDR_OFFSET, offset);
                        self.u32(sys::NFTNL_EXPR_EXTHDR_LEN, len);
                        (kind, op)
                    }
                    Exthdr::Strip { kind, op } => (kind, op),
                };
                self.u8(sys::NFTNL_EXPR_EXTHDR_TYPE, kind);
                self.u32(sys::NFTNL_EXPR_EXTHDR_OP, op.number());
            }
            Expr::Fib(f) => {
                self.u32(sys::NFTNL_EXPR_FIB_DREG, f.dreg.0);
                self.u32(sys::NFTNL_EXPR_FIB_RESULT, f.result.number());
                self.u32(sys::NFTNL_EXPR_FIB_FLAGS, f.flags.bits());
            }
            Expr::Hash(h) => {
                let kind = match h.kind {
                    HashKind::Jenkins { sreg, len, seed } => {
                        self.u32(sys::NFTNL_EXPR_HASH_SREG, sreg.0);
                        self.u32(sys::NFTNL_EXPR_HASH_LEN, len);
                        if let Some(seed) = seed {
                            self.u32(sys::NFTNL_EXPR_HASH_SEED, seed);
                        }
                        uapi::NFT_HASH_JENKINS
                    }
                    HashKind::Symmetric => uapi::NFT_HASH_SYM,
                };
                self.u32(sys::NFTNL_EXPR_HASH_DREG, h.dreg.0);
                self.u32(sys::NFTNL_EXPR_HASH_MODULUS, h.modulus);
                self.nonzero(sys::NFTNL_EXPR_HASH_OFFSET, h.offset);
                self.u32(sys::NFTNL_EXPR_HASH_TYPE, kind);
            }
            Expr::Immediate(i) => {
                self.u32(sys::NFTNL_EXPR_IMM_DREG, i.dreg.0);
                match &i.data {
                    Operand::Value(data) => self.data(sys::NFTNL_EXPR_IMM_DATA, data),
                    Operand::Verdict(verdict) => {
                        self.u32(sys::NFTNL_EXPR_IMM_VERDICT, verdict.code().cast_unsigned());
                        if let Some(chain) = verdict.chain() {
                            self.text(sys::NFTNL_EXPR_IMM_CHAIN, chain.as_str())?;
                        }
                    }
                }
            }
            Expr::Limit(l) => {
                self.u64(sys::NFTNL_EXPR_LIMIT_RATE, l.rate);
                self.u64(sys::NFTNL_EXPR_LIMIT_UNIT, l.unit);
                self.u32(sys::NFTNL_EXPR_LIMIT_BURST, l.burst);
                self.u32(sys::NFTNL_EXPR_LIMIT_TYPE, l.kind.number());
                self.u32(sys::NFTNL_EXPR_LIMIT_FLAGS, l.over.into());
            }
            Expr::Log(l) => {
                if let Some(prefix) = &l.prefix {
                    self.text(sys::NFTNL_EXPR_LOG_PREFIX, prefix)?;
                }
                if let Some(group) = l.group {
                    self.u16(sys::NFTNL_EXPR_LOG_GROUP, group);
                }
                if let Some(snaplen) = l.snaplen {
                    self.u32(sys::NFTNL_EXPR_LOG_SNAPLEN, snaplen);
                }
                if let Some(qthreshold) = l.qthreshold {
                    self.u16(sys::NFTNL_EXPR_LOG_QTHRESHOLD, qthreshold);
                }
                if let Some(level) = l.level {
                    self.u32(sys::NFTNL_EXPR_LOG_LEVEL, level);
                }
                if let Some(flags) = l.flags {
                    self.u32(sys::NFTNL_EXPR_LOG_FLAGS, flags);
                }
            }
            Expr::Lookup(l) => {
                self.u32(sys::NFTNL_EXPR_LOOKUP_SREG, l.sreg.0);
                self.register(sys::NFTNL_EXPR_LOOKUP_DREG, l.dreg);
                self.set(sys::NFTNL_EXPR_LOOKUP_SET, sys::NFTNL_EXPR_LOOKUP_SET_ID, &l.set)?;
                self.nonzero(sys::NFTNL_EXPR_LOOKUP_FLAGS, l.inverted.into());
            }
            Expr::Masq(m) => {
                self.nonzero(sys::NFTNL_EXPR_MASQ_FLAGS, m.flags.bits());
                self.register(sys::NFTNL_EXPR_MASQ_REG_PROTO_MIN, m.proto_min);
                self.register(sys::NFTNL_EXPR_MASQ_REG_PROTO_MAX, m.proto_max);
            }
            Expr::Match(m) => {
                self.text(sys::NFTNL_EXPR_MT_NAME, &m.name)?;
                self.u32(sys::NFTNL_EXPR_MT_REV, m.revision);
                self.info(sys::NFTNL_EXPR_MT_INFO, &m.info)?;
            }
            Expr::Meta(m) => match *m {
                Meta::Load { key, dreg } => {
                    self.u32(sys::NFTNL_EXPR_META_KEY, key.0);
                    self.u32(sys::NFTNL_EXPR_META_DREG, dreg.0);
                }
                Meta::Store { key, sreg } => {
                    self.u32(sys::NFTNL_EXPR_META_KEY, key.0);
                    self.u32(sys::NFTNL_EXPR_META_SREG, sreg.0);
                }
            },
            Expr::Nat(n) => {
                self.u32(sys::NFTNL_EXPR_NAT_TYPE, n.kind.number());
                self.u32(sys::NFTNL_EXPR_NAT_FAMILY, n.family.nfproto().into());
                self.register(sys::NFTNL_EXPR_NAT_REG_ADDR_MIN, n.addr_min);
                self.register(sys::NFTNL_EXPR_NAT_REG_ADDR_MAX, n.addr_max);
                self.register(sys::NFTNL_EXPR_NAT_REG_PROTO_MIN, n.proto_min);
                self.register(sys::NFTNL_EXPR_NAT_REG_PROTO_MAX, n.proto_max);
                self.nonzero(sys::NFTNL_EXPR_NAT_FLAGS, n.flags.bits());
            }
            Expr::Notrack(_) => {}
            Expr::Numgen(n) => {
                self.u32(sys::NFTNL_EXPR_NG_DREG, n.dreg.0);
                self.u32(sys::NFTNL_EXPR_NG_MODULUS, n.modulus);
                self.u32(sys::NFTNL_EXPR_NG_TYPE, n.kind.number());
                self.nonzero(sys::NFTNL_EXPR_NG_OFFSET, n.offset);
            }
            Expr::Objref(Objref::Name { kind, name }) => {
                self.u32(sys::NFTNL_EXPR_OBJREF_IMM_TYPE, *kind);
                self.text(sys::NFTNL_EXPR_OBJREF_IMM_NAME, name)?;
            }
            Expr::Objref(Objref::Map { set, sreg }) => {
                self.u32(sys::NFTNL_EXPR_OBJREF_SET_SREG, sreg.0);
                self.set(sys::NFTNL_EXPR_OBJREF_SET_NAME, sys::NFTNL_EXPR_OBJREF_SET_ID, set)?;
            }
            Expr::Payload(Payload::Load { dreg, base, offset, len }) => {
                self.u32(sys::NFTNL_EXPR_PAYLOAD_DREG, dreg.0);
                self.u32(sys::NFTNL_EXPR_PAYLOAD_BASE, base.number());
                self.u32(sys::NFTNL_EXPR_PAYLOAD_OFFSET, *offset);
                self.u32(sys::NFTNL_EXPR_PAYLOAD_LEN, *len);
            }
            Expr::Payload(Payload::Store { sreg, base, offset, len, csum_type, csum_offset, csum_flags }) => {
                self.u32(sys::NFTNL_EXPR_PAYLOAD_SREG, sreg.0);
                self.u32(sys::NFTNL_EXPR_PAYLOAD_BASE, base.number());
                self.u32(sys::NFTNL_EXPR_PAYLOAD_OFFSET, *offset);
                self.u32(sys::NFTNL_EXPR_PAYLOAD_LEN, *len);
                self.nonzero(sys::NFTNL_EXPR_PAYLOAD_CSUM_TYPE, *csum_type);
                self.nonzero(sys::NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, *csum_offset);
                self.nonzero(sys::NFTNL_EXPR_PAYLOAD_FLAGS, *csum_flags);
            }
            Expr::Quota(q) => {
                self.u64(sys::NFTNL_EXPR_QUOTA_BYTES, q.bytes);
                if q.consumed != 0 {
                    self.u64(sys::NFTNL_EXPR_QUOTA_CONSUMED, q.consumed);
                }
                self.nonzero(sys::NFTNL_EXPR_QUOTA_FLAGS, q.over.into());
            }
            Expr::Range(r) => {
                self.u32(sys::NFTNL_EXPR_RANGE_SREG, r.sreg.0);
                self.u32(sys::NFTNL_EXPR_RANGE_OP, r.op.number());
                self.data(sys::NFTNL_EXPR_RANGE_FROM_DATA, &r.from);
                self.data(sys::NFTNL_EXPR_RANGE_TO_DATA, &r.to);
            }
            Expr::Redir(r) => {
                self.register(sys::NFTNL_EXPR_REDIR_REG_PROTO_MIN, r.proto_min);
                self.register(sys::NFTNL_EXPR_REDIR_REG_PROTO_MAX, r.proto_max);
                self.nonzero(sys::NFTNL_EXPR_REDIR_FLAGS, r.flags.bits());
            }
            Expr::Reject(r) => {
                self.u32(sys::NFTNL_EXPR_REJECT_TYPE, r.kind.number());
                self.u8(sys::NFTNL_EXPR_REJECT_CODE, r.code);
            }
            Expr::Socket(s) => {
                let (key, level) = match s.key {
                    SocketKey::Transparent => (uapi::NFT_SOCKET_TRANSPARENT, None),
                    SocketKey::Mark => (uapi::NFT_SOCKET_MARK, None),
                    SocketKey::Wildcard => (uapi::NFT_SOCKET_WILDCARD, None),
                    SocketKey::Cgroupv2 { level } => (uapi::NFT_SOCKET_CGROUPV2, Some(level)),
                };
                self.u32(sys::NFTNL_EXPR_SOCKET_KEY, key);
                self.u32(sys::NFTNL_EXPR_SOCKET_DREG, s.dreg.0);
                if let Some(level) = level {
                    self.u32(sys::NFTNL_EXPR_SOCKET_LEVEL, level);
                }
            }
            Expr::Target(t) => {
                self.text(sys::NFTNL_EXPR_TG_NAME, &t.name)?;
                self.u32(sys::NFTNL_EXPR_TG_REV, t.revision);
                self.info(sys::NFTNL_EXPR_TG_INFO, &t.info)?;
            }
            Expr::Tproxy(t) => {
                self.u32(sys::NFTNL_EXPR_TPROXY_FAMILY, t.family.into());
                self.register(sys::NFTNL_EXPR_TPROXY_REG_ADDR, t.addr);
                self.register(sys::NFTNL_EXPR_TPROXY_REG_PORT, t.port);
            }
            _ => return None,
        }
        Some(())
    }

    /// Gives the expression away, to a rule or another expression.
    pub(crate) fn into_raw(self) -> NonNull<sys::nftnl_expr> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// What libnftnl prints for it (`nft --debug=netlink`), without the brackets around it.
    #[must_use]
    pub fn listing(&self) -> String {
        let mut text = vec![0u8; 8192];
        // SAFETY: the buffer is as long as it says; libnftnl ends the text with a NUL inside it.
        unsafe {
            sys::nftnl_expr_snprintf(
                text.as_mut_ptr().cast::<c_char>(),
                text.len(),
                self.0.as_ptr(),
                sys::NFTNL_OUTPUT_DEFAULT,
                0,
            );
        }
        CStr::from_bytes_until_nul(&text).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// A block of the C heap.
fn libc_malloc(len: usize) -> *mut u8 {
    // SAFETY: `malloc` takes any size.
    unsafe { sys::libc::malloc(len) }.cast()
}
