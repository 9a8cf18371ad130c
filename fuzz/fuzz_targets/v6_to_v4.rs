#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| everclat_fuzzing::targets::v6_to_v4(input));
