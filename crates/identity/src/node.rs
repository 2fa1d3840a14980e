//! A node's own identity: its certificate, its key and the roots it trusts.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, UnixTime};

use crate::certificate::{self, Statement};
use crate::role::Role;
use crate::verify;

/// Certificate, key and roots are one file: one rename replaces all three or none.
const FILE: &str = "identity.pem";

/// Why an identity could not be made, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node has not joined a cluster, or its data root is another one.
    #[error("no node identity in {0}: this node has not joined a cluster")]
    Absent(PathBuf),
    /// A file operation failed.
    #[error("{action} {path}")]
    File {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The stored identity is not usable.
    #[error("read the node identity in {path}: move it away and join the cluster again")]
    Stored {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A certificate cannot be read.
    #[error("read the node's certificate")]
    Certificate(#[from] certificate::Error),
    /// The private key cannot be read.
    #[error("read the node's private key")]
    Key(#[source] rustls_pki_types::pem::Error),
    /// Key and certificate are not a pair.
    #[error("the node's private key does not belong to its certificate")]
    Mismatch(#[source] rustls::Error),
    /// The certificate was signed by another root.
    #[error("the certificate of node {node_id} is not signed by the cluster's root CA")]
    Foreign {
        /// The node that the certificate names.
        node_id: String,
        /// What the verifier said.
        source: rustls::Error,
    },
    /// A key or a signing request could not be made.
    #[error("make a key and a signing request")]
    Generate(#[source] rcgen::Error),
}

/// A node's certificate, key and trusted roots, checked to belong together.
#[derive(Clone)]
pub struct NodeIdentity {
    statement: Statement,
    certificate_pem: String,
    key_pem: String,
    root_pem: String,
    pair: Arc<CertifiedKey>,
    roots: Arc<RootCertStore>,
}

/// A fresh private key and the request to have it certified.
pub struct SigningRequest {
    /// The request to send to a manager, as PEM.
    pub request_pem: String,
    /// The private key, as PEM; it never leaves the node.
    pub key_pem: String,
}

impl SigningRequest {
    /// Makes a key and a signing request for it.
    pub fn generate() -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::Generate)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "drover-node");
        let request = params.serialize_request(&key).map_err(Error::Generate)?;
        Ok(Self { request_pem: request.pem().map_err(Error::Generate)?, key_pem: key.serialize_pem() })
    }
}

impl NodeIdentity {
    /// Puts an identity together and checks that key, certificate and roots belong to each other.
    ///
    /// Expiry is left to the handshake: an expired node must still be able to say so.
    pub fn from_pem(certificate_pem: &str, key_pem: &str, root_pem: &str) -> Result<Self, Error> {
        let certificate = certificate::read_pem(certificate_pem)?.remove(0);
        let statement = Statement::of(&certificate)?;
        let roots = verify::roots(&certificate::read_pem(root_pem)?)
            .map_err(|source| Error::Foreign { node_id: statement.node_id.clone(), source })?;
        verify::chain(&certificate, &[], &roots, unix(statement.not_before))
            .map_err(|source| Error::Foreign { node_id: statement.node_id.clone(), source })?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(Error::Key)?;
        let pair =
            CertifiedKey::from_der(vec![certificate], key, &default_provider()).map_err(Error::Mismatch)?;
        Ok(Self {
            statement,
            certificate_pem: certificate_pem.to_owned(),
            key_pem: key_pem.to_owned(),
            root_pem: root_pem.to_owned(),
            pair: Arc::new(pair),
            roots: Arc::new(roots),
        })
    }

    /// Reads the identity kept in a folder.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Error::Absent(path)),
            Err(source) => return Err(Error::File { action: "read", path, source }),
        };
        let (key_pem, rest) = split_after(&text, "PRIVATE KEY");
        let (certificate_pem, root_pem) = split_after(rest, "CERTIFICATE");
        Self::from_pem(certificate_pem, key_pem, root_pem)
            .map_err(|source| Error::Stored { path, source: Box::new(source) })
    }

    /// Keeps the identity in a folder, readable by its owner only; a crash leaves the former or this one.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let part = folder.join(format!(".{FILE}.part"));
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { action, path, source }
        };
        fs::create_dir_all(folder).map_err(fail("make folder", folder))?;
        let _ = fs::remove_file(&part);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .map_err(fail("make", &part))?;
        let text = format!("{}{}{}", self.key_pem, self.certificate_pem, self.root_pem);
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail("write", &part))?;
        fs::rename(&part, &path).map_err(fail("replace", &path))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail("sync folder", folder))
    }

    /// Forgets the identity kept in a folder; none being there is fine.
    pub fn remove(folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::File { action: "remove", path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Returns the node's id.
    pub fn node_id(&self) -> &str {
        &self.statement.node_id
    }

    /// Returns the role the certificate grants.
    pub fn role(&self) -> Role {
        self.statement.role
    }

    /// Returns the id of the cluster the node belongs to.
    pub fn cluster_id(&self) -> &str {
        &self.statement.cluster_id
    }

    /// Returns when the certificate begins to be valid.
    pub fn not_before(&self) -> SystemTime {
        self.statement.not_before
    }

    /// Returns when the certificate ends to be valid.
    pub fn not_after(&self) -> SystemTime {
        self.statement.not_after
    }

    /// Returns the node's certificate as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Returns the trusted root certificates as PEM.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Returns this identity trusting other roots, as a rotation of the root CA asks for.
    pub fn with_roots(&self, root_pem: &str) -> Result<Self, Error> {
        Self::from_pem(&self.certificate_pem, &self.key_pem, root_pem)
    }

    /// Returns how long to wait until the certificate should be renewed.
    ///
    /// The moment lies between 50 % and 80 % of its life, placed by `random` in [0, 1), so that nodes
    /// that joined together do not all ask at once. It is zero when that moment is over.
    pub fn renew_after(&self, now: SystemTime, random: f64) -> Duration {
        let Statement { not_before, not_after, .. } = self.statement;
        let life = not_after.duration_since(not_before).unwrap_or_default();
        let moment = not_before + life.mul_f64(0.5 + 0.3 * random.clamp(0.0, 1.0));
        moment.duration_since(now).unwrap_or_default()
    }

    pub(crate) fn pair(&self) -> &Arc<CertifiedKey> {
        &self.pair
    }

    pub(crate) fn roots(&self) -> &Arc<RootCertStore> {
        &self.roots
    }
}

/// Leaves the key out, so that no log can carry it.
impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeIdentity").field("statement", &self.statement).finish_non_exhaustive()
    }
}

/// Splits a text behind its first PEM block of a kind; without such a block the first half is empty.
fn split_after<'a>(text: &'a str, kind: &str) -> (&'a str, &'a str) {
    let end = format!("{kind}-----\n");
    let closing =
        text.find("-----END ").and_then(|start| Some(start + text[start..].find(&end)? + end.len()));
    text.split_at(closing.unwrap_or(0))
}

fn unix(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}
