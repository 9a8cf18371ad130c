#![allow(unsafe_code, reason = "tables of IP Helper: see each SAFETY sentence")]

use std::ffi::c_void;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use platform_api::HostError;
use windows_sys::Win32::Foundation::{
    ERROR_HOST_UNREACHABLE, ERROR_NETWORK_UNREACHABLE, ERROR_NOT_FOUND, NO_ERROR, WIN32_ERROR,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    FreeMibTable, GetBestRoute2, GetIfTable2, GetIpForwardTable2, GetIpInterfaceTable, GetIpNetTable2,
    GetUnicastIpAddressTable, MIB_IF_ROW2, MIB_IPFORWARD_ROW2, MIB_IPINTERFACE_ROW, MIB_IPNET_ROW2,
    MIB_UNICASTIPADDRESS_ROW,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, IN6_ADDR, IN6_ADDR_0, SOCKADDR_IN6, SOCKADDR_INET,
};

use crate::codec::{AddressRow, InterfaceRow, IpInterfaceRow, NeighbourRow, RouteRow, Tables};

/// Reads all tables.
pub(crate) fn tables() -> Result<Tables, HostError> {
    Ok(Tables {
        interfaces: interfaces().map_err(|error| HostError::new("list interfaces", error))?,
        ip_interfaces: ip_interfaces().map_err(|error| HostError::new("list IP interfaces", error))?,
        addresses: addresses().map_err(|error| HostError::new("list addresses", error))?,
        routes: routes().map_err(|error| HostError::new("list routes", error))?,
        neighbours: neighbours().map_err(|error| HostError::new("list neighbours", error))?,
    })
}

/// The route that a packet to `destination` would take. `None` when there is none.
pub(crate) fn best_route(destination: Ipv6Addr) -> io::Result<Option<RouteRow>> {
    let to = SOCKADDR_INET {
        Ipv6: SOCKADDR_IN6 {
            sin6_family: AF_INET6,
            sin6_addr: IN6_ADDR { u: IN6_ADDR_0 { Byte: destination.octets() } },
            ..SOCKADDR_IN6::default()
        },
    };
    let mut best = MIB_IPFORWARD_ROW2::default();
    let mut source = SOCKADDR_INET::default();
    // SAFETY: interface and source may be left open; `to` is a whole address; `best` and `source` can be written to.
    let code = unsafe { GetBestRoute2(ptr::null(), 0, ptr::null(), &raw const to, 0, &raw mut best, &raw mut source) };
    if matches!(code, ERROR_NETWORK_UNREACHABLE | ERROR_HOST_UNREACHABLE | ERROR_NOT_FOUND) {
        return Ok(None);
    }
    checked(code)?;
    // SAFETY: `best` is a row.
    Ok(unsafe { route(&raw const best) })
}

