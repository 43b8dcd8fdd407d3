//! Zipkin v2 JSON, in and out.
//!
//! Endpoints become the attributes OpenTelemetry names for them and come back from those. A server span that shares the
//! id of its client span gets an id of its own, since a span id names one span here; going out, it gets the shared id
//! back. Source: `zipkin.io/zipkin-api` (`zipkin2-api.yaml`) and OpenTelemetry's Zipkin mapping.

mod decode;
mod encode;

pub use decode::decode_v2_json;
pub use encode::encode_v2;

/// Marks a span that shared its client's id; the value is the parent it had, or empty.
const SHARED: &str = "zipkin.shared";
/// Marks a span that was sampled for debugging.
const DEBUG: &str = "zipkin.debug";
const PEER_SERVICE: &str = "peer.service";
const STATUS_CODE: &str = "otel.status_code";
const SCOPE_NAME: &str = "otel.scope.name";
const SCOPE_VERSION: &str = "otel.scope.version";

/// Attributes of an endpoint: IPv4 or IPv6 address, port.
struct EndpointNames {
    ipv4: &'static str,
    ipv6: &'static str,
    port: &'static str,
}

const LOCAL: EndpointNames =
    EndpointNames { ipv4: "net.host.ip", ipv6: "net.host.ip", port: "net.host.port" };
const REMOTE: EndpointNames =
    EndpointNames { ipv4: "net.peer.ip", ipv6: "net.peer.ip", port: "net.peer.port" };
