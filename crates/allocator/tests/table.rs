//! What the allocator does in small clusters, case by case.

use testkit::{check, story};

#[track_caller]
fn gives(cluster: &str, expected: &str) {
    check(allocator::plan, cluster, expected);
}

#[track_caller]
fn happens(cluster: &str, steps: &[(&str, &str)]) {
    story(allocator::plan, cluster, steps);
}

/// An ingress network that has what it needs.
const INGRESS: &str = "ingress subnet=10.0.0.0/24 vni=4096";

#[track_caller]
fn gives_with_ingress(cluster: &str, expected: &str) {
    gives(&format!("{INGRESS} | {cluster}"), expected);
}

mod nodes {
    use super::{gives, happens};

    #[test]
    fn nodes_get_the_smallest_free_numbers() {
        gives("node a number=2 | node b | node c", "node b #1 | node c #3");
    }

    #[test]
    fn a_number_stays() {
        gives("node a number=1 | node b number=7 down drain", "");
    }

    #[test]
    fn a_removed_nodes_number_is_given_again() {
        happens(
            "node a number=1 | node b number=2",
            &[("remove node a", ""), ("node c", "node c #1"), ("node d", "node d #3")],
        );
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

    #[test]
    fn freed_subnets_are_used_again_last() {
        gives(
            "cluster last=10.0.3.0/24 | net x subnet=10.0.0.0/24 vni=4096 | net a | net b",
            "net a 10.0.4.0/24 vni 4097 | net b 10.0.5.0/24 vni 4098",
        );
        gives(
            "cluster pool=10.0.0.0/22 last=10.0.3.0/24 | net x subnet=10.0.0.0/24 vni=4096 | net a",
            "net a 10.0.1.0/24 vni 4097",
        );
        gives(
            "cluster pool=10.0.0.0/23+10.8.0.0/23 last=10.0.1.0/24 | net a | net b | net c",
            "net a 10.8.0.0/24 vni 4096 | net b 10.8.1.0/24 vni 4097 | net c 10.0.0.0/24 vni 4098",
        );
    }

    #[test]
    fn a_subnet_of_the_users_does_not_move_the_place_where_subnets_are_cut() {
        gives("net a ask=10.7.0.0/24 | net b", "net a 10.7.0.0/24 vni 4096 | net b 10.0.0.0/24 vni 4097");
    }

    #[test]
    fn smaller_taken_subnets_are_stepped_over() {
        gives("net x subnet=10.0.0.64/26 vni=4096 | net a", "net a 10.0.1.0/24 vni 4097");
    }

    #[test]
    fn a_larger_taken_subnet_is_stepped_over() {
        gives("net x subnet=10.0.0.0/9 vni=4096 | net a", "net a 10.128.0.0/24 vni 4097");
    }

    #[test]
    fn the_subnet_and_the_identifier_that_the_user_asks_for_are_given() {
        let option = "opt.com.docker.network.driver.overlay.vxlanid_list";
        gives(&format!("net a ask=172.20.0.0/16 {option}=77"), "net a 172.20.0.0/16 vni 77");
    }

    #[test]
    fn the_pool_may_end_with_the_last_address_there_is() {
        gives(
            "cluster pool=255.255.255.0/24 prefix=25 | net a | net b",
            "net a 255.255.255.0/25 vni 4096 | net b 255.255.255.128/25 vni 4097",
        );
    }

    #[test]
    fn tasks_on_a_network_without_subnet_say_that_the_pool_is_empty() {
        gives(
            "cluster pool=10.0.0.0/24 | net x subnet=10.0.0.0/24 vni=4096 | net a | web on=a : 1 new",
            "web.1 (network a has no subnet: every /24 of the address pool 10.0.0.0/24 is taken)",
        );
    }

    #[test]
    fn tasks_on_a_network_whose_subnet_is_taken_say_who_has_it() {
        gives(
            "net x subnet=10.0.0.0/16 vni=4096 | net a ask=10.0.9.0/24 | web on=a : 1 new",
            "web.1 (network a cannot have subnet 10.0.9.0/24: network x has 10.0.0.0/16)",
        );
    }

    #[test]
    fn a_taken_or_senseless_identifier_is_told() {
        let option = "opt.com.docker.network.driver.overlay.vxlanid_list";
        gives(
            &format!("net x subnet=10.0.0.0/24 vni=77 | net a {option}=77 | web on=a : 1 new"),
            "web.1 (network a cannot have VXLAN id 77: another network has it)",
        );
        gives(
            &format!("net a {option}=99999999 | web on=a : 1 new"),
            "web.1 (network a cannot have VXLAN id 99999999: it is above 16777215)",
        );
        gives(
            &format!("net a {option}=x | web on=a : 1 new"),
            "web.1 (network a cannot have VXLAN id \"x\": it is not a number)",
        );
    }

    #[test]
    fn networks_of_other_drivers_get_nothing() {
        gives("net host driver=host | web on=host : 1 new", "web endpoint | web.1 pending");
    }
}

mod ports {
    use super::{INGRESS, gives_with_ingress, happens};