/// The outcome of a call.
pub(super) fn checked(code: WIN32_ERROR) -> io::Result<()> {
    if code == NO_ERROR { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
}

fn interfaces() -> io::Result<Vec<InterfaceRow>> {
    // SAFETY: `place` can be written to.
    let Some(table) = Table::load(|place| unsafe { GetIfTable2(place) })? else { return Ok(Vec::new()) };
    // SAFETY: IP Helper filled the table: its number of rows, then the rows. It lives until the end of the function.
    Ok(unsafe { rows((*table.0).NumEntries, (&raw const (*table.0).Table).cast(), interface) })
}

fn ip_interfaces() -> io::Result<Vec<IpInterfaceRow>> {
    // SAFETY: `place` can be written to.
    let Some(table) = Table::load(|place| unsafe { GetIpInterfaceTable(AF_UNSPEC, place) })? else {
        return Ok(Vec::new());
    };
    // SAFETY: as in `interfaces`.
    Ok(unsafe { rows((*table.0).NumEntries, (&raw const (*table.0).Table).cast(), ip_interface) })
}

fn addresses() -> io::Result<Vec<AddressRow>> {
    // SAFETY: `place` can be written to.
    let Some(table) = Table::load(|place| unsafe { GetUnicastIpAddressTable(AF_UNSPEC, place) })? else {
        return Ok(Vec::new());
    };
    // SAFETY: as in `interfaces`.
    Ok(unsafe { rows((*table.0).NumEntries, (&raw const (*table.0).Table).cast(), address) })
}

fn routes() -> io::Result<Vec<RouteRow>> {
    // SAFETY: `place` can be written to.
    let Some(table) = Table::load(|place| unsafe { GetIpForwardTable2(AF_UNSPEC, place) })? else {
        return Ok(Vec::new());
    };
    // SAFETY: as in `interfaces`.
    Ok(unsafe { rows((*table.0).NumEntries, (&raw const (*table.0).Table).cast(), route) })
}

fn neighbours() -> io::Result<Vec<NeighbourRow>> {
    // SAFETY: `place` can be written to.
    let Some(table) = Table::load(|place| unsafe { GetIpNetTable2(AF_INET6, place) })? else {
        return Ok(Vec::new());
    };
    // SAFETY: as in `interfaces`.
    Ok(unsafe { rows((*table.0).NumEntries, (&raw const (*table.0).Table).cast(), neighbour) })
}

/// A table that IP Helper allocated; never null.
struct Table<T>(*mut T);

impl<T> Table<T> {
    /// Has `call` fill in the pointer to a table. `None` when there is nothing to list.
    fn load(call: impl FnOnce(*mut *mut T) -> WIN32_ERROR) -> io::Result<Option<Self>> {
        let mut table = ptr::null_mut();
        let code = call(&raw mut table);
        if code != ERROR_NOT_FOUND {
            checked(code)?;
        }
        Ok((!table.is_null()).then_some(Self(table)))
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        // SAFETY: IP Helper allocated it, and nobody else frees it.
        unsafe { FreeMibTable(self.0.cast_const().cast::<c_void>()) };
    }
}

/// # Safety
/// `count` rows must follow each other from `first` on.
unsafe fn rows<Row, T>(count: u32, first: *const Row, read: unsafe fn(*const Row) -> Option<T>) -> Vec<T> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    // SAFETY: as the caller promises, each of these is a row.
    (0..count).filter_map(|at| unsafe { read(first.add(at)) }).collect()
}

/// # Safety
/// `row` must be a row that IP Helper filled.
unsafe fn interface(row: *const MIB_IF_ROW2) -> Option<InterfaceRow> {
    // SAFETY: as the caller promises; every bit pattern is a value of these fields.
    let row = unsafe { &*row };
    Some(InterfaceRow {
        index: row.InterfaceIndex,
        alias: text(&row.Alias),
        if_type: row.Type,
        medium: row.MediaType,
        flags: row.InterfaceAndOperStatusFlags._bitfield,
        mtu: row.Mtu,
        physical_address: bytes(&row.PhysicalAddress, row.PhysicalAddressLength),
        oper_status: row.OperStatus,
        admin_status: row.AdminStatus,
        media_connect_state: row.MediaConnectState,
    })
}

/// # Safety
/// `row` must be a row that IP Helper filled.
unsafe fn ip_interface(row: *const MIB_IPINTERFACE_ROW) -> Option<IpInterfaceRow> {
    // SAFETY: as the caller promises. Field by field: the truth values in the row are bytes of the system's.
    unsafe {
        Some(IpInterfaceRow {
            v6: (*row).Family == AF_INET6,
            index: (*row).InterfaceIndex,
            metric: (*row).Metric,
            mtu: (*row).NlMtu,
            forwarding: truth(&raw const (*row).ForwardingEnabled),
        })
    }
}

/// # Safety
/// `row` must be a row that IP Helper filled.
unsafe fn address(row: *const MIB_UNICASTIPADDRESS_ROW) -> Option<AddressRow> {
    // SAFETY: as in `ip_interface`.
    unsafe {
        Some(AddressRow {
            index: (*row).InterfaceIndex,
            address: ip(&(*row).Address)?,
            prefix_len: (*row).OnLinkPrefixLength,
            dad_state: (*row).DadState,
            suffix_origin: (*row).SuffixOrigin,
            skip_as_source: truth(&raw const (*row).SkipAsSource),
        })
    }
}

