//! Prints how fast an image of one layer of about 100 MB is loaded, packed and plain, and an embedded one recognised.
//!
//! `cargo run --release -p image --example unpack_speed [DIRECTORY]`, as root.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use image::{Config, Digest, Images, Reporter};

const FILES: usize = 4000;
const FILE_BYTES: usize = 25_000;

#[tokio::main]
async fn main() {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = parent.join(format!("unpack-speed-{}", std::process::id()));
    let layer = layer();
    println!("layer: {FILES} files, {:.1} MB", layer.len() as f64 / 1e6);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&layer).expect("memory takes all");
    let gzip = encoder.finish().expect("memory takes all");
    for (name, packed) in [("plain", &layer), ("gzip", &gzip)] {
        let archive = archive(packed, &layer);
        measure(name, &directory, archive, layer.len()).await;
    }
    measure_embedded(&directory).await;
}

async fn measure(name: &str, directory: &Path, archive: Vec<u8>, bytes: usize) {
    let config = Config { root: directory.to_owned(), ..Config::default() };
    let images = Images::open(config).await.expect("open the store, as root");
    let start = Instant::now();
    images.load(std::io::Cursor::new(archive), &Reporter::none()).await.expect("load");
    let seconds = start.elapsed().as_secs_f64();
    println!("{name}: {:.0} ms, {:.0} MB/s unpacked", seconds * 1e3, bytes as f64 / 1e6 / seconds);
    drop(images);
    std::fs::remove_dir_all(directory).expect("remove the store");
}

async fn measure_embedded(directory: &Path) {
    let config = Config { root: directory.to_owned(), ..Config::default() };
    let images = Images::open(config).await.expect("open the store, as root");
    let program = std::env::current_exe().expect("this program has a file");
    let name = "drover/whoami".parse().expect("a valid name");
    for attempt in ["first", "again"] {
        let start = Instant::now();
        images.install_embedded(&name, &program).await.expect("install");
        println!("embedded, {attempt}: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    }
    drop(images);
    std::fs::remove_dir_all(directory).expect("remove the store");
}

fn layer() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut content = vec![0; FILE_BYTES];
    for number in 0..FILES {
        // Half random, half runs: it packs about 2 to 1, as programs do.
        for (at, byte) in content.iter_mut().enumerate() {
            let mixed = (at * 31 + number * 7919).wrapping_mul(2_654_435_761) >> 13;
            *byte = if at % 64 < 32 { mixed as u8 } else { number as u8 };
        }
        let mut header = tar::Header::new_ustar();
        header.set_size(FILE_BYTES as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let path = format!("usr/lib/d{}/f{number}", number / 100);
        builder.append_data(&mut header, path, content.as_slice()).expect("memory takes all");
    }
    builder.into_inner().expect("memory takes all")
}

fn archive(packed: &[u8], plain: &[u8]) -> Vec<u8> {
    let diff_id = Digest::of(plain);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let manifest = r#"[{"Config":"c.json","RepoTags":["speed:1"],"Layers":["l.tar"]}]"#;
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in
        [("c.json", config.as_bytes()), ("manifest.json", manifest.as_bytes()), ("l.tar", packed)]
    {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append_data(&mut header, name, bytes).expect("memory takes all");
    }
    builder.into_inner().expect("memory takes all")
}
