//! Fuzzes `log_lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::log_lines(data));
