//! `binnacle logs`: lines of a service or of any LogQL query; `-f` follows over a WebSocket.

use crate::client::refused;
use crate::listing::{NamespaceArgs, known_services, unknown};
use crate::output::write;
use crate::selector::{self, Requirement, quoted};
use crate::time::{RECORD_SINCE, Range, RangeArgs, shown};
use crate::{Common, Failure, Session, metrics};
use clap::Args;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};

/// Labels that say a namespace, as OTLP resources and the usual agents name them.
const NAMESPACE_LABELS: [&str; 3] = ["service_namespace", "k8s_namespace_name", "namespace"];
/// Most lines of one answer; the server's own limit.
const LINES_MAX: i64 = 5_000;

/// Arguments of `logs`.
#[derive(Args, Debug)]
pub struct LogArgs {
    /// A service's name, or LogQL.
    what: Option<String>,
    /// Follow: print new lines as they come (with -o json an object a line), after those of --since or --from.
    #[arg(short, long)]
    follow: bool,
    /// Stream labels: `name=value`, `name!=value`, `name in (a,b)`, separated by commas.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// Only lines that contain this.
    #[arg(short = 'g', long)]
    grep: Option<String>,
    /// How many lines.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=LINES_MAX))]
    limit: u32,
    #[command(flatten)]
    namespaces: NamespaceArgs,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// A line, when it was written in nanoseconds since the epoch, and the labels of its stream.
struct Line {
    at_ns: i64,
    text: String,
    labels: Value,
}

/// Prints lines, oldest first.
pub(crate) async fn logs(session: &Session, args: &LogArgs) -> Result<(), Failure> {
    let query = logql(args)?;
    let range = args.range.at(RECORD_SINCE, session.clock.now_ns())?;
    let limit = args.limit.to_string();
    if args.follow {
        return follow(session, args, range, &query, &limit).await;
    }
    let (start, end) = (range.start_ns.to_string(), range.end_ns.to_string());
    let params = [
        ("query", query.as_str()),
        ("start", &start),
        ("end", &end),
        ("limit", &limit),
        ("direction", "backward"),
    ];
    let answer = session.client.get("/loki/loki/api/v1/query_range", &params).await?;
    let data = &answer["data"];
    if data["resultType"] != "streams" {
        return metrics::print(session, data, true);
    }
    let lines = lines(&data["result"]);
    if lines.is_empty() {
        if let Some(failure) = nobody(session, args, range).await? {
            return Err(failure);
        }
        eprintln!("no line matches {}", args.range.words(RECORD_SINCE));
    }
    if session.output.is_data() {
        return session.output.data(&lines.iter().map(Line::data).collect());
    }
    write(&lines.iter().map(Line::drawn).collect::<String>())
}

/// The failure when nobody knows the service that was named, neither by its spans nor by lines in the range.
async fn nobody(session: &Session, args: &LogArgs, range: Range) -> Result<Option<Failure>, Failure> {
    let Some(name) = args.what.as_ref().filter(|what| !is_logql(what)) else { return Ok(None) };
    let (start, end) = (range.start_ns.to_string(), range.end_ns.to_string());
    let params = [("start", start.as_str()), ("end", &end)];
    let answer = session.client.get("/loki/loki/api/v1/label/service_name/values", &params).await?;
    let writes = answer["data"].as_array().is_some_and(|names| names.iter().any(|other| other == name));
    if writes || known_services(session, None).await?.contains(name) {
        return Ok(None);
    }
    Ok(unknown(std::slice::from_ref(name)))
}

async fn follow(
    session: &Session,
    args: &LogArgs,
    range: Range,
    query: &str,
    limit: &str,
) -> Result<(), Failure> {
    if args.range.has_end() {
        return Err(Failure::usage("--to: following goes on, it has no end"));
    }
    let start = if args.range.has_start() { range.start_ns } else { session.clock.now_ns() };
    let start = start.to_string();
    let params = [("query", query), ("limit", limit), ("start", &start)];
    let (request, stream) = session.client.web_socket("/loki/loki/api/v1/tail", &params).await?;
    let opened = tokio_tungstenite::client_async(request, stream).await;
    let (mut socket, _) = opened.map_err(|error| match error {
        tungstenite::Error::Http(answer) => {
            refused(answer.status(), answer.body().as_deref().unwrap_or_default())
        }
        error => Failure::new(format!("cannot follow: {error}")),
    })?;
    while let Some(message) = socket.next().await {
        match message.map_err(|error| Failure::new(format!("the server stopped: {error}")))? {
            Message::Text(text) => print_frame(session, &text)?,
            Message::Close(Some(frame)) if !frame.reason.is_empty() => {
                return Err(Failure::new(format!("the server stopped: {}", frame.reason)));
            }
            _ => {}
        }
    }
    Err(Failure::new("the server stopped"))
}

fn print_frame(session: &Session, text: &str) -> Result<(), Failure> {
    let frame: Value = serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("what the server sent is not JSON: {error}")))?;
    let dropped = frame["dropped_entries"].as_array().map_or(0, Vec::len);
    if dropped > 0 {
        eprintln!("warning: {dropped} lines came faster than they could be shown");
    }
    let lines = lines(&frame["streams"]);
    if session.output.is_data() {
        return lines.iter().try_for_each(|line| session.output.record(&line.data()));
    }
    write(&lines.iter().map(Line::drawn).collect::<String>())
}

