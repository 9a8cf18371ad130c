#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| everclat_fuzzing::targets::v4_to_v6(input));
