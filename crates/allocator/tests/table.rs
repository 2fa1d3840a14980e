//! What the allocator does in small clusters, case by case.

use testkit::check;

#[track_caller]
fn gives(cluster: &str, expected: &str) {
    check(allocator::plan, cluster, expected);
}

mod nodes {
    use super::gives;

    #[test]
    fn nodes_get_the_smallest_free_numbers() {
        gives("node a number=2 | node b | node c", "node b #1 | node c #3");
        gives("node a number=1", "");
    }
}

mod networks {
    use super::gives;

    #[test]
    fn the_ingress_network_comes_first() {
        gives("net back | ingress", "net ingress 10.0.0.0/24 vni 4096 | net back 10.0.1.0/24 vni 4097");
    }

    #[test]
    fn the_first_free_subnet_is_used() {
        gives(
            "net x subnet=10.0.0.0/24 vni=4096 | net y subnet=10.0.2.0/23 vni=4099 | net a | net b",
            "net a 10.0.1.0/24 vni 4097 | net b 10.0.4.0/24 vni 4098",
        );
    }
}

mod services {
    use super::gives;

    #[test]
    fn a_published_port_brings_a_virtual_address_on_the_ingress_network() {
        gives(
            "ingress subnet=10.0.0.0/24 vni=4096 | web publish=80:8080",
            "web 80:8080/tcp ingress 10.0.0.2",
        );
    }
}

mod tasks {
    use super::gives;

    #[test]
    fn tasks_get_addresses_behind_the_service() {
        gives(
            "ingress subnet=10.0.0.0/24 vni=4096 | web x2 publish=80:8080 : 1 new, 2 new",
            "web 80:8080/tcp ingress 10.0.0.2 | web.1 pending 10.0.0.3 | web.2 pending 10.0.0.4",
        );
    }
}
