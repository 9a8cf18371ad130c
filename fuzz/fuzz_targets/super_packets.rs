#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| everclat_fuzzing::targets::super_packets(input));
