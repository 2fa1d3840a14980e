//! The way to one registry: over TLS, or plainly where that is allowed, with whatever it wants to see.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use crate::auth::Auth;
use crate::challenge::Challenge;
use crate::config::Config;
use crate::error::Error;
use crate::failure::{self, Failure};
use crate::token::{Grant, Request, Tokens};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What an authority's answer may be long; tokens are a few kilobytes.
const GRANT_BYTES_MAX: usize = 1 << 20;
/// Docker Hub answers under another name than its images carry.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// A registry as it wants to be spoken to.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) http: Client,
    /// `https://host:port`, without a slash at the end.
    pub(crate) base: String,
    pub(crate) patience: Duration,
    /// Why TLS failed, if the registry is spoken to plainly because of it.
    pub(crate) tls_failure: Option<String>,
    pub(crate) auth: Auth,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    challenge: Option<Challenge>,
    tokens: Tokens,
}

impl Connection {
    /// Finds out how the registry wants to be spoken to.
    pub(crate) async fn open(
        registry: &str,
        auth: &Auth,
        config: &Config,
    ) -> Result<(Self, Option<Failure>), Error> {
        // Fails only if the program has chosen its provider before, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut connection = Self::over("https", registry, auth, config)?;
        let failure = match connection.ping().await {
            Ok(()) => return Ok((connection, None)),
            Err(failure) => failure,
        };
        let tls_failure = match &failure {
            Failure::Request(error) if error.is_connect() => deepest(error),
            _ => return Ok((connection, Some(failure))),
        };
        if !config.may_be_plain(registry) {
            return Ok((connection, Some(failure)));
        }
        connection = Self::over("http", registry, auth, config)?;
        connection.tls_failure = Some(tls_failure);
        let failure = connection.ping().await.err();
        Ok((connection, failure))
    }

    fn over(scheme: &str, registry: &str, auth: &Auth, config: &Config) -> Result<Self, Error> {
        let http = Client::builder()
            .tls_certs_merge(config.roots_for(registry)?)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("drover/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| Error::Client { registry: registry.to_owned(), source })?;
        let host = if registry == HUB.0 { HUB.1 } else { registry };
        Ok(Self {
            http,
            base: format!("{scheme}://{host}"),
            patience: config.patience,
            tls_failure: None,
            auth: auth.clone(),
            known: Mutex::default(),
        })
    }

    /// The registry says at its door what it wants to see.
    async fn ping(&self) -> Result<(), Failure> {
        let response = self.in_time(self.http.get(self.url("/v2/"))).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.learn(&response);
            return Ok(());
        }
        failure::check(response, self.patience).await.map(drop)
    }

    /// Returns the address of a path that begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Asks, shows what the registry wants to see, and asks again if that was out of date.
    pub(crate) async fn send(
        &self,
        scopes: &[String],
        build: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let request = self.authorized(build(&self.http), scopes).await?;
        let response = self.in_time(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return failure::check(response, self.patience).await;
        }
        let had_token = self.known().tokens.get(scopes, Instant::now()).is_some();
        let is_news = self.learn(&response);
        if !is_news && !had_token {
            return failure::check(response, self.patience).await;
        }
        self.known().tokens.forget(scopes);
        let request = self.authorized(build(&self.http), scopes).await?;
        failure::check(self.in_time(request).await?, self.patience).await
    }

    /// Adds what the registry wants to see.
    pub(crate) async fn authorized(
        &self,
        request: RequestBuilder,
        scopes: &[String],
    ) -> Result<RequestBuilder, Failure> {
        let auth = &self.auth;
        let challenge = self.known().challenge.clone();
        let token = match challenge {
            None => return Ok(request),
            Some(Challenge::Basic) if auth.username.is_empty() => return Ok(request),
            Some(Challenge::Basic) => {
                return Ok(request.basic_auth(&auth.username, Some(&auth.password)));
            }
            Some(Challenge::Bearer { .. }) if !auth.registry_token.is_empty() => auth.registry_token.clone(),
            Some(Challenge::Bearer { realm, service }) => {
                self.token(&Request { realm: &realm, service: service.as_deref(), scopes, is_login: false })
                    .await?
            }
        };
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_invalid| Failure::Nonsense("its token cannot be sent".to_owned()))?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    async fn token(&self, request: &Request<'_>) -> Result<String, Failure> {
        let held = self.known().tokens.get(request.scopes, Instant::now());
        if let Some(token) = held {
            return Ok(token);
        }
        let grant = self.grant(request).await?;
        let token = grant.bearer().map(str::to_owned);
        let token = token.ok_or_else(|| Failure::Nonsense("its authority gave no token".to_owned()))?;
        self.known().tokens.put(request.scopes, token.clone(), &grant, Instant::now());
        Ok(token)
    }

    /// Asks the authority the registry sends its clients to.
    pub(crate) async fn grant(&self, request: &Request<'_>) -> Result<Grant, Failure> {
        // A registry whose line is protected must not make a password go over one that is not.
        let is_downgrade = self.base.starts_with("https:") && !request.realm.starts_with("https:");
        if is_downgrade && !self.auth.is_anonymous() {
            return Err(Failure::PlainRealm(request.realm.to_owned()));
        }
        let response = self.in_time(request.build(&self.http, &self.auth)).await?;
        let response = failure::check(response, self.patience).await?;
        let bytes = failure::read(response, GRANT_BYTES_MAX, self.patience).await?;
        let malformed =
            |_error| Failure::Nonsense("its authority's answer is not what one expects".to_owned());
        serde_json::from_slice(&bytes).map_err(malformed)
    }

    pub(crate) fn challenge(&self) -> Option<Challenge> {
        self.known().challenge.clone()
    }

    /// Remembers what an answer wants to see; tells whether that differs from before.
    fn learn(&self, response: &Response) -> bool {
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenge = Challenge::best(headers.iter().filter_map(|value| value.to_str().ok()));
        let mut known = self.known();
        let is_news = challenge.is_some() && challenge != known.challenge;
        if is_news {
            known.challenge = challenge;
        }
        is_news
    }

    /// Sends a request, and waits for the first line of the answer.
    pub(crate) async fn in_time(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = tokio::time::timeout(self.patience, request.send()).await;
        answer.map_err(|_elapsed| Failure::Stalled(self.patience))?.map_err(Failure::Request)
    }

    /// A panic elsewhere cannot leave this half-changed: each change is one call.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deepest(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest.to_string()
}
