//! Where GitHub's REST API begins: <https://api.github.com>, or below a path of another host.

use std::fmt;

use url::{Host, Url};

/// GitHub's own, which needs nobody's leave.
const GITHUB: &str = "https://api.github.com";

/// Where a REST API begins.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ApiBase(Url);

impl ApiBase {
    /// `https://host[:port][/path]`; plain `http` at the machine itself alone. The error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut url = Url::parse(text).map_err(|_| "is no URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end with its path");
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("must be https: a token would go over the network in clear"),
            _ => return Err("must begin with https://"),
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    pub(crate) fn is_githubs_own(&self) -> bool {
        self.to_string() == GITHUB
    }

    /// The URL of a path that begins with `/`.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl Default for ApiBase {
    fn default() -> Self {
        Self::parse(GITHUB).expect("a URL")
    }
}

impl fmt::Display for ApiBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ApiBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_the_same_however_it_is_spelt() {
        for text in ["https://api.github.com", "https://API.github.com:443/"] {
            let base = ApiBase::parse(text).expect("a base");
            assert!(base.is_githubs_own(), "{text}");
            assert_eq!(base, ApiBase::default());
        }
        let base = ApiBase::parse("https://git.example/api/v3/").expect("a base");
        assert!(!base.is_githubs_own());
        assert_eq!(base.at("/app"), "https://git.example/api/v3/app");
    }

    #[test]
    fn p10_a_base_that_would_show_a_token_on_the_way_is_none() {
        for text in [
            "api.github.com",
            "http://git.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "ftp://api.github.com",
            "https://api.github.com@git.example",
            "https://user:TEST@api.github.com",
            "https://api.github.com?x",
            "https://api.github.com#x",
            "",
        ] {
            assert!(ApiBase::parse(text).is_err(), "{text}");
        }
        for text in [
            "http://127.0.0.1:8080",
            "http://[::1]",
            "http://localhost:1",
        ] {
            assert!(ApiBase::parse(text).is_ok(), "{text}");
        }
    }
}
