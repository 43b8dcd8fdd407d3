//! Jaeger over gRPC.
