//! Tokens to tree.

use super::lexer::{Kind, Token, lex};
use super::{Branch, Command, Node, Operand, OperandKind, Pipe, Place, Template};
use crate::logql::units::{parse_float, quote};

/// Longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 131_072;
/// Deepest nesting of blocks and parentheses.
pub const DEPTH_MAX: usize = 64;

/// Parses `text`. `is_function` knows the names that may be called.
///
/// # Errors
/// `template: NAME:LINE: what is wrong`, as Go prints it.
pub fn parse(name: &str, text: &str, is_function: &dyn Fn(&str) -> bool) -> Result<Template, String> {
    let wrong = |line: usize, message: &str| format!("template: {name}:{line}: {message}");
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(wrong(1, &format!("template is longer than {TEMPLATE_BYTES_MAX} bytes")));
    }
    let tokens = lex(text).map_err(|(line, message)| wrong(line, &message))?;
    let last_line = text.matches('\n').count() + 1;
    let mut parser = Parser {
        text,
        tokens,
        next: 0,
        last_line,
        depth: 0,
        ranges: 0,
        variables: vec![String::new()],
        template: Template { name: name.to_owned(), ..Template::default() },
        is_function,
    };
    let (body, end) = parser.list().map_err(|(line, message)| wrong(line, &message))?;
    if let Some((word, line)) = end {
        return Err(wrong(line, &format!("unexpected {{{{{word}}}}}")));
    }
    parser.template.body = body;
    Ok(parser.template)
}