    #[test]
    fn a_port_that_is_named_is_given() {
        gives_with_ingress("web publish=80:8080", "web 80:8080/tcp ingress 10.0.0.2");
    }

    #[test]
    fn the_lowest_free_port_is_chosen() {
        gives_with_ingress(
            "old publish=30000:1 allocated has=30000:1 vip=ingress:10.0.0.9 | web publish=80 publish=81",
            "web 30001:80/tcp 30002:81/tcp ingress 10.0.0.2",
        );
    }

    #[test]
    fn a_chosen_port_avoids_those_that_the_service_names() {
        gives_with_ingress(
            "web publish=80 publish=30000:81",
            "web 30001:80/tcp 30000:81/tcp ingress 10.0.0.2",
        );
    }

    #[test]
    fn protocols_have_ports_of_their_own() {
        gives_with_ingress(
            "dns publish=53:53/udp publish=53:53/tcp | web publish=80/udp",
            "dns 53:53/udp 53:53/tcp ingress 10.0.0.2 | web 30000:80/udp ingress 10.0.0.3",
        );
    }

    #[test]
    fn a_chosen_port_is_kept_over_an_update() {
        gives_with_ingress(
            "web publish=80 publish=443:443 has=30005:80 vip=ingress:10.0.0.2",
            "web 30005:80/tcp 443:443/tcp ingress 10.0.0.2",
        );
    }

    #[test]
    fn host_ports_are_taken_as_they_are() {
        gives_with_ingress("web host=80:8080 host=90", "web 80:8080/tcp 0:90/tcp");
    }

    #[test]
    fn a_taken_port_keeps_the_tasks_new_and_says_who_has_it() {
        gives_with_ingress(
            "one publish=80:1 allocated has=80:1 vip=ingress:10.0.0.2 | two publish=80:2 : 1 new",
            "two.1 (port 80/tcp is already published by service one)",
        );
    }

    #[test]
    fn a_freed_port_is_given_to_the_one_that_waits() {
        happens(
            &format!("{INGRESS} | one publish=80:1 | two publish=80:2 : 1 new"),
            &[
                (
                    "",
                    "one 80:1/tcp ingress 10.0.0.2 | two.1 (port 80/tcp is already published by service one)",
                ),
                ("pass 1s", ""),
                ("remove one", "two 80:2/tcp ingress 10.0.0.3 | two.1 pending 10.0.0.4"),
            ],
        );
    }

    #[test]
    fn services_that_change_ports_at_once_follow_each_other() {
        happens(
            &format!("{INGRESS} | a publish=80:1 | b publish=81:1"),
            &[
                ("", "a 80:1/tcp ingress 10.0.0.2 | b 81:1/tcp ingress 10.0.0.3"),
                (
                    "service a publish=81:1, service b publish=82:1",
                    "a 81:1/tcp ingress 10.0.0.2 | b 82:1/tcp ingress 10.0.0.3",
                ),
            ],
        );
    }

