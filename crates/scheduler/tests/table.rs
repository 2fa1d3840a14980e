//! Where the scheduler puts tasks in small clusters, case by case.

use testkit::{check, story};

#[track_caller]
fn places(cluster: &str, expected: &str) {
    check(scheduler::plan, cluster, expected);
}

mod spreading {
    use super::places;

    #[test]
    fn tasks_go_to_different_nodes() {
        places("node a | node b | web x2 : 1 pending, 2 pending", "web.1→a | web.2→b");
    }

    #[test]
    fn nodes_with_fewer_tasks_of_the_service_come_first() {
        places(
            "node a | node b | web x3 : 1→a running, 2 pending, 3 pending | db x3 : 1→b running, 2→b running",
            "web.2→b | web.3→a",
        );
    }

    #[test]
    fn among_equals_nodes_with_fewer_tasks_come_first() {
        places("node a | node b | web : 1 pending | db x2 : 1→a running", "web.1→b");
    }

    #[test]
    fn services_of_one_pass_see_each_others_tasks() {
        places("node a | node b | db : 1 pending | web : 1 pending", "db.1→a | web.1→b");
        places(
            "node a | node b | node c | db x2 : 1 pending, 2 pending | web x2 : 1 pending, 2 pending",
            "db.1→a | db.2→b | web.1→c | web.2→a",
        );
    }

    #[test]
    fn two_versions_of_a_service_see_each_others_tasks() {
        places(
            "node a | node b | web x4 v2 : 1 pending v1, 2 pending v2, 3 pending v1, 4 pending v2",
            "web.1→a | web.3→b | web.2→a | web.4→b",
        );
    }

    #[test]
    fn ended_and_stopping_tasks_do_not_count() {
        places(
            "node a | node b | web x2 : 1→a failed to-shutdown, 1→a running to-shutdown, 1 pending, 2→b running",
            "web.1→a",
        );
    }

    #[test]
    fn many_tasks_are_levelled() {
        let tasks: Vec<String> = (1..=9).map(|slot| format!("{slot} pending")).collect();
        places(
            &format!("node a | node b | node c | web x9 : {}", tasks.join(", ")),
            "web.1→a | web.2→b | web.3→c | web.4→a | web.5→b | web.6→c | web.7→a | web.8→b | web.9→c",
        );
    }

    #[test]
    fn parked_tasks_get_a_node_too() {
        places("node a | web : 1 pending to-ready", "web.1→a");
    }

    #[test]
    fn tasks_without_addresses_and_unwanted_ones_are_left_alone() {
        places("node a | web x3 : 1 new, 2 pending to-shutdown, 3→a running", "");
    }

    #[test]
    fn five_failures_of_late_make_a_node_the_last_choice() {
        let failed =
            |count: usize, age: &str| vec![format!("9→a failed to-shutdown {age}"); count].join(", ");
        let cluster = |failed: String| format!("node a | node b | web x2 : 1→b running, 2 pending, {failed}");
        places(&cluster(failed(4, "10s")), "web.2→a");
        places(&cluster(failed(5, "10s")), "web.2→b");
        places(&cluster(failed(5, "300s")), "web.2→b");
        places(&cluster(failed(5, "301s")), "web.2→a");
    }

    #[test]
    fn failures_of_another_version_do_not_count() {
        let failed = ["9→a failed to-shutdown 10s v1"; 6].join(", ");
        places(&format!("node a | node b | web x2 v2 : 1→b running, 2 pending, {failed}"), "web.2→a");
    }
}

mod preferring {
    use super::places;

    const RACKS: &str = "node a label.rack=r1 | node b label.rack=r2 | node c label.rack=r2";

    #[test]
    fn racks_are_levelled_before_nodes() {
        places(
            &format!("{RACKS} | web x4 spread=node.labels.rack : 1 pending, 2 pending, 3 pending, 4 pending"),
            "web.1→a | web.2→b | web.3→a | web.4→c",
        );
    }

    #[test]
    fn running_tasks_of_a_rack_count() {
        places(
            &format!("{RACKS} | web x3 spread=node.labels.rack : 1→a running, 2→a running, 3 pending"),
            "web.3→b",
        );
    }

    #[test]
    fn nodes_without_the_label_are_a_branch_of_their_own() {
        places(
            "node a label.rack=r1 | node b label.rack=r1 | node c | web x2 spread=node.labels.rack : 1 pending, 2 pending",
            "web.1→c | web.2→a",
        );
    }

    #[test]
    fn a_rack_that_is_full_is_passed_over() {
        places(
            &format!("{RACKS} | web x3 max=1 spread=node.labels.rack : 1 pending, 2 pending, 3 pending"),
            "web.1→a | web.2→b | web.3→c",
        );
    }

