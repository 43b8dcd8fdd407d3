//! Runs Go templates: `line_format` and `label_format` of LogQL, later the texts of alerts.
//!
//! The tree comes from `language::template`. Values are Go's (text, whole numbers, floats, booleans, lists, maps,
//! times), functions are those Loki documents, and errors are worded as Go words them. A template cannot read a
//! clock, a file or the network, and its work and output are bounded.

mod dates;
mod exec;
mod functions;
mod printf;
mod value;

use language::template::{Template, parse};

pub use exec::{OUTPUT_BYTES_MAX, STEPS_MAX};
pub use functions::names as function_names;

/// What a template sees.
pub struct TemplateContext<'a> {
    /// `__line__`.
    pub line: &'a str,
    /// `__timestamp__`, nanoseconds.
    pub ts_ns: i64,
    /// `now`, nanoseconds: the caller's clock, a template reads none.
    pub now_ns: i64,
    /// The dot: label names and values.
    pub labels: Vec<(&'a str, &'a str)>,
}

/// A compiled template.
pub struct LineTemplate {
    template: Template,
}

impl LineTemplate {
    /// Parses `text`; `name` is what errors call it.
    ///
    /// # Errors
    /// Go's message.
    pub fn new(name: &str, text: &str) -> Result<Self, String> {
        parse(name, text, &functions::exists).map(|template| Self { template })
    }

