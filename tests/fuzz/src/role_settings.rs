use twinkey_postgres::fuzzing::twin_of;

/// A role's name on the first line, and its settings as the server lists them: whatever they are,
/// they stay inside their quotes.
pub fn role_settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (role, settings) = text.split_once('\n').unwrap_or((text, "[]"));
    let Some(sql) = twin_of(role, settings) else {
        return;
    };
    let bare = outside_quotes(&sql);
    for word in bare.split(|c: char| c.is_whitespace() || ".,;()".contains(c)) {
        assert!(WORDS.contains(&word), "{word:?} is not quoted in {sql}");
    }
    // The mark is the last of them, and whole.
    let last = bare.trim_end().strip_suffix(';');
    let last = last.and_then(|all| all.rsplit(';').next());
    let is_mark = last.is_some_and(|last| last.trim_start().starts_with("COMMENT ON ROLE "));
    assert!(is_mark, "{sql}");
}

const WORDS: [&str; 25] = [
    "",
    "-1",
    "ALTER",
    "COMMENT",
    "CONNECTION",
    "CREATE",
    "CURRENT",
    "DATABASE",
    "FROM",
    "GRANT",
    "IN",
    "INHERIT",
    "IS",
    "LIMIT",
    "LOGIN",
    "ON",
    "PASSWORD",
    "ROLE",
    "SELECT",
    "SET",
    "role",
    "TO",
    "pg_catalog",
    "set_config",
    "true",
];

/// A statement without what is quoted in it, by the server's lexical rules.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>
fn outside_quotes(sql: &str) -> String {
    let mut bare = String::new();
    let mut rest = sql.chars().peekable();
    while let Some(character) = rest.next() {
        let escapes = match character {
            'E' if rest.peek() == Some(&'\'') => rest.next().is_some(),
            '\'' | '"' => false,
            other => {
                bare.push(other);
                continue;
            }
        };
        let quote = if character == '"' { '"' } else { '\'' };
        loop {
            match rest.next().expect("a quote that is closed") {
                '\\' if escapes => drop(rest.next()),
                end if end == quote && rest.peek() == Some(&quote) => drop(rest.next()),
                end if end == quote => break,
                _ => {}
            }
        }
    }
    bare
}
