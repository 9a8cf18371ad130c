//! The table.

use std::fmt::Write;

use crate::Part;
use crate::measure::{STREAMS, Sample};

/// Reads one figure of a turn; `None` where it has no meaning.
type Figure = Box<dyn Fn(&Sample) -> Option<f64>>;

/// What is told of a row.
enum Kind {
    /// Divided by native IPv6 of the same round.
    Ratio,
    /// Native's of the same round subtracted.
    Added,
    Plain,
}

struct Row {
    name: String,
    /// What it belongs to.
    part: Part,
    kind: Kind,
    figure: Figure,
    digits: usize,
}

fn rows() -> Vec<Row> {
    streams().into_iter().chain(datagrams()).chain([memory()]).collect()
}

fn streams() -> Vec<Row> {
    let row = |name: String, kind, digits, figure: Figure| Row { name, part: Part::Tcp, kind, figure, digits };
    let mut rows = Vec::new();
    for (at, name) in STREAMS.into_iter().enumerate() {
        let figure = move |sample: &Sample| sample.tcp.get(at).map(|tcp| tcp.bits_per_second);
        rows.push(row(format!("{name}, of native"), Kind::Ratio, 2, Box::new(figure)));
    }
    for (at, name) in STREAMS.into_iter().enumerate() {
        let figure = move |sample: &Sample| sample.tcp.get(at).map(|tcp| tcp.process_per_gb);
        rows.push(row(format!("{name}: process, s/GB"), Kind::Plain, 3, Box::new(figure)));
    }
    for (at, name) in STREAMS.into_iter().enumerate() {
        let figure = move |sample: &Sample| sample.tcp.get(at).map(|tcp| tcp.machine_per_gb);
        rows.push(row(format!("{name}: machine, s/GB"), Kind::Plain, 3, Box::new(figure)));
    }
    let retransmits = |sample: &Sample| sample.tcp.first().map(|tcp| crate::udp::number(tcp.retransmits));
    rows.push(row("TCP up, 1 stream: segments sent again".into(), Kind::Plain, 0, Box::new(retransmits)));
    rows
}

