//! Texts of answers: label sets as Prometheus prints them, and the query that Tempo's older parameters stand for.

use super::answer::AttrValue;
use std::fmt::Write as _;

/// `{name="value", ...}`.
pub(crate) fn prom_labels(labels: &[(String, AttrValue)]) -> String {
    let mut out = String::from("{");
    for (at, (name, value)) in labels.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let text = value.to_string();
        let written = if plain {
            write!(out, "{comma}{name}={text:?}")
        } else {
            write!(out, "{comma}{name:?}={text:?}")
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    out.push('}');
    out
}

/// One span filter with a condition per tag and bound.
pub(crate) fn query_of_tags(tags: &[(String, String)], min_ns: Option<i64>, max_ns: Option<i64>) -> String {
    let mut conditions: Vec<String> = tags.iter().map(|(key, value)| tag_condition(key, value)).collect();
    conditions.extend(min_ns.map(|ns| format!("duration >= {ns}ns")));
    conditions.extend(max_ns.map(|ns| format!("duration <= {ns}ns")));
    if conditions.is_empty() { "{ }".to_owned() } else { format!("{{ {} }}", conditions.join(" && ")) }
}

/// `status.code`, `name` and the root's fields are intrinsics under their older names; numbers and booleans match
/// attributes of their own type and of text.
fn tag_condition(key: &str, value: &str) -> String {
    let quoted = language::traceql::quote_string(value);
    match key {
        "name" => format!("name = {quoted}"),
        "status.code" | "status" if matches!(value, "ok" | "error" | "unset") => format!("status = {value}"),
        "error" if value == "true" => "status = error".to_owned(),
        "root.name" => format!("rootName = {quoted}"),
        "root.service.name" => format!("rootServiceName = {quoted}"),
        _ => {
            let field = format!(".{}", language::traceql::quote(key));
            let typed = value == "true" || value == "false" || value.parse::<f64>().is_ok_and(f64::is_finite);
            if typed {
                format!("({field} = {quoted} || {field} = {value})")
            } else {
                format!("{field} = {quoted}")
            }
        }
    }
}
