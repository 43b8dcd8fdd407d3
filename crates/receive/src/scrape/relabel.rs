//! Relabelling: Prometheus' `relabel_configs`, checked once and applied to a label set.
//!
//! Rules run on target labels when targets change, and on a series' labels the first time it is scraped; never on
//! every sample.

use md5::{Digest, Md5};
use regex::{Captures, Regex, RegexBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A label set that rules rewrite. An absent label and an empty one are the same.
pub type LabelMap = BTreeMap<String, String>;

/// Memory that one compiled expression may take.
const REGEX_BYTES_MAX: usize = 4 << 20;

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Writes the expanded replacement to the expanded target label.
    #[default]
    Replace,
    /// Keeps only what matches.
    Keep,
    /// Drops what matches.
    Drop,
    /// Keeps only what equals the target label.
    KeepEqual,
    /// Drops what equals the target label.
    DropEqual,
    /// Writes the hash modulo `modulus`.
    HashMod,
    /// Copies labels whose name matches to the expanded name.
    LabelMap,
    /// Removes labels whose name matches.
    LabelDrop,
    /// Removes labels whose name does not match.
    LabelKeep,
    /// Writes the lower case.
    Lowercase,
    /// Writes the upper case.
    Uppercase,
}

const ACTIONS: [(&str, Action); 11] = [
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

/// One entry of `relabel_configs` or `metric_relabel_configs`, as written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RelabelConfig {
    /// Labels whose values are joined.
    pub source_labels: Vec<String>,
    /// Between the joined values.
    pub separator: String,
    /// Matched against the joined value, anchored at both ends.
    pub regex: String,
    /// For `hashmod`.
    pub modulus: u64,
    /// Where the result goes.
    pub target_label: String,
    /// What is written, with `$1` and `${name}`.
    pub replacement: String,
    /// Any letter case.
    pub action: String,
}

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".into(),
            regex: "(.*)".into(),
            modulus: 0,
            target_label: String::new(),
            replacement: "$1".into(),
            action: "replace".into(),
        }
    }
}

/// A checked rule.
#[derive(Clone, Debug)]
pub struct Rule {
    action: Action,
    source_labels: Vec<String>,
    separator: String,
    regex: Regex,
    modulus: u64,
    target_label: String,
    replacement: String,
}

impl RelabelConfig {
    /// Checks and compiles the rule.
    ///
    /// # Errors
    /// The field and a sentence about it; in Prometheus' words where it has some.
    pub fn compile(&self) -> Result<Rule, (&'static str, String)> {
        let name = self.action.to_ascii_lowercase();
        let Some((_, action)) = ACTIONS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = ACTIONS.iter().map(|(known, _)| *known).collect();
            let message = format!("unknown relabel action {:?}: use {}", self.action, known.join(", "));
            return Err(("action", message));
        };
        let regex = RegexBuilder::new(&format!("^(?s:{})$", self.regex)).size_limit(REGEX_BYTES_MAX).build();
        let regex = regex.map_err(|error| ("regex", format!("{:?}: {}", self.regex, reason(&error))))?;
        self.validate(&name, *action)?;
        Ok(Rule {
            action: *action,
            source_labels: self.source_labels.clone(),
            separator: self.separator.clone(),
            regex,
            modulus: self.modulus,
            target_label: self.target_label.clone(),
            replacement: self.replacement.clone(),
        })
    }

    fn validate(&self, name: &str, action: Action) -> Result<(), (&'static str, String)> {
        use Action::{
            DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace, Uppercase,
        };
        let usual = Self::default();
        if action == HashMod && self.modulus == 0 {
            let message = "relabel configuration for hashmod requires non-zero modulus: write how many parts";
            return Err(("modulus", message.into()));
        }
        let writes = matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
        if writes && self.target_label.is_empty() {
            let message = format!("relabel configuration for {name} action requires 'target_label' value");
            return Err(("target_label", message));
        }
        if matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual)
            && self.replacement != usual.replacement
        {
            return Err((
                "replacement",
                format!("'replacement' can not be set for {name} action: remove it"),
            ));
        }
        if action == LabelMap && self.replacement.is_empty() {
            let message = format!("{:?} is invalid 'replacement' for {name} action", self.replacement);
            return Err(("replacement", message));
        }
        let plain =
            self.modulus == 0 && self.separator == usual.separator && self.replacement == usual.replacement;
        if matches!(action, KeepEqual | DropEqual) && !(plain && self.regex == usual.regex) {
            let message = format!(
                "{name} action requires only 'source_labels' and `target_label`, and no other fields"
            );
            return Err(("action", message));
        }
        let lone = plain && self.source_labels.is_empty() && self.target_label.is_empty();
        if matches!(action, LabelDrop | LabelKeep) && !lone {
            return Err(("action", format!("{name} action requires only 'regex', and no other fields")));
        }
        Ok(())
    }
}