    /// Runs the template.
    ///
    /// # Errors
    /// Go's message.
    pub fn render(&self, context: &TemplateContext<'_>) -> Result<String, String> {
        exec::run(&self.template, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> Result<String, String> {
        let labels =
            vec![("a", "b"), ("d", "1h30m"), ("j", r#"{"x":{"y":[1,2.5,"z"]}}"#), ("n", "5"), ("q", "a b&c")];
        let context =
            TemplateContext { line: "the line", ts_ns: 1_700_000_000_123_456_789, now_ns: 0, labels };
        LineTemplate::new("line", text).and_then(|template| template.render(&context))
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(render(text), Ok(expected.to_owned()), "{text}");
    }

    fn fails(text: &str, expected: &str) {
        assert_eq!(render(text), Err(format!("template: line:{expected}")), "{text}");
    }

    #[test]
    fn actions_blocks_and_variables() {
        check("x={{.a}} {{ .missing }}|", "x=b |");
        check("{{if eq .a \"b\" \"c\"}}yes{{else}}no{{end}}", "yes");
        check("{{if and .missing .a}}yes{{else if .n}}n{{end}}", "n");
        check("{{with $x := .a}}{{$x}}{{.}}{{else}}none{{end}}", "bb");
        check(
            "{{range $i, $e := fromJson \"[1,2,3]\"}}{{if eq $i 1}}{{continue}}{{end}}{{$i}}:{{$e}} {{end}}",
            "0:1 2:3 ",
        );
        check("{{$x := 1}}{{$x = 2}}{{$x}}", "2");
        check("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .a}}", "<b>");
        check("{{.a | }}", "b");
        check("{{__line__}} {{__timestamp__ | unixEpoch}}", "the line 1700000000");
        check("{{.}}", "map[a:b d:1h30m j:{\"x\":{\"y\":[1,2.5,\"z\"]}} n:5 q:a b&c]");
    }

    #[test]
    fn functions_of_text() {
        check("{{.a | upper | printf \"%s-%5d|%-4s|%q|%v\" \"x\" 7 \"y\" \"z\"}}", "x-    7|y   |\"z\"|B");
        check(
            "{{ToUpper .a}} {{Replace \"aaa\" \"a\" \"b\" 2}} {{trunc 2 \"hello\"}} {{trunc -2 \"hello\"}}",
            "B bba he lo",
        );
        check(
            "{{substr 1 3 \"hello\"}} {{repeat 2 .a}} {{title \"abc def\"}} {{trimSuffix \"o\" \"foo\"}}",
            "el bb Abc Def fo",
        );
        check("{{alignLeft 5 \"abc\"}}|{{alignRight 5 \"abc\"}}|{{alignRight 2 \"abc\"}}", "abc  |  abc|bc");
        check(
            "{{regexReplaceAll \"(a)(b)?\" \"ab a\" \"${1}x\"}} {{regexReplaceAllLiteral \"a\" \"aa\" \"$1\"}}",
            "ax ax $1$1",
        );
        check("{{count \"a\" \"banana\"}} {{urlencode .q}} {{urldecode \"a+b%26c\"}}", "3 a+b%26c a b&c");
        check(
            "{{b64enc .a}} {{b64dec \"Yg==\"}} {{default \"d\" .missing}} {{indent 2 \"x\"}}",
            "Yg== b d   x",
        );
        check(
            "{{contains \"el\" \"hello\"}} {{hasPrefix \"he\" \"hello\"}} {{len .a}} {{index (fromJson .j) \"x\" \"y\" 2}}",
            "true true 1 z",
        );
    }

    #[test]
    fn functions_of_numbers_and_times() {
        check("{{add 1 2 3}} {{sub 5 2}} {{mul 2 3}} {{div 7 2}} {{mod 7 4}}", "6 3 6 3 3");
        check(
            "{{addf 1 2.5}} {{divf 1 4}} {{round 3.14159 2}} {{ceil 1.2}} {{floor 1.8}}",
            "3.5 0.25 3.14 2 1",
        );
        check(
            "{{max 1 3 2}} {{minf 1.5 0.5}} {{int \"12\"}} {{float64 \"1.5\"}} {{add 1 \"x\"}}",
            "3 0.5 12 1.5 1",
        );
        check("{{duration .d}} {{duration_seconds .d}} {{bytes \"2KB\"}}", "5400 5400 2000");
        check("{{date \"2006-01-02T15:04:05.000Z07:00\" __timestamp__}}", "2023-11-14T22:13:20.123Z");
        check("{{toDate \"2006-01-02\" \"2023-11-14\" | unixEpochMillis}}", "1699920000000");
        check(
            "{{toDateInZone \"2006-01-02\" \"Europe/Paris\" \"2023-11-14\"}}",
            "2023-11-14 00:00:00 +0100 CET",
        );
        check("{{toDate \"2006-01-02\" \"bad\"}}", "0001-01-01 00:00:00 +0000 UTC");
        check("{{int \"0x1F\"}} {{int \"3.9\"}}", "31 3");
        check("{{unixToTime \"1700000000\" | date \"Mon Jan 2 3:04PM 2006\"}}", "Tue Nov 14 10:13PM 2023");
    }

    #[test]
    fn faults_are_told_as_go_tells_them() {
        fails("{{ .a .b }}", "1:3: executing \"line\" at <.a>: a is not a method but has arguments");
        fails("{{ .a.b }}", "1:5: executing \"line\" at <.a.b>: can't evaluate field b in type string");
        fails(
            "{{ printf }}",
            "1:3: executing \"line\" at <printf>: wrong number of args for printf: want at least 1 got 0",
        );
        fails("{{ upper 1 }}", "1:9: executing \"line\" at <1>: expected string; found 1");
        fails(
            "{{ upper .a .a }}",
            "1:3: executing \"line\" at <upper>: wrong number of args for upper: want 1 got 2",
        );
        fails(
            "{{ index .a 9 }}",
            "1:3: executing \"line\" at <index .a 9>: error calling index: index out of range: 9",
        );
        fails(
            "{{ .a | int | div 0 }}",
            "1:14: executing \"line\" at <div 0>: error calling div: runtime error: integer divide by zero",
        );
    }

    #[test]
    fn work_and_output_are_bounded() {
        assert!(render("{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}").is_err());
        assert!(render("{{repeat 1000000000 .a}}").is_err());
    }
}
