//! Speaks to one repository of one registry: over TLS, or plainly where that is allowed.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use oci_client::RegistryOperation;
use oci_client::client::{Certificate, CertificateEncoding, Client, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;

use crate::error::Error;
use crate::manifest::{
    DOCKER_LIST, DOCKER_MANIFEST, DOCUMENT_BYTES_MAX, Descriptor, OCI_INDEX, OCI_MANIFEST,
};
use crate::reference::Reference;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence in the middle of an answer; a slow registry sends little, but something.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const ATTEMPTS_MAX: u32 = 4;
const BACK_OFF: Duration = Duration::from_millis(250);

/// Who asks the registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// The user; empty if a token says it all.
    pub username: String,
    /// The user's password or access token.
    pub password: String,
    /// A bearer token to be used as it is.
    pub registry_token: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How registries are reached from this machine.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Registries (`host` or `host:port`) that may be spoken to without TLS.
    pub insecure_registries: &'a [String],
    /// PEM files with further certificate authorities.
    pub extra_roots: &'a [PathBuf],
}

/// One repository, with the connection to its registry.
pub struct Repository {
    client: Client,
    auth: RegistryAuth,
    name: Reference,
    /// Why TLS failed, if the registry is spoken to plainly because of it.
    tls_failure: Option<String>,
}

impl Repository {
    /// Finds out how the registry wants to be spoken to, and logs in if it asks for it.
    pub async fn connect(name: &Reference, auth: Option<&Auth>, trust: Trust<'_>) -> Result<Self, Error> {
        // Fails only if the program has chosen its provider before, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let auth = registry_auth(auth);
        let repository = Self::over(ClientProtocol::Https, name, auth.clone(), trust)?;
        let failure = match repository.log_in().await {
            Ok(()) => return Ok(repository),
            Err(failure) => failure,
        };
        let is_connect = matches!(&failure, OciDistributionError::RequestError(error) if error.is_connect());
        if !is_connect || !may_be_plain(name.registry(), trust.insecure_registries) {
            return Err(repository.translate(failure, None));
        }
        let mut plain = Self::over(ClientProtocol::Http, name, auth, trust)?;
        plain.tls_failure = Some(chain(&failure));
        match plain.log_in().await {
            Ok(()) => Ok(plain),
            Err(error) => Err(plain.translate(error, None)),
        }
    }

    fn over(
        protocol: ClientProtocol,
        name: &Reference,
        auth: RegistryAuth,
        trust: Trust<'_>,
    ) -> Result<Self, Error> {
        let config = ClientConfig {
            protocol,
            extra_root_certificates: read_roots(trust.extra_roots)?,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("drover/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let failed = |source| Error::Failed { registry: name.registry().to_owned(), source };
        let client = Client::try_from(config).map_err(failed)?;
        Ok(Self { client, auth, name: name.clone(), tls_failure: None })
    }

    async fn log_in(&self) -> Result<(), OciDistributionError> {
        let asked = self.wire_name(None);
        self.client.auth(&asked, &self.auth, RegistryOperation::Pull).await.map(drop)
    }

    /// Returns a manifest or index, its digest checked: the one of this digest, or the one the name stands for.
    pub async fn document(&self, digest: Option<crate::Digest>) -> Result<(Bytes, crate::Digest), Error> {
        const ACCEPTED: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];
        let asked = self.wire_name(digest);
        let wanted = digest.or(self.name.digest());
        let mut attempts = Attempts::default();
        let bytes = loop {
            let answer = self.client.pull_manifest_raw(&asked, &self.auth, &ACCEPTED).await;
            match answer {
                Ok((bytes, _)) => break bytes,
                Err(error) => attempts.again_after(self.translate(error, wanted)).await?,
            }
        };
        let actual = crate::Digest::of(&bytes);
        match wanted {
            Some(wanted) if wanted != actual => Err(self.damaged(wanted, format!("it has {actual}"))),
            Some(_) | None => Ok((bytes, actual)),
        }
    }

    /// Returns a small blob, its digest checked.
    pub async fn small_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let mut attempts = Attempts::default();
        loop {
            match self.small_blob_once(descriptor).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => attempts.again_after(error).await?,
            }
        }
    }

    async fn small_blob_once(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let mut stream = self.blob(descriptor).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
                return Err(self.damaged(descriptor.digest, "it is longer than 8 MiB".to_owned()));
            }
        }
        Ok(bytes)
    }

    /// Returns a blob as it comes; the last piece is an error unless digest and length are right.
    pub async fn blob(
        &self,
        descriptor: &Descriptor,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + use<>, Error> {
        let digest = descriptor.digest;
        let text = digest.to_string();
        let asked = self.client.pull_blob_stream(&self.wire_name(None), text.as_str()).await;
        let stream = asked.map_err(|error| self.translate(error, Some(digest)))?;
        let name = self.name.familiar();
        Ok(stream.map(move |piece| {
            piece.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some::<&oci_client::errors::DigestError>(reason) => Error::Damaged {
                    name: name.clone(),
                    digest: digest.to_string(),
                    reason: reason.to_string(),
                },
                None => Error::Broken { digest: digest.short(), source: error },
            })
        }))
    }

    /// Returns the name the repository was connected for.
    pub fn name(&self) -> &Reference {
        &self.name
    }

    fn wire_name(&self, digest: Option<crate::Digest>) -> oci_client::Reference {
        let (registry, repository) = (self.name.registry().to_owned(), self.name.repository().to_owned());
        match (digest.or(self.name.digest()), self.name.tag()) {
            (Some(digest), _) => oci_client::Reference::with_digest(registry, repository, digest.to_string()),
            (None, tag) => {
                oci_client::Reference::with_tag(registry, repository, tag.unwrap_or("latest").to_owned())
            }
        }
    }

    /// Returns the error that content is not what it should be.
    pub fn damaged(&self, digest: crate::Digest, reason: String) -> Error {
        Error::Damaged { name: self.name.familiar(), digest: digest.to_string(), reason }
    }

    fn translate(&self, error: OciDistributionError, digest: Option<crate::Digest>) -> Error {
        let (registry, name) = (self.name.registry().to_owned(), self.name.familiar_name());
        let denied = |reason: String| match self.auth {
            RegistryAuth::Anonymous => Error::AccessDenied { name: name.clone(), reason },
            RegistryAuth::Basic(..) | RegistryAuth::Bearer(_) => {
                Error::Unauthorized { registry: registry.clone(), reason }
            }
        };
        let unknown = |reason: &str| {
            let asked = digest.map_or_else(|| self.name.clone(), |digest| self.name.by_digest(digest));
            Error::ManifestUnknown { name: asked.familiar(), reason: reason.to_owned() }
        };
        match error {
            OciDistributionError::RegistryError { envelope, url } => match envelope.errors.first() {
                Some(first) => {
                    let reason = first.message.clone();
                    match first.code {
                        OciErrorCode::Denied => {
                            Error::AccessDenied { name: name.clone(), reason: format!("denied: {reason}") }
                        }
                        OciErrorCode::Unauthorized => denied(format!("unauthorized: {reason}")),
                        OciErrorCode::ManifestUnknown | OciErrorCode::NotFound => unknown(&reason),
                        OciErrorCode::NameUnknown => Error::NameUnknown { name: name.clone(), reason },
                        OciErrorCode::Toomanyrequests => {
                            Error::TooManyRequests { registry: registry.clone(), reason }
                        }
                        _ => {
                            let source = OciDistributionError::RegistryError { envelope, url };
                            Error::Failed { registry: registry.clone(), source }
                        }
                    }
                }
                None => Error::Failed {
                    registry: registry.clone(),
                    source: OciDistributionError::RegistryError { envelope, url },
                },
            },
            OciDistributionError::UnauthorizedError { .. } => {
                denied("denied: requested access to the resource is denied".to_owned())
            }
            OciDistributionError::AuthenticationFailure(reason) => denied(one_line(&reason)),
            OciDistributionError::ImageManifestNotFoundError(_)
            | OciDistributionError::ServerError { code: 404, .. } => unknown("manifest unknown"),
            OciDistributionError::ServerError { code: 400, .. } if self.tls_failure.is_some() => {
                Error::Certificate { registry, reason: self.tls_failure.clone().unwrap_or_default() }
            }
            OciDistributionError::DigestError(reason) => Error::Damaged {
                name: self.name.familiar(),
                digest: digest.map(|digest| digest.to_string()).unwrap_or_default(),
                reason: reason.to_string(),
            },
            source @ OciDistributionError::RequestError(_) => Error::Unreachable { registry, source },
            source => Error::Failed { registry, source },
        }
    }
}

