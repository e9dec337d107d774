//! Tables of text: columns as wide as what is in them, by the width of characters on a terminal.

use std::borrow::Cow;

use crate::exit::Outcome;
use crate::out::{Out, Style};
use crate::text::{safe, width};

/// The narrowest that a column is cut to.
const NARROWEST: usize = 8;

/// How many rows of a table of any length are printed at a time.
pub(crate) const PIECE: usize = 4096;

/// Rows of text below a head.
pub(crate) struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
    /// How wide the widest cell of each column is, of those that were printed.
    widths: Vec<usize>,
    /// The head was printed, and rows below it.
    is_begun: bool,
    /// The column that is cut where the terminal is too narrow.
    elastic: usize,
    /// What columns do before that.
    gives: Vec<Give>,
    /// The column whose cells are lists, which are cut item by item.
    list: Option<usize>,
    /// The column whose cells are paths of functions, of which the end is kept.
    path: Option<usize>,
}

/// What a column does where the terminal is too narrow.
#[derive(Clone, Copy)]
pub(crate) enum Give {
    /// It is cut to this width.
    Shrink(usize, usize),
    /// It isn't shown.
    Hide(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

pub(crate) use Align::{Left, Right};
pub(crate) use Give::{Hide, Shrink};

impl Table {
    pub(crate) fn new(head: &[(&'static str, Align)], elastic: usize) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
            widths: head.iter().map(|(name, _)| width(name)).collect(),
            is_begun: false,
            elastic,
            gives: Vec::new(),
            list: None,
            path: None,
        }
    }

    /// The table with columns that give way, in this order, before the elastic one is cut further.
    pub(crate) fn gives(self, gives: &[Give]) -> Self {
        Self { gives: gives.to_vec(), ..self }
    }

    /// The table with a column of lists: `sigma=1.5, n=3`.
    pub(crate) fn lists(self, column: usize) -> Self {
        Self { list: Some(column), ..self }
    }

    /// The table with a column of functions' paths.
    pub(crate) fn paths(self, column: usize) -> Self {
        Self { path: Some(column), ..self }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = |cell: String| match safe(&cell) {
            Cow::Borrowed(_) => cell,
            Cow::Owned(safe) => safe,
        };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// Prints the table, or what is left of it.
    pub(crate) fn print(mut self, out: &mut Out) -> Outcome<()> {
        if self.is_begun && self.rows.is_empty() { Ok(()) } else { self.print_piece(out) }
    }

    /// Prints the rows so far, so that a table of any length takes the memory of a piece. Columns that a later piece needs
    /// wider are so from there on.
    pub(crate) fn print_piece(&mut self, out: &mut Out) -> Outcome<()> {
        for row in &self.rows {
            for (widest, cell) in self.widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        let widths = match out.width() {
            Some(room) => self.fitted(self.widths.clone(), room),
            None => self.widths.clone(),
        };
        if !self.is_begun {
            self.is_begun = true;
            let head: Vec<String> = self.head.iter().map(|(name, _)| (*name).to_owned()).collect();
            let line = self.line(&head, &widths, &[]);
            out.line(out.styled(Style::Head, &line))?;
        }
        let rows = std::mem::take(&mut self.rows);
        let cut = self.list.filter(|list| widths[*list] < self.widths[*list]);
        let same = cut.map(|list| same_in_all(rows.iter().map(|row| row[list].as_str()))).unwrap_or_default();
        rows.iter().try_for_each(|row| out.line(self.line(row, &widths, &same)))
    }

    /// The widths with which the table fits into `room`, as far as its columns give way; a hidden column has none.
    fn fitted(&self, natural: Vec<usize>, room: usize) -> Vec<usize> {
        let mut widths = natural.clone();
        let total = |widths: &[usize]| {
            let shown = widths.iter().filter(|width| **width > 0);
            shown.clone().sum::<usize>() + 2 * shown.count().saturating_sub(1)
        };
        for give in self.gives.iter().chain([&Shrink(self.elastic, NARROWEST)]) {
            let over = total(&widths).saturating_sub(room);
            match *give {
                Shrink(column, least) => {
                    let width = &mut widths[column];
                    *width = width.saturating_sub(over).max(least.min(*width));
                }
                Hide(column) if over > 0 => widths[column] = 0,
                Hide(_) => {}
            }
        }
        // What a hidden column has left over.
        let spare = room.saturating_sub(total(&widths));
        let width = &mut widths[self.elastic];
        *width = (*width + spare).min(natural[self.elastic]);
        widths
    }

    /// A row; `same` is of the column of lists.
    fn line(&self, row: &[String], widths: &[usize], same: &[bool]) -> String {
        let mut line = String::with_capacity(widths.iter().sum::<usize>() + 2 * widths.len());
        for (at, ((cell, &most), (_, align))) in row.iter().zip(widths).zip(&self.head).enumerate() {
            if most == 0 {
                continue;
            }
            let cell = match Some(at) {
                column if column == self.list => cut_list(cell, most, same),
                column if column == self.path => cut_front(cell, most),
                _ => cut(cell, most),
            };
            let room = most.saturating_sub(width(&cell));
            let (before, after) = if *align == Right { (room, 0) } else { (0, room) };
            line.extend(std::iter::repeat_n(' ', before));
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', after + 2));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The beginning of a text, at most `most` columns wide, with `…` where it is cut.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if width(text) <= most {
        return text.into();
    }
    let mut short = String::new();
    for char in text.chars() {
        short.push(char);
        if width(&short) >= most {
            short.pop();
            break;
        }
    }
    short.push('…');
    short.into()
}

/// The end of a text, at most `most` columns wide, with `…` where it is cut.
fn cut_front(text: &str, most: usize) -> Cow<'_, str> {
    if width(text) <= most {
        return text.into();
    }
    let fits = |&(at, _): &(usize, char)| width(&text[at..]) < most;
    let end = text.char_indices().find(fits).map_or("", |(at, _)| &text[at..]);
    format!("…{end}").into()
}

/// The narrowest that an item of a list is cut to.
const ITEM: usize = 6;

/// What is left of an item that tells few calls apart where there is no room at all.
const NAME: usize = 2;

/// Which items are the same in all lists, by their places; none where all are, as in a table of one row.
fn same_in_all<'a>(mut lists: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let first = lists.next().map(items).unwrap_or_default();
    let mut same = vec![true; first.len()];
    for list in lists {
        let list = items(list);
        for (at, same) in same.iter_mut().enumerate() {
            *same &= list.get(at) == first.get(at);
        }
    }
    if same.iter().all(|same| *same) { Vec::new() } else { same }
}

/// A list, `sigma=1.5, name="a, b"`, cut to `room` columns: the widest items are cut, so that all keep their beginning.
/// Items that are the `same` in all rows are cut first.
fn cut_list<'a>(text: &'a str, room: usize, same: &[bool]) -> Cow<'a, str> {
    if width(text) <= room {
        return text.into();
    }
    // The shape of an array tells few calls apart, and so is cut before any number is.
    let tells_little = |at: usize, item: &str| same.get(at) == Some(&true) || item.contains('[');
    let items: Vec<(&str, usize, bool)> =
        items(text).into_iter().enumerate().map(|(at, item)| (item, width(item), tells_little(at, item))).collect();
    let most = |tells_little, (few, others)| if tells_little { few } else { others };
    let fits = |limits: &(usize, usize)| {
        let wide = items.iter().map(|&(_, wide, little)| wide.min(most(little, *limits))).sum::<usize>();
        wide + 2 * (items.len() - 1) <= room
    };
    let few = (ITEM..room).rev().map(|most| (most, room));
    let all = (2 * ITEM..room).rev().map(|most| (ITEM, most));
    // A name alone says that there is one, and leaves more of the others.
    let names = (ITEM..room).rev().map(|most| (NAME, most));
    match few.chain(all).chain(names).find(fits) {
        None => cut(text, room),
        Some(limits) => {
            let cut: Vec<_> = items.iter().map(|&(item, _, little)| cut(item, most(little, limits))).collect();
            cut.join(", ").into()
        }
    }
}

/// The items of a list, by the commas that are in no brackets and quotes.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut begin, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, char) in text.char_indices() {
        match (quote, char) {
            (Some(open), char) if char == open => quote = None,
            (None, '"' | '\'') => quote = Some(char),
            (None, '[' | '(' | '{') => depth += 1,
            (None, ']' | ')' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 && text[at..].starts_with(", ") => {
                items.push(&text[begin..at]);
                begin = at + 2;
            }
            _ => {}
        }
    }
    items.push(&text[begin..]);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_the_end_is_kept() {
        assert_eq!(cut_front("pipeline.baseline", 17), "pipeline.baseline");
        assert_eq!(cut_front("pipeline.baseline", 10), "….baseline");
        assert_eq!((cut_front("größe", 3), cut_front("größe", 1)), ("…ße".into(), "…".into()));
    }

    #[test]
    fn a_list_is_cut_where_it_is_widest() {
        let list = "features=float64[4096], alpha=0.7531380753138075, order=2";
        assert_eq!(cut_list(list, 80, &[]), list);
        assert_eq!(cut_list(list, 40, &[]), "featu…, alpha=0.75313807531380…, order=2");
        assert_eq!(cut_list("a=\"x, y\", b=[1, 2], c=3", 23, &[]), "a=\"x, y\", b=[1, 2], c=3");
        assert_eq!(items("a=\"x, y\", b=[1, 2], c={d: 3, e: 4}, f='g, h'").len(), 4);
        assert_eq!(cut_list("aaaaaaaa, bbbbbbbb, cccccccc", 12, &[]), "aaaaaaaa, b…", "there is room for no more");
        for room in 8..60 {
            assert!(width(&cut_list(list, room, &[])) <= room, "{room}");
        }
    }

    #[test]
    fn of_a_list_what_is_the_same_everywhere_is_cut_first() {
        let lists = ["x=float64[9], alpha=0.070707, order=2", "x=float64[9], alpha=0.9, order=2"];
        let same = same_in_all(lists.into_iter());
        assert_eq!(same, [true, false, true]);
        assert_eq!(cut_list(lists[0], 30, &same), "x=flo…, alpha=0.070707, order…");
        assert_eq!(cut_list(lists[0], 26, &same), "x…, alpha=0.070707, o…");
        assert_eq!(cut_list(lists[0], 20, &same), "x…, alpha=0.070…, o…");
        assert_eq!(cut_list(lists[1], 26, &same), "x=flo…, alpha=0.9, order…");
        assert_eq!(same_in_all(lists[..1].iter().copied()), [false; 0], "of one row nothing is cut first");
        assert_eq!(same_in_all(["a=1, b=2", "a=1"].into_iter()), [true, false]);
    }

    #[test]
    fn what_matters_least_gives_way_first() {
        let head = [("A", Left), ("B", Left), ("C", Left)];
        let table = Table::new(&head, 0).gives(&[Shrink(1, 4), Hide(2)]);
        let fitted = |room| table.fitted(vec![20, 10, 10], room);
        assert_eq!((fitted(44), fitted(40), fitted(38)), (vec![20, 10, 10], vec![20, 6, 10], vec![20, 4, 10]));
        assert_eq!((fitted(37), fitted(20), fitted(5)), (vec![20, 4, 0], vec![14, 4, 0], vec![8, 4, 0]));
    }

    #[test]
    fn a_text_is_cut_by_what_it_takes_on_a_terminal() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert!(width(&cut("漢字漢字", 4)) <= 4);
        assert_eq!(cut("", 3), "");
    }
}