/// Name, kind, digits and figure.
type Datagrams = (&'static str, Kind, usize, fn(&Sample) -> Option<f64>);

fn datagrams() -> impl Iterator<Item = Row> {
    let rows: [Datagrams; 13] = [
        ("UDP 64 bytes received, of native", Kind::Ratio, 2, |s| Some(s.small.rate())),
        ("UDP 64 bytes: process, us for each received", Kind::Plain, 2, |s| Some(s.small_cpu * 1e6)),
        ("UDP 64 bytes: process, us for each taken", Kind::Plain, 2, |s| s.small_taken_cpu.map(|time| time * 1e6)),
        ("UDP 64 bytes: machine, us for each received", Kind::Plain, 2, |s| Some(s.small_machine * 1e6)),
        ("UDP 1200 bytes in batches, of native", Kind::Ratio, 2, |s| Some(s.batches.rate())),
        ("UDP 64 bytes at 80 kpps: lost, %", Kind::Plain, 3, |s| Some(s.paced.lost() * 100.0)),
        ("round trip, median, us", Kind::Plain, 1, |s| Some(s.close.median * 1e6)),
        ("round trip added, median, us", Kind::Added, 1, |s| Some(s.close.median * 1e6)),
        ("round trip added, p99, us", Kind::Added, 1, |s| Some(s.close.p99 * 1e6)),
        ("the same with pauses of 200 us, median, us", Kind::Added, 1, |s| Some(s.idle.median * 1e6)),
        ("the same with pauses of 200 us, p99, us", Kind::Added, 1, |s| Some(s.idle.p99 * 1e6)),
        ("the same beside four streams, median, us", Kind::Added, 0, |s| Some(s.loaded.median * 1e6)),
        ("the same beside four streams, p99, us", Kind::Added, 0, |s| Some(s.loaded.p99 * 1e6)),
    ];
    rows.into_iter().map(|(name, kind, digits, figure)| Row {
        name: name.into(),
        part: Part::Udp,
        kind,
        figure: Box::new(figure),
        digits,
    })
}

fn memory() -> Row {
    let resident = |s: &Sample| s.resident_kib.map(|kib| crate::udp::number(kib) / 1024.0);
    Row {
        name: "resident memory, MiB".into(),
        part: Part::All,
        kind: Kind::Plain,
        figure: Box::new(resident),
        digits: 1,
    }
}

/// Median, least and greatest of a row for one contender; the first contender is native IPv6.
fn values(row: &Row, native: &[Sample], samples: &[Sample]) -> Vec<f64> {
    let pairs = native.iter().zip(samples);
    let each = pairs.filter_map(|(native, sample)| {
        let (base, value) = ((row.figure)(native), (row.figure)(sample)?);
        Some(match row.kind {
            Kind::Ratio => value / base?,
            Kind::Added => value - base?,
            Kind::Plain => value,
        })
    });
    let mut values: Vec<f64> = each.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle one of sorted values; of an even number the lower.
pub(crate) fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// Ratios to native of the four TCP rows, as medians, for every contender but native.
pub(crate) fn ratios(samples: &[Vec<Sample>]) -> Vec<Vec<f64>> {
    let Some((native, others)) = samples.split_first() else { return Vec::new() };
    let rows = rows();
    let ratios = rows.iter().filter(|row| matches!(row.kind, Kind::Ratio));
    let ratios: Vec<&Row> = ratios.collect();
    let of = |samples: &Vec<Sample>| ratios.iter().filter_map(|row| median(&values(row, native, samples))).collect();
    others.iter().map(of).collect()
}

/// The names of those rows.
pub(crate) fn ratio_names() -> Vec<String> {
    let rows = rows();
    rows.into_iter()
        .filter(|row| matches!(row.kind, Kind::Ratio))
        .map(|row| row.name.replace(", of native", ""))
        .collect()
}

/// Markdown: medians, and between brackets the least and the greatest.
pub(crate) fn table(names: &[String], samples: &[Vec<Sample>], part: Part, offloads: &str, seconds: u32) -> String {
    let rounds = samples.first().map_or(0, Vec::len);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}. Offloads of the cable {}; {rounds} rounds of {seconds} s a transfer; medians, least and greatest in brackets.\n",
        machine(),
        offloads
    );
    let Some((native, _)) = samples.split_first() else { return text };
    let _ = writeln!(text, "| | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(names.len()));
    for row in rows().into_iter().filter(|row| part.has(row.part) || row.part == Part::All) {
        let cells = samples.iter().map(|samples| {
            let values = values(&row, native, samples);
            let digits = row.digits;
            match (median(&values), values.first(), values.last()) {
                (Some(median), Some(least), Some(most)) => {
                    format!("{median:.digits$} [{least:.digits$} {most:.digits$}]")
                }
                _ => "–".into(),
            }
        });
        let _ = writeln!(text, "| {} | {} |", row.name, cells.collect::<Vec<_>>().join(" | "));
    }
    if !part.has(Part::Tcp) {
        return text;
    }
    let gbit = |sample: &Sample| sample.tcp.map(|tcp| tcp.bits_per_second / 1e9);
    let all: Vec<[f64; 4]> = native.iter().map(gbit).collect();
    let of = |at: usize| {
        let mut values: Vec<f64> = all.iter().filter_map(|each| each.get(at).copied()).collect();
        values.sort_by(f64::total_cmp);
        median(&values).unwrap_or_default()
    };
    let _ = writeln!(
        text,
        "\nNative IPv6 itself: {:.1} and {:.1} Gbit/s up with one stream and four, {:.1} and {:.1} down.",
        of(0),
        of(1),
        of(2),
        of(3)
    );
    text
}

/// Kernel and processors.
fn machine() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim().to_owned();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("Linux {kernel}, {cores} processors")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Tcp;

    fn sample(speed: f64) -> Sample {
        let tcp = Tcp { bits_per_second: speed, ..Tcp::default() };
        Sample { tcp: [tcp; 4], resident_kib: Some(2048), ..Sample::default() }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        // The machine was twice as fast in the second round; the contender always had half.
        let samples = vec![vec![sample(10.0), sample(20.0)], vec![sample(5.0), sample(10.0)]];
        let of_native: Vec<f64> = ratios(&samples).remove(0).into_iter().take(4).collect();
        assert_eq!(of_native, [0.5; 4]);
    }

    #[test]
    fn a_table_has_a_row_for_each_figure() {
        let samples = vec![vec![sample(10.0)], vec![sample(5.0)]];
        let table = table(&["native IPv6".into(), "Everclat".into()], &samples, Part::All, "on", 2);
        assert!(table.contains("| TCP up, 1 stream, of native | 1.00 [1.00 1.00] | 0.50 [0.50 0.50] |"), "{table}");
        assert!(table.contains("| resident memory, MiB | 2.0 [2.0 2.0] |"), "{table}");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0]), Some(1.0));
        assert_eq!(median(&[]), None);
    }
}
