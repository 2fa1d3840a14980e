//! What an image archive holds: `docker save` archives and OCI layouts, spooled to disk and understood.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use archive::{Kind, Tail, TarReader};
use registry::manifest::{self, DOCUMENT_BYTES_MAX, Descriptor, Document, parse_json};
use registry::{Digest, Platform, Reference};
use serde::Deserialize;

use crate::disk::Staging;
use crate::unpack::{self, Bounded, Counted, Limits, decompress};

/// Links to links in an archive; a loop ends here.
const LINKS_MAX: usize = 8;
/// Indexes inside indexes.
const INDEX_DEPTH_MAX: usize = 4;

/// Tells why an archive holds no images.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive is of another kind.
    #[error(
        "the archive holds no images: it has neither manifest.json (docker save) nor index.json (OCI layout)"
    )]
    NoImages,
    /// The archive refers to a file that it does not have.
    #[error("the archive is incomplete: {0} is missing")]
    Missing(String),
    /// A file of the archive is not what its digest says.
    #[error("the archive is damaged: {name} has digest {actual}")]
    Damaged {
        /// The file.
        name: String,
        /// What it has.
        actual: Digest,
    },
    /// A document in the archive is malformed.
    #[error(transparent)]
    Document(#[from] manifest::Error),
    /// No image of the archive runs here.
    #[error("no image in the archive is for {0}")]
    NoPlatform(Platform),
    /// The archive could not be read or kept.
    #[error("read the archive")]
    Read(#[from] unpack::Error),
}

/// One image of an archive.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) names: Vec<String>,
    pub(crate) config: Vec<u8>,
    /// Files of the layers, lowest first.
    pub(crate) layers: Vec<PathBuf>,
}

/// An archive's files, kept on disk until its images are unpacked: their order in the archive is arbitrary.
#[derive(Debug)]
pub(crate) struct Spool {
    directory: Staging,
    files: BTreeMap<PathBuf, PathBuf>,
    links: BTreeMap<PathBuf, PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

impl Spool {
    pub(crate) fn fill(archive: impl Read + Send, directory: Staging, limits: Limits) -> Result<Self, Error> {
        let (packed, count) = Counted::new(archive);
        let plain = decompress(packed).map_err(unpack::Error::from_read)?;
        let plain = Bounded::new(plain, count, limits.archive_bytes_max, limits);
        let mut stream = TarReader::new(plain);
        let mut spool = Self { directory, files: BTreeMap::new(), links: BTreeMap::new() };
        let mut buffer = vec![0; 128 << 10];
        let mut entries = 0;
        while let Some(entry) = stream.next().map_err(unpack::Error::from_read)? {
            entries += 1;
            let kept = spool.directory.path().join(entries.to_string());
            if entries > limits.entries_max {
                return Err(unpack::Error::TooManyEntries { entries_max: limits.entries_max }.into());
            }
            let path = unpack::clean(&entry.path)?;
            match entry.kind {
                Kind::File => {
                    keep(&kept, &mut stream, &mut buffer)?;
                    spool.files.insert(path, kept);
                }
                Kind::Symlink => {
                    spool.links.insert(path.clone(), beside(&path, &entry.link));
                }
                Kind::HardLink => {
                    spool.links.insert(path, unpack::clean(&entry.link)?);
                }
                Kind::Directory | Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => {}
            }
        }
        stream.finish(Tail::Whole).map_err(unpack::Error::from_read)?;
        Ok(spool)
    }

    /// Returns the images, as the archive's own list names them.
    pub(crate) fn images(&self, host: &Platform) -> Result<Vec<Found>, Error> {
        if self.find("manifest.json").is_ok() {
            return self.docker_images();
        }
        if self.find("index.json").is_ok() {
            return self.oci_images(host);
        }
        Err(Error::NoImages)
    }

    fn docker_images(&self) -> Result<Vec<Found>, Error> {
        let manifests: Vec<DockerManifest> = parse_json("manifest.json", &self.document("manifest.json")?)?;
        let found = manifests.into_iter().map(|manifest| {
            let DockerManifest { config, repo_tags, layers } = manifest;
            let layers = layers.unwrap_or_default();
            let layers: Result<Vec<PathBuf>, Error> = layers.iter().map(|name| self.find(name)).collect();
            Ok(Found {
                names: repo_tags.unwrap_or_default(),
                config: self.document(&config)?,
                layers: layers?,
            })
        });
        found.collect()
    }

