//! Targets to expressions and back: one file a target, its C struct with its writing and reading.

mod checksum;
mod classify;
mod connmark;
mod ct;
mod log;
mod mark;
mod nat;
mod nflog;
mod reject;
mod tcpmss;

use super::Context;
use crate::compile::CompileError;
use crate::nft::expr::{self, Expr, Immediate, Operand, Register, Verdict};
use crate::rule::{ChainRef, Family, Target};

/// The expression of a target.
pub(super) fn compile(target: &Target, context: &Context<'_>) -> Result<Expr, CompileError> {
    Ok(match target {
        Target::Accept => verdict(Verdict::Accept),
        Target::Drop => verdict(Verdict::Drop),
        Target::Return => verdict(Verdict::Return),
        Target::Jump(ChainRef::Named(chain)) => verdict(Verdict::Jump(chain.clone())),
        Target::Goto(ChainRef::Named(chain)) => verdict(Verdict::Goto(chain.clone())),
        Target::Jump(ChainRef::Wrapped(name)) | Target::Goto(ChainRef::Wrapped(name)) => {
            return Err(CompileError::Unwrapped(name.clone()));
        }
        Target::Checksum => checksum::compile(),
        Target::Classify(class) => classify::compile(*class),
        Target::Connmark(connmark) => connmark::compile(connmark)?,
        Target::Ct(ct) => ct::compile(ct)?,
        Target::Dnat(nat) => nat::compile_dnat(nat, context)?,
        Target::Log(log) => log::compile(log)?,
        Target::Mark(mark) => mark::compile(*mark),
        Target::Masquerade(nat) => nat::compile_masquerade(nat, context)?,
        Target::Nflog(nflog) => nflog::compile(nflog)?,
        Target::Notrack => ct::compile_notrack(),
        Target::Redirect(nat) => nat::compile_redirect(nat, context)?,
        Target::Reject(reject) => reject::compile(*reject, context)?,
        Target::Snat(nat) => nat::compile_snat(nat, context)?,
        Target::Tcpmss(mss) => tcpmss::compile(*mss, context)?,
    })
}

fn verdict(verdict: Verdict) -> Expr {
    Expr::Immediate(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) })
}

/// Reads the expression that ends a rule.
pub(super) fn lift(expr: &Expr, context: &Context<'_>) -> Result<Target, &'static str> {
    Ok(match expr {
        Expr::Immediate(Immediate { dreg: Register::VERDICT, data: Operand::Verdict(verdict) }) => match verdict {
            Verdict::Accept => Target::Accept,
            Verdict::Drop => Target::Drop,
            Verdict::Return => Target::Return,
            Verdict::Jump(chain) => Target::Jump(ChainRef::Named(chain.clone())),
            Verdict::Goto(chain) => Target::Goto(ChainRef::Named(chain.clone())),
            _ => return Err("iptables has no such verdict"),
        },
        Expr::Log(log) => nflog::lift(log)?,
        Expr::Target(target) => lift_xt(target, context)?,
        _ => return Err("no iptables target has it"),
    })
}

fn lift_xt(target: &expr::Target, context: &Context<'_>) -> Result<Target, &'static str> {
    let info = &*target.info;
    match (&*target.name, target.revision, context.family) {
        ("CHECKSUM", 0, _) => checksum::lift(info),
        ("CLASSIFY", 0, _) => classify::lift(info),
        ("CONNMARK", 2, _) => connmark::lift(info),
        ("CT", 2, _) => ct::lift(info),
        ("DNAT", 2, _) => nat::lift_dnat(info, context.family),
        ("LOG", 0, _) => log::lift(info),
        ("MARK", 2, _) => mark::lift(info),
        ("MASQUERADE", 0, _) => nat::lift_masquerade(info, context.family),
        ("REDIRECT", 0, _) => nat::lift_redirect(info, context.family),
        ("REJECT", 0, _) => reject::lift(info, context.family),
        ("SNAT", 0, Family::Ipv4) | ("SNAT", 1, Family::Ipv6) => nat::lift_snat(info, context.family),
        ("TCPMSS", 0, _) => tcpmss::lift(info),
        _ => Err("this target, or this revision of it, is not known"),
    }
}
