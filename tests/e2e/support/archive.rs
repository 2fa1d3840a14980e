//! Image archives as `docker save` writes them: a good one with a shell, and bad ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the image in [`box_archive`]: busybox with its applets.
const NAME: &str = "test/box:1";
const APPLETS: [&str; 8] = ["sh", "sleep", "cat", "echo", "tail", "env", "httpd", "dd"];

/// Writes an archive of a small image with a shell, called `test/box:1`.
pub fn box_archive(folder: &Path) -> PathBuf {
    box_archive_named(folder, NAME)
}

/// Writes an archive of the same image under another name.
pub fn box_archive_named(folder: &Path, name: &str) -> PathBuf {
    let root = folder.join("root");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::create_dir_all(root.join("tmp")).unwrap();
    // Images of different names have different layers: a layer that a host has already is not read again.
    fs::write(root.join("tmp/name"), name).unwrap();
    let busybox = root.join("bin/busybox");
    fs::copy("/bin/busybox", busybox).expect("the package busybox-static is installed");
    for applet in APPLETS {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    tar(folder, &["-C", "root", "-cf", "layer.tar", "."]);
    let sum = Command::new("sha256sum").arg(folder.join("layer.tar")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let digest = sum.split_whitespace().next().unwrap();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        "history": [],
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    pack(folder, name, "good.tar")
}

fn pack(folder: &Path, name: &str, file: &str) -> PathBuf {
    let manifest =
        serde_json::json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    tar(folder, &["-cf", file, "manifest.json", "config.json", "layer.tar"]);
    folder.join(file)
}

/// Writes archives that must be refused, each with what is wrong: cut off, no archive, another layer than promised.
pub fn broken_archives(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let good = fs::read(box_archive_named(folder, "test/broken:1")).unwrap();
    let cut = folder.join("cut.tar");
    fs::write(&cut, &good[..good.len() / 2]).unwrap();
    let text = folder.join("text.tar");
    fs::write(&text, "this is no archive").unwrap();
    fs::write(folder.join("root/tmp/more"), "more").unwrap();
    tar(folder, &["-C", "root", "-cf", "layer.tar", "."]);
    let other = pack(folder, "test/broken:1", "other.tar");
    vec![("cut off", cut), ("no archive", text), ("a layer that is another", other)]
}

fn tar(folder: &Path, args: &[&str]) {
    let status = Command::new("tar").args(args).current_dir(folder).status().unwrap();
    assert!(status.success(), "tar {args:?}: {status}");
}
