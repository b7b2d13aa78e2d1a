use twinkey_core::Record;

/// The record of a rotation: written and read again, it is the same.
pub fn rotation_record(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else {
        return;
    };
    let text = serde_json::to_vec(&record).expect("names, times and numbers");
    let again: Record = serde_json::from_slice(&text).expect("what was written");
    assert_eq!(again, record);
    assert_eq!(serde_json::to_vec(&again).expect("the same"), text);
}