    #[test]
    fn preferences_nest() {
        places(
            "node a label.dc=d1 label.rack=r1 | node b label.dc=d1 label.rack=r2 | node c label.dc=d2 label.rack=r1 \
             | web x4 spread=node.labels.dc spread=node.labels.rack : 1 pending, 2 pending, 3 pending, 4 pending",
            "web.1→a | web.2→c | web.3→b | web.4→c",
        );
    }

    #[test]
    fn engine_labels_and_unknown_words() {
        places(
            "node a engine.disk=ssd | node b engine.disk=hdd | node c engine.disk=hdd \
             | web x2 spread=com.docker.test spread=engine.labels.disk : 1 pending, 2 pending",
            "web.1→b | web.2→a",
        );
    }
}

mod filtering {
    use super::places;

    /// Checks that of nodes `a` and `b` only `b` takes the task, and what is said when there is only `a`.
    #[track_caller]
    fn refuses(a: &str, b: &str, service: &str, reason: &str) {
        places(&format!("node a {a} | node b {b} | web {service} : 1 pending"), "web.1→b");
        places(
            &format!("node a {a} | web {service} : 1 pending"),
            &format!("web.1 (no suitable node ({reason}))"),
        );
        places(&format!("node b {b} | web {service} : 1 pending"), "web.1→b");
    }

    #[test]
    fn nodes_that_take_no_tasks() {
        for word in ["down", "drain", "pause", "unknown", "disconnected"] {
            refuses(word, "", "", "1 node not available for new tasks");
        }
    }

    #[test]
    fn reservations() {
        refuses("cpu=1", "cpu=2", "cpu=1.5", "insufficient resources on 1 node");
        refuses("mem=1gb", "mem=2gb", "mem=1500mb", "insufficient resources on 1 node");
        refuses("gpu=1", "gpu=2", "gpu=2", "insufficient resources on 1 node");
        refuses("", "gpu=card1 gpu=card2", "gpu=2", "insufficient resources on 1 node");
        refuses("blank", "", "cpu=0.1", "insufficient resources on 1 node");
    }

    #[test]
    fn what_tasks_on_the_node_reserved_is_not_free() {
        let with = |task: &str| format!("node a cpu=2 | db cpu=1.5 : 1→a {task} | web cpu=1 : 1 pending");
        let short = "web.1 (no suitable node (insufficient resources on 1 node))";
        places(&with("running"), short);
        places(&with("running to-shutdown"), short);
        places(&with("failed to-shutdown"), "web.1→a");
    }

    #[test]
    fn reservations_add_up_within_a_pass() {
        places(
            "node a cpu=2 | web x3 cpu=1 : 1 pending, 2 pending, 3 pending",
            "web.1→a | web.2→a | web.3 (no suitable node (insufficient resources on 1 node))",
        );
        places(
            "node a cpu=2 | db cpu=1.5 : 1 pending | web cpu=1 : 1 pending",
            "db.1→a | web.1 (no suitable node (insufficient resources on 1 node))",
        );
    }

    #[test]
    fn limits_are_no_reservations() {
        places("node a blank | web : 1 pending", "web.1→a");
    }

    #[test]
    fn constraints() {
        let told = "scheduling constraints not satisfied on 1 node";
        refuses("", "manager", "where=node.role==manager", told);
        refuses("manager", "", "where=node.role!=manager", told);
        refuses("", "label.disk=SSD", "where=node.labels.disk==ssd", told);
        refuses("label.disk=ssd", "", "where=node.labels.disk!=ssd", told);
        refuses("", "label.disk=ssd", "where=NODE.Labels.disk==ssd", told);
        refuses("label.Disk=ssd", "label.disk=ssd", "where=node.labels.disk==ssd", told);
        refuses("", "engine.disk=ssd", "where=engine.labels.disk==ssd", told);
        refuses("", "", "where=node.hostname==b", told);
        refuses("", "arch=aarch64", "where=node.platform.arch==aarch64", told);
        refuses("", "os=windows", "where=node.platform.os==windows", told);
        refuses("address=10.0.0.1", "address=10.0.0.2", "where=node.ip==10.0.0.2", told);
        refuses("address=10.0.0.1", "address=10.0.1.2", "where=node.ip==10.0.1.0/24", told);
        refuses("address=10.0.0.1", "address=10.0.1.2", "where=node.ip!=10.0.0.0/24", told);
        refuses("label.x=1", "label.x=1 label.y=2", "where=node.labels.x==1 where=node.labels.y==2", told);
    }

