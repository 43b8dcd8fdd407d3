//! The grammar by example: what a text means (printed with every operator's grouping), what is refused, by whom.

use super::*;

fn check_prints(text: &str, expected: &str) {
    let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(query.to_string(), expected, "{text}");
    assert_eq!(parse(expected).as_ref(), Ok(&query), "{expected}");
}

fn check_refused(text: &str, kind: ErrorKind, offset: usize, words: &str) {
    let error = check(text).expect_err(text);
    assert_eq!((error.kind, error.offset), (kind, offset), "{text}: {error}");
    assert!(error.message.contains(words), "{text}: {error}");
}

#[test]
fn operators_group_by_how_tightly_they_bind() {
    check_prints("{.a=1||.b=2&&.c=3}", "{ .a = 1 || .b = 2 && .c = 3 }");
    check_prints("{.a=1||(.b=2&&.c=3)}", "{ .a = 1 || (.b = 2 && .c = 3) }");
    check_prints("{ 1 + 2 * 3 ^ 2 ^ .a = -(4 - 1) }", "{ 1 + 2 * 3 ^ 2 ^ .a = -(4 - 1) }");
    check_prints("{ (1 + 2) * 3 - (4 - 5) = -.a }", "{ (1 + 2) * 3 - (4 - 5) = -.a }");
    check_prints("{ -2 ^ 2 = (-2) ^ 2 }", "{ -2 ^ 2 = (-2) ^ 2 }");
    check_prints("{}&&{}>>{}||{}", "{ } && { } >> { } || { }");
    check_prints("({} || {}) ~ {}", "({ } || { }) ~ { }");
    check_prints("({}|rate())-(({}|rate())-1)", "({ } | rate()) - (({ } | rate()) - 1.0)");
}

#[test]
fn every_stage_prints_as_it_was_read() {
    check_prints(
        "count()>2|by(1+.a)|coalesce()|select(.b,name)",
        "count() > 2 | by(1 + .a) | coalesce() | select(.b, name)",
    );
    check_prints("({}|count()>1|{.x})!<<({})", "({ } | count() > 1 | { .x }) !<< { }");
    check_prints("max(duration) < 2*3s", "max(duration) < 2 * 3s");
    check_prints("{} with(a=true,b=0.5)", "{ } with(a=true, b=0.5)");
    check_prints("{}|rate()by(span.a,kind)>2ms|topk(3)", "{ } | rate() by(span.a, kind) > 2ms | topk(3)");
    check_prints("{}|rate() > 1/2", "{ } | rate() > 0.5");
    check_prints("{}|quantile_over_time(duration,.5,1)", "{ } | quantile_over_time(duration, 0.5, 1.0)");
    check_prints("{}|compare({status=error},5,1,2)", "{ } | compare({ status = error }, 5, 1, 2)");
}