    #[test]
    fn a_service_that_cannot_get_all_keeps_what_it_has() {
        happens(
            &format!("{INGRESS} | a publish=80:1 | b publish=81:1"),
            &[
                ("", "a 80:1/tcp ingress 10.0.0.2 | b 81:1/tcp ingress 10.0.0.3"),
                ("service a publish=82:1 publish=81:1", ""),
                ("service b publish=80:1", ""),
                (
                    "service b publish=83:1",
                    "b 83:1/tcp ingress 10.0.0.3 | a 82:1/tcp 81:1/tcp ingress 10.0.0.2",
                ),
            ],
        );
    }

    #[test]
    fn the_end_of_the_port_range_is_told() {
        let taken: Vec<String> = (30_000..=32_767).map(|port| format!("has={port}:1")).collect();
        gives_with_ingress(
            &format!("all {} allocated | web publish=80 : 1 new", taken.join(" ")),
            "web.1 (no tcp port from 30000 to 32767 is free)",
        );
    }

    #[test]
    fn published_ports_need_an_ingress_network() {
        super::gives(
            "web publish=80:80 : 1 new",
            "web.1 (published ports need the ingress network, and there is none)",
        );
    }
}

mod virtual_addresses {
    use super::{gives, happens};

    #[test]
    fn there_is_one_per_network() {
        gives(
            "ingress subnet=10.0.0.0/24 vni=4096 | net back subnet=10.0.1.0/24 vni=4097 | web publish=80:80 on=back",
            "web 80:80/tcp ingress 10.0.0.2 back 10.0.1.2",
        );
    }

    #[test]
    fn round_robin_services_have_none() {
        gives("net back subnet=10.0.1.0/24 vni=4097 | web on=back dnsrr", "web endpoint");
    }

    #[test]
    fn they_follow_the_networks_of_the_service() {
        happens(
            "net x subnet=10.0.1.0/24 vni=4097 | net y subnet=10.0.2.0/24 vni=4098 | web on=x",
            &[
                ("", "web x 10.0.1.2"),
                ("service web v2 on=x on=y", "web x 10.0.1.2 y 10.0.2.2"),
                ("service web v3 on=y", "web y 10.0.2.2"),
                ("service web v4", "web endpoint"),
            ],
        );
    }

    #[test]
    fn a_service_that_waits_for_one_gets_it_when_a_task_ends() {
        happens(
            "node a number=1 | net x subnet=10.0.1.0/30 vni=4097 | old on=x dnsrr allocated : \
             1→a running ip=x:10.0.1.2 | web on=x : 1 new",
            &[
                ("", "web.1 (network x has no free address: the 1 addresses of 10.0.1.0/30 are used up)"),
                ("old.1 failed", "web x 10.0.1.2"),
            ],
        );
    }
}

mod tasks {
    use super::{INGRESS, gives, gives_with_ingress, happens};

    #[test]
    fn tasks_get_addresses_behind_the_service() {
        gives_with_ingress(
            "web x2 publish=80:8080 : 1 new, 2 new",
            "web 80:8080/tcp ingress 10.0.0.2 | web.1 pending 10.0.0.3 | web.2 pending 10.0.0.4",
        );
    }

    #[test]
    fn tasks_without_networks_need_no_address() {
        gives("web : 1 new", "web endpoint | web.1 pending");
        gives_with_ingress("web host=80:80 : 1 new", "web 80:80/tcp | web.1 pending");
    }

    #[test]
    fn a_network_may_be_named() {
        gives(
            "net back subnet=10.0.1.0/24 vni=4097 | web on-name=back : 1 new",
            "web back 10.0.1.2 | web.1 pending 10.0.1.3",
        );
    }

    #[test]
    fn an_unknown_network_is_told() {
        gives("web on-name=nope : 1 new", "web.1 (network nope not found)");
    }

    #[test]
    fn tasks_that_are_not_meant_to_live_get_nothing() {
        gives_with_ingress(
            "web publish=80:80 allocated has=80:80 vip=ingress:10.0.0.2 : 1 new to-shutdown",
            "",
        );
        gives("gone web : 1 new", "");
    }

