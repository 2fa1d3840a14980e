//! Where the scheduler puts tasks in small clusters, case by case.

use testkit::check;

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
}

mod reasons {
    use super::places;

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
}
