//! `TCPMSS`: `struct xt_tcpmss_info`.

use crate::compile::CompileError;
use crate::compile::stock::Context;
use crate::compile::stock::info::{Name, read, xt_target};
use crate::nft::expr::Expr;
use crate::rule::targets::Tcpmss;
use crate::rule::{Protocol, Target};

static NAME: Name = Name::new(|| "TCPMSS".into());

/// `XT_TCPMSS_CLAMP_PMTU`.
const CLAMP_PMTU: u16 = u16::MAX;

pub(super) fn compile(mss: Tcpmss, context: &Context<'_>) -> Result<Expr, CompileError> {
    context.needs(&[Protocol::TCP], "-j TCPMSS", "needs -p tcp")?;
    let mss = match mss {
        Tcpmss::Set(CLAMP_PMTU) => {
            return Err(CompileError::Value { field: "--set-mss", reason: "takes 0 to 65534" });
        }
        Tcpmss::Set(mss) => mss,
        Tcpmss::ClampToPmtu => CLAMP_PMTU,
    };
    Ok(xt_target(&NAME, 0, &[mss, 0, 0, 0]))
}

pub(super) fn lift(info: &[u8]) -> Result<Target, &'static str> {
    let [mss, ..]: [u16; 4] = read(info)?;
    Ok(Target::Tcpmss(if mss == CLAMP_PMTU { Tcpmss::ClampToPmtu } else { Tcpmss::Set(mss) }))
}