type Fault = (usize, String);
/// `end` or `else`, and its line; `None` at the end of the text.
type End = Option<(&'static str, usize)>;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    last_line: usize,
    depth: usize,
    ranges: usize,
    variables: Vec<String>,
    template: Template,
    is_function: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    fn skip_space(&mut self) {
        while self.peek() == Some(&Kind::Space) {
            self.next += 1;
        }
    }

    fn line(&self) -> usize {
        self.tokens.get(self.next).map_or(self.last_line, |token| token.at.line)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        Err((self.line(), message.into()))
    }

    /// How an unexpected token is shown.
    fn shown(&self) -> String {
        match self.tokens.get(self.next) {
            Some(Token { kind: Kind::Close, .. }) => "\"}}\"".to_owned(),
            Some(token) => match &token.kind {
                Kind::Word(word) => format!("<{word}>"),
                _ => quote(self.text.get(token.span.0..token.span.1).unwrap_or_default()),
            },
            None => "EOF".to_owned(),
        }
    }

    fn unexpected<T>(&self, context: &str) -> Result<T, Fault> {
        self.fail(format!("unexpected {} in {context}", self.shown()))
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= DEPTH_MAX {
            return self.fail(format!("template is nested more than {DEPTH_MAX} levels deep"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Nodes up to `end`, `else` or the end of the text.
    fn list(&mut self) -> Result<(Vec<Node>, End), Fault> {
        let mut nodes = Vec::new();
        while let Some(token) = self.tokens.get(self.next) {
            let line = token.at.line;
            if let Kind::Text(text) = &token.kind {
                nodes.push(Node::Text(text.clone()));
                self.next += 1;
                continue;
            }
            self.next += 1;
            self.skip_space();
            let word = match self.peek() {
                Some(Kind::Word(word)) => word.clone(),
                _ => String::new(),
            };
            match word.as_str() {
                "end" => {
                    self.next += 1;
                    self.close("end")?;
                    return Ok((nodes, Some(("end", line))));
                }
                "else" => {
                    self.next += 1;
                    return Ok((nodes, Some(("else", line))));
                }
                _ => nodes.extend(self.nested(|parser| parser.action(&word))?),
            }
        }
        Ok((nodes, None))
    }

    fn close(&mut self, context: &str) -> Result<(), Fault> {
        self.skip_space();
        if self.peek() != Some(&Kind::Close) {
            return self.unexpected(context);
        }
        self.next += 1;
        Ok(())
    }

    fn action(&mut self, word: &str) -> Result<Option<Node>, Fault> {
        let kind = match word {
            "if" => Branch::If,
            "with" => Branch::With,
            "range" => Branch::Range,
            "break" | "continue" => {
                if self.ranges == 0 {
                    return self.fail(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                self.next += 1;
                self.close(word)?;
                return Ok(Some(if word == "break" { Node::Break } else { Node::Continue }));
            }
            "define" => return self.define().map(|()| None),
            "block" | "template" => return self.call(word).map(Some),
            _ => {
                let pipe = self.pipe("command", &Kind::Close)?;
                return Ok(Some(Node::Action(pipe)));
            }
        };
        self.next += 1;
        self.branch(kind, word).map(Some)
    }

    fn branch(&mut self, kind: Branch, context: &str) -> Result<Node, Fault> {
        let scope = self.variables.len();
        let pipe = self.pipe(context, &Kind::Close)?;
        self.ranges += usize::from(kind == Branch::Range);
        let (body, end) = self.list()?;
        self.ranges -= usize::from(kind == Branch::Range);
        let otherwise = match end {
            None => return self.fail("unexpected EOF"),
            Some(("else", _)) => self.otherwise(kind, context)?,
            Some(_) => Vec::new(),
        };
        self.variables.truncate(scope);
        Ok(Node::Branch { kind, pipe, body, otherwise })
    }

    /// What follows `else`: `}}`, or `if` (or `with`) and another branch.
    fn otherwise(&mut self, kind: Branch, context: &str) -> Result<Vec<Node>, Fault> {
        self.skip_space();
        let chained =
            matches!(self.peek(), Some(Kind::Word(word)) if word == context && kind != Branch::Range);
        if chained {
            self.next += 1;
            return self.nested(|parser| parser.branch(kind, context)).map(|node| vec![node]);
        }
        self.close("else")?;
        let (body, end) = self.list()?;
        match end {
            Some(("end", _)) => Ok(body),
            Some((word, line)) => Err((line, format!("expected end; found {{{{{word}}}}}"))),
            None => self.fail("unexpected EOF"),
        }
    }

    fn define(&mut self) -> Result<(), Fault> {
        self.next += 1;
        let name = self.template_name("define clause")?;
        self.close("define clause")?;
        self.defined_body(name)
    }

    fn defined_body(&mut self, name: String) -> Result<(), Fault> {
        let outer = std::mem::replace(&mut self.variables, vec![String::new()]);
        let (body, end) = self.list()?;
        self.variables = outer;
        if !matches!(end, Some(("end", _))) {
            return self.fail("unexpected EOF");
        }
        self.template.defined.insert(name, body);
        Ok(())
    }

    fn template_name(&mut self, context: &str) -> Result<String, Fault> {
        self.skip_space();
        let Some(Kind::Quoted(name)) = self.peek() else { return self.unexpected(context) };
        let name = name.clone();
        self.next += 1;
        Ok(name)
    }

    fn call(&mut self, word: &str) -> Result<Node, Fault> {
        let at = self.tokens.get(self.next).map(|token| token.at).unwrap_or_default();
        self.next += 1;
        let name = self.template_name(&format!("{word} clause"))?;
        self.skip_space();
        let pipe = if self.peek() == Some(&Kind::Close) && word == "template" {
            self.next += 1;
            None
        } else {
            Some(self.pipe(&format!("{word} clause"), &Kind::Close)?)
        };
        if word == "block" {
            self.defined_body(name.clone())?;
        }
        Ok(Node::Call { name, pipe, at })
    }

    /// Declarations and commands up to `end`, which is taken.
    fn pipe(&mut self, context: &str, end: &Kind) -> Result<Pipe, Fault> {
        let mut pipe = Pipe::default();
        self.skip_space();
        self.declarations(&mut pipe, context)?;
        loop {
            self.skip_space();
            match self.peek() {
                Some(kind) if kind == end => break,
                None => return self.fail("unexpected EOF"),
                _ => {
                    let command = self.command(context)?;
                    let first = command.arguments.first().map(|argument| &argument.kind);
                    let literal = matches!(
                        first,
                        Some(
                            OperandKind::Bool(_)
                                | OperandKind::Dot
                                | OperandKind::Nil
                                | OperandKind::Int(_)
                                | OperandKind::Float(_)
                                | OperandKind::Text(_)
                        )
                    );
                    if literal && !pipe.commands.is_empty() {
                        let stage = pipe.commands.len() + 1;
                        return self.fail(format!("non executable command in pipeline stage {stage}"));
                    }
                    pipe.commands.push(command);
                }
            }
        }
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        self.next += 1;
        self.variables.extend(pipe.variables.iter().filter(|_| pipe.declares).cloned());
        Ok(pipe)
    }

    /// `$x :=`, `$i, $x :=` or `$x =`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Fault> {
        let start = self.next;
        let mut names = Vec::new();
        while let Some(Kind::Variable(name)) = self.peek() {
            names.push(name.clone());
            self.next += 1;
            self.skip_space();
            match self.peek() {
                Some(Kind::Comma) if context == "range" && names.len() < 2 => {
                    self.next += 1;
                    self.skip_space();
                }
                Some(kind @ (Kind::Declare | Kind::Assign)) => {
                    pipe.declares = kind == &Kind::Declare;
                    if let Some(unknown) =
                        names.iter().find(|name| !pipe.declares && !self.variables.contains(name))
                    {
                        return self.fail(format!("undefined variable {}", quote(&format!("${unknown}"))));
                    }
                    pipe.variables = names;
                    self.next += 1;
                    return Ok(());
                }
                _ => break,
            }
        }
        self.next = start;
        Ok(())
    }

    /// Operands up to `|` (taken), `)` or `}}`.
    fn command(&mut self, context: &str) -> Result<Command, Fault> {
        let start = self.tokens.get(self.next).map_or(0, |token| token.span.0);
        let mut arguments = Vec::new();
        let mut end = start;
        loop {
            self.skip_space();
            match self.peek() {
                Some(Kind::Pipe) => {
                    self.next += 1;
                    break;
                }
                Some(Kind::Close | Kind::RightParen) | None => break,
                _ => {}
            }
            arguments.push(self.operand(context)?);
            end = self.tokens.get(self.next.saturating_sub(1)).map_or(end, |token| token.span.1);
            match self.peek() {
                Some(Kind::Space | Kind::Close | Kind::RightParen | Kind::Pipe) => {}
                _ => return self.unexpected("operand"),
            }
        }
        if arguments.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { arguments, text: self.text.get(start..end).unwrap_or_default().trim().to_owned() })
    }

    /// A term and the fields behind it.
    fn operand(&mut self, context: &str) -> Result<Operand, Fault> {
        let Some(token) = self.tokens.get(self.next).cloned() else { return self.fail("unexpected EOF") };
        let kind = self.term(&token, context)?;
        let mut at = token.at;
        let mut fields = Vec::new();
        while let Some(Token { kind: Kind::Field(field), at: place, .. }) = self.tokens.get(self.next) {
            fields.push(field.clone());
            at = *place;
            self.next += 1;
        }
        let end = self.tokens.get(self.next.saturating_sub(1)).map_or(token.span.1, |token| token.span.1);
        let text = self.text.get(token.span.0..end).unwrap_or_default().to_owned();
        let kind = match kind {
            OperandKind::Field(mut path) => {
                path.append(&mut fields);
                OperandKind::Field(path)
            }
            OperandKind::Variable(name, _) => OperandKind::Variable(name, fields),
            OperandKind::Chain(pipe, _) => OperandKind::Chain(pipe, fields),
            other if fields.is_empty() => other,
            other => {
                let pipe = Pipe { commands: vec![single(other, at, &text)], ..Pipe::default() };
                OperandKind::Chain(Box::new(pipe), fields)
            }
        };
        Ok(Operand { kind, at, text })
    }

    fn term(&mut self, token: &Token, context: &str) -> Result<OperandKind, Fault> {
        let kind = match &token.kind {
            Kind::Dot => OperandKind::Dot,
            Kind::Field(name) => OperandKind::Field(vec![name.clone()]),
            Kind::Variable(name) if self.variables.contains(name) => {
                OperandKind::Variable(name.clone(), Vec::new())
            }
            Kind::Variable(name) => {
                return self.fail(format!("undefined variable {}", quote(&format!("${name}"))));
            }
            Kind::Quoted(text) => OperandKind::Text(text.clone()),
            Kind::Char(c) => OperandKind::Int(i64::from(u32::from(*c))),
            Kind::Number(text) => match number(text) {
                Some(kind) => kind,
                None => return self.fail(format!("bad number syntax: {}", quote(text))),
            },
            Kind::LeftParen => {
                self.next += 1;
                let pipe = self.nested(|parser| parser.pipe("parenthesized pipeline", &Kind::RightParen))?;
                return Ok(OperandKind::Chain(Box::new(pipe), Vec::new()));
            }
            Kind::Word(word) => match word.as_str() {
                "true" => OperandKind::Bool(true),
                "false" => OperandKind::Bool(false),
                "nil" => OperandKind::Nil,
                name if (self.is_function)(name) => OperandKind::Function(name.to_owned()),
                name => return self.fail(format!("function {} not defined", quote(name))),
            },
            _ => return self.unexpected(context),
        };
        self.next += 1;
        Ok(kind)
    }
}

fn single(kind: OperandKind, at: Place, text: &str) -> Command {
    Command { arguments: vec![Operand { kind, at, text: text.to_owned() }], text: text.to_owned() }
}

fn number(text: &str) -> Option<OperandKind> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let whole = match lower.get(..2) {
        Some("0x") => i64::from_str_radix(lower.get(2..)?, 16).ok(),
        Some("0b") => i64::from_str_radix(lower.get(2..)?, 2).ok(),
        Some("0o") => i64::from_str_radix(lower.get(2..)?, 8).ok(),
        _ if lower.len() > 1 && lower.starts_with('0') => i64::from_str_radix(&lower, 8).ok(),
        _ => lower.parse().ok(),
    };
    whole
        .map(|value: i64| OperandKind::Int(sign * value))
        .or_else(|| parse_float(&plain).ok().map(OperandKind::Float))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(name: &str) -> bool {
        ["upper", "printf", "eq"].contains(&name)
    }

    fn fails(text: &str, error: &str) {
        let message =
            parse("line", text, &known).map(|_| ()).map_err(|message| message.replace("template: line:", ""));
        assert_eq!(message, Err(error.to_owned()), "{text}");
    }

    #[test]
    fn faults_are_told_as_go_tells_them() {
        fails("{{", "1: unclosed action");
        fails("{{ nosuch }}", "1: function \"nosuch\" not defined");
        fails("{{ if }}", "1: missing value for if");
        fails("{{ end }}", "1: unexpected {{end}}");
        fails("a\n{{ if .a }}", "2: unexpected EOF");
        fails("{{ $x }}", "1: undefined variable \"$x\"");
        fails("{{ 1.2.3 }}", "1: unexpected \".3\" in operand");
        fails("{{ break }}", "1: {{break}} outside {{range}}");
        fails("{{ (1 }}", "1: unclosed left paren");
        fails(&"{{if .a}}".repeat(1000), &format!("1: template is nested more than {DEPTH_MAX} levels deep"));
    }

    #[test]
    fn trim_markers_and_comments_vanish() {
        let template = parse("t", "a {{- /* c */ -}} b {{- .x -}} c", &known).expect("parses");
        let texts: Vec<&str> = template
            .body
            .iter()
            .filter_map(|node| if let Node::Text(t) = node { Some(t.as_str()) } else { None })
            .collect();
        assert_eq!(texts, ["a", "b", "c"]);
    }

    #[test]
    fn blocks_chain_and_nest() {
        let text = "{{if eq .a 1}}x{{else if .b}}y{{else}}z{{end}}{{range $i, $x := .l}}{{$i}}{{break}}{{end}}\
            {{define \"d\"}}q{{end}}{{template \"d\" .}}{{with $v := .a}}{{$v.b | upper}}{{end}}";
        assert_eq!(parse("t", text, &known).map(|t| (t.body.len(), t.defined.len())), Ok((4, 1)));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails_in_peace(
            parts in prop::collection::vec(
                prop::sample::select(&["{{", "}}", "if", " ", ".a", "$x", ":=", "(", ")", "|", "end", "\"s\"", "range", "-", "1"]),
                0..20,
            )
        ) {
            let _ = parse("t", &parts.concat(), &known);
        }
    }
}
