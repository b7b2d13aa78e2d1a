//! Who asks: the App, by a web token that is checked as GitHub does, or an installation token.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::reply::Reply;
use crate::state::State;

/// The longest that a web token may be good for, in seconds from now.
const LONGEST: i64 = 600;

impl State {
    /// Refuses who does not prove to be the App.
    pub(crate) fn as_app(&self, bearer: &str) -> Result<(), Reply> {
        let undecodable = || Reply::message(401, "A JSON web token could not be decoded");
        let (input, signature) = bearer.rsplit_once('.').ok_or_else(undecodable)?;
        let (header, claims) = input.split_once('.').ok_or_else(undecodable)?;
        let json = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (json(header), json(claims));
        let (header, claims) = header.zip(claims).ok_or_else(undecodable)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| undecodable())?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.app.public);
        if header["alg"] != "RS256" || key.verify(input.as_bytes(), &signature).is_err() {
            return Err(undecodable());
        }
        let now = self.now().timestamp();
        let issuer = &claims["iss"];
        if *issuer != self.app.client_id.as_str()
            && *issuer != self.app.id.as_str()
            && issuer.as_i64().map(|id| id.to_string()).as_deref() != Some(&self.app.id)
        {
            return Err(Reply::message(404, "Integration not found"));
        }
        match claims["exp"].as_i64() {
            Some(exp) if exp > now + LONGEST => Err(Reply::message(
                401,
                "'Expiration time' claim ('exp') is too far in the future",
            )),
            Some(exp) if exp > now => Ok(()),
            _ => Err(Reply::message(
                401,
                "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
            )),
        }?;
        match claims["iat"].as_i64() {
            Some(iat) if iat <= now => Ok(()),
            _ => Err(Reply::message(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            )),
        }
    }

    /// The number of the token that asks.
    pub(crate) fn as_installation(&mut self, bearer: &str) -> Result<usize, Reply> {
        let bad = || Reply::message(401, "Bad credentials");
        let at = self.tokens.iter().position(|token| token.value == bearer);
        let at = at.ok_or_else(bad)?;
        if !self.is_live(&self.tokens[at]) {
            return Err(bad());
        }
        let token = &mut self.tokens[at];
        if token.unknown_for > 0 {
            token.unknown_for -= 1;
            return Err(bad());
        }
        self.unless_suspended().map(|()| at)
    }

    pub(crate) fn unless_suspended(&self) -> Result<(), Reply> {
        if self.installation.suspended_at.is_some() {
            return Err(Reply::message(403, "This installation has been suspended"));
        }
        Ok(())
    }
}
