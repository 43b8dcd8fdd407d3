//! `binnacle logs`: lines of a service or of any LogQL query; `-f` follows over a WebSocket.

use crate::output::write;
use crate::time::shown;
use crate::{Failure, Session};
use clap::Args;
use futures::StreamExt;
use serde_json::{Value, json};

/// Arguments of `logs`.
#[derive(Args, Debug)]
pub struct LogArgs {
    /// A service's name, or LogQL starting with `{`.
    what: Option<String>,
    /// Follow: print new lines as they come.
    #[arg(short, long)]
    follow: bool,
    /// Stream labels, `name=value`, separated by commas.
    #[arg(short = 'l', long)]
    selector: Option<String>,
    /// Only lines that contain this.
    #[arg(short = 'g', long)]
    grep: Option<String>,
    /// How many lines.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

/// Prints lines, oldest first.
pub(crate) async fn logs(session: &Session, args: &LogArgs) -> Result<(), Failure> {
    let query = logql(args)?;
    let limit = args.limit.to_string();
    if args.follow {
        return follow(session, &query, &limit).await;
    }
    let (start, end) = (session.range.start_ns.to_string(), session.range.end_ns.to_string());
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
        return Err(Failure::usage("this query makes numbers, not lines")
            .hint("a metric query belongs in a dashboard or the UI"));
    }
    let mut lines = lines(&data["result"]);
    lines.sort_by_key(|line| line.0);
    if session.output.is_data() {
        let data = lines
            .iter()
            .map(|(at, line, labels)| json!({"ts_ns": at.to_string(), "line": line, "labels": labels}));
        return session.output.data(&Value::Array(data.collect()));
    }
    if lines.is_empty() {
        eprintln!("no line matches in this range");
    }
    write(&lines.iter().map(drawn).collect::<String>())
}

async fn follow(session: &Session, query: &str, limit: &str) -> Result<(), Failure> {
    let start = session.clock.now_ns().to_string();
    let params = [("query", query), ("limit", limit), ("start", &start)];
    let request = session.client.web_socket("/loki/loki/api/v1/tail", &params)?;
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .map_err(|error| Failure::new(format!("cannot follow: {error}")))?;
    while let Some(message) = socket.next().await {
        let message = message.map_err(|error| Failure::new(format!("the server stopped: {error}")))?;
        let Ok(text) = message.to_text() else { continue };
        let Ok(frame) = serde_json::from_str::<Value>(text) else { continue };
        let dropped = frame["dropped_entries"].as_array().map_or(0, Vec::len);
        if dropped > 0 {
            eprintln!("warning: {dropped} lines came faster than they could be shown");
        }
        let mut lines = lines(&frame["streams"]);
        lines.sort_by_key(|line| line.0);
        write(&lines.iter().map(drawn).collect::<String>())?;
    }
    Ok(())
}

/// Time, line and labels of every entry.
fn lines(streams: &Value) -> Vec<(i64, String, Value)> {
    let mut lines = Vec::new();
    for stream in streams.as_array().into_iter().flatten() {
        for value in stream["values"].as_array().into_iter().flatten() {
            let at = value[0].as_str().and_then(|at| at.parse().ok()).unwrap_or(0);
            lines.push((at, value[1].as_str().unwrap_or_default().to_owned(), stream["stream"].clone()));
        }
    }
    lines
}

fn drawn((at, line, labels): &(i64, String, Value)) -> String {
    format!("{} {} {line}\n", shown(*at), labels["service_name"].as_str().unwrap_or("-"))
}

/// LogQL of the arguments.
fn logql(args: &LogArgs) -> Result<String, Failure> {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut query = match (&args.what, &args.selector) {
        (Some(query), None) if query.trim_start().starts_with('{') => query.clone(),
        (Some(query), Some(_)) if query.trim_start().starts_with('{') => {
            return Err(Failure::usage("-l adds labels to a service's name, not to LogQL"));
        }
        (what, selector) => {
            let mut parts: Vec<String> =
                what.iter().map(|name| format!("service_name={}", quoted(name))).collect();
            for pair in selector.iter().flat_map(|list| list.split(',')) {
                let (name, value) = pair
                    .split_once('=')
                    .ok_or_else(|| Failure::usage(format!("-l: {pair:?} is not name=value")))?;
                parts.push(format!("{}={}", name.trim(), quoted(value.trim())));
            }
            if parts.is_empty() {
                parts.push(r#"service_name=~".+""#.to_owned());
            }
            format!("{{{}}}", parts.join(", "))
        }
    };
    if let Some(text) = &args.grep {
        query = format!("{query} |= {}", quoted(text));
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(what: Option<&str>, selector: Option<&str>, grep: Option<&str>, expected: Option<&str>) {
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        let args =
            LogArgs { what: own(what), follow: false, selector: own(selector), grep: own(grep), limit: 1 };
        assert_eq!(logql(&args).ok().as_deref(), expected);
    }

    #[test]
    fn names_labels_and_text_become_logql() {
        check(Some("pay"), None, None, Some(r#"{service_name="pay"}"#));
        check(
            Some("pay"),
            Some("pod=a, env=b"),
            Some("x\"y"),
            Some(r#"{service_name="pay", pod="a", env="b"} |= "x\"y""#),
        );
        check(None, None, None, Some(r#"{service_name=~".+"}"#));
        check(Some(r#"{a="b"} | json"#), None, None, Some(r#"{a="b"} | json"#));
        check(None, Some("a"), None, None);
        check(Some(r#"{a="b"}"#), Some("c=d"), None, None);
    }
}
