//! Where nftwrap differs from its references on purpose: the reference does X, we do Y, because.
//!
//! The numbers in brackets are those of the defects in the reference that the decision avoids.
//!
//! # Wrapped chains
//!
//! - **Jumps.** Both managers drop every rule whose text contains `-j NAME` when a chain goes, so `inst-1` takes the
//!   jumps to `inst-10` along (nova 7.1, neutron D1); we compare the target as a whole name and take gotos as well.
//! - **Names.** Both cut names (16 for the component, neutron 11 and 28 for chains), and two chains may become one
//!   (nova 7.3, neutron D2, D40); we refuse what does not fit and what collides. Only the string facade cuts, as its
//!   callers expect, and it refuses a collision that cutting made.
//! - **Adding twice.** nova compares text, neutron stores the copy (D8); for us the same typed rule at the same place
//!   with the same tag is one rule, and stays where it was first.
//! - **Owners.** Equal rules with different tags are different rules; clearing a tag removes those with that tag and no
//!   other (D9), because each owner's removal must leave the other's rule.
//! - **Comments.** neutron ignores comments in memory and compares them in the kernel, so a rule removed without naming
//!   its comment stays there (D5); we find a rule without its comment, and remove that very one.
//! - **`$name`.** nova expands it when adding only, and inside text (7.11); we resolve it in typed rules, for adding and
//!   removing alike.
//! - **`empty_chain`.** The originals leave unwrapped rules in the kernel (7.11); ours go with the next apply.
//! - **`remove_chain("OUTPUT")`.** nova drops the shared `-A OUTPUT` rules too, as wrapped and unwrapped chains of one
//!   logical name share their rules there (7.11); here chains are told apart by kernel name.
//! - **Declaring again.** nova marks the table as changed; we do not, so an apply that changes nothing sends nothing.
//! - **Changes.** nova clears its dirty flag before the restore, neutron its removal lists (7.4, 7.8, 7.9, D3); ours is
//!   cleared after the commit, and an element removed and added again in between is just there.
//! - **Bottom.** The jump to the shared bottom chain is last only by luck of order in the originals (7.34, D11); it has
//!   a place of its own here, after every normal rule.
//! - **Tables.** The originals make every table at start (D35); we make them on first use, unless told otherwise.
//! - **`initialize_nat_table`.** neutron replaces the `nat` tables and forgets their rules; we add what is missing.
//! - **Deferral.** One flag in the originals, so an inner end is the outer's too (7.15); ours is counted and scoped.
//!
//! # The string managers
//!
//! - **`$name` in an unwrapped rule.** neutron cuts it to 28 characters and puts the component in front all the same
//!   (D40); we cut to 11 everywhere, by the one function that makes names.
//! - **`remove_rules_regex`.** nova matches a regular expression against the whole line, so that it also takes rules
//!   which name the address elsewhere (nova 7.23); we take a test on typed fields, or on the canonical line.
//! - **Rule text.** The originals paste it into the input of `iptables-restore` (nova 7.5, 7.22, neutron D6); we parse it
//!   when it is added and refuse that one rule, with the place of the mistake.
//! - **`get_traffic_counters`.** neutron lists the chain of the bare name, also for a wrapped one, and resets counters in
//!   the kernel with `zero`; we read the chain that is meant, and remember what was counted.
//! - **`apply` under deferral.** Returns a report that says so, where the originals return nothing.
//! - **Unknown chains and rules on removal.** The originals log; we return `false`, and the caller logs.