    #[test]
    fn a_full_network_keeps_tasks_new_and_says_so_once() {
        happens(
            "net x subnet=10.0.1.0/29 vni=4097 | web x6 on=x dnsrr : 1 new, 2 new, 3 new, 4 new, 5 new, 6 new",
            &[
                (
                    "",
                    "web endpoint | web.1 pending 10.0.1.2 | web.2 pending 10.0.1.3 | web.3 pending 10.0.1.4 \
                     | web.4 pending 10.0.1.5 | web.5 pending 10.0.1.6 \
                     | web.6 (network x has no free address: the 5 addresses of 10.0.1.0/29 are used up)",
                ),
                ("pass 60s", ""),
                ("web.3 @a running", ""),
                ("web.3 failed", "web.6 pending 10.0.1.4"),
            ],
        );
    }

    #[test]
    fn an_address_on_one_network_alone_is_given_back() {
        happens(
            "net x subnet=10.0.1.0/30 vni=4097 | net y subnet=10.0.2.0/30 vni=4098 \
             | a on=y dnsrr : 1 new | b on=x on=y dnsrr : 1 new | c on=x dnsrr : 1 new",
            &[(
                "",
                "a endpoint | b endpoint | c endpoint | a.1 pending 10.0.2.2 | c.1 pending 10.0.1.2 \
                 | b.1 (network x has no free address: the 1 addresses of 10.0.1.0/30 are used up)",
            )],
        );
    }

    #[test]
    fn a_task_holds_its_address_until_it_has_ended() {
        let cluster = |task: &str| {
            format!(
                "node a number=1 | net x subnet=10.0.1.0/30 vni=4097 | \
                 web x2 on=x dnsrr allocated : 1→a {task} ip=x:10.0.1.2, 2 new"
            )
        };
        let full = "web.2 (network x has no free address: the 1 addresses of 10.0.1.0/30 are used up)";
        gives(&cluster("running"), full);
        gives(&cluster("running to-shutdown"), full);
        gives(&cluster("running to-remove"), full);
        for end in ["complete", "shutdown", "failed", "rejected", "orphaned"] {
            gives(&cluster(&format!("{end} to-shutdown")), "web.2 pending 10.0.1.2");
        }
    }

    #[test]
    fn tasks_of_removed_services_hold_their_addresses() {
        gives(
            "node a number=1 | net x subnet=10.0.1.0/30 vni=4097 | gone old on=x : 1→a running ip=x:10.0.1.2 to-remove \
             | web on=x dnsrr allocated : 1 new",
            "web.1 (network x has no free address: the 1 addresses of 10.0.1.0/30 are used up)",
        );
    }

    #[test]
    fn a_task_that_never_got_a_node_holds_nothing_once_it_is_not_wanted() {
        gives(
            "net x subnet=10.0.1.0/30 vni=4097 | web x2 on=x dnsrr allocated : 1 pending to-shutdown ip=x:10.0.1.2, 2 new",
            "web.2 pending 10.0.1.2",
        );
    }

    #[test]
    fn freed_addresses_are_used_again_last() {
        happens(
            "node a number=1 | net x subnet=10.0.1.0/24 vni=4097 | web x2 on=x dnsrr : 1 new, 2 new",
            &[
                ("", "web endpoint | web.1 pending 10.0.1.2 | web.2 pending 10.0.1.3"),
                ("web.1 @a running, web.1 failed, web.2 @a failed, remove web", ""),
                ("service api on=x", "api x 10.0.1.4"),
            ],
        );
    }

    #[test]
    fn what_could_not_be_kept_is_not_remembered() {
        gives(
            "net x subnet=10.0.1.0/29 vni=4097 | net y subnet=10.0.2.0/30 vni=4098 last=10.0.2.2 \
             | a on=y dnsrr allocated : 1 pending ip=y:10.0.2.2 | b on=x on=y dnsrr allocated : 1 new",
            "b.1 (network y has no free address: the 1 addresses of 10.0.2.0/30 are used up)",
        );
    }