/// The last line of a parser's report: what is wrong, without the expression drawn again.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            format!("takes more than {REGEX_BYTES_MAX} bytes of memory: shorten it")
        }
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("{}: correct it", last.trim_start_matches("error: "))
        }
    }
}

/// Applies `rules` in order; `false` when one of them drops the set.
#[must_use]
pub fn apply(rules: &[Rule], labels: &mut LabelMap) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Rule {
    fn apply(&self, labels: &mut LabelMap) -> bool {
        let value = self.joined(labels);
        match self.action {
            Action::Drop => return !self.regex.is_match(&value),
            Action::Keep => return self.regex.is_match(&value),
            Action::DropEqual => return get(labels, &self.target_label) != value,
            Action::KeepEqual => return get(labels, &self.target_label) == value,
            Action::Replace => self.replace(labels, &value),
            Action::Lowercase => set(labels, &self.target_label, value.to_lowercase()),
            Action::Uppercase => set(labels, &self.target_label, value.to_uppercase()),
            Action::HashMod => set(labels, &self.target_label, (hash(&value) % self.modulus).to_string()),
            Action::LabelMap => self.map(labels),
            Action::LabelDrop => labels.retain(|name, _| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name, _| self.regex.is_match(name)),
        }
        true
    }

    fn joined(&self, labels: &LabelMap) -> String {
        let values: Vec<&str> = self.source_labels.iter().map(|name| get(labels, name)).collect();
        values.join(&self.separator)
    }

    fn replace(&self, labels: &mut LabelMap, value: &str) {
        let Some(captures) = self.regex.captures(value) else { return };
        let target = expand(&self.target_label, &captures);
        if !target.is_empty() {
            set(labels, &target, expand(&self.replacement, &captures));
        }
    }

    fn map(&self, labels: &mut LabelMap) {
        let mut mapped = Vec::new();
        for (name, value) in labels.iter() {
            if let Some(captures) = self.regex.captures(name) {
                mapped.push((expand(&self.replacement, &captures), value.clone()));
            }
        }
        for (name, value) in mapped {
            set(labels, &name, value);
        }
    }
}

fn get<'a>(labels: &'a LabelMap, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

fn set(labels: &mut LabelMap, name: &str, value: String) {
    if value.is_empty() {
        labels.remove(name);
    } else {
        labels.insert(name.to_owned(), value);
    }
}

/// The last eight bytes of the MD5 digest, big-endian: the same number that Prometheus computes.
fn hash(value: &str) -> u64 {
    let digest: [u8; 16] = Md5::digest(value.as_bytes()).into();
    u64::try_from(u128::from_be_bytes(digest) & u128::from(u64::MAX)).unwrap_or_default()
}

/// Go's `Regexp.Expand`: `$name`, `${name}`, `$1`, `$$`; a name is as long as it can be, an unknown one is empty, and a
/// dollar that begins none of these stands for itself.
fn expand(template: &str, captures: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let Some((name, after)) = reference(rest) else {
            out.push('$');
            continue;
        };
        let group = match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The name after a dollar and what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    if let Some(inner) = text.strip_prefix('{') {
        let end = inner.find('}')?;
        let name = &inner[..end];
        return (!name.is_empty() && word(name) == end).then(|| (name, &inner[end + 1..]));
    }
    let end = word(text);
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests;
