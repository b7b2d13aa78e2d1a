#![doc = include_str!("../README.md")]

mod copies;
mod fields;
mod repeated_field;

pub use copies::{check_copies, is_in_pointer, mentions, pointer_part};
pub use fields::{Fields, object, optional_text, text};
