//! Fuzzes `jaeger_v2`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::jaeger_v2(data));
