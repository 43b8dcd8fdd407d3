//! Fuzzes `prom_protobuf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::prom_protobuf(data));
