//! The lab's links: one bridge in a namespace of its own, a port to each host, one to the machine.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::{
    Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection,
};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::namespace::{Kind, Pins};

/// The owner of the namespace the bridge is in.
pub(crate) const SWITCH: &str = "switch";
const BRIDGE: &str = "br0";
const UPLINK: &str = "uplink";
const HOST_LINK: &str = "eth0";
const MTU: u32 = 1500;
const PREFIX: u8 = 24;
/// The machine's own address in a lab's subnet.
const MACHINE: u8 = 254;

/// Returns the machine's end of the link to a lab; the subnet makes it unique.
pub(crate) fn machine_link(subnet: u8) -> String {
    format!("drlab{subnet}")
}

/// Returns an address in a lab's subnet.
pub(crate) fn address(subnet: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, subnet, host)
}

/// Returns the subnets that no address or route of the machine touches.
pub(crate) fn free_subnets() -> Result<Vec<u8>> {
    here("list the machine's addresses and routes", async |handle| {
        let mut taken: Vec<(Ipv4Addr, u8)> = Vec::new();
        let mut addresses = handle.address().get().execute();
        while let Some(message) = addresses.try_next().await? {
            taken.extend(message.attributes.iter().filter_map(|attribute| match attribute {
                AddressAttribute::Local(IpAddr::V4(address)) => Some((*address, message.header.prefix_len)),
                _ => None,
            }));
        }
        let mut routes = handle.route().get(RouteMessageBuilder::<Ipv4Addr>::new().build()).execute();
        while let Some(message) = routes.try_next().await? {
            taken.extend(destination(&message));
        }
        Ok((1..=254).filter(|subnet| !taken.iter().any(|net| overlaps(*net, *subnet))).collect())
    })
}

/// Makes the switch's bridge.
pub(crate) fn make_switch(pins: &Pins) -> Result<()> {
    within(pins, SWITCH, "make the lab's bridge", async |handle| {
        set_up(&handle, "lo").await?;
        handle.link().add(LinkBridge::new(BRIDGE).mtu(MTU).up().build()).execute().await
    })
}

/// Connects the machine to the switch; tells whether the name of its link was still free.
pub(crate) fn connect_machine(pins: &Pins, subnet: u8, owner: &str) -> Result<bool> {
    let name = machine_link(subnet);
    let path = pins.path(SWITCH, Kind::Net);
    let switch = File::open(&path).map_err(Error::file("open", &path))?;
    let made = here(&format!("make link {name}"), async |handle| {
        let far = LinkMessageBuilder::<LinkUnspec>::new().name(UPLINK.to_owned()).mtu(MTU);
        let far = far.setns_by_fd(switch.as_raw_fd()).build();
        match handle.link().add(veth(&name, far).mtu(MTU).build()).execute().await {
            Err(error) if exists(&error) => return Ok(false),
            result => result?,
        }
        let index = index(&handle, &name).await?;
        let marked = LinkUnspec::new_with_index(index).alias(owner).up().build();
        handle.link().set(marked).execute().await?;
        handle.address().add(index, IpAddr::V4(address(subnet, MACHINE)), PREFIX).execute().await?;
        Ok(true)
    })?;
    if made {
        enslave(pins, UPLINK)?;
    }
    Ok(made)
}

/// Removes the machine's link to a lab: the one with its mark, or the unmarked one of its subnet.
pub(crate) fn disconnect_machine(subnet: Option<u8>, owner: &str) -> Result<()> {
    let unmarked = subnet.map(machine_link);
    here("remove the machine's link to the lab", async |handle| {
        let mut links = handle.link().get().execute();
        let mut ours = Vec::new();
        while let Some(link) = links.try_next().await? {
            // Between being made and being marked, a link has no alias.
            let is_ours = match alias(&link) {
                Some(alias) => alias == owner,
                None => unmarked.is_some() && name(&link) == unmarked.as_deref(),
            };
            if is_ours {
                ours.push(link.header.index);
            }
        }
        for index in ours {
            handle.link().del(index).execute().await?;
        }
        Ok(())
    })
}

/// Connects a host to the switch and gives it its address.
pub(crate) fn connect_host(pins: &Pins, host: &Host) -> Result<()> {
    let path = pins.path(&host.name, Kind::Net);
    let target = File::open(&path).map_err(Error::file("open", &path))?;
    within(pins, SWITCH, &format!("make the link of host {}", host.name), async |handle| {
        let near = LinkMessageBuilder::<LinkUnspec>::new().name(HOST_LINK.to_owned()).mtu(MTU);
        let near = near.address(mac(host.address)).setns_by_fd(target.as_raw_fd()).build();
        handle.link().add(veth(&host.name, near).mtu(MTU).build()).execute().await
    })?;
    enslave(pins, &host.name)?;
    within(pins, &host.name, &format!("set up the links of host {}", host.name), async |handle| {
        set_up(&handle, "lo").await?;
        set_up(&handle, HOST_LINK).await?;
        let index = index(&handle, HOST_LINK).await?;
        handle.address().add(index, IpAddr::V4(host.address), PREFIX).execute().await
    })
}