    fn oci_images(&self, host: &Platform) -> Result<Vec<Found>, Error> {
        let Document::Index(entries) = Document::parse("index.json", &self.document("index.json")?)? else {
            return Err(Error::NoImages);
        };
        let is_other = |entry: &&Descriptor| {
            entry.platform.as_ref().is_some_and(|platform| !host.accepts(&platform.platform()))
        };
        let is_attestation =
            |entry: &&Descriptor| entry.annotations.contains_key("vnd.docker.reference.type");
        let fitting: Vec<&Descriptor> =
            entries.iter().filter(|entry| !is_other(entry) && !is_attestation(entry)).collect();
        if fitting.is_empty() && !entries.is_empty() {
            return Err(Error::NoPlatform(host.clone()));
        }
        fitting.into_iter().map(|entry| self.oci_image(entry, host, 0)).collect()
    }

    fn oci_image(&self, entry: &Descriptor, host: &Platform, depth: usize) -> Result<Found, Error> {
        let names = name_of(entry).into_iter().collect();
        let manifest = match Document::parse(&entry.digest.to_string(), &self.blob(entry)?)? {
            Document::Manifest(manifest) => manifest,
            Document::Index(_) if depth >= INDEX_DEPTH_MAX => return Err(Error::NoPlatform(host.clone())),
            Document::Index(entries) => {
                let chosen = host.choose(&entries).ok_or_else(|| Error::NoPlatform(host.clone()))?;
                let inner = self.oci_image(chosen, host, depth + 1)?;
                return Ok(Found { names, ..inner });
            }
        };
        let layers: Result<Vec<PathBuf>, Error> =
            manifest.layers.iter().map(|layer| self.find(&blob_name(layer.digest))).collect();
        Ok(Found { names, config: self.blob(&manifest.config)?, layers: layers? })
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let name = blob_name(descriptor.digest);
        let bytes = self.document(&name)?;
        let actual = Digest::of(&bytes);
        if actual == descriptor.digest { Ok(bytes) } else { Err(Error::Damaged { name, actual }) }
    }

    fn document(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.find(name)?;
        let read = || -> io::Result<Vec<u8>> {
            let file = File::open(&path)?;
            if file.metadata()?.len() > DOCUMENT_BYTES_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{name} is longer than 8 MiB"),
                ));
            }
            fs::read(&path)
        };
        read().map_err(|error| unpack::Error::Read(error).into())
    }

    fn find(&self, name: &str) -> Result<PathBuf, Error> {
        let mut path = unpack::clean(name.as_bytes())?;
        for _ in 0..LINKS_MAX {
            if let Some(file) = self.files.get(&path) {
                return Ok(file.clone());
            }
            match self.links.get(&path) {
                Some(target) => path = target.clone(),
                None => break,
            }
        }
        Err(Error::Missing(name.to_owned()))
    }
}

fn keep(kept: &Path, stream: &mut impl Read, buffer: &mut [u8]) -> Result<(), Error> {
    let failed = |source| unpack::Error::Write { path: kept.to_owned(), source };
    let mut file = File::create(kept).map_err(failed)?;
    loop {
        let count = stream.read(buffer).map_err(unpack::Error::from_read)?;
        if count == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..count]).map_err(failed)?;
    }
}

fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Where a link inside the archive points; one that leads outside finds nothing.
fn beside(path: &Path, link: &[u8]) -> PathBuf {
    let mut target = match link.first() {
        Some(b'/') => PathBuf::new(),
        Some(_) | None => path.parent().unwrap_or(Path::new("")).to_owned(),
    };
    for part in String::from_utf8_lossy(link).split('/') {
        match part {
            "" | "." => {}
            ".." => {
                target.pop();
            }
            name => target.push(name),
        }
    }
    target
}

/// Builders write the complete name into one annotation, and a name or just a tag into the other.
fn name_of(entry: &Descriptor) -> Option<String> {
    let annotation = |key: &str| entry.annotations.get(key).cloned();
    let complete = annotation("io.containerd.image.name");
    let short = || annotation("org.opencontainers.image.ref.name").filter(|name| name.contains([':', '/']));
    complete.or_else(short).filter(|name| name.parse::<Reference>().is_ok())
}
