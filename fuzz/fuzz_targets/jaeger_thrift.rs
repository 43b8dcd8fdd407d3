//! Fuzzes `jaeger_thrift`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::jaeger_thrift(data));
