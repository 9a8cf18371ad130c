//! DHCPv4 of a running lab.

use super::Lab;
use crate::error::Result;
use crate::services::dhcp4::{self, ClientEnd, Dhcp4Client, Dhcp4Server};

impl Lab {
    /// The router behind `uplink` gets IPv4 on its link, and a DHCPv4 server for it. On again: with these settings from now on.
    /// Whoever holds a lease reaches the IPv4 servers without translation.
    ///
    /// # Errors
    /// [`Error::MissingTools`](crate::Error::MissingTools); as [`Lab::cut`].
    pub fn start_dhcp4_server(&self, uplink: &str, server: Dhcp4Server) -> Result<()> {
        let (site, _) = self.plan.site(uplink)?;
        self.change(|state, started| dhcp4::start_server(&self.plan, site, server, state, started))
    }

    /// The server ends; who has a lease keeps it until its end, with a way to the IPv4 servers. Off already: no error.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn stop_dhcp4_server(&self, uplink: &str) -> Result<()> {
        let (site, _) = self.plan.site(uplink)?;
        self.change(|state, _| dhcp4::stop_server(site, state))
    }

    /// The host asks for IPv4 on `uplink`, from now on, whether there is a server or not. With a lease it has an address and a
    /// default route with the uplink's metric.
    ///
    /// # Errors
    /// As [`Lab::start_dhcp4_server`].
    pub fn start_dhcp4_client(&self, uplink: &str, client: Dhcp4Client) -> Result<()> {
        let (_, port) = self.plan.site(uplink)?;
        self.change(|state, started| dhcp4::start_client(&self.plan, port, client, state, started))
    }

    /// The client ends, in one way or the other. Off already: no error.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn stop_dhcp4_client(&self, uplink: &str, how: ClientEnd) -> Result<()> {
        let (_, port) = self.plan.site(uplink)?;
        self.change(|state, _| dhcp4::stop_client(port, how, state))
    }
}
