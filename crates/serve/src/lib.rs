//! HTTP and gRPC APIs, our own and the ecosystem's; the embedded UI.
