//! Tables of text: columns as wide as what is in them, by the width of characters on a terminal.

use unicode_width::UnicodeWidthStr;

use crate::exit::Outcome;
use crate::out::{Out, Style};
use crate::text::safe;

/// The narrowest that a column is cut to.
const NARROWEST: usize = 8;

/// Rows of text below a head.
pub(crate) struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
    /// The column that is cut where the terminal is too narrow.
    elastic: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

pub(crate) use Align::{Left, Right};

impl Table {
    pub(crate) fn new(head: &[(&'static str, Align)], elastic: usize) -> Self {
        Self { head: head.to_vec(), rows: Vec::new(), elastic }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| safe(&cell).into_owned()).collect());
    }

    pub(crate) fn print(self, out: &mut Out) -> Outcome<()> {
        let mut widths: Vec<usize> = self.head.iter().map(|(name, _)| name.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let total: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        if let (Some(room), Some(width)) = (out.width(), widths.get_mut(self.elastic)) {
            *width = width.saturating_sub(total.saturating_sub(room)).max(NARROWEST.min(*width));
        }
        let head: Vec<String> = self.head.iter().map(|(name, _)| (*name).to_owned()).collect();
        let line = self.line(&head, &widths);
        out.line(out.styled(Style::Head, &line))?;
        for row in &self.rows {
            out.line(self.line(row, &widths))?;
        }
        Ok(())
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in row.iter().zip(widths).zip(&self.head) {
            let cell = cut(cell, *width);
            let room = " ".repeat(width.saturating_sub(cell.width()));
            let padded = if *align == Right { format!("{room}{cell}") } else { format!("{cell}{room}") };
            line.push_str(&padded);
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The beginning of a text that is so wide at most, with `…` where it is cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for char in text.chars() {
        short.push(char);
        if short.width() >= width {
            short.pop();
            break;
        }
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_what_it_takes_on_a_terminal() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert!(cut("漢字漢字", 4).width() <= 4);
        assert_eq!(cut("", 3), "");
    }
}