    #[test]
    fn addresses_that_the_user_set_aside_are_never_given() {
        gives(
            "net x ask=10.9.0.0/29 aside=10.9.0.2 aside=10.9.0.4 | web x4 on=x dnsrr : 1 new, 2 new, 3 new, 4 new",
            "net x 10.9.0.0/29 vni 4096 | web endpoint | web.1 pending 10.9.0.3 | web.2 pending 10.9.0.5 \
             | web.3 pending 10.9.0.6 \
             | web.4 (network x has no free address: the 3 addresses of 10.9.0.0/29 are used up)",
        );
    }

    #[test]
    fn the_search_goes_round_behind_the_address_given_last() {
        gives(
            "node a number=1 | net x subnet=10.0.1.0/29 vni=4097 last=10.0.1.6 | web x3 on=x dnsrr allocated : \
             1→a running ip=x:10.0.1.2, 2→a running ip=x:10.0.1.6, 3 new",
            "web.3 pending 10.0.1.3",
        );
        gives(
            "node a number=1 | net x subnet=10.0.1.0/29 vni=4097 last=10.0.1.3 | web x3 on=x dnsrr allocated : \
             1→a running ip=x:10.0.1.6, 2→a running ip=x:10.0.1.3, 3 new",
            "web.3 pending 10.0.1.4",
        );
    }

    #[test]
    fn the_range_and_the_gateway_of_the_user_are_kept_to() {
        gives(
            "net x ask=10.9.0.0/24 range=10.9.0.8/30 gateway=10.9.0.9 | web x4 on=x dnsrr : 1 new, 2 new, 3 new, 4 new",
            "net x 10.9.0.0/24 vni 4096 | web endpoint | web.1 pending 10.9.0.8 | web.2 pending 10.9.0.10 \
             | web.3 pending 10.9.0.11 \
             | web.4 (network x has no free address: the 3 addresses of 10.9.0.0/24 are used up)",
        );
    }

    #[test]
    fn a_subnet_of_one_address_has_none_to_give() {
        for prefix in ["/32", "/31"] {
            gives(
                &format!("net x subnet=10.9.0.0{prefix} vni=4096 | web on=x dnsrr allocated : 1 new"),
                &format!(
                    "web.1 (network x has no free address: the 0 addresses of 10.9.0.0{prefix} are used up)"
                ),
            );
        }
    }

    #[test]
    fn the_largest_subnet_needs_no_more_than_a_small_book() {
        gives("net x subnet=0.0.0.0/0 vni=4096 | web on=x dnsrr allocated : 1 new", "web.1 pending 0.0.0.2");
    }

    #[test]
    fn a_range_far_behind_in_the_largest_subnet_is_found() {
        gives(
            "net x subnet=0.0.0.0/0 vni=4096 range=200.1.2.100/30 | web x5 on=x dnsrr allocated : \
             1 new, 2 new, 3 new, 4 new, 5 new",
            "web.1 pending 200.1.2.100 | web.2 pending 200.1.2.101 | web.3 pending 200.1.2.102 \
             | web.4 pending 200.1.2.103 \
             | web.5 (network x has no free address: the 4 addresses of 0.0.0.0/0 are used up)",
        );
    }

    #[test]
    fn a_range_at_the_end_of_a_large_subnet_is_found() {
        gives(
            "net x ask=10.0.0.0/8 range=10.255.0.0/30 | web x2 on=x dnsrr : 1 new, 2 new",
            "net x 10.0.0.0/8 vni 4096 | web endpoint | web.1 pending 10.255.0.0 | web.2 pending 10.255.0.1",
        );
    }

    #[test]
    fn a_whole_network_is_given_out_address_by_address() {
        let tasks: Vec<String> = (1..=252).map(|slot| format!("{slot} new")).collect();
        let given: Vec<String> =
            (1..=252).map(|slot| format!("web.{slot} pending 10.0.0.{}", slot + 2)).collect();
        gives(
            &format!("{INGRESS} | web x252 publish=80:80 : {}", tasks.join(", ")),
            &format!("web 80:80/tcp ingress 10.0.0.2 | {}", given.join(" | ")),
        );
    }
}
