//! Fuzzes `otlp_metrics`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::otlp_metrics(data));
