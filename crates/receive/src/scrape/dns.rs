//! Looks up SRV, MX and NS records, which the system resolver does not offer: one question to each name server of
//! `/etc/resolv.conf` in turn, over UDP and, when the answer is cut off, over TCP. Source: RFC 1035, RFC 2782.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Where the system's resolver is configured.
pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Longest wait for one name server.
const SERVER_SECONDS_MAX: u64 = 5;
/// Longest answer over UDP, announced by EDNS(0).
const UDP_BYTES_MAX: u16 = 4096;
/// Records of one answer.
const RECORDS_MAX: usize = 4096;
/// Pointers followed within one name.
const POINTERS_MAX: usize = 64;
/// Name servers and search domains that are used of a configuration.
const SERVERS_MAX: usize = 3;
const DOMAINS_MAX: usize = 6;

/// Record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ns = 2,
    Mx = 15,
    Srv = 33,
}

/// Where a record points; the port of an SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Fully qualified, with its final dot.
    pub(crate) target: String,
    pub(crate) port: Option<u16>,
}

/// What `resolv.conf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolver {
    servers: Vec<SocketAddr>,
    domains: Vec<String>,
    dots: usize,
}

impl Resolver {
    /// The system's.
    pub(crate) fn system() -> io::Result<Self> {
        Ok(Self::parse(&platform::files::read_text(Path::new(RESOLV_CONF))?))
    }

    fn parse(text: &str) -> Self {
        let mut resolver = Self { servers: Vec::new(), domains: Vec::new(), dots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    resolver.servers.extend(address.map(|address| SocketAddr::new(address, 53)));
                }
                Some("search" | "domain") => {
                    resolver.domains =
                        words.take(DOMAINS_MAX).map(|word| word.trim_matches('.').to_owned()).collect();
                }
                Some("options") => {
                    let dots = words.find_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    resolver.dots = dots.unwrap_or(resolver.dots);
                }
                _ => {}
            }
        }
        resolver.servers.truncate(SERVERS_MAX);
        resolver
    }

    /// The names to try for `name`, in order.
    fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(rooted) = name.strip_suffix('.') {
            return vec![rooted.to_owned()];
        }
        let mut names: Vec<String> = self.domains.iter().map(|domain| format!("{name}.{domain}")).collect();
        let first = name.matches('.').count() >= self.dots;
        names.insert(if first { 0 } else { names.len() }, name.to_owned());
        names
    }

    /// The records of `name`; empty when it has none.
    pub(crate) async fn look_up(&self, name: &str, kind: Kind) -> Result<Vec<Found>, String> {
        let mut last_error = None;
        for name in self.candidates(name) {
            match self.ask_servers(&name, kind).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return Ok(found),
                Err(error) => last_error = Some(error),
            }
        }
        last_error.map_or(Ok(Vec::new()), Err)
    }

    async fn ask_servers(&self, name: &str, kind: Kind) -> Result<Vec<Found>, String> {
        let mut error = format!("{RESOLV_CONF} names no name server");
        for server in &self.servers {
            let patience = Duration::from_secs(SERVER_SECONDS_MAX);
            match tokio::time::timeout(patience, ask(*server, name, kind)).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(reason)) => error = format!("{name}: name server {server}: {reason}"),
                Err(_) => {
                    error = format!("{name}: name server {server}: no answer within {SERVER_SECONDS_MAX} s");
                }
            }
        }
        Err(error)
    }
}

async fn ask(server: SocketAddr, name: &str, kind: Kind) -> Result<Vec<Found>, String> {
    let plain = |error: io::Error| error.to_string();
    let socket = platform::net::udp(server).await.map_err(plain)?;
    let id = socket.local_addr().map_err(plain)?.port();
    let question = question(id, name, kind)?;
    socket.send(&question).await.map_err(plain)?;
    let mut buffer = vec![0; usize::from(UDP_BYTES_MAX)];
    let length = socket.recv(&mut buffer).await.map_err(plain)?;
    let answer = parse(buffer.get(..length).unwrap_or_default(), id, kind)?;
    if !answer.cut_off {
        return Ok(answer.found);
    }
    let mut stream = platform::net::connect(&server.to_string()).await.map_err(plain)?;
    let length = u16::try_from(question.len()).map_err(|_| "the name is too long")?;
    stream.write_all(&[&length.to_be_bytes()[..], &question].concat()).await.map_err(plain)?;
    let length = stream.read_u16().await.map_err(plain)?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.map_err(plain)?;
    Ok(parse(&buffer, id, kind)?.found)
}

/// One question with recursion desired, and room for long answers.
fn question(id: u16, name: &str, kind: Kind) -> Result<Vec<u8>, String> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
        bytes.push(length.ok_or_else(|| format!("{name:?} is not a domain name"))?);
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, kind as u8, 0, 1]);
    bytes.extend([0, 0, 41]);
    bytes.extend(UDP_BYTES_MAX.to_be_bytes());
    bytes.extend([0; 6]);
    Ok(bytes)
}

#[derive(Debug, PartialEq, Eq)]
struct Reply {
    found: Vec<Found>,
    cut_off: bool,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    /// A name with its final dot; compressed names are followed, at most [`POINTERS_MAX`] steps.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut resume = None;
        let mut pointers = 0;
        loop {
            let length = self.u8()?;
            if length >= 0xc0 {
                let low = self.u8()?;
                pointers += 1;
                resume.get_or_insert(self.at);
                self.at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                if pointers > POINTERS_MAX {
                    return None;
                }
                continue;
            }
            if length == 0 {
                break;
            }
            let end = self.at.checked_add(usize::from(length))?;
            name.push_str(std::str::from_utf8(self.bytes.get(self.at..end)?).ok()?);
            name.push('.');
            self.at = end;
        }
        self.at = resume.unwrap_or(self.at);
        Some(name)
    }
}

