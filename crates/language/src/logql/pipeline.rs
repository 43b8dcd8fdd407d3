//! Tokens to tree: the stages of a pipeline.

use super::ast::{Assign, Conversion, FieldFilter, LabelFormat, LineFilter, LineOp, Operand, Stage, Unwrap};
use super::error::ParseError;
use super::lexer::Kind;
use super::parser::{Parser, matcher};

impl Parser {
    /// The next stage, or `None` when what follows is no stage.
    pub(super) fn stage(&mut self) -> Result<Option<Stage>, ParseError> {
        let op = match self.peek() {
            Kind::Punct("|=") => LineOp::Contains,
            Kind::Punct("!=") => LineOp::NotContains,
            Kind::Punct("|~") => LineOp::Regex,
            Kind::Punct("!~") => LineOp::NotRegex,
            Kind::Punct("|>") => LineOp::Pattern,
            Kind::Punct("!>") => LineOp::NotPattern,
            Kind::Punct("|") if self.peek_at(1) != &Kind::Keyword("unwrap") => {
                self.bump();
                return self.piped().map(Some);
            }
            _ => return Ok(None),
        };
        self.bump();
        let mut operands = vec![self.operand_of_line()?];
        while self.take("or") {
            operands.push(self.operand_of_line()?);
        }
        Ok(Some(Stage::Line(LineFilter { op, operands })))
    }

    fn operand_of_line(&mut self) -> Result<Operand, ParseError> {
        if self.peek() == &Kind::Function("ip") {
            return self.ip_argument().map(Operand::Ip);
        }
        self.string(&["STRING", "ip"]).map(Operand::Text)
    }

    /// `ip("...")`.
    pub(super) fn ip_argument(&mut self) -> Result<String, ParseError> {
        self.bump();
        self.expect("(", &["("])?;
        let pattern = self.string(&["STRING"])?;
        self.expect(")", &[")"])?;
        Ok(pattern)
    }

    /// What follows a `|`.
    fn piped(&mut self) -> Result<Stage, ParseError> {
        let Kind::Keyword(word) = *self.peek() else {
            return self.label_filter().map(Stage::Filter);
        };
        let stage = |parser: &mut Self| {
            parser.bump();
            Ok(match word {
                "json" => Stage::Json(parser.assigns()?),
                "logfmt" => parser.logfmt()?,
                "regexp" => Stage::Regexp(parser.string(&["STRING"])?),
                "pattern" => Stage::Pattern(parser.string(&["STRING"])?),
                "unpack" => Stage::Unpack,
                "line_format" => Stage::LineFormat(parser.string(&["STRING"])?),
                "label_format" => Stage::LabelFormat(parser.label_formats()?),
                "decolorize" => Stage::Decolorize,
                "drop" => Stage::Drop(parser.field_filters()?),
                _ => Stage::Keep(parser.field_filters()?),
            })
        };
        match word {
            "json" | "logfmt" | "regexp" | "pattern" | "unpack" | "line_format" | "label_format"
            | "decolorize" | "drop" | "keep" => stage(self),
            _ => Err(self.unexpected(&[])),
        }
    }

    fn logfmt(&mut self) -> Result<Stage, ParseError> {
        let (mut strict, mut keep_empty) = (false, false);
        loop {
            if self.take("--strict") {
                strict = true;
            } else if self.take("--keep-empty") {
                keep_empty = true;
            } else {
                return Ok(Stage::Logfmt { strict, keep_empty, fields: self.assigns()? });
            }
        }
    }

    /// `a="b", c`, or nothing.
    fn assigns(&mut self) -> Result<Vec<Assign>, ParseError> {
        let mut assigns = Vec::new();
        if !matches!(self.peek(), Kind::Identifier(_)) {
            return Ok(assigns);
        }
        loop {
            let name = self.identifier(&["IDENTIFIER"])?;
            let expression = if self.take("=") { self.string(&["STRING"])? } else { name.clone() };
            assigns.push(Assign { name, expression });
            if !self.take(",") {
                return Ok(assigns);
            }
        }
    }

    fn label_formats(&mut self) -> Result<Vec<LabelFormat>, ParseError> {
        let mut formats = Vec::new();
        loop {
            let dst = self.identifier(&["IDENTIFIER"])?;
            self.expect("=", &["="])?;
            formats.push(match self.peek().clone() {
                Kind::Identifier(src) => LabelFormat::Rename { dst, src },
                Kind::Text(template) => LabelFormat::Template { dst, template },
                _ => return Err(self.unexpected(&["IDENTIFIER", "STRING"])),
            });
            self.bump();
            if !self.take(",") {
                return Ok(formats);
            }
        }
    }

    fn field_filters(&mut self) -> Result<Vec<FieldFilter>, ParseError> {
        let mut filters = Vec::new();
        loop {
            let name = self.identifier(&["IDENTIFIER"])?;
            if matches!(self.peek(), Kind::Punct("=" | "!=" | "=~" | "!~"))
                && (matches!(self.peek(), Kind::Punct("=" | "=~"))
                    || matches!(self.peek_at(1), Kind::Text(_)))
            {
                let op = self.match_op(&[])?;
                let value = self.string(&["STRING"])?;
                filters.push(FieldFilter::Match(matcher(&name, op, &value)?));
            } else {
                filters.push(FieldFilter::Name(name));
            }
            if !self.take(",") {
                return Ok(filters);
            }
        }
    }

    /// `| unwrap x | filter`, if it comes next.
    pub(super) fn unwrap(&mut self) -> Result<Option<Unwrap>, ParseError> {
        if self.peek() != &Kind::Punct("|") || self.peek_at(1) != &Kind::Keyword("unwrap") {
            return Ok(None);
        }
        self.bump();
        self.bump();
        let conversion = match self.peek() {
            Kind::Function("bytes") => Conversion::Bytes,
            Kind::Function("duration") => Conversion::Duration,
            Kind::Function("duration_seconds") => Conversion::DurationSeconds,
            _ => Conversion::Number,
        };
        let label = if conversion == Conversion::Number {
            self.identifier(&["IDENTIFIER", "BYTES_CONV", "DURATION_CONV", "DURATION_SECONDS_CONV"])?
        } else {
            self.bump();
            self.expect("(", &["("])?;
            let label = self.identifier(&["IDENTIFIER"])?;
            self.expect(")", &[")"])?;
            label
        };
        let mut filters = Vec::new();
        while self.take("|") {
            if !matches!(self.peek(), Kind::Identifier(_) | Kind::Punct("(")) {
                return Err(self.unexpected(&["IDENTIFIER", "("]));
            }
            filters.push(self.label_filter()?);
        }
        Ok(Some(Unwrap { label, conversion, filters }))
    }
}
