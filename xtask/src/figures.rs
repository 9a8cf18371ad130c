//! Figures that tests print, and the table they belong in.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::install;
use crate::run::{build, tee, top};
use crate::test::end_to_end_tests;

/// What a test prints before a row of the table.
const ROW: &str = "FIGURE reliability: ";
const DOCUMENT: &str = "docs/reliability.md";
/// The table lies between these lines of the document.
const BEGIN: &str = "<!-- measured: begin; `cargo xtask reliability` replaces rows -->";
const END: &str = "<!-- measured: end -->";

/// `cargo xtask reliability`: measures all that the table has, rows that fail their bar included.
pub(crate) fn measure() -> Result<ExitCode> {
    ensure!(install::is_root(), "network namespaces need root; type: sudo -E cargo xtask reliability");
    install::tools()?;
    build()?;
    let mut command = end_to_end_tests(&["--test", "reliability"], true);
    let (said, succeeded) = tee(command.arg("--include-ignored"))?;
    refresh(&said)?;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts the rows that were printed into the document; the others stay as they are.
pub(crate) fn refresh(said: &str) -> Result<()> {
    let file = top().join(DOCUMENT);
    let old = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let new = with_rows(&old, said)?;
    if new != old {
        std::fs::write(&file, new).with_context(|| format!("writing {}", file.display()))?;
        println!("{DOCUMENT} is refreshed");
    }
    Ok(())
}

fn with_rows(document: &str, said: &str) -> Result<String> {
    let (before, rest) = document.split_once(BEGIN).with_context(|| format!("no line {BEGIN:?}"))?;
    let (table, after) = rest.split_once(END).with_context(|| format!("no line {END:?}"))?;
    let mut rows: Vec<&str> = table.trim().lines().collect();
    for row in said.lines().filter_map(|line| line.split_once(ROW)).map(|(_, row)| row.trim()) {
        match rows.iter_mut().find(|old| event(old) == event(row)) {
            Some(old) => *old = row,
            None => rows.push(row),
        }
    }
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", rows.join("\n")))
}

/// The first cell.
fn event(row: &str) -> Option<&str> {
    row.split('|').nth(1).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_replaced_by_their_first_cell_or_added() {
        let document = format!("text\n\n{BEGIN}\n| event | ms |\n|---|---|\n| a | 1 |\n| b | 2 |\n{END}\nmore text\n");
        let said = "noise\ntest x ... FIGURE reliability: | b | 7 |\nFIGURE reliability: | c | 8 |\nFIGURE idle: 3\n";
        let new = with_rows(&document, said).unwrap();
        let table = "| event | ms |\n|---|---|\n| a | 1 |\n| b | 7 |\n| c | 8 |\n";
        assert_eq!(new, format!("text\n\n{BEGIN}\n{table}{END}\nmore text\n"));
        assert_eq!(with_rows(&new, "nothing was measured").unwrap(), new);
        assert!(with_rows("no table", said).is_err());
    }

    #[test]
    fn the_document_has_its_table() {
        let document = std::fs::read_to_string(top().join(DOCUMENT)).unwrap();
        assert_eq!(with_rows(&document, "").unwrap(), document);
    }
}
