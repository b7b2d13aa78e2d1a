use twinkey_postgres::fuzzing::{is_mark, mark};

/// A role's comment: one that is read as our mark is written again with the same meaning, and
/// one that merely looks like it is never mistaken for no mark at all.
pub fn role_mark(bytes: &[u8]) {
    let Ok(comment) = std::str::from_utf8(bytes) else {
        return;
    };
    assert_eq!(is_mark(comment), comment.starts_with("twinkey:"));
    let Some(written) = mark(comment) else {
        return;
    };
    assert!(is_mark(comment) && is_mark(&written));
    assert_eq!(mark(&written).as_ref(), Some(&written));
    // A server keeps a comment as a text, which has no NUL.
    assert!(!written.contains('\0'));
}
