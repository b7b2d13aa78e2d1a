use chrono::{DateTime, TimeDelta};
use twinkey_github::Reply;
use twinkey_github::fuzzing::errors;

const TOKEN: &str = "TEST-a-token-that-an-answer-may-repeat";

/// What GitHub answers, as `STATUS`, lines of headers, an empty line and the body: each error is one for people, without
/// the token even where the answer repeats it, and says to wait for no negative time.
pub fn github_answer(bytes: &[u8]) {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 2..]),
        None => (bytes, &[][..]),
    };
    let Ok(head) = std::str::from_utf8(head) else {
        return;
    };
    let mut lines = head.lines();
    let Some(status) = lines.next().and_then(|line| line.parse().ok()) else {
        return;
    };
    let headers = lines.filter_map(|line| line.split_once(": "));
    let reply = Reply {
        status,
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_vec(),
    };
    let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
    for error in errors(reply, TOKEN, now) {
        super::assert_presentable(&error.message, Some(TOKEN));
        assert!(error.message.chars().count() < 600, "endless: {error}");
        if let Some(hint) = error.hint.as_deref() {
            super::assert_presentable(hint, Some(TOKEN));
        }
        assert!(
            error
                .retry_after
                .is_none_or(|wait| wait >= TimeDelta::zero())
        );
    }
}