fn parse(bytes: &[u8], id: u16, kind: Kind) -> Result<Reply, String> {
    let malformed = || "malformed answer".to_owned();
    let mut reader = Reader { bytes, at: 0 };
    let head: Option<Vec<u16>> = (0..6).map(|_| reader.u16()).collect();
    let Some([their_id, flags, questions, answers, _, _]) = head.as_deref() else { return Err(malformed()) };
    if *their_id != id || flags & 0x8000 == 0 {
        return Err("an answer to another question".into());
    }
    match flags & 0xf {
        0 => {}
        3 => return Ok(Reply { found: Vec::new(), cut_off: false }),
        code => return Err(format!("refused with code {code}")),
    }
    if flags & 0x0200 != 0 {
        return Ok(Reply { found: Vec::new(), cut_off: true });
    }
    let skip_question = |reader: &mut Reader<'_>| Some((reader.name()?, reader.u16()?, reader.u16()?));
    for _ in 0..*questions {
        skip_question(&mut reader).ok_or_else(malformed)?;
    }
    let mut found = Vec::new();
    for _ in 0..usize::from(*answers).min(RECORDS_MAX) {
        record(&mut reader, kind, &mut found).ok_or_else(malformed)?;
    }
    Ok(Reply { found, cut_off: false })
}

/// Reads one record and keeps it when it is of type `kind`; `None` when it is malformed.
fn record(reader: &mut Reader<'_>, kind: Kind, found: &mut Vec<Found>) -> Option<()> {
    reader.name()?;
    let type_number = reader.u16()?;
    reader.at += 6;
    let end = usize::from(reader.u16()?) + reader.at;
    if type_number == kind as u16 {
        reader.at += match kind {
            Kind::Srv => 4,
            Kind::Mx => 2,
            Kind::Ns => 0,
        };
        let port = if kind == Kind::Srv { Some(reader.u16()?) } else { None };
        found.push(Found { target: reader.name()?, port });
    }
    reader.at = end;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name server on loopback that answers `found` to whatever it is asked, its names compressed.
    async fn server(found: &'static [(&'static str, u16)], code: u8) -> SocketAddr {
        let any: SocketAddr = "127.0.0.1:0".parse().expect("addr");
        let socket = tokio::net::UdpSocket::bind(any).await.expect("udp");
        let addr = socket.local_addr().expect("addr");
        drop(platform::task::spawn("name-server", async move {
            let mut buffer = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let asked = &buffer[..length - 11];
                let mut answer = asked.to_vec();
                answer[2..4].copy_from_slice(&[0x81, 0x80 | code]);
                answer[6..12].copy_from_slice(&[0, u8::try_from(found.len()).expect("few"), 0, 0, 0, 0]);
                for (target, port) in found {
                    answer.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
                    answer.extend(u16::try_from(target.len() + 9).expect("short").to_be_bytes());
                    answer.extend([0, 0, 0, 0]);
                    answer.extend(port.to_be_bytes());
                    answer.push(u8::try_from(target.len()).expect("short"));
                    answer.extend(target.bytes());
                    answer.extend([0xc0, 12]);
                }
                let _ = socket.send_to(&answer, peer).await;
            }
        }));
        addr
    }

    #[tokio::test]
    async fn srv_records_are_looked_up_and_no_records_are_no_error() {
        let resolver = |server| Resolver { servers: vec![server], domains: Vec::new(), dots: 1 };
        let found = resolver(server(&[("a", 80), ("b", 81)], 0).await).look_up("svc.test.", Kind::Srv).await;
        let expected = [("a.svc.test.", 80), ("b.svc.test.", 81)]
            .map(|(target, port)| Found { target: target.into(), port: Some(port) });
        assert_eq!(found, Ok(expected.to_vec()));
        assert_eq!(resolver(server(&[], 3).await).look_up("svc.test", Kind::Srv).await, Ok(Vec::new()));
        let error = resolver(server(&[], 2).await).look_up("svc.test", Kind::Srv).await.expect_err("failure");
        assert!(error.ends_with("refused with code 2"), "{error}");
    }

    #[test]
    fn answers_that_lie_are_refused() {
        let head = |answers: u8| vec![0, 7, 0x81, 0x80, 0, 0, 0, answers, 0, 0, 0, 0];
        let loop_of_pointers = [head(1), vec![0xc0, 12]].concat();
        let short = [head(1), vec![0, 0, 33]].concat();
        for bytes in [&[][..], &head(1), &loop_of_pointers, &short] {
            assert_eq!(parse(bytes, 7, Kind::Srv), Err("malformed answer".into()), "{bytes:?}");
        }
        assert!(parse(&head(0), 8, Kind::Srv).is_err(), "another id");
        assert!(question(1, "a..b", Kind::Srv).is_err());
        assert!(question(1, &"x".repeat(64), Kind::Srv).is_err());
    }

    #[test]
    fn names_are_searched_as_the_system_is_configured() {
        let text = "# comment\nnameserver 10.0.0.1\nnameserver ::1\nsearch a.local b.local.\noptions ndots:5 rotate\n";
        let resolver = Resolver::parse(text);
        assert_eq!(
            resolver.servers,
            ["10.0.0.1:53".parse().expect("addr"), "[::1]:53".parse().expect("addr")]
        );
        assert_eq!(resolver.candidates("x.y"), ["x.y.a.local", "x.y.b.local", "x.y"]);
        assert_eq!(resolver.candidates("x.y."), ["x.y"]);
        assert_eq!(Resolver::parse("search c").candidates("x.y"), ["x.y", "x.y.c"]);
    }
}
