//! The picture: bars of what is left of native IPv6.

use std::fmt::Write;

use crate::measure::Sample;
use crate::report;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 210.0;
const BAR: f64 = 14.0;
const GAP: f64 = 18.0;
/// Distinct without colour, too. The first two are ours.
const COLOURS: [&str; 4] = ["#5aa99e", "#0b6e63", "#9aa5b4", "#d0d6de"];

/// An SVG with a group of bars for each ratio.
pub(crate) fn draw(names: &[String], samples: &[Vec<Sample>]) -> String {
    picture(names, &report::ratios(samples))
}

fn picture(names: &[String], ratios: &[Vec<f64>]) -> String {
    let groups = report::ratio_names();
    let group = |bars: usize| crate::udp::number(u64::try_from(bars).unwrap_or_default()) * BAR + GAP;
    let height = 70.0 + crate::udp::number(u64::try_from(groups.len()).unwrap_or_default()) * group(ratios.len());
    let greatest = ratios.iter().flatten().copied().fold(1.0, f64::max);
    let scale = (WIDTH - LEFT - 60.0) / greatest;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Throughput as a part of native IPv6</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>"
    );
    let mut x = LEFT;
    for (name, colour) in names.iter().skip(1).zip(COLOURS) {
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"24\" fill=\"#1c2430\">{}</text>", x + 18.0, escaped(name));
        x += 130.0;
    }
    let mut y = 44.0;
    for (at, name) in groups.iter().enumerate() {
        let middle = y + (group(ratios.len()) - GAP) / 2.0 + 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" fill=\"#1c2430\">{}</text>",
            LEFT - 10.0,
            escaped(name)
        );
        for (values, colour) in ratios.iter().zip(COLOURS) {
            let value = values.get(at).copied().unwrap_or_default();
            let width = (value * scale).max(1.0);
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                BAR - 2.0
            );
            // On the line of native IPv6 it can be read, too.
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" font-size=\"10\" fill=\"#1c2430\" stroke=\"#ffffff\" stroke-width=\"3\" \
                 paint-order=\"stroke\">{value:.2}</text>",
                LEFT + width + 4.0,
                y + 10.0
            );
            y += BAR;
        }
        y += GAP;
    }
    let end = LEFT + scale;
    let _ = writeln!(
        svg,
        "<line x1=\"{end}\" y1=\"36\" x2=\"{end}\" y2=\"{}\" stroke=\"#1c2430\" stroke-dasharray=\"3 3\"/>",
        height - 26.0
    );
    let _ = writeln!(
        svg,
        "<text x=\"{end}\" y=\"{}\" text-anchor=\"middle\" fill=\"#1c2430\">native IPv6</text>",
        height - 10.0
    );
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_picture() {
        let samples = vec![vec![Sample::default()], vec![Sample::default()]];
        let svg = draw(&["native".into(), "a<b&c".into()], &samples);
        assert!(svg.contains("a&lt;b&amp;c") && svg.ends_with("</svg>\n"));
    }
}
