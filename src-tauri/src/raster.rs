//! Silhouettes as pixels. The build has made a mask of each at every size; here it gets the colour for the panel it is on.

use crate::view::Icon;

/// How much of each pixel a silhouette covers.
struct Mask {
    name: &'static str,
    size: u32,
    coverage: &'static [u8],
}

const MASKS: &[Mask] = &include!(concat!(env!("OUT_DIR"), "/masks.rs"));

/// Widths, and heights, that there are masks for.
pub const SIZES: [u32; 7] = [16, 22, 24, 32, 44, 48, 64];

/// The ground that an icon is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// Nobody says: the silhouette brings a dark tile of its own.
    Unknown,
    /// The system paints it: black, and only coverage counts (macOS).
    Template,
}

type Rgb = [u8; 3];

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];
const TILE: Rgb = [0x2b, 0x2b, 0x2f];

/// Shapes tell the states apart; colour repeats what the two worst of them say. Each has a contrast of 4.5:1 or more on its panel.
const fn colour(icon: Icon, panel: Panel) -> Rgb {
    match (panel, icon) {
        (Panel::Template, _) => BLACK,
        (Panel::Light, Icon::Limited) => [0x9a, 0x52, 0x00],
        (Panel::Light, Icon::Down) => [0xb8, 0x14, 0x1c],
        (Panel::Light, _) => [0x24, 0x24, 0x24],
        (Panel::Dark | Panel::Unknown, Icon::Limited) => [0xff, 0xc2, 0x4b],
        (Panel::Dark | Panel::Unknown, Icon::Down) => [0xff, 0x8a, 0x80],
        (Panel::Dark | Panel::Unknown, _) => WHITE,
    }
}

/// The pixels of `icon` for `panel`, row by row, as straight RGBA; `size` is one of [`SIZES`], else there are none.
#[must_use]
pub fn paint(icon: Icon, size: u32, panel: Panel) -> Vec<u8> {
    let Some(mask) = MASKS.iter().find(|mask| mask.name == icon.name() && mask.size == size) else { return Vec::new() };
    let colour = colour(icon, panel);
    let pixel = |alpha: u8| [colour[0], colour[1], colour[2], alpha];
    match panel {
        Panel::Light | Panel::Dark | Panel::Template => mask.coverage.iter().copied().flat_map(pixel).collect(),
        Panel::Unknown => {
            let tile = tile(mask.size);
            mask.coverage.iter().zip(tile).flat_map(|(cover, under)| over(colour, *cover, under)).collect()
        }
    }
}

/// Which pixels a square with rounded corners covers.
fn tile(size: u32) -> Vec<u8> {
    // In half pixels, so that middles of pixels are whole numbers.
    let (side, radius) = (size * 2, size * 6 / 16);
    let beyond = |at: u32| {
        let middle = at * 2 + 1;
        radius.saturating_sub(middle).max((middle + radius).saturating_sub(side))
    };
    let inside = |x: u32, y: u32| beyond(x).pow(2) + beyond(y).pow(2) <= radius.pow(2);
    (0..size).flat_map(|y| (0..size).map(move |x| if inside(x, y) { 255 } else { 0 })).collect()
}

/// A colour that covers so much, over the tile that covers so much.
fn over(colour: Rgb, cover: u8, under: u8) -> [u8; 4] {
    let (cover, under) = (u32::from(cover), u32::from(under));
    let below = under * (255 - cover) / 255;
    let alpha = cover + below;
    let mix = |above: u8, ground: u8| {
        let sum = u32::from(above) * cover + u32::from(ground) * below;
        u8::try_from(sum.checked_div(alpha).unwrap_or(0)).unwrap_or(255)
    };
    let [red, green, blue] = [0, 1, 2].map(|channel: usize| mix(colour[channel], TILE[channel]));
    [red, green, blue, u8::try_from(alpha).unwrap_or(255)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage(icon: Icon, size: u32) -> &'static [u8] {
        MASKS.iter().find(|mask| mask.name == icon.name() && mask.size == size).unwrap().coverage
    }

    #[test]
    fn every_silhouette_is_there_at_every_size() {
        for icon in Icon::ALL {
            for size in SIZES {
                let wanted = usize::try_from(size * size).unwrap();
                assert_eq!(coverage(icon, size).len(), wanted, "{icon:?} {size}");
                for panel in [Panel::Light, Panel::Dark, Panel::Unknown, Panel::Template] {
                    assert_eq!(paint(icon, size, panel).len(), wanted * 4);
                }
            }
        }
        assert!(paint(Icon::Working, 17, Panel::Dark).is_empty());
    }

    /// Of every two silhouettes, at least a tenth of the pixels differ plainly, without any colour.
    #[test]
    fn no_two_silhouettes_look_alike() {
        for size in SIZES {
            for (index, one) in Icon::ALL.iter().enumerate() {
                for other in Icon::ALL.iter().skip(index + 1) {
                    let pairs = coverage(*one, size).iter().zip(coverage(*other, size));
                    let differing = pairs.filter(|(one, other)| one.abs_diff(**other) > 100).count();
                    let all = usize::try_from(size * size).unwrap();
                    assert!(differing * 10 >= all, "{one:?} and {other:?} at {size}: {differing} of {all}");
                }
            }
        }
    }

    /// WCAG 2 asks 3:1 of graphics; on the panels of today that are neither black nor white, 4.5:1 leaves some room.
    #[test]
    fn colours_stand_out() {
        for icon in Icon::ALL {
            for (panel, ground) in [(Panel::Light, [0xf0, 0xf0, 0xf0]), (Panel::Dark, [0x30, 0x30, 0x30])] {
                let (one, other) = (luminance(colour(icon, panel)), luminance(ground));
                let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(contrast >= 4.5, "{icon:?} on {panel:?}: {contrast:.2}");
            }
        }
    }

    fn luminance(colour: Rgb) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
    }

    #[test]
    fn where_the_panel_is_unknown_there_is_both_light_and_dark() {
        for icon in Icon::ALL {
            let pixels = paint(icon, 16, Panel::Unknown);
            let opaque: Vec<&[u8]> = pixels.chunks(4).filter(|pixel| pixel[3] > 200).collect();
            let (light, dark) =
                (opaque.iter().filter(|pixel| pixel[0] > 200), opaque.iter().filter(|pixel| pixel[0] < 60));
            assert!(light.count() > 10 && dark.count() > 10, "{icon:?}");
        }
    }
}
