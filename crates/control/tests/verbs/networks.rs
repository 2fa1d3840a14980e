use control::Kind;
use model::{IpamPool, NetworkSpec, UpdateState, UpdateStatus};
use store::Change;

use crate::support::{Cluster, spec};

fn named(name: &str) -> NetworkSpec {
    NetworkSpec { name: name.into(), driver: "overlay".into(), ..NetworkSpec::default() }
}

/// Reads `NAME [SUBNET] [OPTION=VALUE]`.
fn wanted(words: &str) -> NetworkSpec {
    let mut words = words.split(' ');
    let mut spec = named(words.next().unwrap());
    for word in words {
        match word.split_once('=') {
            None if word == "ingress" => spec.ingress = true,
            None => {
                let subnet = Some(word.parse().unwrap());
                spec.ipam.pools.push(IpamPool { subnet, ..IpamPool::default() });
            }
            Some(("driver", driver)) => spec.driver = driver.into(),
            Some(("ipam", driver)) => spec.ipam.driver = driver.into(),
            Some(("label", label)) => drop(spec.labels.insert(label.into(), String::new())),
            Some((option, value)) => drop(spec.driver_opts.insert(option.into(), value.into())),
        }
    }
    spec
}

#[tokio::test]
async fn a_network_is_made_found_and_removed() {
    let cluster = Cluster::found().await;

    let id = cluster.control.create_network(wanted("back 10.9.0.0/24")).await.unwrap();

    let view = cluster.view();
    let network = view.network(id).unwrap();
    assert_eq!((id.to_string().len(), network.spec.clone()), (25, wanted("back 10.9.0.0/24")));
    assert_eq!((network.subnet, network.vni), (None, None), "these are the allocator's to give");
    let prefix = &id.to_string()[..12];
    assert_eq!(cluster.control.remove_network(prefix).await.unwrap(), id);
    let again = cluster.control.remove_network("back").await.unwrap_err();
    assert_eq!((again.kind, again.message.as_str()), (Kind::NotFound, "network back not found"));
}

#[tokio::test]
async fn what_a_network_cannot_be_is_refused() {
    let cluster = Cluster::found().await;
    cluster.put_words("net taken subnet=10.0.3.0/24 vni=4100").await;
    cluster.control.create_network(wanted("asked 10.8.0.0/16")).await.unwrap();
    let long = "a".repeat(64);
    let cases = [
        ("host", Kind::PermissionDenied, "host is a pre-defined network and cannot be created"),
        ("none", Kind::PermissionDenied, "none is a pre-defined network and cannot be created"),
        (
            "n label=com.docker.swarm.predefined",
            Kind::PermissionDenied,
            "label com.docker.swarm.predefined is for internally created predefined networks",
        ),
        ("taken", Kind::AlreadyExists, "network with name taken already exists"),
        ("TAKEN", Kind::AlreadyExists, "network with name taken already exists"),
        ("n ingress", Kind::AlreadyExists, "ingress network (0000000000000000000000009) is already present"),
        ("a.b", Kind::Invalid, "invalid name \"a.b\""),
        (&long, Kind::Invalid, "name must be 63 characters or fewer"),
        (
            "n 10.0.0.0/16",
            Kind::Invalid,
            "Pool overlaps with other one on this address space: network n cannot have subnet 10.0.0.0/16: network taken has 10.0.3.0/24",
        ),
        ("n 10.8.3.0/24", Kind::Invalid, "network asked has 10.8.0.0/16"),
        ("n 10.9.0.0/31", Kind::Invalid, "its prefix must have from 8 to 30 bits"),
        ("n 10.9.0.0/24 10.10.0.0/24", Kind::Invalid, "a network of the cluster has one subnet"),
        (
            "n com.docker.network.driver.overlay.vxlanid_list=4100",
            Kind::Invalid,
            "network n cannot have VXLAN id 4100: another network has it",
        ),
        ("n com.docker.network.driver.mtu=9", Kind::Invalid, "must be a number from 576 to 65000"),
        ("n encrypted=", Kind::Unimplemented, "--opt encrypted is not supported"),
        ("n driver=macvlan", Kind::Unimplemented, "the driver of a cluster's network cannot be macvlan"),
        ("n ipam=other", Kind::Unimplemented, "the ipam driver other is not supported"),
    ];

    for (words, kind, text) in cases {
        let error = cluster.control.create_network(wanted(words)).await.unwrap_err();

        assert_eq!(error.kind, kind, "{words}: {error}");
        assert!(error.message.contains(text), "{words}: {error}");
    }
    assert_eq!(cluster.view().network_count(), 3, "what is refused is not made");
}

