//! Documents as data: what is read, what is refused and where, what is shown.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Top {
    name: String,
    port: u16,
    big: Option<u64>,
    on: bool,
    list: Vec<Inner>,
    map: BTreeMap<String, String>,
    kind: Kind,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Inner {
    a: String,
    b: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Red,
    Blue,
}

const UNUSED: Unused = &[("Inner", &["later"])];

fn read(text: &str) -> Result<(Top, Vec<Mistake>), Vec<Mistake>> {
    Document::parse(text).map_err(|mistake| vec![mistake])?.read(UNUSED)
}

#[test]
fn values_are_what_the_types_want() {
    let of = |text: &str| read(text).expect(text).0;
    assert_eq!(of(""), Top::default());
    assert_eq!(of("# nothing\n"), Top::default());
    assert_eq!(of("name:\nport: 7\nlist:\nmap: ~\nkind: null"), Top { port: 7, ..Top::default() });
    assert_eq!(of("\u{feff}name: 1.10\non: yes\nkind: blue").name, "1.10");
    assert_eq!(of("{name: 'x: y', map: {v: 010, w: }}").map["v"], "010");
    let merged = of("list:\n- &one {a: x, b: [1]}\n- {<<: *one, a: y}\n- *one\n");
    let inner = |a: &str| Inner { a: a.into(), b: vec!["1".into()] };
    assert_eq!(merged.list, [inner("x"), inner("y"), inner("x")]);
    assert_eq!(of("name: |\n  two\n  lines\n").name, "two\nlines\n");
}

#[test]
fn mistakes_say_where_what_and_how() {
    let secret = "hunter2";
    for (text, expected) in [
        ("nam: hunter2", "line 1, column 1: nam: there is no such key: did you mean name?"),
        (
            "list:\n- {a: x, zzzzz: 1}",
            "line 2, column 10: list[0].zzzzz: there is no such key: remove it, or use one of a, b",
        ),
        ("map: {a: 1}\nmap: {}", "line 2, column 1: map: is written twice (first in line 1): remove one"),
        ("port: 70000", "line 1, column 7: port: must be a whole number from 0 to 65535, without quotes"),
        ("port: '7'", "line 1, column 7: port: must be a whole number from 0 to 65535, without quotes"),
        ("on: hunter2", "line 1, column 5: on: must be true or false, without quotes"),
        ("name: [hunter2]", "line 1, column 7: name: must be text, not a list"),
        (
            "list: hunter2",
            "line 1, column 7: list: must be a list: write `- item` lines below it, or [item, item]",
        ),
        ("map: hunter2", "line 1, column 6: map: must be a mapping: write `key: value` lines below it"),
        ("- hunter2", "line 1, column 1: must be a mapping: write `key: value` lines below it"),
        ("kind: green", "line 1, column 7: kind: \"green\" is none of red, blue"),
        ("name: x\n---\nname: y", "line 2, column 1: a second document begins here"),
        ("name: &a [*a]", "line 1, column 11: the alias stands inside"),
        ("name: !!binary \"/w==\"", "line 1, column 16: binary values are not read: write text"),
        ("list:\n-\n- a: x", "list[0]: is empty: write its keys, or remove it"),
        ("[a]: 1", "line 1, column 1: a key must be a word"),
        ("name: [", "line 1, column 7: not YAML: unclosed bracket"),
        ("name: 'hunter2", "not YAML: "),
        ("a: b: hunter2", "not YAML: "),
    ] {
        let mistakes = read(text).expect_err(text);
        let shown: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert!(shown.iter().any(|line| line.contains(expected)), "{text:?}: {shown:?}");
        assert!(!shown.concat().contains(secret) && !shown.concat().contains('\n'), "{text:?}: {shown:?}");
    }
    let all = read("nam: x\nlist: [{c: 1}]\nport: x\n").expect_err("three mistakes");
    assert_eq!(all.iter().map(|mistake| mistake.line).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn keys_that_the_format_knows_are_noted() {
    let (_, unused) = read("list:\n- a: x\n  later: {anything: [goes]}\n").expect("good");
    assert_eq!(unused[0].to_string(), "line 3, column 3: list[0].later: is not used by Binnacle");
}

#[test]
fn what_aliases_could_blow_up_is_bounded() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        writeln!(text, "a{n}: &a{n} [{aliases}]").expect("written");
    }
    let mistake = Document::parse(&text).expect_err("a bomb");
    assert!(mistake.message.contains("more than 1000000 values"), "{mistake}");
    let mistake = Document::parse(&"[".repeat(200)).expect_err("deep");
    assert!(mistake.line > 0, "{mistake}");
    let closed = format!("{}{}", "[".repeat(150), "]".repeat(150));
    assert!(Document::parse(&closed).expect_err("deep").message.contains("nested deeper"));
}

