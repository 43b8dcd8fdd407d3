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

/// What a file may say of a door: `9090`, `"10.0.0.1:9090"`, `off` (which YAML reads as false) or `on`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// Whether it listens at all.
    Switch(bool),
    /// A port on the common address.
    Port(u16),
    /// `IP:PORT`.
    Text(String),
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
    /// Added to every default port and to ports without an address.
    pub port_offset: u16,
    /// Only these doors, when the flag was given.
    pub only: Option<&'a [String]>,
    /// The file's `doors`.
    pub places: &'a BTreeMap<String, Place>,
}

/// Puts flags and file together.
///
/// # Errors
/// One sentence when a name, port or address is wrong.
pub fn choose(choice: &DoorChoice<'_>) -> Result<Vec<Listen>, String> {
    let known: Vec<&str> = DOORS.iter().map(|(_, name, _)| *name).collect();
    let unknown =
        |from: &str, name: &str| format!("{from}: there is no door {name:?}: use {}", known.join(", "));
    if let Some(name) = choice.only.into_iter().flatten().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown("--doors", name));
    }
    if let Some(name) = choice.places.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown("doors", name));
    }
    let mut doors = Vec::new();
    for (door, name, default_port) in DOORS {
        let asked = choice.only.is_some_and(|only| only.iter().any(|wanted| wanted == name));
        if choice.only.is_some() && !asked {
            continue;
        }
        let place = choice.places.get(*name);
        let port = match place {
            Some(Place::Switch(false)) if !asked => continue,
            Some(Place::Text(text)) => {
                let wrong = |_| format!("doors.{name}: {text:?} is not a port, IP:PORT or off");
                doors.push(Listen { door: *door, addr: text.parse().map_err(wrong)?, named: true });
                continue;
            }
            Some(Place::Port(port)) => *port,
            Some(Place::Switch(_)) | None => *default_port,
        };
        // Port 0 asks the system for a free one, whatever the offset.
        let port = if port == 0 { Some(0) } else { port.checked_add(choice.port_offset) };
        let port = port.ok_or_else(|| format!("port_offset: door {name} would listen above port 65535"))?;
        doors.push(Listen { door: *door, addr: (choice.ip, port).into(), named: asked || place.is_some() });
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
            Err(part) => assert!(got.as_ref().is_err_and(|error| error.contains(part)), "{got:?}"),
        }
    }

    #[test]
    fn flags_and_file_decide_together() {
        let text = |text: &str| Place::Text(text.to_owned());
        check(1, Some(&["loki"]), &[], Ok(&["loki 127.0.0.1:3101 named"]));
        check(
            0,
            Some(&["loki", "ui"]),
            &[("ui", Place::Port(0))],
            Ok(&["ui 127.0.0.1:0 named", "loki 127.0.0.1:3100 named"]),
        );
        check(0, Some(&["zipkin"]), &[("zipkin", text("10.0.0.1:1"))], Ok(&["zipkin 10.0.0.1:1 named"]));
        check(0, Some(&["smtp"]), &[], Err("there is no door \"smtp\""));
        check(0, None, &[("ui", text("nowhere"))], Err("doors.ui"));
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
