//! Inputs and what they parse to, or the error they give.

use super::parse;
use crate::promql::TREE_DEPTH_MAX;
use crate::promql::ast::Span;

fn check(query: &str, expected: &str) {
    match parse(query) {
        Ok(expr) => assert_eq!(expr.to_string(), expected, "{query}"),
        Err(error) => panic!("{query}: {error}"),
    }
}

fn check_error(query: &str, expected: &str) {
    match parse(query) {
        Ok(expr) => panic!("{query} parsed as {expr}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{query}"),
    }
}

#[test]
fn queries_print_in_canonical_form() {
    for (query, expected) in [
        ("1 + 2 ^ 3 ^ -x", "1 + 2 ^ 3 ^ -x"),
        ("-1^2", "-1 ^ 2"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        (
            "a:b{x='1',y!~`.+`}[90s] @ start() offset -1h",
            "a:b{x=\"1\",y!~\".+\"}[1m30s] @ start() offset -1h",
        ),
        ("SUM(foo) BY (job,\"a.b\")", "sum by (job, \"a.b\") (foo)"),
        ("a / on() group_left(x) fill_right(-1) b", "a / on () group_left (x) fill_right (-1) b"),
        ("fill + fill(0) fill", "fill + fill (0) fill"),
        ("foo[2m*(10+5)]", "foo[2m * (10 + 5)]"),
        ("foo offset -(step()*2)", "foo offset -(step() * 2)"),
        ("max_over_time(rate(foo[5m])[1h:] offset 5m)", "max_over_time(rate(foo[5m])[1h:] offset 5m)"),
        ("rate(foo[5m] smoothed)", "rate(foo[5m] smoothed)"),
        ("{\"a.b\",\"c d\"=\"x\"}", "{\"c d\"=\"x\",__name__=\"a.b\"}"),
        ("a </ 5 >/ 3", "a </ 5 >/ 3"),
        ("foo # comment\n+ bar", "foo + bar"),
        ("sum + offset", "sum + offset"),
        ("start() + end", "start() + end"),
    ] {
        check(query, expected);
    }
}

#[test]
fn errors_say_where_and_what() {
    for (query, expected) in [
        ("", "unknown position: parse error: no expression found in input"),
        ("1 +", "1:4: parse error: unexpected end of input"),
        ("(foo", "1:5: parse error: unclosed left parenthesis"),
        ("foo{", "1:5: parse error: unexpected end of input inside braces"),
        ("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
        ("foo or 1", "1:1: parse error: set operator \"or\" not allowed in binary scalar expression"),
        (
            "rate(foo)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
        ),
        ("nope(foo)", "1:1: parse error: unknown function with name \"nope\""),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ("foo[5m] offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"),
        (
            "a\n+ on(x) group_left(x) b",
            "2:1: parse error: label \"x\" must not occur in ON and GROUP clause at once",
        ),
        (
            "topk(foo)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
        ),
        (
            "sum by foo (bar)",
            "1:8: parse error: unexpected identifier \"foo\" in grouping opts, expected \"(\"",
        ),
        ("foo{a=1}", "1:7: parse error: unexpected character inside braces: '1'"),
        ("foo[0s]", "1:5: parse error: duration must be greater than 0"),
        ("foo[5m][5m]", "1:8: parse error: ranges only allowed for vector selectors"),
    ] {
        check_error(query, expected);
    }
}

#[test]
fn spans_cover_modifiers() {
    let span = |query: &str| parse(query).map(|expr| expr.span()).unwrap_or_default();
    assert_eq!(span("  foo[5m] offset 1m  "), Span { start: 2, end: 19 });
    assert_eq!(span("sum(foo) by (x) "), Span { start: 0, end: 15 });
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    for query in ["(".repeat(100_000), "-".repeat(100_000), "1+".repeat(100_000) + "1", "abs(".repeat(9_000)]
    {
        assert!(parse(&query).is_err());
    }
    let error = parse(&(vec!["1"; TREE_DEPTH_MAX + 2].join("+"))).expect_err("too long");
    assert!(error.to_string().contains("more than 250 operators in a row"), "{error}");
}

mod round_trip {
    use super::super::parse;
    use proptest::prelude::*;

    fn selector() -> impl Strategy<Value = String> {
        let name = prop_oneof!["[a-z_:][a-z0-9_:]{0,6}", Just(String::new())];
        let matcher = (
            "[a-z_]{1,4}",
            prop_oneof![Just("="), Just("!="), Just("=~"), Just("!~")],
            "[a-z0-9 \"\\\\é]{0,4}",
        )
            .prop_map(|(name, op, value)| {
                format!("{name}{op}{}", crate::promql::quote(&regex_syntax::escape(&value)))
            });
        (name, prop::collection::vec(matcher, 0..3)).prop_map(|(name, mut matchers)| {
            if name.is_empty() {
                matchers.push("z=\"1\"".to_owned());
            }
            format!("{name}{{{}}}", matchers.join(","))
        })
    }

    fn expr() -> impl Strategy<Value = String> {
        let duration =
            prop_oneof!["[1-9]{1,2}[smhdw]", Just("step()".to_owned()), Just("(5m+1s)".to_owned())];
        let leaf = prop_oneof![
            selector(),
            (
                selector(),
                duration.clone(),
                prop_oneof![Just(""), Just(" anchored"), Just(" @ 5.5"), Just(" offset -3m")]
            )
                .prop_map(|(selector, range, rest)| format!("rate({selector}[{range}]{rest})")),
            any::<f64>().prop_filter("literals are finite", |x| x.is_finite()).prop_map(|x| x.to_string()),
        ];
        leaf.prop_recursive(4, 24, 3, move |inner| {
            let vector = prop_oneof![
                selector(),
                inner.clone().prop_map(|e| format!("vector(scalar(vector(0)*({e})))"))
            ];
            prop_oneof![
                (
                    inner.clone(),
                    prop_oneof![Just("+"), Just("^"), Just("/"), Just("> bool"), Just("%")],
                    inner.clone()
                )
                    .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
                inner.clone().prop_map(|e| format!("({e})")),
                inner.prop_map(|e| format!("-{e}")),
                vector.clone().prop_map(|e| format!("sum by (a, \"b.c\") ({e})")),
                (vector.clone(), vector.clone())
                    .prop_map(|(a, b)| format!("({a}) * on (a) group_left (c) ({b})")),
                (vector, duration.clone()).prop_map(|(e, d)| format!("max_over_time(({e})[{d}:1m])")),
            ]
        })
    }

    fn strip_spaces(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same_tree(query in expr()) {
            if let Ok(tree) = parse(&query) {
                let printed = tree.to_string();
                let again = parse(&printed).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
                prop_assert_eq!(&again.to_string(), &printed);
                let pretty = crate::promql::pretty(&tree);
                let pretty = parse(&pretty).map_err(|error| TestCaseError::fail(format!("{pretty}: {error}")))?;
                prop_assert_eq!(strip_spaces(&pretty.to_string()), strip_spaces(&printed));
            }
        }

        #[test]
        fn any_text_gives_a_tree_or_an_error(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_tokens_give_a_tree_or_an_error(tokens in prop::collection::vec(
            prop_oneof![
                Just("sum"), Just("("), Just(")"), Just("{"), Just("}"), Just("["), Just("]"), Just("5m"), Just(":"),
                Just("@"), Just("offset"), Just("by"), Just("on"), Just("a"), Just("\"x\""), Just("="), Just("-"),
                Just("start"), Just("step"), Just("fill"), Just(","), Just("1"), Just("</"), Just("bool"), Just("rate"),
            ], 0..20)) {
            let _ = parse(&tokens.join(" "));
        }
    }
}
