//! A real registry on one host, from which all others pull.

use std::fs;

use crate::support::{Lab, Running, Service, box_archive, broken_archives, eventually, turn};

#[test]
fn every_host_pulls_from_a_registry() {
    let _turn = turn();
    let flags = ["--insecure-registry", "m1:5000"];
    let lab = Lab::up_with("registry", 1, 2, &flags);
    let folder = tempfile::tempdir().unwrap();
    let archive = box_archive(folder.path());
    let _registry = serve(&lab, folder.path());
    let push = format!(
        "skopeo --insecure-policy copy --dest-tls-verify=false docker-archive:{} docker://m1:5000/box:1",
        archive.display()
    );
    lab.sh("m1", &push).ok();

    lab.drover("w1", "image pull m1:5000/box:1").says(&["m1:5000/box:1"]);
    lab.docker("w1", "image pull m1:5000/box:1").says(&["Image is up to date"]);
    let service =
        Service::create(&lab, "m1", "box", "--replicas 3 --replicas-max-per-node 1 m1:5000/box:1 sleep 1000");
    let (tasks, _) = service.until_running(3);
    assert!(tasks.iter().all(|task| task.image.starts_with("m1:5000/box:1")), "{tasks:?}");
    let spec = "{{.Spec.TaskTemplate.ContainerSpec.Image}}";
    lab.run("m1", &["drover", "service", "inspect", "box", "--format", spec])
        .says(&["m1:5000/box:1@sha256:"]);
    service.remove();

    unknown_images_are_refused(&lab);
    broken_archives_are_refused(&lab, folder.path());
    lab.until_nothing_is_left();
}

fn serve(lab: &Lab, folder: &std::path::Path) -> Running {
    let config = folder.join("registry.yml");
    let text = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 0.0.0.0:5000\n",
        folder.join("registry").display()
    );
    fs::write(&config, text).unwrap();
    let registry = Running::start(lab.on("m1", &["docker-registry", "serve", config.to_str().unwrap()]));
    eventually(10, "the registry answers", || lab.sh("w2", "curl -sSf http://m1:5000/v2/").tried());
    registry
}

fn unknown_images_are_refused(lab: &Lab) {
    lab.drover("w1", "image pull m1:5000/nothing:1").refused(&["m1:5000/nothing"]);
    lab.drover("w1", "image pull m1:5000/box:none").refused(&["m1:5000/box:none"]);
    let unknown = Service::create(lab, "m1", "unknown", "--restart-delay 60s m1:5000/nothing:1");
    let task = unknown.until_error("No such image: m1:5000/nothing:1");
    assert!(task.state.starts_with("Rejected"), "{task:?}");
    unknown.remove();
}

fn broken_archives_are_refused(lab: &Lab, folder: &std::path::Path) {
    let images = lab.folder("w2").join("data/images");
    let held = || {
        let count = |name: &str| fs::read_dir(images.join(name)).map_or(0, Iterator::count);
        (count("blobs"), count("layers"), count("tmp"))
    };
    let (before, list) = (held(), lab.drover("w2", "image ls -q").ok());
    for (what, archive) in broken_archives(folder) {
        let text = lab.drover("w2", &format!("image load -i {}", archive.display())).refused(&[]);
        println!("an archive with {what}: {text}");
        assert!(!text.is_empty(), "{what}");
    }
    assert_eq!((held(), lab.drover("w2", "image ls -q").ok()), (before, list), "nothing half-made stays");
}