fn registry_auth(auth: Option<&Auth>) -> RegistryAuth {
    match auth {
        Some(auth) if !auth.registry_token.is_empty() => RegistryAuth::Bearer(auth.registry_token.clone()),
        Some(auth) if !auth.username.is_empty() => {
            RegistryAuth::Basic(auth.username.clone(), auth.password.clone())
        }
        Some(_) | None => RegistryAuth::Anonymous,
    }
}

/// What comes from this machine needs no protection from the network.
fn may_be_plain(registry: &str, insecure: &[String]) -> bool {
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => registry.split(':').next().unwrap_or(registry),
    };
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    host == "localhost" || is_loopback || insecure.iter().any(|known| known == registry || known == host)
}

fn read_roots(paths: &[PathBuf]) -> Result<Vec<Certificate>, Error> {
    const END: &str = "-----END CERTIFICATE-----";
    let mut roots = Vec::new();
    for path in paths {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Roots { path: path.clone(), source })?;
        let whole = text.split_inclusive(END).filter(|part| part.contains(END));
        roots.extend(whole.map(|part| Certificate { encoding: CertificateEncoding::Pem, data: part.into() }));
    }
    Ok(roots)
}

/// Counts attempts at what fails for reasons that pass.
#[derive(Default)]
pub struct Attempts {
    made: u32,
}

impl Attempts {
    /// Waits until it is time to try again, a little longer each time; returns an error that is worth no other try.
    pub async fn again_after(&mut self, error: Error) -> Result<(), Error> {
        self.made += 1;
        if self.made >= ATTEMPTS_MAX || !error.is_transient() {
            return Err(error);
        }
        tracing::info!(attempt = self.made, %error, "trying the registry again");
        // Half of it is random, so that many nodes do not come back at once.
        let whole = BACK_OFF * 2_u32.pow(self.made);
        tokio::time::sleep(whole.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
        Ok(())
    }
}

fn chain(error: &OciDistributionError) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest.to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_listed_registries_may_be_plain() {
        let listed = ["registry.lan:5000".to_owned(), "10.0.0.7".to_owned()];
        let check = |registry: &str| may_be_plain(registry, &listed);

        assert!(
            ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"]
                .into_iter()
                .all(check)
        );
        assert!(["registry.lan:5000", "10.0.0.7", "10.0.0.7:80"].into_iter().all(check));
        let outside = ["registry.lan", "docker.io", "localhost.evil.org", "127.evil.org", "10.0.0.70"];
        assert!(!outside.into_iter().any(check));
    }
}
