use serde_json::{Value, json};
use twinkey_core::StepRequest;

/// The event of a rotation: read as it is meant, or refused by field; its rotation token is never
/// shown, nor anything of a document that was sent instead.
pub fn rotation_event(bytes: &[u8]) {
    let event: Option<Value> = serde_json::from_slice(bytes).ok();
    let string = |field| event.as_ref()?.get(field)?.as_str();
    match serde_json::from_slice::<StepRequest>(bytes) {
        Ok(request) => {
            let token = string("RotationToken").unwrap_or_default();
            let shown = format!("{request:?}");
            let shown_elsewhere = [string("SecretId"), string("ClientRequestToken")]
                .iter()
                .flatten()
                .any(|text| text.contains(token));
            assert!(!super::is_marked(token) || shown_elsewhere || !shown.contains(token));
            assert_eq!(Some(request.secret.as_str()), string("SecretId"));
            assert_eq!(Some(request.token.as_str()), string("ClientRequestToken"));
            let again = json!({
                "Step": request.step,
                "SecretId": request.secret,
                "ClientRequestToken": request.token,
            });
            let again: StepRequest = serde_json::from_value(again).expect("what was read");
            assert_eq!(again, request);
        }
        Err(error) => {
            let error = error.to_string();
            super::assert_presentable(&error, None);
            assert!(!error.contains(super::MARKER), "shows a value: {error}");
        }
    }
}
