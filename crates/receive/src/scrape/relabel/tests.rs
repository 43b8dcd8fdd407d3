//! Relabelling as data: a rule in Prometheus' syntax, a label set, and what is left of it.

use super::*;

/// Labels as `a=1,b=2`.
fn labels(text: &str) -> LabelMap {
    text.split(',').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
}

fn read(rule: &str) -> RelabelConfig {
    crate::yaml::Document::parse(rule).expect(rule).read(&[]).expect(rule).0
}

fn check(rule: &str, before: &str, after: Option<&str>) {
    let config = read(rule);
    let rule_compiled = config.compile().expect(rule);
    let mut set = labels(before);
    let kept = apply(&[rule_compiled], &mut set);
    assert_eq!(kept.then_some(set), after.map(labels), "{rule} on {before}");
}

#[test]
fn every_action_does_what_prometheus_documents() {
    let a = "a=foo,b=bar,c=baz";
    check(
        "{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-${1}'}",
        a,
        Some("a=foo,b=bar,c=baz,d=choo-oo"),
    );
    check(
        "{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}",
        a,
        Some("a=boobam,b=bar,c=baz"),
    );
    check("{source_labels: [a], regex: 'o(.*)', target_label: d}", a, Some(a));
    check("{target_label: d, replacement: fixed}", a, Some("a=foo,b=bar,c=baz,d=fixed"));
    check("{source_labels: [a], target_label: b, replacement: ''}", a, Some("a=foo,c=baz"));
    check("{source_labels: [nothing], target_label: b}", a, Some("a=foo,c=baz"));
    check(
        "{source_labels: [a], regex: '(f)(.*)', target_label: '${1}x', replacement: '$2'}",
        a,
        Some("a=foo,b=bar,c=baz,fx=oo"),
    );
    check(
        "{source_labels: [a], target_label: d, replacement: '$1_$$-$9-$x'}",
        a,
        Some("a=foo,b=bar,c=baz,d=$--"),
    );
    check(
        "{source_labels: [a], regex: '(?P<x>.).*', target_label: d, replacement: '${x}$-'}",
        a,
        Some("a=foo,b=bar,c=baz,d=f$-"),
    );
    check("{source_labels: [a], regex: 'foo', action: keep}", a, Some(a));
    check("{source_labels: [a], regex: 'fo', action: keep}", a, None);
    check("{source_labels: [a, b], separator: '-', regex: 'foo-bar', action: Drop}", a, None);
    check("{source_labels: [a], regex: 'o', action: drop}", a, Some(a));
    check("{source_labels: [a], target_label: b, action: keepequal}", "a=1,b=1", Some("a=1,b=1"));
    check("{source_labels: [a], target_label: b, action: keepequal}", a, None);
    check("{source_labels: [a], target_label: b, action: dropequal}", "a=1,b=1", None);
    check("{source_labels: [a], target_label: b, action: dropequal}", a, Some(a));
    check(
        "{source_labels: [c], target_label: d, modulus: 1000, action: hashmod}",
        a,
        Some("a=foo,b=bar,c=baz,d=976"),
    );
    check(
        "{regex: '(b.*)', replacement: 'bar_${1}', action: labelmap}",
        "a=x,b1=y,b2=z",
        Some("a=x,b1=y,b2=z,bar_b1=y,bar_b2=z"),
    );
    check("{regex: '__meta_(.+)', action: labelmap}", "__meta_x=1", Some("__meta_x=1,x=1"));
    check("{regex: '(b.*)', action: labeldrop}", "a=x,b1=y", Some("a=x"));
    check("{regex: '(b.*)', action: labelkeep}", "a=x,b1=y", Some("b1=y"));
    check("{source_labels: [a], target_label: d, action: lowercase}", "a=FoÖ", Some("a=FoÖ,d=foö"));
    check("{source_labels: [a], target_label: d, action: UPPERCASE}", "a=foo", Some("a=foo,d=FOO"));
}

#[test]
fn a_rule_that_cannot_work_is_refused() {
    for (rule, part) in [
        ("{action: explode}", "unknown relabel action \"explode\""),
        ("{action: hashmod, target_label: d}", "non-zero modulus"),
        ("{action: replace}", "requires 'target_label' value"),
        ("{action: lowercase}", "requires 'target_label' value"),
        ("{action: lowercase, target_label: d, replacement: x}", "'replacement' can not be set"),
        ("{action: labelmap, replacement: ''}", "invalid 'replacement'"),
        ("{action: labeldrop, source_labels: [a]}", "requires only 'regex'"),
        ("{action: keepequal, source_labels: [a], target_label: b, regex: x}", "no other fields"),
        ("{target_label: d, regex: '('}", "regex: \"(\": unclosed group: correct it"),
        ("{target_label: d, regex: '(a{1000}){1000}'}", "regex: \"(a{1000}){1000}\": takes more than"),
    ] {
        let config = read(rule);
        let (field, message) = config.compile().expect_err(rule);
        assert!(format!("{field}: {message}").contains(part), "{rule}: {field}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