/// # Safety
/// `row` must be a row that IP Helper filled.
unsafe fn route(row: *const MIB_IPFORWARD_ROW2) -> Option<RouteRow> {
    // SAFETY: as in `ip_interface`.
    unsafe {
        Some(RouteRow {
            index: (*row).InterfaceIndex,
            destination: ip(&(*row).DestinationPrefix.Prefix)?,
            prefix_len: (*row).DestinationPrefix.PrefixLength,
            next_hop: ip(&(*row).NextHop)?,
            metric: (*row).Metric,
            loopback: truth(&raw const (*row).Loopback),
        })
    }
}

/// # Safety
/// `row` must be a row that IP Helper filled.
unsafe fn neighbour(row: *const MIB_IPNET_ROW2) -> Option<NeighbourRow> {
    // SAFETY: as the caller promises; every bit pattern is a value of these fields.
    let row = unsafe { &*row };
    let Some(IpAddr::V6(address)) = ip(&row.Address) else { return None };
    Some(NeighbourRow {
        index: row.InterfaceIndex,
        address,
        physical_address: bytes(&row.PhysicalAddress, row.PhysicalAddressLength),
        state: row.State,
    })
}

/// # Safety
/// `value` must point to a byte.
unsafe fn truth(value: *const bool) -> bool {
    // SAFETY: as the caller promises.
    unsafe { value.cast::<u8>().read() != 0 }
}

/// The address, if it has one of the two families.
fn ip(address: &SOCKADDR_INET) -> Option<IpAddr> {
    // SAFETY: all arms of the union are plain numbers, begin with the family and fit into it.
    let (family, v4, v6) =
        unsafe { (address.si_family, address.Ipv4.sin_addr.S_un.S_addr, address.Ipv6.sin6_addr.u.Byte) };
    match family {
        // In network byte order, as bytes in memory.
        AF_INET => Some(IpAddr::V4(Ipv4Addr::from(v4.to_ne_bytes()))),
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(v6))),
        _ => None,
    }
}

fn text(wide: &[u16]) -> String {
    let length = wide.iter().position(|unit| *unit == 0).unwrap_or(wide.len());
    String::from_utf16_lossy(wide.get(..length).unwrap_or_default())
}

fn bytes(all: &[u8], length: u32) -> Vec<u8> {
    let length = usize::try_from(length).unwrap_or(0);
    all.get(..length).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use windows_sys::Win32::Foundation::{ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED};

    use super::*;
    use crate::codec;

    const ABSENT: [i32; 2] = [ERROR_NOT_SUPPORTED.cast_signed(), ERROR_INVALID_FUNCTION.cast_signed()];

    /// Wine 8 has no `GetIpInterfaceTable`, no `GetBestRoute2` and no IPv6 neighbours on Linux; it says so.
    fn unless_wine<T: Default>(result: io::Result<T>) -> T {
        match result {
            Err(error) if error.raw_os_error().is_some_and(|code| ABSENT.contains(&code)) => {
                println!("not supported here, as under Wine");
                T::default()
            }
            other => other.unwrap(),
        }
    }

    #[test]
    fn the_tables_of_this_computer() {
        let tables = Tables {
            interfaces: interfaces().unwrap(),
            ip_interfaces: unless_wine(ip_interfaces()),
            addresses: addresses().unwrap(),
            routes: routes().unwrap(),
            neighbours: unless_wine(neighbours()),
        };
        println!("{tables:#?}");
        assert!(tables.addresses.iter().any(|row| row.address.is_loopback() && row.prefix_len > 0));
        let snapshot = codec::snapshot(&tables, BTreeMap::new(), None);
        println!("{snapshot:#?}");
        assert!(snapshot.links.values().all(|link| !link.name.is_empty()));
        assert!(snapshot.links.values().any(|link| !link.addresses.is_empty()));
        assert!(snapshot.routes.iter().all(|route| snapshot.links.contains_key(&route.link)));
    }

    #[test]
    fn a_lookup_on_this_computer() {
        println!("{:?}", unless_wine(best_route("2001:4860:4860::8888".parse().unwrap())));
    }
}
