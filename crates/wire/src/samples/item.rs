//! Random items of an assignment.

use super::*;
use crate::assignment::{self, Item};

pub(crate) fn item() -> impl Strategy<Value = Item> {
    let network = (network_id(), any::<u32>(), subnet(), any::<[bool; 2]>(), text(), any::<Option<u32>>());
    let network = network.prop_map(|(id, vni, subnet, [internal, ingress], name, mtu)| assignment::Network {
        id,
        vni,
        subnet,
        internal,
        ingress,
        name,
        mtu,
    });
    let place = (network_id(), task_id(), service_id(), node_id());
    let endpoint = (place, address(), any::<bool>(), text(), text()).prop_map(
        |((network, task, service, node), address, serving, name, hostname)| assignment::Endpoint {
            network,
            task,
            service,
            address,
            node,
            serving,
            name,
            hostname,
        },
    );
    let service = (network_id(), service_id(), text(), texts(), maybe(address())).prop_map(
        |(network, service, name, aliases, virtual_ip)| assignment::Service {
            network,
            service,
            name,
            aliases,
            virtual_ip,
        },
    );
    let node = (node_id(), maybe(any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))));
    let node =
        (node, any::<Option<u32>>(), maybe(text())).prop_map(|((id, address), number, manager_address)| {
            assignment::Node { id, address, number, manager_address }
        });
    let protocol = select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let port = (any::<u16>(), protocol, any::<u16>(), service_id()).prop_map(
        |(published, protocol, target, service)| assignment::Port { published, protocol, target, service },
    );
    prop_oneof![
        task().prop_map(|task| Item::Task(task.into())),
        spec().prop_map(|spec| Item::Spec(spec.into())),
        network.prop_map(Item::Network),
        endpoint.prop_map(Item::Endpoint),
        node.prop_map(Item::Node),
        port.prop_map(Item::Port),
        service.prop_map(Item::Service),
    ]
}
