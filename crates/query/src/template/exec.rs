//! Walks the tree of a template and writes its output.

use super::TemplateContext;
use super::functions::{Call, Function, Kind, find};
use super::value::Value;
use language::template::{Branch, Command, Node, Operand, OperandKind, Pipe, Place, Template};
use std::rc::Rc;

/// Most nodes, commands and elements one rendering may visit.
pub const STEPS_MAX: usize = 100_000;
/// Longest output, in bytes.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of `template` calls.
const CALLS_MAX: usize = 100;

/// Whether to go on with the nodes that follow.
enum Flow {
    Next,
    Break,
    Continue,
}

struct Run<'a> {
    template: &'a Template,
    context: &'a TemplateContext<'a>,
    variables: Vec<(String, Value)>,
    out: String,
    steps: usize,
    calls: usize,
}

/// Renders `template`.
pub(super) fn run(template: &Template, context: &TemplateContext<'_>) -> Result<String, String> {
    let labels = context.labels.iter().map(|(name, value)| ((*name).to_owned(), Value::text(value)));
    let dot = Value::Labels(Rc::new(labels.collect()));
    let variables = vec![(String::new(), dot.clone())];
    let mut run = Run { template, context, variables, out: String::new(), steps: 0, calls: 0 };
    run.list(&template.body, &dot)?;
    Ok(run.out)
}

