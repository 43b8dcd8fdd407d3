//! Fuzzes `metric_block`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::metric_block(data));