/// Every entry of the streams, oldest first.
fn lines(streams: &Value) -> Vec<Line> {
    let mut lines = Vec::new();
    for stream in streams.as_array().into_iter().flatten() {
        for value in stream["values"].as_array().into_iter().flatten() {
            lines.push(Line {
                at_ns: value[0].as_str().and_then(|at| at.parse().ok()).unwrap_or(0),
                text: value[1].as_str().unwrap_or_default().to_owned(),
                labels: stream["stream"].clone(),
            });
        }
    }
    lines.sort_by_key(|line| line.at_ns);
    lines
}

impl Line {
    fn data(&self) -> Value {
        json!({"ts_ns": self.at_ns.to_string(), "line": self.text, "labels": self.labels})
    }

    fn drawn(&self) -> String {
        let service = self.labels["service_name"].as_str().unwrap_or("-");
        format!("{} {service} {}\n", shown(self.at_ns), self.text)
    }
}

/// Whether `what` is a query; no name of a service has braces.
fn is_logql(what: &str) -> bool {
    what.contains('{')
}

/// LogQL of the arguments.
fn logql(args: &LogArgs) -> Result<String, Failure> {
    let grep = args.grep.as_ref().map(|text| format!(" |= {}", quoted(text))).unwrap_or_default();
    let namespace = args.namespaces.wanted();
    if let Some(query) = args.what.as_ref().filter(|what| is_logql(what)) {
        if args.selector.is_some() {
            return Err(Failure::usage("-l adds labels to a service's name, not to LogQL"));
        }
        if namespace.is_some() {
            return Err(Failure::usage("-n adds a namespace to a service's name, not to LogQL")
                .hint("-A leaves BINNACLE_NAMESPACE out"));
        }
        return Ok(format!("{query}{grep}"));
    }
    let mut matchers: Vec<String> =
        args.what.iter().map(|name| format!("service_name={}", quoted(name))).collect();
    let required = selector::parse(args.selector.as_deref())?;
    matchers.extend(required.iter().map(Requirement::matcher));
    // LogQL wants one label that must be there.
    if args.what.is_none() && !required.iter().any(Requirement::needs_label) {
        matchers.push(r#"service_name=~".+""#.to_owned());
    }
    let inside = namespace.map(|name| {
        let each = NAMESPACE_LABELS.map(|label| format!("{label}={}", quoted(name)));
        format!(" | {}", each.join(" or "))
    });
    Ok(format!("{{{}}}{grep}{}", matchers.join(", "), inside.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        args: LogArgs,
    }

    fn check(words: &[&str], expected: Option<&str>) {
        let line = Arguments::try_parse_from([&["logs"], words].concat()).expect("a command line");
        assert_eq!(logql(&line.args).ok().as_deref(), expected, "{words:?}");
    }

    #[test]
    fn names_labels_and_text_become_logql() {
        check(&["pay"], Some(r#"{service_name="pay"}"#));
        check(
            &["pay", "-l", "pod=a, env!=b", "-g", "x\"y"],
            Some(r#"{service_name="pay", pod="a", env!="b"} |= "x\"y""#),
        );
        check(&[], Some(r#"{service_name=~".+"}"#));
        check(&["-l", "a"], Some(r#"{a=~".+"}"#));
        check(&["-l", "!a,b!=c"], Some(r#"{a="", b!="c", service_name=~".+"}"#));
        check(&["-l", "a="], Some(r#"{a="", service_name=~".+"}"#));
        check(&["-l", "a b"], None);
        check(
            &["pay", "-n", "shop", "-g", "x"],
            Some(
                r#"{service_name="pay"} |= "x" | service_namespace="shop" or k8s_namespace_name="shop" or namespace="shop""#,
            ),
        );
    }

    #[test]
    fn logql_stays_as_it_is() {
        check(&[r#"{a="b"} | json"#], Some(r#"{a="b"} | json"#));
        check(&[r#"rate({a="b"}[1m])"#], Some(r#"rate({a="b"}[1m])"#));
        check(&[r#"{a="b"}"#, "-g", "x"], Some(r#"{a="b"} |= "x""#));
        check(&[r#"{a="b"}"#, "-l", "c=d"], None);
        check(&[r#"{a="b"}"#, "-n", "c"], None);
        check(&[r#"{a="b"}"#, "-n", "c", "-A"], Some(r#"{a="b"}"#));
    }

    #[test]
    fn lines_of_all_streams_stand_by_time() {
        let streams = json!([
            {"stream": {"service_name": "b"}, "values": [["2000000000", "second"]]},
            {"stream": {"app": "a"}, "values": [["1000000000", "first"]]},
        ]);
        let lines = lines(&streams);
        assert_eq!(
            lines.iter().map(Line::drawn).collect::<String>(),
            "1970-01-01 00:00:01.000 - first\n1970-01-01 00:00:02.000 b second\n"
        );
        assert_eq!(lines[0].data(), json!({"ts_ns": "1000000000", "line": "first", "labels": {"app": "a"}}));
    }
}
