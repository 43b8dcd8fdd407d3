//! Which doors listen where. A door is named by the protocol it speaks; its default port is the ecosystem's own.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A door: its name and the port clients expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// The UI, our own API, and every HTTP API under a prefix.
    Ui,
    /// OTLP over gRPC.
    OtlpGrpc,
    /// OTLP over HTTP.
    OtlpHttp,
    /// Prometheus query API, remote write, OTLP metrics.
    Prometheus,
    /// Loki push, query and tail.
    Loki,
    /// Tempo query.
    Tempo,
    /// Jaeger query over HTTP.
    JaegerQuery,
    /// Jaeger query over gRPC.
    JaegerGrpc,
    /// Jaeger collector: thrift over HTTP.
    JaegerThrift,
    /// Jaeger collector over gRPC.
    JaegerCollector,
    /// Jaeger sampling strategies.
    JaegerSampling,
    /// Zipkin, both ways.
    Zipkin,
}

/// Every door, its name in flags and files, its default port.
pub const DOORS: &[(Door, &str, u16)] = &[
    (Door::Ui, "ui", 8080),
    (Door::OtlpGrpc, "otlp-grpc", 4317),
    (Door::OtlpHttp, "otlp-http", 4318),
    (Door::Prometheus, "prometheus", 9090),
    (Door::Loki, "loki", 3100),
    (Door::Tempo, "tempo", 3200),
    (Door::JaegerQuery, "jaeger-query", 16686),
    (Door::JaegerGrpc, "jaeger-grpc", 16685),
    (Door::JaegerThrift, "jaeger-thrift", 14268),
    (Door::JaegerCollector, "jaeger-collector", 14250),
    (Door::JaegerSampling, "jaeger-sampling", 5778),
    (Door::Zipkin, "zipkin", 9411),
];

impl Door {
    /// Its name in flags and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        DOORS.iter().find(|(door, ..)| *door == self).map_or("", |(_, name, _)| name)
    }
}

/// What a file may say of a door: `9090`, `"10.0.0.1:9090"`, `off` or `on`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Place {
    /// Whether it listens at all.
    Switch(bool),
    /// A port on the common address.
    Port(u16),
    /// `IP:PORT`.
    Addr(SocketAddr),
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "off" | "false" | "no" => return Ok(Self::Switch(false)),
            "on" | "true" | "yes" => return Ok(Self::Switch(true)),
            _ => {}
        }
        let port = text.parse().map(Self::Port).ok();
        let place = port.or_else(|| text.parse().map(Self::Addr).ok());
        place.ok_or_else(|| format!("{text:?} is no place: write a port from 0 to 65535, IP:PORT, on or off"))
    }
}

/// A choice that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorError {
    /// `--doors`, `doors.loki` or `port_offset`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// A door that shall listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Which door.
    pub door: Door,
    /// Where.
    pub addr: SocketAddr,
    /// Named by a flag or file: then a busy port is an error, else a warning.
    pub named: bool,
}

/// What decides where doors listen, before it is put together.
#[derive(Clone, Debug)]
pub struct DoorChoice<'a> {
    /// Common address.
    pub ip: IpAddr,
    /// Added to every default port; a port that the file names is that port.
    pub port_offset: u16,
    /// Only these doors, when the flag was given.
    pub only: Option<&'a [String]>,
    /// The file's `doors`.
    pub places: &'a BTreeMap<String, Place>,
}

/// The names of all doors.
pub fn names() -> impl Iterator<Item = &'static str> {
    DOORS.iter().map(|(_, name, _)| *name)
}

/// Puts flags and file together.
///
/// # Errors
/// When a name or port is wrong.
pub fn choose(choice: &DoorChoice<'_>) -> Result<Vec<Listen>, DoorError> {
    let known = |wanted: &&String| names().any(|name| name == wanted.as_str());
    let unknown = |field: String| {
        let known: Vec<&str> = names().collect();
        DoorError { field, message: format!("there is no such door: use {}", known.join(", ")) }
    };
    if let Some(name) = choice.only.into_iter().flatten().find(|name| !known(name)) {
        return Err(unknown(format!("--doors {name}")));
    }
    if let Some(name) = choice.places.keys().find(|name| !known(name)) {
        return Err(unknown(format!("doors.{name}")));
    }
    let mut doors = Vec::new();
    for (door, name, default_port) in DOORS {
        let asked = choice.only.is_some_and(|only| only.iter().any(|wanted| wanted == name));
        if choice.only.is_some() && !asked {
            continue;
        }
        let place = choice.places.get(*name);
        let addr = match place {
            Some(Place::Switch(false)) if !asked => continue,
            Some(Place::Addr(addr)) => *addr,
            Some(Place::Port(port)) => (choice.ip, *port).into(),
            Some(Place::Switch(_)) | None => {
                let port = default_port.checked_add(choice.port_offset).ok_or_else(|| DoorError {
                    field: "port_offset".into(),
                    message: format!("door {name} would listen above port 65535: lower it"),
                })?;
                (choice.ip, port).into()
            }
        };
        doors.push(Listen { door: *door, addr, named: asked || place.is_some() });
    }
    Ok(doors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn check(offset: u16, only: Option<&[&str]>, places: &[(&str, Place)], expected: Result<&[&str], &str>) {
        let only: Option<Vec<String>> = only.map(|only| only.iter().map(ToString::to_string).collect());
        let places = places.iter().map(|(name, place)| ((*name).to_owned(), place.clone())).collect();
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let choice = DoorChoice { ip, port_offset: offset, only: only.as_deref(), places: &places };
        let got = choose(&choice).map(|doors| {
            let line = |listen: &Listen| {
                format!("{} {}{}", listen.door.name(), listen.addr, if listen.named { " named" } else { "" })
            };
            doors.iter().map(line).collect::<Vec<_>>()
        });
        match expected {
            Ok(lines) => assert_eq!(got.expect("doors"), lines),
            Err(part) => {
                let DoorError { field, message } = got.expect_err(part);
                assert!(format!("{field}: {message}").contains(part), "{field}: {message}");
            }
        }
    }

    #[test]
    fn flags_and_file_decide_together() {
        let place = |text: &str| Place::try_from(text.to_owned()).expect(text);
        check(1, Some(&["loki"]), &[], Ok(&["loki 127.0.0.1:3101 named"]));
        check(
            7,
            Some(&["loki", "ui", "tempo"]),
            &[("ui", place("0")), ("loki", place("3100")), ("tempo", place("on"))],
            Ok(&["ui 127.0.0.1:0 named", "loki 127.0.0.1:3100 named", "tempo 127.0.0.1:3207 named"]),
        );
        check(7, Some(&["zipkin"]), &[("zipkin", place("10.0.0.1:1"))], Ok(&["zipkin 10.0.0.1:1 named"]));
        check(0, Some(&["smtp"]), &[], Err("--doors smtp: there is no such door: use ui, "));
        check(0, None, &[("lokki", place("off"))], Err("doors.lokki: there is no such door"));
        check(60_000, None, &[], Err("above port 65535"));
    }

    #[test]
    fn by_default_every_door_listens_and_none_insists() {
        let choice = DoorChoice {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port_offset: 0,
            only: None,
            places: &BTreeMap::from([("loki".to_owned(), Place::Switch(false))]),
        };
        let doors = choose(&choice).expect("doors");
        assert_eq!(doors.len(), DOORS.len() - 1);
        assert!(doors.iter().all(|listen| !listen.named && listen.addr.ip().is_loopback()));
    }
}
