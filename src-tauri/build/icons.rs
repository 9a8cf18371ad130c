//! From shapes to pixels: one coverage mask for each state and size, and the application's icon in colour.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// What panels ask for, at one and two dots per pixel.
const SIZES: [u32; 7] = [16, 22, 24, 32, 44, 48, 64];
/// Windows shows its icon in these.
const APP_SIZES: [u32; 4] = [16, 32, 48, 256];
/// The window's icon.
const WINDOW: u32 = 128;

/// Writes `masks.rs` with every state's masks, `app.png` and `app.ico`.
pub(crate) fn draw(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let mut code = String::from("[\n");
    for icon in ["working", "standby", "os", "checking", "limited", "down", "paused", "no_service", "no_network"] {
        let shape = read(&from.join(format!("{icon}.svg")))?;
        for size in SIZES {
            let mask: Vec<u8> = render(&shape, size)?.pixels().iter().map(|pixel| pixel.alpha()).collect();
            let file = to.join(format!("{icon}-{size}.mask"));
            fs::write(&file, mask)?;
            writeln!(code, "    Mask {{ name: {icon:?}, size: {size}, coverage: include_bytes!({file:?}) }},")?;
        }
    }
    code.push_str("]\n");
    fs::write(to.join("masks.rs"), code)?;

    let app = read(&from.join("app.svg"))?;
    fs::write(to.join("app.png"), render(&app, WINDOW)?.encode_png()?)?;
    let pictures: Vec<Vec<u8>> =
        APP_SIZES.iter().map(|size| Ok(render(&app, *size)?.encode_png()?)).collect::<Result<_, Box<dyn Error>>>()?;
    fs::write(to.join("app.ico"), ico(&pictures)?)?;
    Ok(())
}

fn read(path: &Path) -> Result<Tree, Box<dyn Error>> {
    Ok(Tree::from_data(&fs::read(path)?, &Options::default())?)
}

fn render(shape: &Tree, size: u32) -> Result<Pixmap, Box<dyn Error>> {
    let mut pixmap = Pixmap::new(size, size).ok_or("no size")?;
    let (wide, size) = (shape.size().width(), f32::from(u16::try_from(size)?));
    resvg::render(shape, Transform::from_scale(size / wide, size / wide), &mut pixmap.as_mut());
    Ok(pixmap)
}

/// The container of Windows icons around PNG pictures of [`APP_SIZES`].
fn ico(pictures: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    const HEADER: usize = 6;
    const ENTRY: usize = 16;
    let mut file = vec![0, 0, 1, 0];
    file.extend(u16::try_from(pictures.len())?.to_le_bytes());
    let mut offset = HEADER + ENTRY * pictures.len();
    for (picture, size) in pictures.iter().zip(APP_SIZES) {
        // 256 is written as 0.
        let side = u8::try_from(size).unwrap_or(0);
        file.extend([side, side, 0, 0, 1, 0, 32, 0]);
        file.extend(u32::try_from(picture.len())?.to_le_bytes());
        file.extend(u32::try_from(offset)?.to_le_bytes());
        offset += picture.len();
    }
    file.extend(pictures.iter().flatten());
    Ok(file)
}
