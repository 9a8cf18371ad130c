//! Rows of the tables of `netioapi.h`: the fields that matter, with the system's numbers left as they are.

use std::net::{IpAddr, Ipv6Addr};

/// From a `MIB_IF_ROW2`: one network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceRow {
    /// `InterfaceIndex`.
    pub index: u32,
    /// `Alias`: the name that people see and may change, such as "Wi-Fi".
    pub alias: String,
    /// `Type`: `IF_TYPE_*`.
    pub if_type: u32,
    /// `MediaType`: `NDIS_MEDIUM`, what frames look like.
    pub medium: i32,
    /// `InterfaceAndOperStatusFlags`, from `HardwareInterface` in bit 0.
    pub flags: u8,
    /// `Mtu` in bytes.
    pub mtu: u32,
    /// `PhysicalAddress`, as long as it is.
    pub physical_address: Vec<u8>,
    /// `OperStatus`: `IF_OPER_STATUS`.
    pub oper_status: i32,
    /// `AdminStatus`: `NET_IF_ADMIN_STATUS`.
    pub admin_status: i32,
    /// `MediaConnectState`: `NET_IF_MEDIA_CONNECT_STATE`.
    pub media_connect_state: i32,
}

/// From a `MIB_IPINTERFACE_ROW`: what one of the two protocols knows about an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpInterfaceRow {
    /// `Family`: whether it is IPv6.
    pub v6: bool,
    /// `InterfaceIndex`.
    pub index: u32,
    /// `Metric`, automatic or set.
    pub metric: u32,
    /// `NlMtu` in bytes; a router advertisement may have lowered it.
    pub mtu: u32,
    /// `ForwardingEnabled`.
    pub forwarding: bool,
}

/// From a `MIB_UNICASTIPADDRESS_ROW`: one address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRow {
    /// `InterfaceIndex`.
    pub index: u32,
    /// `Address`.
    pub address: IpAddr,
    /// `OnLinkPrefixLength`.
    pub prefix_len: u8,
    /// `DadState`: `NL_DAD_STATE`.
    pub dad_state: i32,
    /// `SuffixOrigin`: `NL_SUFFIX_ORIGIN`.
    pub suffix_origin: i32,
    /// `SkipAsSource`: not to be chosen as the source of connections.
    pub skip_as_source: bool,
}

/// From a `MIB_IPFORWARD_ROW2`: one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// `InterfaceIndex`.
    pub index: u32,
    /// `DestinationPrefix.Prefix`.
    pub destination: IpAddr,
    /// `DestinationPrefix.PrefixLength`.
    pub prefix_len: u8,
    /// `NextHop`, unspecified for what is on the link.
    pub next_hop: IpAddr,
    /// `Metric`, to which that of the interface is added.
    pub metric: u32,
    /// `Loopback`: the route leads back to this computer.
    pub loopback: bool,
}

/// From a `MIB_IPNET_ROW2`: one IPv6 neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighbourRow {
    /// `InterfaceIndex`.
    pub index: u32,
    /// `Address`.
    pub address: Ipv6Addr,
    /// `PhysicalAddress`, as long as it is.
    pub physical_address: Vec<u8>,
    /// `State`: `NL_NEIGHBOR_STATE`.
    pub state: i32,
}

/// All tables that a snapshot is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// `GetIfTable2`.
    pub interfaces: Vec<InterfaceRow>,
    /// `GetIpInterfaceTable`, both families.
    pub ip_interfaces: Vec<IpInterfaceRow>,
    /// `GetUnicastIpAddressTable`, both families.
    pub addresses: Vec<AddressRow>,
    /// `GetIpForwardTable2`, both families.
    pub routes: Vec<RouteRow>,
    /// `GetIpNetTable2`, IPv6.
    pub neighbours: Vec<NeighbourRow>,
}
