//! Fuzzes `otlp_logs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::otlp_logs(data));
