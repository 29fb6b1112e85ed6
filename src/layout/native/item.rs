//! What a kernel rule is made of, before it is written as expressions.
//!
//! Owns: [`Item`], sixteen bytes that stand for one rule of a kernel chain.
//! Never: owns a rule; the numbers lead to the compiler's tables.
//!
//! Invariant: two items of one table are equal exactly when their expressions, comments and targets are.

/// A distinct rule of a table (or what is left of one without its key), as the compiler has numbered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// A kernel chain of a table, as the compiler has numbered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId(pub u32);

/// A set or map of a table, as the compiler has numbered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetId(pub u32);

/// A rule of a kernel chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Item {
    /// What is asked and done; with a set, beside what the set is asked.
    pub rule: RuleId,
    /// How.
    pub form: Form,
}

/// How an item does what its rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// As written.
    Plain,
    /// As written, and its jump or goto leads to this kernel chain.
    To(BodyId),
    /// The rule applies when the set holds the packet's fields.
    Member(SetId),
    /// The same, and its jump or goto leads to this kernel chain.
    MemberTo(SetId, BodyId),
    /// The map gives the number of an action, the verdict map beside it the verdict; the rule has no target.
    Choose(SetId),
    /// The map gives the value that the rule's target stores; the one in the rule is a placeholder.
    Assign(SetId),
}

impl Item {
    /// The set that it looks at.
    #[must_use]
    pub fn set(&self) -> Option<SetId> {
        match self.form {
            Form::Plain | Form::To(_) => None,
            Form::Member(set) | Form::MemberTo(set, _) | Form::Choose(set) | Form::Assign(set) => Some(set),
        }
    }
}
