//! Tokens: what an authority gives out for a purpose, and how long it holds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

use crate::auth::Auth;

/// How this program introduces itself to authorities.
const CLIENT_ID: &str = "drover";
/// What an authority means that does not say how long its token holds.
const LIFE_DEFAULT: Duration = Duration::from_secs(60);
/// A token is replaced while it still holds, so that it does not end on the way.
const LIFE_MARGIN: Duration = Duration::from_secs(15);

/// The answer of an authority.
#[derive(Debug, Deserialize)]
pub(crate) struct Grant {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<String>,
}

impl Grant {
    /// Returns the token, by whichever of its two names it came.
    pub(crate) fn bearer(&self) -> Option<&str> {
        [&self.token, &self.access_token].into_iter().map(String::as_str).find(|text| !text.is_empty())
    }

    /// Returns the token that stands for the user from then on.
    pub(crate) fn identity(self) -> Option<String> {
        self.refresh_token.filter(|text| !text.is_empty())
    }
}

/// What is asked of an authority.
pub(crate) struct Request<'a> {
    pub(crate) realm: &'a str,
    pub(crate) service: Option<&'a str>,
    pub(crate) scopes: &'a [String],
    /// Whether an identity token is wanted, too.
    pub(crate) is_login: bool,
}

impl Request<'_> {
    /// An identity token is exchanged by form; a password, or nobody's wish, is a query.
    pub(crate) fn build(&self, http: &Client, auth: &Auth) -> RequestBuilder {
        if !auth.identity_token.is_empty() {
            return http.post(self.realm).form(&self.form(auth));
        }
        let mut query: Vec<(&str, &str)> =
            self.scopes.iter().map(|scope| ("scope", scope.as_str())).collect();
        query.extend(self.service.map(|service| ("service", service)));
        if !auth.username.is_empty() {
            query.push(("account", &auth.username));
        }
        if self.is_login {
            query.extend([("client_id", CLIENT_ID), ("offline_token", "true")]);
        }
        let request = http.get(self.realm).query(&query);
        if auth.username.is_empty() {
            return request;
        }
        request.basic_auth(&auth.username, Some(&auth.password))
    }

    fn form(&self, auth: &Auth) -> Vec<(&'static str, String)> {
        let mut form = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", auth.identity_token.clone()),
            ("client_id", CLIENT_ID.to_owned()),
            ("scope", self.scopes.join(" ")),
        ];
        form.extend(self.service.map(|service| ("service", service.to_owned())));
        if self.is_login {
            form.push(("access_type", "offline".to_owned()));
        }
        form
    }
}

/// The tokens that still hold, by their purpose.
#[derive(Debug, Default)]
pub(crate) struct Tokens(BTreeMap<String, (String, Instant)>);

impl Tokens {
    pub(crate) fn get(&self, scopes: &[String], now: Instant) -> Option<String> {
        let (token, end) = self.0.get(&scopes.join(" "))?;
        (now < *end).then(|| token.clone())
    }

    pub(crate) fn put(&mut self, scopes: &[String], token: String, grant: &Grant, now: Instant) {
        let life = grant.expires_in.map_or(LIFE_DEFAULT, Duration::from_secs);
        self.0.insert(scopes.join(" "), (token, now + life.saturating_sub(LIFE_MARGIN)));
    }

    pub(crate) fn forget(&mut self, scopes: &[String]) {
        self.0.remove(&scopes.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_used_until_shortly_before_its_end() {
        let now = Instant::now();
        let scopes = ["repository:web:pull".to_owned()];
        let grant: Grant = serde_json::from_str(r#"{"access_token":"t","expires_in":300}"#).unwrap();
        let mut tokens = Tokens::default();
        tokens.put(&scopes, grant.bearer().unwrap().to_owned(), &grant, now);

        assert_eq!(tokens.get(&scopes, now + Duration::from_secs(280)).as_deref(), Some("t"));
        assert_eq!(tokens.get(&scopes, now + Duration::from_secs(290)), None);
        assert_eq!(tokens.get(&[], now), None);
    }
}
