//! The cluster's root CA.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::certificate;
use crate::role::Role;
use crate::verify;

/// How long a node certificate is valid unless the cluster says otherwise.
pub const VALIDITY_DEFAULT: Duration = Duration::from_secs(90 * 24 * 3600);
const ROOT_VALIDITY: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// Certificates begin in the past, so that a node with a slow clock accepts them at once.
const BACKDATE: Duration = Duration::from_secs(3600);
/// A request with a P-256 key takes about 500 bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// Why the root CA could not be read or could not sign.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root certificate cannot be read.
    #[error("read the root certificate")]
    Certificate(#[from] certificate::Error),
    /// The root key cannot be read, or a key could not be made.
    #[error("use the root key")]
    Key(#[source] rcgen::Error),
    /// Key and certificate are not a pair.
    #[error("the root key does not belong to the root certificate")]
    Mismatch,
    /// Only the certificate is known here.
    #[error("the root key is not known on this node, so it cannot sign certificates")]
    NoKey,
    /// The request is malformed, too large or not signed by its own key.
    #[error("read the certificate signing request: {0}")]
    Request(String),
    /// The certificate is not one that can be trusted as a root.
    #[error("trust the root certificate")]
    Anchor(#[source] rustls::Error),
    /// Signing failed.
    #[error("sign the certificate")]
    Sign(#[source] rcgen::Error),
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The node's id.
    pub node_id: &'a str,
    /// The node's role.
    pub role: Role,
    /// The cluster's id.
    pub cluster_id: &'a str,
}

/// The certificate every node of a cluster trusts and, where known, the key that signs for it.
#[derive(Clone)]
pub struct RootCa {
    certificate_pem: String,
    certificate: CertificateDer<'static>,
    key_pem: Option<String>,
}

impl RootCa {
    /// Makes a self-signed root for a new cluster.
    pub fn generate(now: SystemTime) -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::Key)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "swarm-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = (now - BACKDATE).into();
        params.not_after = (now + ROOT_VALIDITY).into();
        let certificate = params.self_signed(&key).map_err(Error::Sign)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key_pem: Some(key.serialize_pem()),
        })
    }

    /// Reads a root back from its PEM texts; without a key it can verify but not sign.
    pub fn from_pem(certificate_pem: &str, key_pem: Option<&str>) -> Result<Self, Error> {
        let certificate = certificate::read_pem(certificate_pem)?.remove(0);
        if let Some(key_pem) = key_pem {
            let key = KeyPair::from_pem(key_pem).map_err(Error::Key)?;
            if certificate::public_key(&certificate)? != key.public_key_raw() {
                return Err(Error::Mismatch);
            }
        }
        Ok(Self {
            certificate_pem: certificate_pem.to_owned(),
            certificate,
            key_pem: key_pem.map(str::to_owned),
        })
    }

    /// Returns the certificate as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Returns the private key as PEM, if it is known here.
    pub fn key_pem(&self) -> Option<&str> {
        self.key_pem.as_deref()
    }

    /// Returns the SHA-256 of the certificate, as join tokens carry it.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// Returns the root as a set of trust anchors.
    pub(crate) fn anchors(&self) -> Result<RootCertStore, Error> {
        verify::roots(std::slice::from_ref(&self.certificate)).map_err(Error::Anchor)
    }

    /// Signs a certificate for the key in a signing request and returns it as PEM.
    ///
    /// Only the key is taken from the request: the names and rights are those of `subject`.
    pub fn issue(
        &self,
        request_pem: &str,
        subject: Subject<'_>,
        validity: Duration,
        now: SystemTime,
    ) -> Result<String, Error> {
        if request_pem.len() > REQUEST_BYTES_MAX {
            return Err(Error::Request(format!("it is larger than {REQUEST_BYTES_MAX} bytes")));
        }
        let key = KeyPair::from_pem(self.key_pem.as_deref().ok_or(Error::NoKey)?).map_err(Error::Key)?;
        let issuer = Issuer::from_ca_cert_der(&self.certificate, key).map_err(Error::Sign)?;
        let mut request = CertificateSigningRequestParams::from_pem(request_pem)
            .map_err(|error| Error::Request(error.to_string()))?;
        request.params = node_params(subject, validity, now);
        Ok(request.signed_by(&issuer).map_err(Error::Sign)?.pem())
    }
}

/// Leaves the key out, so that no log can carry it.
impl fmt::Debug for RootCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key_pem.is_some() { "known" } else { "unknown" };
        f.debug_struct("RootCa").field("digest", &self.digest()).field("key", &key).finish()
    }
}

fn node_params(subject: Subject<'_>, validity: Duration, now: SystemTime) -> CertificateParams {
    let Subject { node_id, role, cluster_id } = subject;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, node_id);
    params.distinguished_name.push(DnType::OrganizationalUnitName, role.unit());
    params.distinguished_name.push(DnType::OrganizationName, cluster_id);
    params.subject_alt_names = [node_id, role.unit()]
        .iter()
        .filter_map(|name| Some(SanType::DnsName((*name).try_into().ok()?)))
        .collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = (now - BACKDATE).into();
    params.not_after = (now + validity).into();
    params
}
