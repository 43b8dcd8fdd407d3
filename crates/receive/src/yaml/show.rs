//! Tree to text that anybody may see: block YAML with every secret masked, whatever it is written like.

use super::node::{Entry, Kind, Node};

const MASK: &str = "<secret>";
/// What Prometheus puts in the place of a URL's password.
const URL_MASK: &str = "xxxxx";

/// Parts of keys whose values are secrets.
const SECRET_PARTS: &[&str] = &[
    "password",
    "passphrase",
    "secret",
    "token",
    "credentials",
    "authorization",
    "api_key",
    "apikey",
    "cookie",
];
/// Whole keys whose values are secrets, beside those that end in `_key`.
const SECRET_KEYS: &[&str] = &["key", "basic_auth", "auth"];
/// Mappings of header names to what may be a secret.
const HEADERS: &[&str] = &["headers", "http_headers", "proxy_connect_header"];
/// Ends of keys that name where a secret is, not the secret.
const HARMLESS_ENDS: &[&str] = &["_file", "_files", "_url", "_ref", "_id", "_type"];
/// Mappings whose values become labels: seen by everybody who may query.
const LABELS: &[&str] = &["labels", "external_labels"];
/// The key below a header that names where its values are.
const FILES: &str = "files";

/// What the values below a key are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// A key decides.
    Look,
    /// Labels.
    Open,
    /// Headers: all of it is secret.
    Hide,
}

pub(super) fn masked(root: &Node, wanted: impl Fn(&str) -> bool) -> String {
    let lines = match &root.kind {
        Kind::Mapping(entries) => entries
            .iter()
            .filter(|entry| wanted(&entry.key))
            .flat_map(|entry| member(entry, Care::Look))
            .collect(),
        _ if root.is_null() => Vec::new(),
        _ => lines(root, Care::Look),
    };
    lines.into_iter().map(|line| line + "\n").collect()
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let named = SECRET_KEYS.contains(&key.as_str())
        || key.ends_with("_key")
        || SECRET_PARTS.iter().any(|part| key.contains(part));
    named && !HARMLESS_ENDS.iter().any(|end| key.ends_with(end))
}

fn lines(node: &Node, care: Care) -> Vec<String> {
    match &node.kind {
        Kind::Scalar { text, plain } => vec![scalar(node, text, *plain, care)],
        Kind::List(items) if items.is_empty() => vec!["[]".into()],
        Kind::Mapping(entries) if entries.is_empty() => vec!["{}".into()],
        Kind::List(items) => items.iter().flat_map(|item| indented(lines(item, care), "- ")).collect(),
        Kind::Mapping(entries) => entries.iter().flat_map(|entry| member(entry, care)).collect(),
    }
}

fn member(entry: &Entry, care: Care) -> Vec<String> {
    let key = entry.key.as_str();
    let is_scalar = matches!(entry.value.kind, Kind::Scalar { .. });
    let care = match care {
        Care::Open => Care::Open,
        Care::Hide if key == FILES => Care::Look,
        Care::Hide => Care::Hide,
        Care::Look if LABELS.contains(&key) => Care::Open,
        Care::Look if HEADERS.contains(&key) => Care::Hide,
        // `authorization` and `basic_auth` are mappings of their own keys.
        Care::Look if is_secret(key) && (is_scalar || !matches!(key, "authorization" | "basic_auth")) => {
            Care::Hide
        }
        Care::Look => Care::Look,
    };
    let key = if plain_word(key) { key.to_owned() } else { quoted(key) };
    let inner = lines(&entry.value, care);
    let empty = matches!(&entry.value.kind, Kind::List(items) if items.is_empty())
        || matches!(&entry.value.kind, Kind::Mapping(entries) if entries.is_empty());
    if is_scalar || empty {
        return vec![format!("{key}: {}", inner.concat()).trim_end().to_owned()];
    }
    let begin = if matches!(entry.value.kind, Kind::Mapping(_)) { "  " } else { "" };
    std::iter::once(format!("{key}:")).chain(inner.into_iter().map(|line| format!("{begin}{line}"))).collect()
}

/// The first line after `begin`, the others below it.
fn indented(lines: Vec<String>, begin: &str) -> Vec<String> {
    let with =
        |(at, line): (usize, String)| if at == 0 { format!("{begin}{line}") } else { format!("  {line}") };
    lines.into_iter().enumerate().map(with).collect()
}

fn scalar(node: &Node, text: &str, plain: bool, care: Care) -> String {
    if node.is_null() || (text.is_empty() && plain) {
        return "null".into();
    }
    match care {
        Care::Hide => MASK.into(),
        Care::Open => written(text, plain),
        Care::Look => written(&redact_url(text), plain),
    }
}

fn written(text: &str, plain: bool) -> String {
    if plain && !text.contains('\n') { text.to_owned() } else { quoted(text) }
}

fn plain_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// A JSON string is a YAML one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `text`; when it is a URL, without the password of its user and without the values of parameters that sound secret.
#[must_use]
pub fn redact_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        None => authority.to_owned(),
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{URL_MASK}@{host}"),
            None => format!("{URL_MASK}@{host}"),
        },
    };
    let Some((path, query)) = path.split_once('?') else { return format!("{scheme}://{authority}{path}") };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={URL_MASK}"),
        _ => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(pair).collect();
    format!("{scheme}://{authority}{path}?{}", query.join("&"))
}
