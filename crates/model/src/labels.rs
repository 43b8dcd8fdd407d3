//! Label sets: what names a series or a log stream.
//!
//! A set is sorted by name (byte order), holds each name once and no empty value: two sets that Prometheus calls
//! equal are equal here, byte for byte. Cloning is one reference count.

use std::fmt;
use std::sync::Arc;

/// The label that carries a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// One name and its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Any UTF-8 but the empty string.
    pub name: Arc<str>,
    /// Never empty: a label with an empty value does not exist.
    pub value: Arc<str>,
}

/// A sorted, duplicate-free label set.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[Label]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Labels {
    /// The empty set.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sorts by name, drops empty values; of a name that comes twice the last value stays.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.push(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// From labels that are sorted by name, distinct and not empty, as another set's were.
    #[must_use]
    pub fn from_sorted(labels: Vec<Label>) -> Self {
        debug_assert!(labels.windows(2).all(|pair| pair[0].name < pair[1].name), "{labels:?}");
        Self(labels.into())
    }

    /// The value of `name`, if the set has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|label| (*label.name).cmp(name)).ok().map(|at| &*self.0[at].value)
    }

    /// The metric name, or `""`.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or_default()
    }

    /// In name order.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// How many labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels whose names `keep` accepts.
    #[must_use]
    pub fn retain(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|label| keep(&label.name)).cloned().collect())
    }

    /// A builder that starts from this set.
    #[must_use]
    pub fn builder(&self) -> LabelsBuilder {
        LabelsBuilder { labels: self.0.to_vec() }
    }

    /// xxh3-128 over `name 0xFF value 0xFF ...` in name order. Frozen: it is written to disk.
    #[must_use]
    pub fn hash128(&self) -> u128 {
        let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
        for label in self {
            hasher.update(label.name.as_bytes());
            hasher.update(&[0xFF]);
            hasher.update(label.value.as_bytes());
            hasher.update(&[0xFF]);
        }
        hasher.digest128()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self::from_pairs(pairs)
    }
}

impl fmt::Display for Labels {
    /// `name{a="b", c="d"}` as Prometheus prints a series.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        f.write_str(name)?;
        let mut rest = self.iter().filter(|label| &*label.name != METRIC_NAME).peekable();
        if rest.peek().is_none() && !name.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (at, label) in rest.enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            if is_legacy_label_name(&label.name) {
                write!(f, "{comma}{}={:?}", label.name, &*label.value)?;
            } else {
                write!(f, "{comma}{:?}={:?}", &*label.name, &*label.value)?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether `name` needs no quotes in a selector: `[a-zA-Z_][a-zA-Z0-9_]*`.
#[must_use]
pub fn is_legacy_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Collects labels in any order.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    labels: Vec<Label>,
}

impl LabelsBuilder {
    /// Appends without looking for an earlier value; [`build`](Self::build) keeps the last.
    pub fn push(&mut self, name: &str, value: &str) {
        self.labels.push(Label { name: name.into(), value: value.into() });
    }

    /// Sets `name`; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        if !value.is_empty() {
            self.push(name, value);
        }
    }

    /// Removes `name`.
    pub fn remove(&mut self, name: &str) {
        self.labels.retain(|label| &*label.name != name);
    }

    /// The last value pushed for `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.labels.iter().rev().find(|label| &*label.name == name).map(|label| &*label.value)
    }

    /// The set: sorted, last value of a name wins, empty values dropped.
    #[must_use]
    pub fn build(mut self) -> Labels {
        self.labels.sort_by(|a, b| a.name.cmp(&b.name));
        let mut kept: Vec<Label> = Vec::with_capacity(self.labels.len());
        for label in self.labels {
            match kept.last_mut() {
                Some(last) if last.name == label.name => *last = label,
                _ => kept.push(label),
            }
        }
        kept.retain(|label| !label.value.is_empty());
        Labels(kept.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_sorted_without_duplicates_or_empty_values() {
        let labels = Labels::from_pairs([("b", "1"), ("a", "x"), ("b", "2"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"{a="x", b="2"}"#);
        assert_eq!(labels.get("b"), Some("2"));
        assert_eq!(labels.get("c"), None);
    }

    #[test]
    fn the_hash_is_frozen() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "api")]);
        assert_eq!(labels.hash128(), Labels::from_pairs([("job", "api"), ("__name__", "up")]).hash128());
        assert_ne!(labels.hash128(), Labels::from_pairs([("__name__", "upjob"), ("job", "api")]).hash128());
    }

    #[test]
    fn names_outside_the_legacy_alphabet_are_quoted() {
        let labels = Labels::from_pairs([("__name__", "up"), ("a.b", "x\"y")]);
        assert_eq!(labels.to_string(), r#"up{"a.b"="x\"y"}"#);
    }
}
