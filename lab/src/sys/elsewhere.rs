//! The same names on systems without network namespaces: each call says so.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::net::Ipv6Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::sys::End;

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, Error::Unsupported.to_string()))
}

pub(crate) fn check_privileges() -> Result<()> {
    Err(Error::Unsupported)
}

pub(crate) fn in_namespace<T: Send>(_file: &Path, _work: impl FnOnce() -> T + Send) -> io::Result<T> {
    unsupported()
}

pub(crate) fn is_same_file(_file: &File, _path: &Path) -> bool {
    true
}

pub(crate) fn detach(_command: &mut Command) {}

pub(crate) fn end(_pid: u32, _how: End) -> io::Result<bool> {
    unsupported()
}

#[derive(Debug)]
pub(crate) struct ControlListener(Infallible);

impl ControlListener {
    pub(crate) fn bind(_path: &Path) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn accept(&self) -> io::Result<ControlStream> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct ControlStream(Infallible);

impl ControlStream {
    pub(crate) fn connect(_path: &Path) -> io::Result<Self> {
        unsupported()
    }
}

impl io::Read for &ControlStream {
    fn read(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl io::Write for &ControlStream {
    fn write(&mut self, _buf: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct IcmpSocket(Infallible);

impl IcmpSocket {
    pub(crate) fn open(_interface: &str) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn receive(&self, _buffer: &mut [u8]) -> io::Result<(usize, Ipv6Addr)> {
        match self.0 {}
    }

    pub(crate) fn set_timeout(&self, _timeout: Duration) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn send(&self, _message: &[u8], _to: Option<Ipv6Addr>) -> io::Result<()> {
        match self.0 {}
    }
}
