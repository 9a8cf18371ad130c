#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| everclat_fuzzing::targets::dns_answers(input));
