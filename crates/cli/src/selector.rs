//! `-l`, kubectl's label selector, and how it reads in PromQL, LogQL and TraceQL.
//!
//! Requirements: `name=value` (or `==`), `name!=value`, `name in (a,b)`, `name notin (a,b)`, `name`, `!name`; as in
//! kubectl `!=` and `notin` also hold where there is no such label. Source of the grammar: the Kubernetes page "Labels
//! and Selectors".

use crate::Failure;
use serde_json::Value;

/// One requirement of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    name: String,
    is: Is,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Is {
    In(Vec<String>),
    NotIn(Vec<String>),
    Present,
    Absent,
}

/// A text between double quotes, as PromQL, LogQL and TraceQL read it.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The requirements of `-l`; none when it was not given.
pub(crate) fn parse(selector: Option<&str>) -> Result<Vec<Requirement>, Failure> {
    let parts = selector.map(split).unwrap_or_default();
    parts.into_iter().map(|part| requirement(part.trim())).collect()
}

/// Cuts at commas that stand outside of parentheses.
fn split(selector: &str) -> Vec<&str> {
    let mut inside = false;
    let cut = |c: char| {
        inside = if inside { c != ')' } else { c == '(' };
        c == ',' && !inside
    };
    selector.split(cut).collect()
}

fn requirement(text: &str) -> Result<Requirement, Failure> {
    let one = |value: &str| vec![value.trim().to_owned()];
    let (name, is) = if let Some((name, value)) = text.split_once("!=") {
        (name, Is::NotIn(one(value)))
    } else if let Some((name, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (name, Is::In(one(value)))
    } else if let Some((name, list)) = set(text, " notin") {
        (name, Is::NotIn(list))
    } else if let Some((name, list)) = set(text, " in") {
        (name, Is::In(list))
    } else if let Some(name) = text.strip_prefix('!') {
        (name, Is::Absent)
    } else {
        (text, Is::Present)
    };
    let name = name.trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(fits) {
        return Err(Failure::usage(format!("-l: {text:?} is not name=value")).hint(
            "name=value, name!=value, name in (a,b), name notin (a,b), name or !name, separated by commas",
        ));
    }
    Ok(Requirement { name: name.to_owned(), is })
}

/// `name WORD (a,b)`.
fn set<'a>(text: &'a str, word: &str) -> Option<(&'a str, Vec<String>)> {
    let (name, list) = text.strip_suffix(')')?.split_once('(')?;
    let name = name.trim_end().strip_suffix(word)?;
    Some((name, list.split(',').map(|value| value.trim().to_owned()).collect()))
}

impl Requirement {
    /// Whether what has no such label fails it.
    pub(crate) fn needs_label(&self) -> bool {
        match &self.is {
            Is::In(values) => values.iter().all(|value| !value.is_empty()),
            Is::Present => true,
            Is::NotIn(_) | Is::Absent => false,
        }
    }

    /// As a label matcher of PromQL or LogQL; what label names may not hold is an underscore, as everywhere.
    pub(crate) fn matcher(&self) -> String {
        let name: String =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        match &self.is {
            Is::Present => format!("{name}=~\".+\""),
            Is::Absent => format!("{name}=\"\""),
            Is::In(values) => one_of(&name, ["=", "=~"], values),
            Is::NotIn(values) => one_of(&name, ["!=", "!~"], values),
        }
    }

    /// As a condition of TraceQL on a resource attribute.
    pub(crate) fn condition(&self) -> String {
        let name = format!("resource.{}", quoted(&self.name));
        let each = |op: &str, values: &[String]| {
            values.iter().map(|value| format!("{name} {op} {}", quoted(value))).collect::<Vec<_>>()
        };
        match &self.is {
            Is::Present => format!("{name} != nil"),
            Is::Absent => format!("{name} = nil"),
            Is::In(values) => format!("({})", each("=", values).join(" || ")),
            Is::NotIn(values) => format!("({} || {name} = nil)", each("!=", values).join(" && ")),
        }
    }
}

/// `name="a"`, or `name=~"a|b"` with nothing special in it; the operators for one value and for many.
fn one_of(name: &str, [equal, matches]: [&str; 2], values: &[String]) -> String {
    if let [value] = values {
        return format!("{name}{equal}{}", quoted(value));
    }
    let plain = |value: &String| {
        let mut plain = String::new();
        for c in value.chars() {
            if r"\.+*?()|[]{}^$".contains(c) {
                plain.push('\\');
            }
            plain.push(c);
        }
        plain
    };
    let values: Vec<String> = values.iter().map(plain).collect();
    format!("{name}{matches}{}", quoted(&values.join("|")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, expected: Option<(&[&str], &[&str])>) {
        let parsed = parse(Some(selector)).ok();
        let matchers = parsed.iter().flatten().map(Requirement::matcher).collect::<Vec<_>>();
        let conditions = parsed.iter().flatten().map(Requirement::condition).collect::<Vec<_>>();
        let got = parsed.as_ref().map(|_| (matchers, conditions));
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            got,
            expected.map(|(matchers, conditions)| (own(matchers), own(conditions))),
            "{selector}"
        );
    }

    #[test]
    fn every_form_reads_in_every_language() {
        check(
            "pod=a, env == b",
            Some((
                &[r#"pod="a""#, r#"env="b""#],
                &[r#"(resource."pod" = "a")"#, r#"(resource."env" = "b")"#],
            )),
        );
        check(
            "k8s.pod.name!=x\"y",
            Some((
                &[r#"k8s_pod_name!="x\"y""#],
                &[r#"(resource."k8s.pod.name" != "x\"y" || resource."k8s.pod.name" = nil)"#],
            )),
        );
        check(
            "env in (a.b, c),tier notin (d,e)",
            Some((
                &[r#"env=~"a\\.b|c""#, r#"tier!~"d|e""#],
                &[
                    r#"(resource."env" = "a.b" || resource."env" = "c")"#,
                    r#"(resource."tier" != "d" && resource."tier" != "e" || resource."tier" = nil)"#,
                ],
            )),
        );
        check(
            "env,!canary",
            Some((
                &[r#"env=~".+""#, r#"canary="""#],
                &[r#"resource."env" != nil"#, r#"resource."canary" = nil"#],
            )),
        );
        for wrong in ["", "=a", "a b", "a=b,", "1a=b", "env in a", "a\"=b"] {
            check(wrong, None);
        }
        assert_eq!(parse(None).ok(), Some(Vec::new()));
    }
}
