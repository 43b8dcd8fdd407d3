//! Text to tree. Aliases share the node they name and merge keys are resolved here, so that nobody else knows of them;
//! what they could blow up is bounded before it is built.

use super::{DOCUMENT_BYTES_MAX, Mistake};
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Nodes of a document, an alias counting as what it names.
const NODES_MAX: usize = 1_000_000;
/// Lists and mappings in one another.
const DEPTH_MAX: usize = 100;
const MERGE: &str = "<<";
/// What `!!` stands for.
const TAGS: &str = "tag:yaml.org,2002:";

/// Line and column, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl At {
    fn of(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }

    fn mistake(self, message: impl Into<String>) -> Mistake {
        Mistake { line: self.line, column: self.column, field: String::new(), message: message.into() }
    }
}

pub(super) struct Node {
    pub(super) at: At,
    pub(super) kind: Kind,
    /// Nodes in it, itself included.
    weight: usize,
    depth: usize,
}

pub(super) enum Kind {
    /// `plain` is without quotes: `5` is a number, `"5"` is not.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Arc<Node>>),
    Mapping(Vec<Entry>),
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) at: At,
    pub(super) key: String,
    pub(super) value: Arc<Node>,
}

/// Nothing.
impl Default for Node {
    fn default() -> Self {
        let kind = Kind::Scalar { text: String::new(), plain: true };
        Self { at: At::default(), kind, weight: 1, depth: 0 }
    }
}

impl Node {
    fn new(at: At, kind: Kind) -> Result<Self, Mistake> {
        let (mut weight, mut depth) = (1, 0);
        let mut count = |node: &Node| {
            weight += node.weight;
            depth = depth.max(node.depth + 1);
        };
        match &kind {
            Kind::Scalar { .. } => {}
            Kind::List(items) => items.iter().for_each(|item| count(item)),
            Kind::Mapping(entries) => entries.iter().for_each(|entry| count(&entry.value)),
        }
        if weight > NODES_MAX {
            return Err(
                at.mistake(format!("more than {NODES_MAX} values: split the file or use fewer aliases"))
            );
        }
        if depth > DEPTH_MAX {
            return Err(at.mistake(format!("nested deeper than {DEPTH_MAX}: write it flatter")));
        }
        Ok(Self { at, kind, weight, depth })
    }

    /// Whether nothing is written here.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Where `field` stands (`a.b[2].c`), or as much of it as there is.
    pub(super) fn find(&self, field: &str) -> At {
        let (mut node, mut at) = (self, At::default());
        for part in field.split(['.', '[']).filter(|part| !part.is_empty()) {
            let next = match (&node.kind, part.strip_suffix(']')) {
                (Kind::List(items), Some(index)) => {
                    index.parse().ok().and_then(|index: usize| items.get(index)).map(|item| (item.at, item))
                }
                (Kind::Mapping(entries), None) => {
                    entries.iter().find(|entry| entry.key == part).map(|entry| (entry.at, &entry.value))
                }
                _ => None,
            };
            let Some((place, inner)) = next else { break };
            (at, node) = (place, inner);
        }
        at
    }
}

/// A list or mapping whose end has not come yet.
struct Open {
    at: At,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Arc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        places: HashMap<String, At>,
        key: Option<(At, String)>,
        merged: Vec<Entry>,
    },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Arc<Node>>,
    root: Option<Arc<Node>>,
}

pub(super) fn parse(text: &str) -> Result<Arc<Node>, Mistake> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the file has {} bytes, at most {DOCUMENT_BYTES_MAX} are read", text.len());
        return Err(At::default().mistake(message));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|error| {
            At::of(error.marker()).mistake(format!("not YAML: {}", error.info().replace('\n', ", ")))
        })?;
        builder.take(event, At::of(&span.start))?;
    }
    Ok(builder.root.unwrap_or_default())
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: At) -> Result<(), Mistake> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(at.mistake("a second document begins here: only one is read, remove the others"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = tag.as_ref().and_then(|tag| tag.suffix_in_namespace(TAGS));
                let kind = kind.as_deref();
                if kind == Some("binary") {
                    return Err(at.mistake("binary values are not read: write text"));
                }
                let plain = style == ScalarStyle::Plain && kind != Some("str");
                let node = Node::new(at, Kind::Scalar { text: text.into_owned(), plain })?;
                self.put(anchor, Arc::new(node))
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open { at, anchor, inside: Inside::List(Vec::new()) });
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, places, key, merged) = (Vec::new(), HashMap::new(), None, Vec::new());
                let inside = Inside::Mapping { entries, places, key, merged };
                self.open.push(Open { at, anchor, inside });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.put(open.anchor, Arc::new(Node::new(open.at, open.inside.close())?)),
                None => Err(at.mistake("not YAML: an end without a begin")),
            },
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => self.put(0, node),
                None => Err(at.mistake("the alias stands inside of what it names: write the value out")),
            },
            _ => Ok(()),
        }
    }

    /// Puts a finished node where it belongs: the root, a list, or a mapping's next key or value.
    fn put(&mut self, anchor: usize, node: Arc<Node>) -> Result<(), Mistake> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(node),
            Some(Inside::List(items)) => items.push(node),
            Some(Inside::Mapping { entries, places, key, merged }) => match key.take() {
                None => *key = Some(key_of(&node, places)?),
                Some((_, name)) if name == MERGE => merge(&node, merged)?,
                Some((at, key)) => entries.push(Entry { at, key, value: node }),
            },
        }
        Ok(())
    }
}

fn key_of(node: &Node, places: &mut HashMap<String, At>) -> Result<(At, String), Mistake> {
    let Kind::Scalar { text, .. } = &node.kind else {
        return Err(node.at.mistake("a key must be a word, not a list or mapping"));
    };
    match places.insert(text.clone(), node.at) {
        Some(first) if text != MERGE => {
            let mut mistake =
                node.at.mistake(format!("is written twice (first in line {}): remove one", first.line));
            mistake.field.clone_from(text);
            Err(mistake)
        }
        _ => Ok((node.at, text.clone())),
    }
}

/// What `<<` brings: one mapping or a list of them.
fn merge(node: &Node, merged: &mut Vec<Entry>) -> Result<(), Mistake> {
    if merged.len() > NODES_MAX {
        return Err(node.at.mistake(format!("<< brings more than {NODES_MAX} values: use fewer aliases")));
    }
    match &node.kind {
        Kind::Mapping(entries) => merged.extend(entries.iter().cloned()),
        Kind::List(items) => {
            for item in items {
                merge(item, merged)?;
            }
        }
        Kind::Scalar { .. } => return Err(node.at.mistake("<< takes a mapping or a list of mappings")),
    }
    Ok(())
}

impl Inside {
    fn close(self) -> Kind {
        match self {
            Self::List(items) => Kind::List(items),
            Self::Mapping { mut entries, mut places, merged, .. } => {
                // What is written wins over what is merged, the first merged over the next.
                for entry in merged {
                    if !places.contains_key(&entry.key) {
                        places.insert(entry.key.clone(), entry.at);
                        entries.push(entry);
                    }
                }
                Kind::Mapping(entries)
            }
        }
    }
}
