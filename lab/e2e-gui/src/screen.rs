use anyhow::{Context, Result};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, CLIENT_MESSAGE_EVENT, ClientMessageEvent, ConnectionExt, EventMask, ImageFormat, MapState, Window,
};
use x11rb::rust_connection::RustConnection;

use crate::Desktop;

/// The display, as a window manager has it.
#[derive(Debug)]
pub struct Screen {
    connection: RustConnection,
    root: Window,
}

impl Screen {
    /// Connects to the display of `desktop`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn of(desktop: &Desktop) -> Result<Self> {
        let (connection, number) = x11rb::connect(Some(desktop.display()))?;
        let root = connection.setup().roots.get(number).context("a screen")?.root;
        Ok(Self { connection, root })
    }

    /// The windows that can be seen and are called `title`.
    ///
    /// # Errors
    /// When the display is gone.
    pub fn windows(&self, title: &str) -> Result<Vec<Window>> {
        let all = self.connection.query_tree(self.root)?.reply()?.children;
        Ok(all.into_iter().filter(|window| self.is(*window, title).unwrap_or(false)).collect())
    }

    /// A window may go while it is asked about.
    fn is(&self, window: Window, title: &str) -> Result<bool> {
        let seen = self.connection.get_window_attributes(window)?.reply()?.map_state == MapState::VIEWABLE;
        let name = self.connection.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 64)?.reply()?;
        Ok(seen && name.value == title.as_bytes())
    }

    /// The pixels of a part of a window, row by row, each in four bytes; x, y, width and height.
    ///
    /// # Errors
    /// When the part is not on the display.
    pub fn pixels(&self, window: Window, part: (i16, i16, u16, u16)) -> Result<Vec<[u8; 4]>> {
        let (x, y, wide, high) = part;
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, window, x, y, wide, high, u32::MAX)?.reply()?;
        Ok(image.data.chunks_exact(4).filter_map(|pixel| pixel.try_into().ok()).collect())
    }

    /// Has a window closed, as the button in its title does.
    ///
    /// # Errors
    /// When the display is gone.
    pub fn close(&self, window: Window) -> Result<()> {
        let atom = |name: &[u8]| Ok::<_, anyhow::Error>(self.connection.intern_atom(false, name)?.reply()?.atom);
        let (protocols, delete) = (atom(b"WM_PROTOCOLS")?, atom(b"WM_DELETE_WINDOW")?);
        let message = ClientMessageEvent {
            response_type: CLIENT_MESSAGE_EVENT,
            format: 32,
            sequence: 0,
            window,
            type_: protocols,
            data: [delete, 0, 0, 0, 0].into(),
        };
        self.connection.send_event(false, window, EventMask::NO_EVENT, message)?.check()?;
        Ok(())
    }
}