impl Run<'_> {
    fn fail(&self, at: Place, text: &str, message: &str) -> String {
        let name = &self.template.name;
        format!("template: {name}:{}:{}: executing {name:?} at <{text}>: {message}", at.line, at.column)
    }

    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.out.len() > OUTPUT_BYTES_MAX {
            let name = &self.template.name;
            return Err(format!(
                "template: {name}: exceeds {STEPS_MAX} steps or {OUTPUT_BYTES_MAX} bytes of output"
            ));
        }
        Ok(())
    }

    fn list(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        for node in nodes {
            self.step()?;
            match self.node(node, dot)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.out.push_str(&value.print());
                }
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Call { name, pipe, at } => self.call_template(name, pipe.as_ref(), *at, dot)?,
            Node::Branch { kind, pipe, body, otherwise } => {
                let scope = self.variables.len();
                let flow = self.branch(*kind, pipe, body, otherwise, dot);
                self.variables.truncate(scope);
                return flow;
            }
        }
        Ok(Flow::Next)
    }

    fn call_template(
        &mut self,
        name: &str,
        pipe: Option<&Pipe>,
        at: Place,
        dot: &Value,
    ) -> Result<(), String> {
        let template = self.template;
        let Some(body) = template.defined.get(name) else {
            return Err(self.fail(
                at,
                &format!("{{{{template {name:?}}}}}"),
                &format!("template {name:?} not defined"),
            ));
        };
        if self.calls >= CALLS_MAX {
            return Err(self.fail(at, name, &format!("exceeded maximum template depth ({CALLS_MAX})")));
        }
        let argument = pipe.map_or(Ok(Value::Nil), |pipe| self.pipe(pipe, dot))?;
        let outer = std::mem::replace(&mut self.variables, vec![(String::new(), argument.clone())]);
        self.calls += 1;
        let result = self.list(body, &argument);
        self.calls -= 1;
        self.variables = outer;
        result.map(|_| ())
    }

    fn branch(
        &mut self,
        kind: Branch,
        pipe: &Pipe,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Flow, String> {
        if kind == Branch::Range {
            return self.range(pipe, body, otherwise, dot);
        }
        let value = self.pipe(pipe, dot)?;
        match (value.is_true(), kind) {
            (true, Branch::With) => self.list(body, &value),
            (true, _) => self.list(body, dot),
            (false, _) => self.list(otherwise, dot),
        }
    }

    fn range(&mut self, pipe: &Pipe, body: &[Node], otherwise: &[Node], dot: &Value) -> Result<Flow, String> {
        let plain = Pipe { variables: Vec::new(), ..pipe.clone() };
        let value = self.pipe(&plain, dot)?;
        let items: Vec<(Value, Value)> = match &value {
            Value::List(items) => (0_i64..).map(Value::Int).zip(items.iter().cloned()).collect(),
            Value::Map(map) | Value::Labels(map) => {
                map.iter().map(|(k, v)| (Value::text(k), v.clone())).collect()
            }
            Value::Int(n) => (0..*n).take(STEPS_MAX).map(|at| (Value::Int(at), Value::Int(at))).collect(),
            Value::Nil => Vec::new(),
            other => {
                let (at, text) = place(pipe);
                return Err(self.fail(at, text, &format!("range can't iterate over {}", other.print())));
            }
        };
        if items.is_empty() {
            return self.list(otherwise, dot);
        }
        for (key, item) in items {
            self.step()?;
            let scope = self.variables.len();
            let values = if pipe.variables.len() > 1 { vec![key, item.clone()] } else { vec![item.clone()] };
            for (name, value) in pipe.variables.iter().zip(values) {
                self.bind(name, value, pipe.declares);
            }
            let flow = self.list(body, &item);
            self.variables.truncate(scope);
            if matches!(flow?, Flow::Break) {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn bind(&mut self, name: &str, value: Value, declares: bool) {
        let found = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match found {
            Some((_, slot)) if !declares => *slot = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, String> {
        let mut last = None;
        for command in &pipe.commands {
            self.step()?;
            last = Some(self.command(command, last, dot)?);
        }
        let value = last.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            self.bind(name, value.clone(), pipe.declares);
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, piped: Option<Value>, dot: &Value) -> Result<Value, String> {
        let Some((first, rest)) = command.arguments.split_first() else { return Ok(Value::Nil) };
        if let OperandKind::Function(name) = &first.kind {
            return self.call(name, command, first, rest, piped, dot);
        }
        if first.kind == OperandKind::Nil {
            return Err(self.fail(first.at, &first.text, "nil is not a command"));
        }
        let value = self.operand(first, dot)?;
        if rest.is_empty() && piped.is_none() {
            return Ok(value);
        }
        let message = match &first.kind {
            OperandKind::Field(path) => {
                format!("{} is not a method but has arguments", path.last().map_or("", String::as_str))
            }
            _ => format!("can't give argument to non-function {}", first.text),
        };
        Err(self.fail(first.at, &first.text, &message))
    }

    fn call(
        &mut self,
        name: &str,
        command: &Command,
        first: &Operand,
        rest: &[Operand],
        piped: Option<Value>,
        dot: &Value,
    ) -> Result<Value, String> {
        let Some(function) = find(name) else {
            return Err(self.fail(first.at, &first.text, &format!("{name:?} is not a defined function")));
        };
        let given = rest.len() + usize::from(piped.is_some());
        if let Some(wanted) = function.wrong_count(given) {
            let message = format!("wrong number of args for {name}: want {wanted} got {given}");
            return Err(self.fail(first.at, &first.text, &message));
        }
        let mut arguments = Vec::with_capacity(given);
        for (at, operand) in rest.iter().enumerate() {
            let value = self.operand(operand, dot)?;
            let value = coerce(function.kind(at), value, Some(operand));
            arguments.push(value.map_err(|message| self.fail(operand.at, &operand.text, &message))?);
            if (name == "and" || name == "or")
                && arguments.last().is_some_and(Value::is_true) == (name == "or")
            {
                return Ok(arguments.pop().unwrap_or(Value::Nil));
            }
        }
        if let Some(value) = piped {
            let value = coerce(function.kind(rest.len()), value, None);
            arguments.push(value.map_err(|message| self.fail(first.at, &command.text, &message))?);
        }
        let call = Call { line: self.context.line, ts_ns: self.context.ts_ns, now_ns: self.context.now_ns };
        (function.run)(&call, &arguments).map_err(|message| {
            self.fail(first.at, &command.text, &format!("error calling {name}: {message}"))
        })
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        match &operand.kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Field(path) => self.fields(operand, dot.clone(), path),
            OperandKind::Variable(name, path) => {
                let value = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = value.map_or(Value::Nil, |(_, value)| value.clone());
                self.fields(operand, value, path)
            }
            OperandKind::Chain(pipe, path) => {
                let value = self.pipe(pipe, dot)?;
                self.fields(operand, value, path)
            }
            OperandKind::Function(name) => {
                let command = Command { arguments: vec![operand.clone()], text: operand.text.clone() };
                self.call(name, &command, operand, &[], None, dot)
            }
            OperandKind::Text(text) => Ok(Value::text(text)),
            OperandKind::Bool(value) => Ok(Value::Bool(*value)),
            OperandKind::Int(value) => Ok(Value::Int(*value)),
            OperandKind::Float(value) => Ok(Value::Float(*value)),
        }
    }

    fn fields(&self, operand: &Operand, mut value: Value, path: &[String]) -> Result<Value, String> {
        for field in path {
            value = match &value {
                Value::Labels(map) => map.get(field).cloned().unwrap_or_else(|| Value::text("")),
                Value::Map(map) => map.get(field).cloned().unwrap_or(Value::Nil),
                Value::Nil => {
                    let message = format!("nil pointer evaluating interface {{}}.{field}");
                    return Err(self.fail(operand.at, &operand.text, &message));
                }
                other => {
                    let message = format!("can't evaluate field {field} in type {}", other.type_name());
                    return Err(self.fail(operand.at, &operand.text, &message));
                }
            };
        }
        Ok(value)
    }
}

/// Where a pipe starts and its first command's text.
fn place(pipe: &Pipe) -> (Place, &str) {
    let first = pipe.commands.first();
    let at = first.and_then(|command| command.arguments.first()).map(|operand| operand.at);
    (at.unwrap_or_default(), first.map_or("", |command| command.text.as_str()))
}

/// Checks a value against what the function takes; literals fail in other words than values.
fn coerce(kind: Kind, value: Value, operand: Option<&Operand>) -> Result<Value, String> {
    let fits = match (kind, &value) {
        (Kind::Any, _)
        | (Kind::Text, Value::Text(_))
        | (Kind::Int, Value::Int(_))
        | (Kind::Float, Value::Float(_))
        | (Kind::Time, Value::Time(_)) => true,
        (Kind::Float, Value::Int(_)) => return Ok(Value::Float(value.to_float())),
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    let wanted = kind.name();
    let literal = operand.is_some_and(|operand| {
        matches!(
            operand.kind,
            OperandKind::Text(_) | OperandKind::Bool(_) | OperandKind::Int(_) | OperandKind::Float(_)
        )
    });
    Err(match (literal, operand) {
        (true, Some(operand)) if kind == Kind::Text => format!("expected string; found {}", operand.text),
        (true, Some(operand)) if kind == Kind::Int => format!("expected integer; found {}", operand.text),
        _ => format!("wrong type for value; expected {wanted}; got {}", value.type_name()),
    })
}

/// A function's signature, checked before it runs.
impl Function {
    /// How many arguments are wanted, when `given` is wrong.
    fn wrong_count(&self, given: usize) -> Option<String> {
        let least = self.kinds.len() - usize::from(self.rest);
        if self.rest {
            return (given < least).then(|| format!("at least {least}"));
        }
        (given != least).then(|| least.to_string())
    }

    fn kind(&self, at: usize) -> Kind {
        self.kinds.get(at).or(self.kinds.last().filter(|_| self.rest)).copied().unwrap_or(Kind::Any)
    }
}
