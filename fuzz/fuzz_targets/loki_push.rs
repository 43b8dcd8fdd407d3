//! Fuzzes `loki_push`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::loki_push(data));
