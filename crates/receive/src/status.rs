//! `google.rpc.Status`: the error body of OTLP over HTTP and the details of a gRPC error.
//!
//! Field numbers from `google/rpc/status.proto` and `google/rpc/error_details.proto`.

use crate::fault::Fault;
use prost::Message;
use serde_json::json;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    /// A gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What went wrong and what to do.
    #[prost(string, tag = "2")]
    pub message: String,
    /// At most one `RetryInfo`.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// Names the type of `value`.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// An encoded message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct RetryInfo {
    /// How long to wait.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Delay {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl RpcStatus {
    /// What a gRPC client is told of `fault`.
    pub(crate) fn of(fault: &Fault) -> Self {
        let details = fault.retry_after_s().map(|seconds| {
            let delay = Delay { seconds: i64::from(seconds), nanos: 0 };
            Any { type_url: RETRY_INFO.into(), value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec() }
        });
        Self { code: fault.grpc() as i32, message: fault.to_string(), details: details.into_iter().collect() }
    }

    /// The same in protobuf's JSON form.
    pub(crate) fn json_of(fault: &Fault) -> serde_json::Value {
        let details = fault
            .retry_after_s()
            .map(|seconds| json!({"@type": RETRY_INFO, "retryDelay": format!("{seconds}s")}));
        json!({
            "code": fault.grpc() as i32,
            "message": fault.to_string(),
            "details": details.into_iter().collect::<Vec<_>>(),
        })
    }
}