/// Cuts a host off for good by removing its port; none being there is fine.
pub(crate) fn disconnect_host(pins: &Pins, host: &str) -> Result<()> {
    if pins.inode(SWITCH, Kind::Net).is_none() {
        return Ok(());
    }
    within(pins, SWITCH, &format!("remove the link of host {host}"), async |handle| {
        match find(&handle, host).await? {
            Some(link) => handle.link().del(link.header.index).execute().await,
            None => Ok(()),
        }
    })
}

fn enslave(pins: &Pins, port: &str) -> Result<()> {
    within(pins, SWITCH, &format!("connect {port} to the lab's bridge"), async |handle| {
        let bridge = index(&handle, BRIDGE).await?;
        let port = index(&handle, port).await?;
        handle.link().set(LinkUnspec::new_with_index(port).controller(bridge).up().build()).execute().await
    })
}

fn veth(name: &str, peer: LinkMessage) -> LinkMessageBuilder<LinkVeth> {
    LinkVeth::new(name, "peer").set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
}

/// The address is part of it, so that a host that was down keeps its place in its neighbours' tables.
fn mac(address: Ipv4Addr) -> Vec<u8> {
    let [a, b, c, d] = address.octets();
    vec![0x02, 0xd0, a, b, c, d]
}

async fn set_up(handle: &Handle, name: &str) -> std::result::Result<(), rtnetlink::Error> {
    let index = index(handle, name).await?;
    handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await
}

async fn index(handle: &Handle, name: &str) -> std::result::Result<u32, rtnetlink::Error> {
    let link = handle.link().get().match_name(name.to_owned()).execute().try_next().await?;
    link.map(|link| link.header.index).ok_or(rtnetlink::Error::RequestFailed)
}

async fn find(handle: &Handle, name: &str) -> std::result::Result<Option<LinkMessage>, rtnetlink::Error> {
    match handle.link().get().match_name(name.to_owned()).execute().try_next().await {
        Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::ENODEV => Ok(None),
        result => result,
    }
}

fn name(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

fn alias(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfAlias(alias) => Some(alias.as_str()),
        _ => None,
    })
}

fn exists(error: &rtnetlink::Error) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(error) if error.raw_code() == -libc::EEXIST)
}

fn destination(route: &RouteMessage) -> Option<(Ipv4Addr, u8)> {
    if route.header.address_family != AddressFamily::Inet {
        return None;
    }
    let target = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    })?;
    // A route to everywhere takes no subnet away.
    (route.header.destination_prefix_length > 0).then_some((target, route.header.destination_prefix_length))
}

fn overlaps((network, prefix): (Ipv4Addr, u8), subnet: u8) -> bool {
    let bits = u32::from(prefix.min(PREFIX));
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(network) & mask == u32::from(address(subnet, 0)) & mask
}

/// Talks to the kernel from the calling thread's network namespace.
fn here<T: Send>(
    action: &str,
    work: impl AsyncFnOnce(Handle) -> std::result::Result<T, rtnetlink::Error> + Send,
) -> Result<T> {
    let fail = |reason: String| Error::Netlink { action: action.to_owned(), reason };
    // A thread of its own, because the caller may be inside a runtime already.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| converse(work).map_err(fail));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Talks to the kernel from a pinned network namespace.
fn within<T: Send>(
    pins: &Pins,
    owner: &str,
    action: &str,
    work: impl AsyncFnOnce(Handle) -> std::result::Result<T, rtnetlink::Error> + Send,
) -> Result<T> {
    pins.within_net(owner, || {
        converse(work).map_err(|reason| Error::Netlink { action: action.to_owned(), reason })
    })
}

fn converse<T>(
    work: impl AsyncFnOnce(Handle) -> std::result::Result<T, rtnetlink::Error>,
) -> std::result::Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let (connection, handle, _) = new_connection().map_err(|error| error.to_string())?;
        let driver = tokio::spawn(connection);
        let result = work(handle).await.map_err(|error| error.to_string());
        driver.abort();
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_taken_by_what_lies_in_it_or_around_it() {
        let cases = [
            ("10.99.3.1", 32, true),
            ("10.99.3.0", 24, true),
            ("10.96.0.0", 12, true),
            ("10.99.4.0", 24, false),
            ("10.99.2.0", 23, true),
            ("192.168.3.0", 24, false),
        ];

        for (network, prefix, expected) in cases {
            assert_eq!(overlaps((network.parse().unwrap(), prefix), 3), expected, "{network}/{prefix}");
        }
    }
}