#[test]
fn names_and_literals_survive_printing() {
    check_prints(r#"{ ."a b".c = "x\"\\\n" }"#, r#"{ ."a b.c" = "x\"\\\n" }"#);
    check_prints("{ .\"a\nb\" = `\\d` }", "{ .\"a\nb\" = \"\\\\d\" }");
    check_prints("{ resource.k8s.pod-name = nil }", "{ resource.k8s.pod-name = nil }");
    check_prints("{ .a = 1h30m && .b > -1.5ms }", "{ .a = 1h30m0s && .b > -1.5ms }");
    check_prints("{ .a = 1e3 && .b = .5 }", "{ .a = 1000.0 && .b = 0.5 }");
    check_prints("{ .a = minInt || .a = maxInt }", "{ .a = minInt || .a = 9223372036854775807 }");
    check_prints("{ trace:duration > 1s && span:kind = client }", "{ traceDuration > 1s && kind = client }");
    check_prints("{ parent.span.a = parent.\"span.a\" }", "{ parent.span.a = parent.\"span.a\" }");
    check_prints("{ .\"1\" = .a }", "{ .\"1\" = .a }");
}

#[test]
fn comments_are_space() {
    check_prints("// first\n{ .a = 1 // {\n}", "{ .a = 1 }");
    check_prints("{ .a /* \" */ = /**/ \"/* x */\" } // end", "{ .a = \"/* x */\" }");
    check_prints("{ .a//b = 6 / 2 } | /* // */ count() > 1", "{ .a//b = 6 / 2 } | count() > 1");
}

#[test]
fn refusals_say_where_and_by_which_stage() {
    check_refused("{ .a == 1 }", ErrorKind::Syntax, 6, "line 1, col 7: syntax error: unexpected =");
    check_refused("{\n foo = 1 }", ErrorKind::Syntax, 3, "line 2, col 2");
    check_refused("{ .a = \"x }", ErrorKind::Syntax, 7, "not terminated");
    check_refused("{ .a = 99999999999999999999 }", ErrorKind::Syntax, 7, "64 bits");
    check_refused("{ foo.bar = 1 }", ErrorKind::Syntax, 2, "unknown scope foo");
    check_refused("{ span:foo = 1 }", ErrorKind::Syntax, 2, "unknown intrinsic span:foo");
    check_refused("{ .a = 1x }", ErrorKind::Syntax, 7, "bad duration");
    check_refused("{} | count()", ErrorKind::Syntax, 12, "expecting a comparison");
    check_refused("{} | rate() | rate()", ErrorKind::Syntax, 14, "expecting topk");
    check_refused("{ name = 1 }", ErrorKind::Invalid, 7, "string = number");
    check_refused("{ .a =~ \"(\" }", ErrorKind::Invalid, 5, "regular expression");
    check_refused("{} | max_over_time(name)", ErrorKind::Invalid, 19, "must be a number");
    check_refused("{} | rate() | topk(0)", ErrorKind::Invalid, 12, "greater than 0");
    check_refused("{ } /* a", ErrorKind::Syntax, 4, "comment not terminated");
    check_refused("{ parent.a = 1 }", ErrorKind::Unsupported, 2, "unsupported: ");
    check_refused("count() > count()", ErrorKind::Unsupported, 0, "unsupported: ");
}

#[test]
fn size_and_depth_have_limits() {
    let long = format!("{{ .a = \"{}\" }}", "x".repeat(QUERY_BYTES_MAX));
    assert_eq!(parse(&long).map_err(|error| error.offset), Err(QUERY_BYTES_MAX));
    for open in ["(", "{ !", "{ (", "{ .a = -", "{ 2 ^ ", "({} | rate()) + ("] {
        let deep = format!("{}{}", open.chars().next().unwrap_or('{'), open[1..].repeat(20_000));
        let deep = if open.len() == 1 { "(".repeat(20_000) } else { deep };
        assert!(parse(&deep).is_err(), "{open}");
    }
    let row = |operators: usize| format!("{{ .a{} }}", " && .a".repeat(operators));
    assert!(parse(&row(OPERATORS_MAX)).is_ok());
    check_refused(&row(OPERATORS_MAX + 1), ErrorKind::Syntax, 4 + 6 * OPERATORS_MAX + 1, "1000 operators");
}

#[test]
fn printing_nests_no_deeper_than_the_query() {
    let nests = [
        ("-", ".5s", ""),
        ("-", ".0s", ""),
        ("-", "0", ""),
        ("!", ".a", ""),
        ("-(", "5", ")"),
        ("-.a ^ ", "2", ""),
        ("-2 ^ ", "2", ""),
        ("-0 ^ -", "0", ""),
    ];
    for (open, inside, close) in nests {
        let query =
            |levels| format!("{{ {}{inside}{} = .b }}", open.repeat(levels), str::repeat(close, levels));
        let accepted = (1..DEPTH_MAX).map(query).map_while(|query| parse(&query).ok());
        let accepted: Vec<_> = accepted.map(|query| query.to_string()).collect();
        assert!(accepted.len() > DEPTH_MAX / 6, "{open}: only {} levels", accepted.len());
        for printed in accepted {
            assert_eq!(parse(&printed).map(|query| query.to_string()).as_ref(), Ok(&printed));
        }
    }
}

mod random {
    //! Whatever parses prints to what parses to the same.

    use super::parse;
    use proptest::prelude::*;

    /// Pieces that often fit together.
    fn piece() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "{",
            "}",
            "(",
            ")",
            "|",
            ",",
            "=",
            "!=",
            "<",
            ">",
            ">>",
            "!<<",
            "&~",
            "&&",
            "||",
            "=~",
            "+",
            "-",
            "*",
            "/",
            "^",
            "!",
            ".a",
            "span.b",
            "resource.\"x y\"",
            "name",
            "duration",
            "status",
            "error",
            "client",
            "nil",
            "true",
            "1",
            "2.5",
            "10ms",
            "\"s\"",
            "count()",
            "max(duration)",
            "by(.a)",
            "select(.a)",
            "coalesce()",
            "rate()",
            "topk(2)",
            "with(a=1)",
            "quantile_over_time(duration, .9)",
            "compare({ .a })",
            "// c\n",
            "/* c */",
        ]);
        prop_oneof![8 => word.prop_map(str::to_owned), 1 => "[ -~]{0,6}"]
    }

    fn value(depth: u32) -> BoxedStrategy<String> {
        let leaf = prop::sample::select(vec![
            ".a",
            "span.\"b c\"",
            "event.x",
            "name",
            "duration",
            "kind",
            "nil",
            "-1",
            "2",
            "0.25",
            "1m2s",
            "\"t\\\"\"",
            "false",
            "unset",
            "server",
            "minInt",
            "-3ns",
            "parent.a",
        ]);
        let leaf = leaf.prop_map(str::to_owned).boxed();
        if depth == 0 {
            return leaf;
        }
        let op = prop::sample::select(super::BINARY_OPS.iter().map(|(text, ..)| *text).collect::<Vec<_>>());
        let binary = (value(depth - 1), op, value(depth - 1));
        prop_oneof![
            leaf,
            binary.clone().prop_map(|(l, op, r)| format!("{l} {op} {r}")),
            binary.prop_map(|(l, op, r)| format!("({l} {op} {r})")),
            value(depth - 1).prop_map(|v| format!("-{v}")),
            value(depth - 1).prop_map(|v| format!("!{v}")),
        ]
        .boxed()
    }

    fn spans(depth: u32) -> BoxedStrategy<String> {
        let leaf = value(3).prop_map(|v| format!("{{ {v} }}")).boxed();
        if depth == 0 {
            return leaf;
        }
        let op = prop::sample::select(super::SPANSET_OPS.iter().map(|(text, ..)| *text).collect::<Vec<_>>());
        let binary = (spans(depth - 1), op, spans(depth - 1));
        prop_oneof![
            leaf,
            binary.clone().prop_map(|(l, op, r)| format!("{l} {op} {r}")),
            binary.prop_map(|(l, op, r)| format!("({l} {op} {r})")),
            spans(depth - 1).prop_map(|v| format!("({v} | count() > 1 | by(.a))")),
            spans(depth - 1).prop_map(|v| format!("{v} | avg(.x + 1) <= 2s * 3 - 1 | coalesce()")),
        ]
        .boxed()
    }

    fn series(depth: u32) -> BoxedStrategy<String> {
        let leaf = spans(1).prop_map(|v| format!("({v} | rate() by(.a) > 2 | topk(3))")).boxed();
        if depth == 0 {
            return leaf;
        }
        let op = prop::sample::select(vec!["+", "-", "*", "/"]);
        let both =
            (series(depth - 1), op.clone(), series(depth - 1)).prop_map(|(l, op, r)| format!("{l} {op} {r}"));
        let number = (series(depth - 1), op, "[0-9]{1,3}").prop_map(|(l, op, r)| format!("({r} {op} {l})"));
        prop_oneof![leaf, both, number, series(depth - 1).prop_map(|v| format!("({v}) | bottomk(1)"))].boxed()
    }

    fn round_trips(text: &str) {
        if let Ok(query) = parse(text) {
            let printed = query.to_string();
            assert_eq!(parse(&printed), Ok(query), "{text}\n{printed}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn word_soup(words in prop::collection::vec(piece(), 0..14)) {
            round_trips(&words.join(" "));
        }

        #[test]
        fn queries(text in prop_oneof![spans(2), series(2)]) {
            round_trips(&text);
        }
    }
}
