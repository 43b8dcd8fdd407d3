//! Tokens to tree: conditions on labels. `and`, a comma and mere juxtaposition all mean "and", which binds tighter
//! than `or`.

use super::ast::{LabelFilter, NumberOp};
use super::error::ParseError;
use super::lexer::Kind;
use super::parser::{DEPTH_MAX, Parser, matcher};
use model::MatchOp;

impl Parser {
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter, ParseError> {
        self.nested(|parser| {
            let mut left = parser.conjunction()?;
            let mut terms = 0;
            while parser.take("or") {
                parser.check_operand()?;
                terms = Self::count_term(terms)?;
                left = LabelFilter::Or(Box::new(left), Box::new(parser.conjunction()?));
            }
            Ok(left)
        })
    }

    fn conjunction(&mut self) -> Result<LabelFilter, ParseError> {
        let mut left = self.condition()?;
        let mut terms = 0;
        loop {
            if self.take("and") || self.take(",") {
                self.check_operand()?;
            } else if !matches!(self.peek(), Kind::Identifier(_) | Kind::Punct("(")) {
                return Ok(left);
            }
            terms = Self::count_term(terms)?;
            left = LabelFilter::And(Box::new(left), Box::new(self.condition()?));
        }
    }

    fn check_operand(&self) -> Result<(), ParseError> {
        let starts = matches!(self.peek(), Kind::Identifier(_) | Kind::Punct("("));
        if starts { Ok(()) } else { Err(self.unexpected(&["IDENTIFIER", "("])) }
    }

    /// Terms nest to the left, so their number is a depth.
    fn count_term(terms: usize) -> Result<usize, ParseError> {
        if terms >= DEPTH_MAX {
            return Err(ParseError::meaning(format!("more than {DEPTH_MAX} conditions in one filter")));
        }
        Ok(terms + 1)
    }

    fn condition(&mut self) -> Result<LabelFilter, ParseError> {
        if self.take("(") {
            let inner = self.label_filter()?;
            self.expect(")", &[])?;
            return Ok(inner);
        }
        let name = self.identifier(&[])?;
        let (text_op, number_op) = match self.peek() {
            Kind::Punct("=") => (Some(MatchOp::Equal), Some(NumberOp::Equal)),
            Kind::Punct("!=") => (Some(MatchOp::NotEqual), Some(NumberOp::NotEqual)),
            Kind::Punct("=~") => (Some(MatchOp::Regex), None),
            Kind::Punct("!~") => (Some(MatchOp::NotRegex), None),
            Kind::Punct("==") => (None, Some(NumberOp::Equal)),
            Kind::Punct(">") => (None, Some(NumberOp::Greater)),
            Kind::Punct(">=") => (None, Some(NumberOp::GreaterEqual)),
            Kind::Punct("<") => (None, Some(NumberOp::Less)),
            Kind::Punct("<=") => (None, Some(NumberOp::LessEqual)),
            _ => return Err(self.unexpected(&[])),
        };
        self.bump();
        self.comparison(name, text_op, number_op)
    }

    fn comparison(
        &mut self,
        name: String,
        text_op: Option<MatchOp>,
        number_op: Option<NumberOp>,
    ) -> Result<LabelFilter, ParseError> {
        match (self.peek().clone(), text_op, number_op) {
            (Kind::Text(text), Some(op), _) => {
                self.bump();
                matcher(&name, op, &text).map(LabelFilter::Text)
            }
            (Kind::Function("ip"), Some(op @ (MatchOp::Equal | MatchOp::NotEqual)), _) => {
                let pattern = self.ip_argument()?;
                Ok(LabelFilter::Ip(name, op == MatchOp::Equal, pattern))
            }
            (Kind::Duration(ns), _, Some(op)) => {
                self.bump();
                Ok(LabelFilter::Duration(name, op, ns))
            }
            (Kind::Bytes(bytes), _, Some(op)) => {
                self.bump();
                Ok(LabelFilter::Bytes(name, op, bytes))
            }
            (Kind::Number(_), _, Some(op)) => Ok(LabelFilter::Number(name, op, self.number(&[])?)),
            (Kind::Punct("-" | "+"), _, Some(op)) => self.signed(name, op),
            (_, _, None) => Err(self.unexpected(&["STRING"])),
            _ => Err(self.unexpected(&[])),
        }
    }

    fn signed(&mut self, name: String, op: NumberOp) -> Result<LabelFilter, ParseError> {
        let negative = self.peek() == &Kind::Punct("-");
        self.bump();
        if let Kind::Duration(ns) = *self.peek() {
            self.bump();
            return Ok(LabelFilter::Duration(name, op, if negative { -ns } else { ns }));
        }
        let value = self.number(&["NUMBER"])?;
        Ok(LabelFilter::Number(name, op, if negative { -value } else { value }))
    }
}