#[tokio::test]
async fn an_empty_pool_is_told_at_once() {
    let cluster = Cluster::found().await;
    let mut whole = (**cluster.view().cluster().unwrap()).clone();
    whole.address_pools = vec!["10.0.0.0/24".parse().unwrap()];
    cluster.put(vec![Change::Put(whole.into())]).await;
    cluster.put_words("net taken subnet=10.0.0.0/24 vni=4100").await;

    let error = cluster.control.create_network(named("n")).await.unwrap_err();

    assert_eq!(error.kind, Kind::FailedPrecondition);
    assert!(
        error.message.contains("could not find an available, non-overlapping IPv4 address pool"),
        "{error}"
    );
    assert!(error.message.contains("every /24 of the address pool 10.0.0.0/24 is taken"), "{error}");
}

#[tokio::test]
async fn of_many_who_want_one_subnet_one_gets_it() {
    let cluster = Cluster::found().await;

    let makers: Vec<_> = (0..8)
        .map(|n| {
            let control = cluster.control.clone();
            tokio::spawn(async move { control.create_network(wanted(&format!("n{n} 10.9.0.0/24"))).await })
        })
        .collect();

    let mut made = 0;
    for maker in makers {
        match maker.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert!(error.message.contains("Pool overlaps"), "{error}"),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn a_network_in_use_says_by_whom() {
    let cluster = Cluster::found().await;
    cluster.put_words("net back subnet=10.0.1.0/24 vni=4097").await;
    let id = cluster.control.create_service(spec("web on-name=back publish=80:80")).await.unwrap();

    let refused = async |name: &str| {
        let error = cluster.control.remove_network(name).await.unwrap_err();
        assert_eq!(error.kind, Kind::FailedPrecondition);
        error.message
    };
    assert_eq!(refused("back").await, "network back is in use by service web");
    assert_eq!(
        refused("ingress").await,
        "ingress network cannot be removed because service web depends on it"
    );

    // While the update runs, the service may go back.
    let version = cluster.service("web").meta.version;
    cluster.control.update_service(id, version, spec("web")).await.unwrap();
    let mut updating = cluster.service("web");
    updating.update_status = Some(UpdateStatus {
        state: UpdateState::Updating,
        started_at: None,
        completed_at: None,
        message: String::new(),
    });
    cluster.put(vec![Change::Put(updating.into())]).await;
    assert_eq!(refused("back").await, "network back is in use by service web");

    let mut completed = cluster.service("web");
    completed.update_status.as_mut().unwrap().state = UpdateState::Completed;
    cluster.put(vec![Change::Put(completed.into())]).await;
    cluster.control.remove_network("back").await.unwrap();
    let version = cluster.service("web").meta.version;
    let back = cluster.control.rollback_service(id, version).await.unwrap_err();
    assert_eq!(back.kind, Kind::FailedPrecondition);
    assert!(back.message.contains("cannot go back to its previous spec: network "), "{back}");
}

#[tokio::test]
async fn tasks_of_an_earlier_spec_keep_a_network_and_those_of_a_removed_service_do_not() {
    let cluster = Cluster::found().await;
    cluster.put_words("net back subnet=10.0.1.0/24 vni=4097 | net gone subnet=10.0.2.0/24 vni=4098").await;
    cluster.put_words("web on=back : 1 running | gone old on=gone : 1 running").await;
    let web = cluster.service("web");
    let mut next = web.clone();
    next.spec.task.networks.clear();
    next.spec_version.0 = 2;
    cluster.put(vec![Change::Put(next.into())]).await;

    let refused = cluster.control.remove_network("back").await.unwrap_err();
    cluster.control.remove_network("gone").await.unwrap();

    assert!(refused.message.starts_with("network back is in use by task web.1."), "{refused}");
}

#[tokio::test]
async fn pruning_takes_what_nobody_uses_and_what_is_wanted() {
    let cluster = Cluster::found().await;
    for name in ["used", "kept", "one", "two"] {
        cluster.control.create_network(named(name)).await.unwrap();
    }
    cluster.control.create_service(spec("web on-name=used")).await.unwrap();

    let mut removed = cluster.control.prune_networks(|network| network.spec.name != "kept").await.unwrap();

    removed.sort();
    assert_eq!(removed, ["one", "two"]);
    let left: Vec<_> = cluster.view().networks().map(|network| network.spec.name.clone()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[tokio::test]
async fn a_network_that_goes_and_a_service_that_comes_never_pass_each_other() {
    let cluster = Cluster::found().await;

    for round in 0..20 {
        let name = format!("n{round}");
        cluster.control.create_network(named(&name)).await.unwrap();
        let wanted = spec(&format!("s{round} on-name={name}"));
        let (making, going) = (cluster.control.clone(), cluster.control.clone());
        let (made, gone) = tokio::join!(
            tokio::spawn(async move { making.create_service(wanted).await }),
            tokio::spawn(async move { going.remove_network(&name).await }),
        );

        match (made.unwrap(), gone.unwrap()) {
            (Ok(_), Err(error)) => assert!(error.message.contains("is in use by service"), "{error}"),
            (Err(error), Ok(_)) => assert_eq!(error.kind, Kind::NotFound, "{error}"),
            both => panic!("round {round}: {both:?}"),
        }
    }
}
