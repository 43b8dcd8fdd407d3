//! Go's text/template: text to tree, with Go's words for what is wrong.
//!
//! Covers actions, pipelines, variables, `if`, `with`, `range`, `break`, `continue`, `define`, `template`, `block`,
//! comments and trim markers. What functions there are, and what they do, is the evaluator's business: the parser is
//! told which names exist.

mod lexer;
mod parser;

pub use parser::{DEPTH_MAX, TEMPLATE_BYTES_MAX, parse};

use std::collections::BTreeMap;

/// A parsed template and those it defines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// The name errors mention.
    pub name: String,
    /// What to run.
    pub body: Vec<Node>,
    /// `define` and `block` by name.
    pub defined: BTreeMap<String, Vec<Node>>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Copied to the output.
    Text(String),
    /// Evaluated, its value printed unless it only declares.
    Action(Pipe),
    /// `if`, `with` or `range`.
    Branch {
        /// Which.
        kind: Branch,
        /// The condition or the collection.
        pipe: Pipe,
        /// When true, or per element.
        body: Vec<Node>,
        /// When false, or when there is no element.
        otherwise: Vec<Node>,
    },
    /// Leaves the innermost `range`.
    Break,
    /// Goes on with the next element.
    Continue,
    /// `{{template "name" pipe}}`.
    Call {
        /// Which template.
        name: String,
        /// Its dot.
        pipe: Option<Pipe>,
        /// Where.
        at: Place,
    },
}

/// What a block does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// `if`.
    If,
    /// `with`.
    With,
    /// `range`.
    Range,
}

/// Line (from 1) and bytes from the line's start (from 0), as Go prints them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 0.
    pub column: usize,
}

/// Commands, each the last argument of the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipe {
    /// Variables it sets, without their `$`.
    pub variables: Vec<String>,
    /// `:=` (true) or `=`.
    pub declares: bool,
    /// At least one, unless there are none at all.
    pub commands: Vec<Command>,
}

/// A function or a value, and arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// At least one.
    pub arguments: Vec<Operand>,
    /// The command as written.
    pub text: String,
}

/// A value, where it stands and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// What.
    pub kind: OperandKind,
    /// Where.
    pub at: Place,
    /// As written.
    pub text: String,
}

/// Kinds of values.
#[derive(Clone, Debug, PartialEq)]
pub enum OperandKind {
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a`
    Variable(String, Vec<String>),
    /// `(pipe).a`
    Chain(Box<Pipe>, Vec<String>),
    /// A function's name.
    Function(String),
    /// Text literal.
    Text(String),
    /// `true`, `false`
    Bool(bool),
    /// Whole number or character.
    Int(i64),
    /// Number with a fraction or exponent.
    Float(f64),
}
