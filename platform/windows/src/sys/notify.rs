#![allow(unsafe_code, reason = "callbacks: see each SAFETY sentence")]

use std::ffi::c_void;
use std::io;
use std::ptr;

use platform_api::HostEvent;
use tokio::sync::mpsc;
use windows_sys::Win32::Foundation::{HANDLE, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    CancelMibChangeNotify2, MIB_NOTIFICATION_TYPE, NotifyIpInterfaceChange, NotifyRouteChange2,
    NotifyUnicastIpAddressChange,
};
use windows_sys::Win32::Networking::WinSock::AF_UNSPEC;

use super::tables::checked;

/// Callbacks for changes of interfaces, routes and addresses. They end when it is dropped.
pub(crate) struct Registration {
    handles: Vec<HANDLE>,
    /// From `Box::into_raw`; the callbacks read it until all handles are cancelled.
    sender: *mut mpsc::Sender<HostEvent>,
}

// SAFETY: handles may be cancelled on any thread that is not a callback's; the sender is `Send + Sync`, and the
// registration never uses it but to free it.
unsafe impl Send for Registration {}

impl Registration {
    /// Has `sender` told of changes.
    pub(crate) fn new(sender: mpsc::Sender<HostEvent>) -> io::Result<Self> {
        let mut registration = Self { handles: Vec::new(), sender: Box::into_raw(Box::new(sender)) };
        let context: *const c_void = registration.sender.cast_const().cast();
        let mut handle = ptr::null_mut();
        // SAFETY: `context` is a sender that lives until this handle is cancelled (see `drop`), which is what the
        // callback asks for; `handle` is a place to write to.
        checked(unsafe { NotifyIpInterfaceChange(AF_UNSPEC, Some(on_change), context, false, &raw mut handle) })?;
        registration.handles.push(handle);
        // SAFETY: as above.
        checked(unsafe { NotifyRouteChange2(AF_UNSPEC, Some(on_change), context, false, &raw mut handle) })?;
        registration.handles.push(handle);
        // SAFETY: as above.
        checked(unsafe { NotifyUnicastIpAddressChange(AF_UNSPEC, Some(on_change), context, false, &raw mut handle) })?;
        registration.handles.push(handle);
        Ok(registration)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut cancelled = true;
        for &handle in &self.handles {
            // SAFETY: the handle comes from a registration and is cancelled once.
            cancelled &= unsafe { CancelMibChangeNotify2(handle) } == NO_ERROR;
        }
        // A callback that could not be cancelled may still come: then the sender is left to it.
        if cancelled {
            // SAFETY: the pointer comes from `Box::into_raw`; cancelling waits for callbacks that run, so nobody reads
            // it any more.
            drop(unsafe { Box::from_raw(self.sender) });
        }
    }
}

/// Runs on a thread of the system's: it neither blocks nor panics.
///
/// # Safety
/// `context` must point to a sender.
unsafe extern "system" fn on_change<Row>(context: *const c_void, _: *const Row, _: MIB_NOTIFICATION_TYPE) {
    // SAFETY: as the caller promises; the sender is only read.
    let sender = unsafe { &*context.cast::<mpsc::Sender<HostEvent>>() };
    // A hint that does not fit is one of many that wait already.
    drop(sender.try_send(HostEvent::Changed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_ends_and_frees_its_sender() {
        let (sender, mut receiver) = mpsc::channel(4);
        drop(Registration::new(sender).unwrap());
        // All senders are gone, so the callbacks' one is, too.
        while let Some(event) = receiver.blocking_recv() {
            assert_eq!(event, HostEvent::Changed);
        }
    }

    #[test]
    fn a_callback_sends_a_hint_and_bears_a_full_or_closed_queue() {
        let (sender, mut receiver) = mpsc::channel(1);
        let context: *const c_void = (&raw const sender).cast();
        for _ in 0..3 {
            // SAFETY: `sender` outlives the call.
            unsafe { on_change::<u8>(context, ptr::null(), 0) };
        }
        assert_eq!((receiver.try_recv(), receiver.try_recv().is_err()), (Ok(HostEvent::Changed), true));
        drop(receiver);
        // SAFETY: as above.
        unsafe { on_change::<u8>(context, ptr::null(), 0) };
    }
}