#[test]
fn a_field_is_found_as_far_as_it_is_there() {
    let document = Document::parse("a:\n  - b: 1\n  - c:\n      d: 2\n").expect("yaml");
    for (field, line) in [("a[1].c.d", 4), ("a[1].c.x", 3), ("a[0].b", 2), ("a[7]", 1), ("z", 0)] {
        assert_eq!(document.mistake(field, "").line, line, "{field}");
    }
}

#[test]
fn secrets_are_masked_however_they_are_written() {
    for (text, shown) in [
        (
            "authorization: {type: Bearer, credentials: s3}",
            "authorization:\n  type: Bearer\n  credentials: <secret>\n",
        ),
        ("authorization: s3", "authorization: <secret>\n"),
        (
            "basic_auth: {username: u, \"password\": s3, password_file: f}",
            "basic_auth:\n  username: u\n  password: <secret>\n  password_file: f\n",
        ),
        ("basic_auth:\n  ? password\n  : |\n    s3\n    s3\n", "basic_auth:\n  password: <secret>\n"),
        (
            "oauth2: {client_id: i, client_secret: s3, token_url: 'http://t/'}",
            "oauth2:\n  client_id: i\n  client_secret: <secret>\n  token_url: \"http://t/\"\n",
        ),
        ("bearer_token: s3", "bearer_token: <secret>\n"),
        (
            "proxy_connect_header: {X-A: [s3, s3]}",
            "proxy_connect_header:\n  X-A:\n  - <secret>\n  - <secret>\n",
        ),
        (
            "http_headers: {X-A: {values: [s3], secrets: [s3], files: [f]}}",
            "http_headers:\n  X-A:\n    values:\n    - <secret>\n    secrets:\n    - <secret>\n    files:\n    - f\n",
        ),
        ("tls_config: {key: s3, key_file: k}", "tls_config:\n  key: <secret>\n  key_file: k\n"),
        ("sigv4: {secret_key: s3, region: r}", "sigv4:\n  secret_key: <secret>\n  region: r\n"),
        ("url: http://u:s3@h/p?a=1&token=s3#f", "url: http://u:xxxxx@h/p?a=1&token=xxxxx\n"),
        ("url: http://s3@h", "url: http://xxxxx@h\n"),
        ("params: {token: [s3], module: [m]}", "params:\n  token:\n  - <secret>\n  module:\n  - m\n"),
        ("a: &x {password: s3}\nb: *x", "a:\n  password: <secret>\nb:\n  password: <secret>\n"),
        ("labels: {token: t, key: k}", "labels:\n  token: t\n  key: k\n"),
        (
            "jobs:\n- {job_name: a, x: [], y: {}, z: }\n- [b, \"#c\"]",
            "jobs:\n- job_name: a\n  x: []\n  y: {}\n  z: null\n- - b\n  - \"#c\"\n",
        ),
    ] {
        let document = Document::parse(text).expect(text);
        let got = document.masked(|_| true);
        assert_eq!(got, shown, "{text}");
        let again = Document::parse(&got).expect("what is shown is YAML").masked(|_| true);
        assert_eq!(again, got, "{text}");
    }
    let document = Document::parse("data: x\nglobal: {scrape_interval: 5s}").expect("yaml");
    assert_eq!(document.masked(|key| key == "global"), "global:\n  scrape_interval: 5s\n");
}
