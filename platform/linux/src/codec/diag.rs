//! Asking the kernel for its TCP sockets, and to end them: `sock_diag(7)`.
//!
//! Numbers are in the machine's order, but for ports and addresses, which are as on the wire. By hand, because the crate for
//! it (netlink-packet-sock-diag 0.4.2) has no conditions in its questions, and brings a second, older netlink-packet-core.

use std::net::Ipv4Addr;

/// A header, `nlmsghdr`: length, type, flags, sequence number, port; then what is asked about, `inet_diag_req_v2`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
/// Where the name of a socket, `inet_diag_sockid`, begins in a request, and in what the kernel tells of one, `inet_diag_msg`.
const ID_IN_REQUEST: usize = 8;
const ID_IN_TOLD: usize = 4;
/// Ports, addresses, interface, and a number that no other socket has.
const ID: usize = 48;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x001;
const NLM_F_DUMP: u16 = 0x300;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_BC_S_COND: u8 = 7;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TCP: u8 = 6;

/// Connections that somebody may still wait for. Not what listens, nor what the kernel alone remembers.
const STATES: u32 = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// Both sorts of sockets that speak IPv4.
pub const FAMILIES: [u8; 2] = [AF_INET, AF_INET6];

/// A TCP socket, as the kernel names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketId {
    family: u8,
    id: [u8; ID],
}

/// A part of the answer to [`connections_from`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Sockets.
    pub sockets: Vec<SocketId>,
    /// There is no more to come.
    pub is_last: bool,
}

/// Asks for all connections of sockets of `family` from `address`, whichever way that is written.
#[must_use]
pub fn connections_from(family: u8, address: Ipv4Addr) -> Vec<u8> {
    let mut condition = Vec::new();
    // One instruction: whoever is from there is told (on to the end, 16 bytes on), others are not (beyond it).
    condition.extend([INET_DIAG_BC_S_COND, 16]);
    condition.extend(20_u16.to_ne_bytes());
    // All bits of the address count, the port does not.
    condition.extend([AF_INET, 32, 0, 0]);
    condition.extend((-1_i32).to_ne_bytes());
    condition.extend(address.octets());
    let attribute = u16::try_from(4 + condition.len()).unwrap_or_default();
    let mut message = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family, STATES, &[0; ID]);
    message.extend(attribute.to_ne_bytes());
    message.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
    message.extend(condition);
    sealed(message)
}

/// Asks the kernel to break a connection off: its app is told at once, whatever it waits for.
#[must_use]
pub fn destroy(socket: &SocketId) -> Vec<u8> {
    sealed(request(SOCK_DESTROY, 0, socket.family, 0, &socket.id))
}

/// Reads a datagram of answers; `Err` is the kernel's error number.
///
/// # Errors
/// When the kernel refuses to tell; 0 if what it says makes no sense.
pub fn told(mut bytes: &[u8]) -> Result<Told, i32> {
    let mut told = Told::default();
    while let Some((header, _)) = bytes.split_first_chunk::<HEADER>() {
        let [l0, l1, l2, l3, t0, t1, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let body = bytes.get(HEADER..length).ok_or(0)?;
        match u16::from_ne_bytes([t0, t1]) {
            SOCK_DIAG_BY_FAMILY => {
                let id = body.get(ID_IN_TOLD..).and_then(|rest| rest.first_chunk::<ID>()).ok_or(0)?;
                let family = *body.first().ok_or(0)?;
                told.sockets.push(SocketId { family, id: *id });
            }
            NLMSG_DONE => told.is_last = true,
            NLMSG_ERROR => return Err(body.first_chunk::<4>().map_or(0, |code| -i32::from_ne_bytes(*code))),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(told)
}

fn request(kind: u16, flags: u16, family: u8, states: u32, id: &[u8; ID]) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend([family, TCP, 0, 0]);
    message.extend(states.to_ne_bytes());
    message.extend(id);
    debug_assert_eq!((message.len(), ID_IN_REQUEST + ID), (HEADER + REQUEST, REQUEST));
    message
}

/// With its length in front.
fn sealed(mut message: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or_default();
    if let Some(field) = message.first_chunk_mut() {
        *field = length.to_ne_bytes();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 192.0.0.2:37686 to 198.51.100.10:7, by hand from the definitions in `linux/inet_diag.h`.
    const ID_TOLD: [u8; ID] = [
        0x93, 0x36, 0, 7, 192, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 198, 51, 100, 10, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0x10, 0, 0, 0, 0, 0, 0,
    ];

    fn answer(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[2, 0], &[0; 8], body].concat()
    }

    fn socket() -> Vec<u8> {
        answer(20, &[&[2, 1, 0, 0], &ID_TOLD[..], &[0; 20]].concat())
    }

    #[test]
    fn a_question_for_connections_from_one_address() {
        let question = connections_from(AF_INET6, Ipv4Addr::new(192, 0, 0, 2));
        assert_eq!(question[..16], [92, 0, 0, 0, 20, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
        // Neither what listens (10) nor TIME-WAIT (6).
        assert_eq!(question[16..24], [10, 6, 0, 0, 0x36, 0x0b, 0, 0]);
        assert_eq!(question[24..72], [0; 48]);
        assert_eq!(question[72..], [20, 0, 1, 0, 7, 16, 20, 0, 2, 32, 0, 0, 255, 255, 255, 255, 192, 0, 0, 2]);
    }

    #[test]
    fn what_was_told_of_is_ended_by_the_same_name() {
        let bytes = [socket(), socket(), answer(3, &[0; 4])].concat();
        let told = told(&bytes).unwrap();
        assert_eq!((told.sockets.len(), told.is_last), (2, true));
        let order = destroy(&told.sockets[0]);
        assert_eq!(order[..16], [72, 0, 0, 0, 21, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(order[16..24], [2, 6, 0, 0, 0, 0, 0, 0]);
        assert_eq!(order[24..], ID_TOLD);
    }

    #[test]
    fn errors_and_nonsense() {
        assert_eq!(told(&[]), Ok(Told::default()));
        assert_eq!(told(&socket()).map(|told| told.is_last), Ok(false), "there is more");
        assert_eq!(told(&answer(2, &[0xfe, 0xff, 0xff, 0xff])), Err(2));
        assert_eq!(told(&answer(20, &[2; 40])), Err(0));
        let mut endless = socket();
        endless[0] = 8;
        assert_eq!(told(&endless), Err(0), "shorter than its own header");
        endless[0] = 200;
        assert_eq!(told(&endless), Err(0));
    }
}
