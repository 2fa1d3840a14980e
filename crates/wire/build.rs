//! Compiles every file under `proto/` in pure Rust; no `protoc` is needed.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Asked when it runs: a build folder that two clones share holds this program as the first of them built it.
    let own = std::env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&own).join("../../proto");
    let folder = root.join("drover/v1");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(&files, [&root])?;
    tonic_prost_build::configure()
        .bytes(".")
        // Ordered, so that equal objects have equal bytes.
        .btree_map(".")
        // A batch of tasks must not take the room of as many services.
        .boxed(".drover.v1.Object.kind.cluster")
        .boxed(".drover.v1.Object.kind.service")
        .boxed(".drover.v1.Object.kind.spec")
        .boxed(".drover.v1.Service.previous")
        // They hold secrets; `secret.rs` says what may be printed of them.
        .skip_debug(["drover.v1.RootCa", "drover.v1.JoinTokens"])
        .compile_fds(descriptors)?;
    Ok(())
}