    #[test]
    fn a_node_is_found_by_its_id() {
        let id = model::NodeId::from_bits(testkit::notation::bits_of("b"));
        refuses("", "", &format!("where=node.id=={id}"), "scheduling constraints not satisfied on 1 node");
    }

    #[test]
    fn an_unknown_key_never_matches() {
        for operator in ["==", "!="] {
            places(
                &format!("node a | web where=node.colour{operator}red : 1 pending"),
                "web.1 (no suitable node (scheduling constraints not satisfied on 1 node))",
            );
        }
    }

    #[test]
    fn a_constraint_that_cannot_be_read_never_matches() {
        places(
            "node a | web where=nonsense : 1 pending",
            "web.1 (no suitable node (scheduling constraints not satisfied on 1 node))",
        );
    }

    #[test]
    fn platforms() {
        let told = "unsupported platform on 1 node";
        refuses("", "arch=aarch64", "platform=linux/arm64", told);
        refuses("arch=aarch64", "", "platform=linux/amd64", told);
        refuses("", "os=windows", "platform=windows/", told);
        refuses("", "arch=s390x", "platform=linux/s390x platform=linux/arm64", told);
        refuses("blank", "", "platform=/", told);
    }

    #[test]
    fn drivers() {
        refuses("", "plugin=Log:loki", "log=loki", "missing plugin on 1 node");
        places("node a | web log=json-file : 1 pending", "web.1→a");
    }

    #[test]
    fn a_host_port_is_taken_once_per_node() {
        places(
            "node a | node b | web x3 host=80:8080 : 1→a running, 2 pending, 3 pending",
            "web.2→b | web.3 (no suitable node (host-mode port already in use on 2 nodes))",
        );
        places(
            "node a | db host=80:1 : 1→a running to-shutdown | web host=80:8080 : 1 pending",
            "web.1 (no suitable node (host-mode port already in use on 1 node))",
        );
        places("node a | db host=80:1/udp : 1→a running | web host=80:8080 : 1 pending", "web.1→a");
        places(
            "node a | db host=1 : 1→a running | web x2 host=1 : 1 pending, 2 pending",
            "web.1→a | web.2→a",
        );
        places("node a | db host=80:1 : 1→a failed to-shutdown | web host=80:8080 : 1 pending", "web.1→a");
    }

    #[test]
    fn a_node_takes_no_more_replicas_than_allowed() {
        places(
            "node a | node b | web x4 max=1 : 1→a running, 2 pending, 3 pending, 4 pending",
            "web.2→b | web.3 (no suitable node (max replicas per node limit exceed)) \
             | web.4 (no suitable node (max replicas per node limit exceed))",
        );
        places("node a | web x2 max=1 : 1→a running to-shutdown, 1 pending", "web.1→a");
    }
}

mod reasons {
    use super::{places, story};

    #[test]
    fn a_cluster_without_nodes_has_no_suitable_one() {
        places("web : 1 pending", "web.1 (no suitable node)");
    }

    #[test]
    fn every_refused_node_is_counted_once_by_the_first_filter_that_refuses_it() {
        places(
            "node a drain | node b | node c | web where=node.labels.disk==ssd : 1 pending",
            "web.1 (no suitable node (scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks))",
        );
    }

    #[test]
    fn equally_frequent_reasons_come_in_the_order_of_the_filters() {
        places(
            "node a drain | node b cpu=1 | web cpu=2 : 1 pending",
            "web.1 (no suitable node (1 node not available for new tasks; insufficient resources on 1 node))",
        );
    }

    #[test]
    fn a_reason_is_written_when_it_changes_and_goes_with_the_waiting() {
        story(
            scheduler::plan,
            "node a drain | web : 1 pending",
            &[
                ("", "web.1 (no suitable node (1 node not available for new tasks))"),
                ("pass 10s", ""),
                ("node b down", "web.1 (no suitable node (2 nodes not available for new tasks))"),
                ("node b", "web.1→b"),
            ],
        );
    }

    #[test]
    fn the_reasons_are_those_that_hold_after_the_pass() {
        places(
            "node a cpu=2 | db x2 max=1 cpu=0.5 : 1→a running, 2 pending | web cpu=1.5 : 1 pending",
            "web.1→a | db.2 (no suitable node (insufficient resources on 1 node))",
        );
    }

    #[test]
    fn an_assigned_task_has_no_reason_left() {
        let mut world = testkit::World::parse("node a | web : 1 pending err=no_suitable_node");

        world.settle(scheduler::plan);

        let task = testkit::notation::task_at(&world.view, "web", 1);
        assert_eq!(task.status.err, "");
        assert_eq!(task.status.message, "scheduler assigned task to node");
        assert_eq!(task.status.state, model::TaskState::Assigned);
        assert_eq!(task.status.at, world.now);
    }
}
