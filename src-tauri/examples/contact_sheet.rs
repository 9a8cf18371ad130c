//! Every icon at the sizes of panels, on light, dark and unknown ground, for people to look at: `cargo run -p everclat-tray --example
//! contact_sheet FILE.png`. The last column is what the eye of a panel gets, enlarged four times.

use std::fs::File;

use anyhow::{Context, Result};
use everclat_tray::raster::{Panel, paint};
use everclat_tray::view::Icon;

const SIZES: [u32; 3] = [16, 22, 32];
const CELL: u32 = 44;
const ZOOM: u32 = 4;
const ROWS: [(Panel, [u8; 3]); 4] = [
    (Panel::Dark, [0x2b, 0x2b, 0x2f]),
    (Panel::Light, [0xf2, 0xf2, 0xf2]),
    (Panel::Unknown, [0x2b, 0x2b, 0x2f]),
    (Panel::Unknown, [0xf2, 0xf2, 0xf2]),
];

struct Sheet {
    wide: u32,
    pixels: Vec<u8>,
}

impl Sheet {
    fn dot(&mut self, x: u32, y: u32, colour: [u8; 3], alpha: u8, grey: bool) -> Result<()> {
        let at = usize::try_from((y * self.wide + x) * 3)?;
        let colour = if grey { [luma(colour); 3] } else { colour };
        for (channel, value) in self.pixels.iter_mut().skip(at).zip(colour) {
            let (new, old, alpha) = (u32::from(value), u32::from(*channel), u32::from(alpha));
            *channel = u8::try_from((new * alpha + old * (255 - alpha)) / 255)?;
        }
        Ok(())
    }

    fn icon(&mut self, pixels: &[u8], size: u32, (left, top): (u32, u32), zoom: u32, grey: bool) -> Result<()> {
        for (index, pixel) in pixels.chunks_exact(4).enumerate() {
            let [red, green, blue, alpha] = pixel.try_into()?;
            let index = u32::try_from(index)?;
            for (x, y) in (0..zoom).flat_map(|y| (0..zoom).map(move |x| (x, y))) {
                let (x, y) = (left + index % size * zoom + x, top + index / size * zoom + y);
                self.dot(x, y, [red, green, blue], alpha, grey)?;
            }
        }
        Ok(())
    }
}

fn luma([red, green, blue]: [u8; 3]) -> u8 {
    u8::try_from((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000).unwrap_or(255)
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("name a file to write")?;
    let icons = u32::try_from(Icon::ALL.len())?;
    let big = CELL * ZOOM / 2;
    let wide = icons * big;
    let tall = (CELL * 2 + 16 * ZOOM + 24) * 5;
    let mut sheet = Sheet { wide, pixels: vec![0; usize::try_from(wide * tall * 3)?] };
    let rows: Vec<(Panel, [u8; 3], bool)> =
        ROWS.iter().map(|(panel, ground)| (*panel, *ground, false)).chain([(ROWS[0].0, ROWS[0].1, true)]).collect();
    let height = tall / u32::try_from(rows.len())?;
    for (row, (panel, ground, grey)) in (0..).zip(rows) {
        for (x, y) in (0..height).flat_map(|y| (0..wide).map(move |x| (x, row * height + y))) {
            sheet.dot(x, y, ground, 255, false)?;
        }
        for (column, icon) in (0..).zip(Icon::ALL) {
            let mut left = column * big + 8;
            for size in SIZES {
                sheet.icon(&paint(icon, size, panel), size, (left, row * height + 12), 1, grey)?;
                left += size + 4;
            }
            sheet.icon(&paint(icon, 16, panel), 16, (column * big + 8, row * height + CELL + 12), ZOOM, grey)?;
        }
    }
    let mut encoder = png::Encoder::new(File::create(path)?, wide, tall);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&sheet.pixels)?;
    Ok(())
}
