//! Files in and out.

use std::process::Command;

use container_json::ChangeKind;
use engine::{Kind, Pieces, Putting};
use serde_json::json;

use crate::host::Host;

fn gathered(host: &Host, mut pieces: Pieces) -> Vec<u8> {
    host.block_on(async {
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.recv().await {
            bytes.extend(piece.unwrap());
        }
        bytes
    })
}

/// Makes an archive with one file.
fn archive(host: &Host, text: &str) -> std::io::Cursor<Vec<u8>> {
    let dir = host.dir.path().join("packed");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("page"), text).unwrap();
    let packed = Command::new("tar").arg("-cC").arg(&dir).arg("page").output().unwrap();
    std::io::Cursor::new(packed.stdout)
}

/// Lists what is in an archive.
fn names(host: &Host, archive: &[u8]) -> String {
    let file = host.dir.path().join("read.tar");
    std::fs::write(&file, archive).unwrap();
    String::from_utf8(Command::new("tar").arg("-tf").arg(&file).output().unwrap().stdout).unwrap()
}

pub fn files_go_in_and_out_running_or_not(host: &Host) {
    let engine = host.engine();
    let script = "while ! test -e /vol/page; do sleep 0.05; done; cat /vol/page /srv/page; exec sleep 1000";
    host.create("box", script, json!({ "HostConfig": { "Binds": ["data:/vol"] } }));

    host.block_on(engine.put_archive("box", "/srv", Putting::default(), archive(host, "early\n"))).unwrap();
    host.start("box");
    host.block_on(engine.put_archive("box", "/vol", Putting::default(), archive(host, "late\n"))).unwrap();
    host.eventually("it finds both", || host.said("box") == "late\nearly\n");
    let (stat, pieces) = host.block_on(engine.get_archive("box", "/vol/page")).unwrap();
    let copied = gathered(host, pieces);

    assert_eq!((stat.name.as_str(), stat.size, names(host, &copied).as_str()), ("page", 5, "page\n"));
    host.stop("box");
    assert_eq!(host.block_on(engine.path_stat("box", "/vol/page")).unwrap().size, 5);
    let changes = host.block_on(engine.changes("box")).unwrap();
    assert!(changes.iter().any(|change| change.path == "/srv/page" && change.kind == ChangeKind::Added));
    let whole = gathered(host, host.block_on(engine.export("box")).unwrap());
    let whole = names(host, &whole);
    assert!(whole.contains("srv/page\n") && whole.contains("bin/busybox\n"), "{whole}");
    assert!(!whole.contains("vol/page"), "{whole}");
}

pub fn files_stay_where_the_container_could_not_write(host: &Host) {
    let engine = host.engine();
    host.create(
        "box",
        "true",
        json!({ "HostConfig": { "ReadonlyRootfs": true, "Binds": ["data:/vol:ro", "open:/open"] } }),
    );
    let put = |path: &str| {
        let put = engine.put_archive("box", path, Putting::default(), archive(host, "x"));
        host.block_on(put).map_err(|error| (error.kind(), error.text().to_owned()))
    };

    assert_eq!(put("/vol"), Err((Kind::Forbidden, "mounted volume is marked read-only".to_owned())));
    assert_eq!(put("/srv"), Err((Kind::Forbidden, "container rootfs is marked read-only".to_owned())));
    assert_eq!(put("/open"), Ok(()));
    assert_eq!(put("/open/page"), Err((Kind::Invalid, "extraction point is not a directory".to_owned())));
    let missing = host.block_on(engine.path_stat("box", "/nope")).unwrap_err();
    assert_eq!(
        (missing.kind(), missing.text()),
        (Kind::NotFound, "Could not find the file /nope in container box")
    );
}
