//! Fuzzes `remote_write`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::remote_write(data));
