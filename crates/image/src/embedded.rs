//! The image that needs no registry: one program of this machine, as an image of one file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use archive::Observer;
use registry::{Digest, Platform, Reference};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::disk::{Staging, failed};
use crate::error::Error;
use crate::image::Image;
use crate::index::Embedded;
use crate::layers;
use crate::skeleton;
use crate::store::{Complete, Images, blocking};
use crate::unpack::Unpacked;

/// The file's name in the image.
const FILE: &str = "drover";
/// Images of the same program have the same id everywhere, so their time cannot be that of installing.
const CREATED: &str = "1970-01-01T00:00:00Z";

impl Images {
    /// Makes an image named `name` of the static program at `file`, which it starts as `/drover whoami`.
    ///
    /// The layer holds a hard link where that is possible, so that daemon and containers share one copy in memory.
    /// A program that was installed before is recognised without reading it.
    pub async fn install_embedded(&self, name: &Reference, file: &Path) -> Result<Image, Error> {
        let (images, name, file) = (self.clone(), name.clone(), file.to_owned());
        blocking(move || images.install_blocking(&name, &file)).await
    }

    fn install_blocking(&self, name: &Reference, file: &Path) -> Result<Image, Error> {
        let mut program = File::open(file).map_err(failed("open", file))?;
        let metadata = program.metadata().map_err(failed("read", file))?;
        if let Some(image) = self.installed(name, &metadata) {
            return Ok(image);
        }
        let tar = Tar::of(metadata.len()).map_err(failed("read", file))?;
        let diff_id = tar.digest(&mut program).map_err(failed("read", file))?;
        let pin = self.inner.layers.pin(diff_id);
        if self.inner.layers.get(diff_id).is_none() {
            let staging = self.inner.layers.stage()?;
            fill(&staging, file, &metadata, &tar)?;
            let (tar_bytes, size_bytes) = (tar.length(), metadata.len());
            self.inner.layers.commit(staging, Unpacked { diff_id, tar_bytes, size_bytes }, None)?;
        }
        let config = config_of(diff_id);
        let id = Digest::of(&config);
        let references = vec![name.clone()];
        let (image, _) =
            self.register(Complete { id, config: &config, manifest: None, references, pins: vec![pin] })?;
        let embedded = fingerprint(id, &metadata);
        self.inner.state().index.change(|tables| tables.embedded.insert(name.to_string(), embedded))?;
        Ok(image)
    }

    fn installed(&self, name: &Reference, metadata: &fs::Metadata) -> Option<Image> {
        let state = self.inner.state();
        let tables = state.index.tables();
        let embedded = tables.embedded.get(&name.to_string())?;
        let is_named = tables.references.get(&name.to_string()) == Some(&embedded.id);
        if !is_named || *embedded != fingerprint(embedded.id, metadata) {
            return None;
        }
        let image = self.image(&state, embedded.id)?;
        image.layers.first()?.join(FILE).exists().then_some(image)
    }
}

fn fingerprint(id: Digest, metadata: &fs::Metadata) -> Embedded {
    let modified_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Embedded { id, device: metadata.dev(), inode: metadata.ino(), size_bytes: metadata.len(), modified_ns }
}

/// The tar stream the layer would have had, so that its digest is one that anyone can check.
struct Tar {
    header: tar::Header,
    end: Vec<u8>,
    size: u64,
}

impl Tar {
    fn of(size: u64) -> io::Result<Self> {
        let mut header = tar::Header::new_ustar();
        header.set_path(FILE)?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        let padding = (size.wrapping_neg() % 512) as usize;
        Ok(Self { header, end: vec![0; padding + 1024], size })
    }

    fn length(&self) -> u64 {
        self.header.as_bytes().len() as u64 + self.size + self.end.len() as u64
    }

    fn digest(&self, program: &mut File) -> io::Result<Digest> {
        let mut hasher = Sha256::new();
        hasher.update(self.header.as_bytes());
        let mut buffer = vec![0; 1 << 20];
        let mut left = self.size;
        loop {
            let count = program.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            left = left.checked_sub(count as u64).ok_or_else(|| io::Error::other("it is growing"))?;
            hasher.update(&buffer[..count]);
        }
        if left > 0 {
            return Err(io::Error::other("it is shrinking"));
        }
        hasher.update(&self.end);
        Ok(Digest::finish(hasher))
    }
}

fn fill(staging: &Staging, file: &Path, metadata: &fs::Metadata, tar: &Tar) -> Result<(), Error> {
    let directory = staging.path().join(layers::FILES);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))
        .map_err(failed("write", &directory))?;
    let target = directory.join(FILE);
    link_or_copy(file, &target, metadata).map_err(failed("write", &target))?;
    let skeleton_path = staging.path().join(layers::SKELETON);
    let write = || {
        let mut skeleton = skeleton::Writer::new(skeleton::NamedFile::create(&skeleton_path)?);
        skeleton.framing(tar.header.as_bytes())?;
        skeleton.content(Path::new(FILE), tar.size)?;
        skeleton.framing(&tar.end)?;
        skeleton.finish()
    };
    Ok(write().map_err(failed("write", &skeleton_path))?)
}

fn link_or_copy(file: &Path, target: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    // A link shares the mode: only a program that all may run can be shared.
    if metadata.mode() & 0o555 == 0o555 {
        let linked = fs::canonicalize(file).and_then(|real| fs::hard_link(real, target));
        if linked.is_ok() && fs::metadata(target)?.ino() == metadata.ino() {
            return Ok(());
        }
        if linked.is_ok() {
            fs::remove_file(target)?;
        }
    }
    // The kernel shares the blocks where the filesystem can.
    fs::copy(file, target)?;
    fs::set_permissions(target, fs::Permissions::from_mode(0o755))
}

fn config_of(diff_id: Digest) -> Vec<u8> {
    let Platform { os, architecture, variant: _ } = Platform::host();
    let config = json!({
        "architecture": architecture,
        "config": {
            "Entrypoint": [format!("/{FILE}"), "whoami"],
            "Env": ["PATH=/"],
            "ExposedPorts": { "8080/tcp": {} },
            "Labels": { "org.opencontainers.image.title": "drover/whoami" },
            "WorkingDir": "/",
        },
        "created": CREATED,
        "history": [{ "created": CREATED, "created_by": "drover daemon", "comment": "the program itself" }],
        "os": os,
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    config.to_string().into_bytes()
}
