#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twinkey_fuzz::github_answer(bytes));
