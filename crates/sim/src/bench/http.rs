//! A client for the programs under test: HTTP/1.1 on one connection that stays open, blocking, no dependencies.

use super::Result;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Longest line of an answer's head, bytes.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// A connection to a port of this machine, made when first needed.
pub(super) struct Client {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
}

/// What the server said.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Client {
    pub(super) fn new(port: u16) -> Self {
        Self { port, stream: None }
    }

    pub(super) fn get(&mut self, path: &str) -> Result<Answer> {
        self.request("GET", path, &[], &[])
    }

    pub(super) fn post(&mut self, path: &str, headers: &[&str], body: &[u8]) -> Result<Answer> {
        self.request("POST", path, headers, body)
    }

    /// One exchange. After an error the next one opens a new connection.
    fn request(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.port)?,
        };
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n", body.len());
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(body)?;
        let (answer, stays) = read(&mut stream)?;
        self.stream = stays.then_some(stream);
        Ok(answer)
    }
}

#[expect(clippy::disallowed_methods, reason = "a client of programs under test, on blocking threads")]
fn connect(port: u16) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::with_capacity(64 << 10, stream))
}

fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    stream.take(LINE_BYTES_MAX).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err("the server closed the connection in the middle of an answer".into());
    }
    Ok(line.trim_end().to_owned())
}

/// The answer, and whether the connection stays open.
fn read(stream: &mut BufReader<TcpStream>) -> Result<(Answer, bool)> {
    let first = line(stream)?;
    let status =
        first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("not an HTTP answer")?;
    let (mut length, mut chunked, mut stays) = (0, false, true);
    loop {
        let header = line(stream)?.to_ascii_lowercase();
        let Some((name, value)) = header.split_once(':') else { break };
        match (name, value.trim()) {
            ("content-length", value) => length = value.parse()?,
            ("transfer-encoding", value) => chunked = value.contains("chunked"),
            ("connection", "close") => stays = false,
            _ => {}
        }
    }
    let mut body = Vec::new();
    if !chunked {
        exactly(stream, length, &mut body)?;
        return Ok((Answer { status, body }, stays));
    }
    loop {
        let size = usize::from_str_radix(line(stream)?.split(';').next().unwrap_or_default().trim(), 16)?;
        exactly(stream, size, &mut body)?;
        line(stream)?;
        if size == 0 {
            return Ok((Answer { status, body }, stays));
        }
    }
}

/// Appends `length` bytes.
fn exactly(stream: &mut BufReader<TcpStream>, length: usize, body: &mut Vec<u8>) -> Result<()> {
    let from = body.len();
    if from + length > ANSWER_BYTES_MAX {
        return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes").into());
    }
    body.resize(from + length, 0);
    Ok(stream.read_exact(&mut body[from..])?)
}

/// `text` for a query string.
pub(super) fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
