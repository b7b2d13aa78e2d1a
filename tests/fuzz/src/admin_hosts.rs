use twinkey_postgres::fuzzing::address;
use twinkey_postgres::{ADMIN_HOSTS, Settings};

/// The operator's list of servers: each entry is one that a document could name, and is written
/// as it is read.
pub fn admin_hosts(bytes: &[u8]) {
    let Ok(list) = std::str::from_utf8(bytes) else {
        return;
    };
    let set = |name: &str| (name == ADMIN_HOSTS).then(|| list.to_owned());
    if let Err(error) = Settings::from_env(set) {
        let error = error.to_string();
        super::assert_presentable(&error, None);
        assert!(error.starts_with(ADMIN_HOSTS), "{error}");
    }
    for entry in list.split(',').map(str::trim) {
        if let Some(written) = address(entry) {
            assert_eq!(address(&written).as_ref(), Some(&written), "{entry:?}");
        }
    }
}
