//! Finds what the kernel would refuse in the jumps of a table, before anything is sent.
//!
//! Owns: loops, depth, jumps to nowhere and to built-in chains.
//! Never: recurses (a chain of chains may be as long as the input); knows what foreign chains hold.
//!
//! Two walks over chains and jumps: one finds loops and an order in which every chain comes before those it jumps to,
//! the other the longest way to each chain.
//!
//! Where the truth is: `nft_chain_validate` (`net/netfilter/nf_tables_api.c`, Linux v6.12): `-EMLINK` at level
//! `NFT_JUMP_STACK_SIZE` (16), `-ELOOP` for a jump to a base chain; a goto counts like a jump.

use super::builtin::TableId;
use super::chain::{Chain, ChainKind};
use super::entry::Entry;
use super::error::{At, ModelError};
use super::refs::ChainId;
use super::table::Table;
use crate::name::ChainName;

/// How many jumps may follow each other from a built-in chain.
pub const MAX_DEPTH: usize = 15;

/// A jump: the rule with its number from 1, and the chain it leads to.
struct Edge<'t> {
    rule: usize,
    entry: &'t Entry,
    to: ChainId,
}

/// How far the walk is with a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Adds what is wrong with the table's jumps to `errors`.
pub(super) fn check(table: &Table, exists: &impl Fn(TableId, &ChainName) -> bool, errors: &mut Vec<ModelError>) {
    let before = errors.len();
    let edges = edges(table, exists, errors);
    let order = order(table, &edges, errors);
    // Depth has no meaning where jumps run in circles.
    if errors.len() == before {
        depths(table, &edges, &order, errors);
    }
}

/// The jumps of every chain to other user chains, by chain number; targets that cannot be are reported.
fn edges<'t>(
    table: &'t Table,
    exists: &impl Fn(TableId, &ChainName) -> bool,
    errors: &mut Vec<ModelError>,
) -> Vec<Vec<Edge<'t>>> {
    let missing = |chain: &Chain| chain.kind() == ChainKind::Foreign && !exists(table.id(), chain.name());
    let mut edges: Vec<Vec<Edge<'t>>> = Vec::new();
    edges.resize_with(table.node_bound(), Vec::new);
    for (id, chain) in table.nodes() {
        if !chain.is_empty() && missing(chain) {
            errors.push(ModelError::UnknownChain { table: table.id(), chain: chain.name().to_string() });
        }
        let Some(edges) = edges.get_mut(id.index()) else { continue };
        for (number, entry) in chain.rules().enumerate() {
            let Some(target) = entry.rule().chain_ref().map(|target| target.name()) else { continue };
            let Some((to, node)) = table.node(target) else { continue };
            let at = || at(table, chain, number + 1, entry);
            match node.kind() {
                ChainKind::Builtin(_) => errors.push(ModelError::BuiltinTarget { at: at(), target: target.clone() }),
                _ if missing(node) => errors.push(ModelError::UnknownTarget { at: at(), target: target.clone() }),
                _ => edges.push(Edge { rule: number + 1, entry, to }),
            }
        }
    }
    edges
}

/// Chains in an order where each comes after all that it jumps to. Jumps that close a loop are reported.
fn order(table: &Table, edges: &[Vec<Edge<'_>>], errors: &mut Vec<ModelError>) -> Vec<ChainId> {
    let mut marks = vec![Mark::New; table.node_bound()];
    let mut order = Vec::with_capacity(marks.len());
    // The way from the start to the chain that is looked at, each with the number of jumps already followed.
    let mut path: Vec<(ChainId, usize)> = Vec::new();
    for (start, _) in table.nodes() {
        if marks.get(start.index()) == Some(&Mark::New) {
            path.push((start, 0));
        }
        while let Some((id, followed)) = path.last_mut() {
            let id = *id;
            let Some(mark) = marks.get_mut(id.index()) else { break };
            *mark = Mark::Open;
            let Some(edge) = edges.get(id.index()).and_then(|edges| edges.get(*followed)) else {
                *mark = Mark::Done;
                order.push(id);
                path.pop();
                continue;
            };
            *followed += 1;
            match marks.get(edge.to.index()) {
                Some(Mark::New) => path.push((edge.to, 0)),
                Some(Mark::Open) => errors.extend(looped(table, &path, id, edge)),
                Some(Mark::Done) | None => {}
            }
        }
    }
    order
}

fn looped(table: &Table, path: &[(ChainId, usize)], id: ChainId, edge: &Edge<'_>) -> Option<ModelError> {
    let start = path.iter().position(|(on_path, _)| *on_path == edge.to)?;
    let chains = path.iter().skip(start).filter_map(|(id, _)| table.at(*id)).map(|c| c.name().clone()).collect();
    Some(ModelError::Loop { at: at_edge(table, id, edge)?, chains })
}

/// Follows the longest ways from built-in chains; a jump that leads too deep is reported where it first does.
fn depths(table: &Table, edges: &[Vec<Edge<'_>>], order: &[ChainId], errors: &mut Vec<ModelError>) {
    let mut depths: Vec<Option<usize>> = vec![None; table.node_bound()];
    for &id in order.iter().rev() {
        let builtin = table.at(id).is_some_and(|chain| matches!(chain.kind(), ChainKind::Builtin(_)));
        let known = depths.get(id.index()).copied().flatten();
        let Some(depth) = builtin.then_some(0).or(known) else { continue };
        let mut first = true;
        for edge in edges.get(id.index()).into_iter().flatten() {
            let Some(deepest) = depths.get_mut(edge.to.index()) else { continue };
            *deepest = Some(deepest.map_or(depth + 1, |known| known.max(depth + 1)));
            if depth == MAX_DEPTH
                && std::mem::take(&mut first)
                && let (Some(at), Some(target)) = (at_edge(table, id, edge), table.at(edge.to))
            {
                errors.push(ModelError::TooDeep { at, target: target.name().clone(), depth: depth + 1 });
            }
        }
    }
}

fn at_edge(table: &Table, id: ChainId, edge: &Edge<'_>) -> Option<At> {
    Some(at(table, table.at(id)?, edge.rule, edge.entry))
}

fn at(table: &Table, chain: &Chain, rule: usize, entry: &Entry) -> At {
    At { table: table.id(), chain: chain.name().clone(), rule, line: entry.line() }
}
