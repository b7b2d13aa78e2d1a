use twinkey_postgres::fuzzing::{log_in, screen};

const PASSWORD: &str = "TEST-a-password-that-no-server-knows";

/// What a server says during a login: it never gets the password, is never believed without
/// having asked for it, and writes no line of a log.
pub fn server_messages(bytes: &[u8]) {
    let Some((first, answer)) = bytes.split_first() else {
        return;
    };
    // The fuzzer reads what it is compared with; no server that it stands for can know this.
    if contains(answer, PASSWORD) {
        return;
    }
    let over_tls = first & 1 == 1;
    let screened = screen(over_tls, [answer]);
    let in_pieces = screen(over_tls, answer.chunks(usize::from(*first / 2) + 1));
    assert_eq!(screened, in_pieces, "messages may be cut anywhere");
    match &screened {
        Ok(complete) => assert_allowed(over_tls, *complete, &requests(answer)),
        Err(refusal) => super::assert_presentable(refusal, Some(PASSWORD)),
    }
    let (told, outcome) = log_in(PASSWORD, over_tls, answer);
    assert!(
        !contains(&told, PASSWORD),
        "the password went over the wire"
    );
    match outcome {
        // Nobody who does not know the password can sign for it.
        Ok(()) => assert!(over_tls && screened == Ok(true)),
        Err(error) => {
            super::assert_presentable(&error.message, Some(PASSWORD));
            assert!(error.message.chars().count() < 400, "endless: {error}");
            assert!(
                !error.message.contains("SCRAM-SHA-256$"),
                "a verifier: {error}"
            );
            let hint = error.hint.as_deref();
            if let Some(hint) = hint {
                super::assert_presentable(hint, Some(PASSWORD));
            }
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// The codes of the authentication requests before the server says that it is ready.
fn requests(mut answer: &[u8]) -> Vec<u32> {
    let mut codes = Vec::new();
    while let Some((header, _)) = answer.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let Some(body) = answer.get(5..=length) else {
            break;
        };
        match (header[0], body.first_chunk()) {
            (b'R', Some(code)) => codes.push(u32::from_be_bytes(*code)),
            (b'Z', _) if codes.contains(&0) => break,
            _ => {}
        }
        answer = &answer[length + 1..];
    }
    codes
}

fn assert_allowed(over_tls: bool, complete: bool, codes: &[u32]) {
    assert!(!codes.contains(&3), "a password in clear");
    assert!(over_tls || !codes.contains(&5), "an MD5 hash without TLS");
    let admitted = codes.iter().position(|code| *code == 0);
    let asked = |before: usize| codes[..before].iter().any(|code| [5, 12].contains(code));
    assert!(admitted.is_none_or(asked), "trust");
    assert!(!complete || admitted.is_some());
}
