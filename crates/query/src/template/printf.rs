//! Go's `printf`: verbs, flags, width and precision.

use super::value::{Value, exponent, print_float};
use language::logql::units::quote;

/// Widest field and longest fraction; wider is cut.
const WIDTH_MAX: usize = 1_000;

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one per flag of printf")]
struct Spec {
    minus: bool,
    plus: bool,
    zero: bool,
    sharp: bool,
    space: bool,
    width: usize,
    precision: Option<usize>,
}

/// Formats `values` as `format` says; faults show as Go shows them, inside the text.
pub(super) fn printf(format: &str, values: &[Value]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+0# ".contains(*c)) {
            match flag {
                '-' => spec.minus = true,
                '+' => spec.plus = true,
                '0' => spec.zero = true,
                '#' => spec.sharp = true,
                _ => spec.space = true,
            }
        }
        spec.width = number(&mut chars, &mut values).unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(number(&mut chars, &mut values).unwrap_or(0));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match values.next() {
                None => out.extend(["%!".to_owned(), verb.to_string(), "(MISSING)".to_owned()]),
                Some(value) => out.push_str(&pad(&spec, &verb_text(&spec, verb, value), verb)),
            },
        }
    }
    let extra: Vec<String> = values.map(|value| format!("{}={}", value.type_name(), value.print())).collect();
    if !extra.is_empty() {
        out.extend(["%!(EXTRA ", &extra.join(", "), ")"]);
    }
    out
}

/// A width or precision: digits, or `*` and an argument.
fn number<'a>(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    values: &mut impl Iterator<Item = &'a Value>,
) -> Option<usize> {
    if chars.next_if_eq(&'*').is_some() {
        return usize::try_from(values.next()?.to_int()).ok().map(|n| n.min(WIDTH_MAX));
    }
    let mut found = None;
    while let Some(digit) = chars.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10)) {
        found = Some((found.unwrap_or(0) * 10 + digit as usize).min(WIDTH_MAX));
    }
    found
}

fn verb_text(spec: &Spec, verb: char, value: &Value) -> String {
    let sign = |text: String| {
        if spec.plus && !text.starts_with('-') {
            format!("+{text}")
        } else if spec.space && !text.starts_with('-') {
            format!(" {text}")
        } else {
            text
        }
    };
    let precision = spec.precision.unwrap_or(6);
    match (verb, value) {
        ('v', Value::Float(_)) => sign(value.print()),
        ('v', Value::Text(text)) if spec.sharp => quote(text),
        ('v', _) => value.print(),
        ('s', Value::Text(text)) => {
            spec.precision.map_or_else(|| text.to_string(), |n| text.chars().take(n).collect())
        }
        ('q', Value::Text(text)) => quote(text),
        ('x' | 'X', Value::Text(text)) => {
            let hex = text.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
            if verb == 'X' { hex.to_uppercase() } else { hex }
        }
        ('T', _) => value.type_name().to_owned(),
        ('t', Value::Bool(value)) => value.to_string(),
        ('d', Value::Int(value)) => sign(value.to_string()),
        ('x', Value::Int(value)) => format!("{value:x}"),
        ('X', Value::Int(value)) => format!("{value:X}"),
        ('o', Value::Int(value)) => format!("{value:o}"),
        ('b', Value::Int(value)) => format!("{value:b}"),
        ('c', Value::Int(value)) => {
            u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
        }
        ('U', Value::Int(value)) => format!("U+{value:04X}"),
        ('f' | 'F', Value::Float(value)) => sign(format!("{value:.precision$}")),
        ('e', Value::Float(value)) => sign(exponent(&format!("{value:.precision$e}"))),
        ('g', Value::Float(value)) => sign(match spec.precision {
            None => print_float(*value),
            Some(n) => significant(*value, n.max(1)),
        }),
        ('s' | 'd', Value::List(items)) => {
            format!(
                "[{}]",
                items.iter().map(|item| verb_text(spec, verb, item)).collect::<Vec<_>>().join(" ")
            )
        }
        _ => format!("%!{verb}({}={})", value.type_name(), value.print()),
    }
}

/// `digits` significant digits, trailing zeros cut.
fn significant(value: f64, digits: usize) -> String {
    let rounded: f64 = format!("{value:.*e}", digits - 1).parse().unwrap_or(value);
    print_float(rounded)
}

fn pad(spec: &Spec, text: &str, verb: char) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    let numeric = "dfFegxXob".contains(verb);
    match (spec.minus, spec.zero && numeric) {
        (true, _) => format!("{text}{}", " ".repeat(missing)),
        (false, true) => {
            let (sign, digits) = text
                .strip_prefix(['-', '+'])
                .map_or(("", text), |rest| text.split_at(text.len() - rest.len()));
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
        (false, false) => format!("{}{text}", " ".repeat(missing)),
    }
}
