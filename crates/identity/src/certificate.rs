//! Reading certificates: PEM files, and what a node's certificate says about its owner.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::role::Role;

/// What is wrong with a certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The PEM armour is broken.
    #[error("read the PEM text")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// There is no certificate.
    #[error("the PEM text holds no certificate")]
    Missing,
    /// The certificate cannot be parsed.
    #[error("parse the certificate: {0}")]
    Parse(String),
    /// The certificate lacks a field or has it twice.
    #[error("the certificate's {0} is missing, doubled or not text")]
    Field(&'static str),
    /// The organizational unit is not a role.
    #[error("the certificate's unit {0:?} is neither swarm-worker nor swarm-manager")]
    Unit(String),
}

/// What a node's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) node_id: String,
    pub(crate) role: Role,
    pub(crate) cluster_id: String,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

impl Statement {
    /// Reads the statement in a certificate, without judging who signed it.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|error| Error::Parse(error.to_string()))?;
        let subject = parsed.subject();
        let unit = only("unit", subject.iter_organizational_unit())?;
        Ok(Self {
            node_id: only("common name", subject.iter_common_name())?,
            role: Role::from_unit(&unit).ok_or(Error::Unit(unit))?,
            cluster_id: only("organization", subject.iter_organization())?,
            not_before: instant(parsed.validity().not_before.timestamp()),
            not_after: instant(parsed.validity().not_after.timestamp()),
        })
    }
}

/// Returns every certificate in a PEM text; at least one.
pub(crate) fn read_pem(text: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(Error::Pem)?;
    if certificates.is_empty() { Err(Error::Missing) } else { Ok(certificates) }
}

/// Returns the public key a certificate is about, without its algorithm.
pub(crate) fn public_key(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, Error> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|error| Error::Parse(error.to_string()))?;
    Ok(parsed.public_key().subject_public_key.data.to_vec())
}

/// Two units or names would let two readers see two different nodes in one certificate.
fn only<'a>(
    field: &'static str,
    mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
) -> Result<String, Error> {
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Error::Field(field)) };
    value.as_str().map(str::to_owned).map_err(|_| Error::Field(field))
}

fn instant(unix_seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(unix_seconds).unwrap_or(0))
}
