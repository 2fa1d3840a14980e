//! Encryption at rest: one data key per folder, one derived key per file, one nonce per frame.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::rand::{SecureRandom, SystemRandom};

use super::Error;
use super::folder::sync_folder;

/// Random bytes in a file's header that make its key its own.
pub(crate) const SALT_BYTES: usize = 32;
/// What sealing adds to the plain bytes: the nonce in front, the tag behind.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_LEN + 16;

const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "data.key";

/// The folder's data key.
#[derive(Clone)]
pub(crate) struct DataKey(Prk);

impl DataKey {
    /// Reads the key of a folder, or makes one if the folder holds nothing yet.
    pub fn open(dir: &Path, has_content: bool) -> Result<Self, Error> {
        let path = dir.join(KEY_FILE);
        if !path.exists() {
            if has_content {
                let what = "is gone, and what it sealed cannot be read without it: put it back".into();
                return Err(Error::Unsuitable { path, what });
            }
            create(dir, &path)?;
        }
        let mut bytes = Vec::new();
        let mut file = fs::File::open(&path).map_err(Error::io("open", &path))?;
        let mode = file.metadata().map_err(Error::io("inspect", &path))?.permissions().mode();
        if mode & 0o077 != 0 {
            let what = "is readable by others: chmod 600 it, and consider what it protected as read".into();
            return Err(Error::Unsuitable { path, what });
        }
        file.read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
        if bytes.len() != KEY_BYTES {
            return Err(Error::damaged(&path, format!("{} bytes, not {KEY_BYTES}", bytes.len())));
        }
        Ok(Self(Prk::new_less_safe(HKDF_SHA256, &bytes)))
    }

    /// Derives the key of the file whose header carries `salt`.
    pub fn for_file(&self, salt: &[u8; SALT_BYTES]) -> FileKey {
        let purpose = [b"drover log".as_slice(), salt];
        let okm = self.0.expand(&purpose, &AES_256_GCM).expect("the output is one key long");
        FileKey(LessSafeKey::new(UnboundKey::from(okm)))
    }
}

fn create(dir: &Path, path: &Path) -> Result<(), Error> {
    let mut bytes = [0; KEY_BYTES];
    fill(&mut bytes);
    let fresh = path.with_extension("tmp");
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(Error::io("create", &fresh))?;
    file.write_all(&bytes).map_err(Error::io("write", &fresh))?;
    file.sync_all().map_err(Error::io("sync", &fresh))?;
    fs::rename(&fresh, path).map_err(Error::io("rename", &fresh))?;
    sync_folder(dir)
}

/// Fills a buffer from the system's generator.
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the kernel gives random bytes to every process");
}

/// The key of one file.
pub(crate) struct FileKey(LessSafeKey);

impl FileKey {
    /// Appends nonce, ciphertext and tag to `out`; `place` binds the frame to where it stands.
    pub fn seal(&self, place: u64, plain: &[u8], out: &mut Vec<u8>) {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.to_le_bytes()),
                &mut out[start..],
            )
            .expect("a frame is far below the cipher's 64 GiB");
        out.extend_from_slice(tag.as_ref());
    }

    /// Returns the plain bytes, or `None` if they are not what was sealed at this place.
    pub fn open(&self, place: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut buffer = rest.to_vec();
        let plain = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place.to_le_bytes()), &mut buffer)
            .ok()?
            .len();
        buffer.truncate(plain);
        Some(buffer)
    }
}
