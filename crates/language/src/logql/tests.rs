//! Queries, what they print as, and what is wrong with them.

mod generated;

use super::{parse, pretty};
use proptest::prelude::*;

fn check(query: &str, printed: &str) {
    let expr = parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
    assert_eq!(expr.to_string(), printed, "{query}");
    assert_eq!(parse(printed).as_ref(), Ok(&expr), "{printed}");
    assert_eq!(parse(&pretty(&expr)).as_ref(), Ok(&expr), "{}", pretty(&expr));
}

fn fails(query: &str, error: &str) {
    assert_eq!(parse(query).map_err(|e| e.to_string()), Err(error.to_owned()), "{query}");
}

#[test]
fn queries_print_in_one_spelling() {
    check(
        r#"{a="b",c=~"d"}|="x" or ip("1.1.1.1")!="y""#,
        r#"{a="b", c=~"d"} |= "x" or ip("1.1.1.1") != "y""#,
    );
    check(
        r#"{a="b"} | json x="a.b", y | logfmt --strict --keep-empty z | unpack | decolorize"#,
        r#"{a="b"} | json x="a.b",y="y" | logfmt --strict --keep-empty z="z" | unpack | decolorize"#,
    );
    check(
        r#"{a="b"} | x = 1 and y > 5s or z < 1KB, w = "a""#,
        r#"{a="b"} | ( ( x==1 , y>5s ) or ( z<1000B , w="a" ) )"#,
    );
    check(r#"SUM by (a) (rate({a="b"}[5m]))"#, r#"sum by (a)(rate({a="b"}[5m]))"#);
    check(
        r#"topk(2, rate({a="b"}[90s] offset -5m)) without (c)"#,
        r#"topk without (c)(2,rate({a="b"}[1m30s] offset -5m0s))"#,
    );
    check("1+1--1", "3");
    check("2^3^2", "512");
    check("-2^2", "4");
    check(
        r#"rate({a="b"}[1m]) > bool on (x, y) group_left (z) vector(1)"#,
        r#"(rate({a="b"}[1m]) > bool on (x, y) group_left (z) vector(1.000000))"#,
    );
    check(
        r#"quantile_over_time(0.99, ({a="b"} | unwrap duration(x) | __error__="")[1m]) by (c)"#,
        r#"quantile_over_time(0.99,{a="b"} | unwrap duration(x) | __error__=""[1m]) by (c)"#,
    );
    check(
        r#"label_replace(vector(1), "a", "$1", "b", "(.*)")"#,
        r#"label_replace(vector(1.000000),"a","$1","b","(.*)")"#,
    );
}

#[test]
fn errors_speak_as_loki_does() {
    fails("{", "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }");
    fails(
        r#"{a="b"} |= foo"#,
        "parse error at line 1, col 12: syntax error: unexpected IDENTIFIER, expecting STRING or ip",
    );
    fails(r#"rate({a="b"}[5x])"#, r#"parse error at line 0, col 13: unknown unit "x" in duration "5x""#);
    fails(r#"rate({a="b"}[5m)"#, "parse error at line 0, col 13: missing closing ']' in duration");
    fails(r#"rate({a="b"})"#, "parse error at line 1, col 13: syntax error: unexpected )");
    fails(
        "-rate({a=\"b\"}[1m])",
        "parse error at line 1, col 2: syntax error: unexpected RATE, expecting NUMBER",
    );
    fails(r#"{a="b"} | x > 1s1"#, "parse error at line 1, col 18: syntax error: unexpected $end");
    fails(r#"{a="b}"#, "parse error at line 1, col 4: literal not terminated");
    fails(
        "1 and 2",
        "parse error : unexpected literal for left leg of logical/set binary operation (and): 1.000000",
    );
    fails(
        "0o17",
        r#"parse error : unable to parse literal as a float: strconv.ParseFloat: parsing "0o17": invalid syntax"#,
    );
    fails(r#"{a=~"("}"#, "parse error : error parsing regexp: missing closing ): `(`");
    fails(r#"({a="b"} |= "x") |= "y""#, "parse error at line 0, col 18: syntax error: unexpected |=");
}

#[test]
fn nesting_is_bounded() {
    assert!(parse(&"(".repeat(100_000)).is_err());
    assert!(parse(&format!("{}1", "1+".repeat(5_000))).is_err());
    assert!(parse(&format!("{{a=\"b\"}} | {}x=1", "x=1 or ".repeat(5_000))).is_err());
    // Rows print with a pair of parentheses per operator, and what they print as is accepted like they are.
    for terms in 100..140 {
        let conditions = format!("{{a=\"b\"}} | {}x=1", "x=1 or ".repeat(terms));
        let operators = format!("{}vector(1)", "vector(1) + ".repeat(terms));
        let powers = format!("{}vector(1)", "vector(1) ^ ".repeat(terms));
        for query in [conditions, operators, powers] {
            if let Ok(expr) = parse(&query) {
                assert_eq!(parse(&expr.to_string()).as_ref(), Ok(&expr), "{terms}");
            }
        }
    }
    assert!(parse(&format!("{{a=\"b\"}} | {}x=1", "x=1 or ".repeat(120))).is_ok());
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[5m]",
    "a",
    "=",
    "\"x\"",
    "|",
    "|=",
    "!~",
    "|>",
    "json",
    "logfmt",
    "--strict",
    "unwrap",
    "rate",
    "sum",
    "by",
    "on",
    "group_left",
    "bool",
    "or",
    "and",
    ",",
    ">",
    "1",
    "5s",
    "1KB",
    "-",
    "+",
    "^",
    "offset",
    "ip",
    "vector",
    "label_format",
    "drop",
    "topk",
    "quantile_over_time",
    "count_over_time",
    "{a=\"b\"}",
    "line_format",
];

proptest! {
    #[test]
    fn any_text_parses_or_fails_in_peace(text in ".{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_parses_prints_to_what_parses_the_same(words in prop::collection::vec(prop::sample::select(WORDS), 1..16)) {
        if let Ok(expr) = parse(&words.join(" ")) {
            let printed = expr.to_string();
            prop_assert_eq!(parse(&printed).map_err(|e| e.to_string()), Ok(expr.clone()), "{}", printed);
            let laid_out = pretty(&expr);
            prop_assert_eq!(parse(&laid_out).map_err(|e| e.to_string()), Ok(expr), "{}", laid_out);
        }
    }
}
