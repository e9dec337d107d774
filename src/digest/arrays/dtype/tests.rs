//! Dtypes of NumPy, and what only looks like one.

use proptest::prelude::*;

use super::*;

/// Dtypes that NumPy takes for ones with objects in them, and what looks like them.
pub(crate) fn objects() -> impl Iterator<Item = String> {
    let spellings = ["O", "O4", "O8", "object", "object_", "3O", "(2,)O", "O,O", "f4,O", "T", "OO", "O16", "obj", "a8"];
    let marked = |name: &str| ["", "|", "<", ">", "=", "||"].map(|mark| format!("{mark}{name}"));
    let simple = spellings.into_iter().flat_map(marked);
    let forms = |name: String| {
        [
            format!("[('a', '{name}')]"),
            format!("[(\"a\", \"{name}\")]"),
            format!("[('a', u'{name}')]"),
            format!("[('a', r'{name}')]"),
            format!("[('a', '<f4'), ('b', [('c', '{name}')])]"),
            format!("[('a', ('{name}', (2,)))]"),
            format!("[('a', '{name}', (2,)), ('b', '<f4')]"),
            format!("[(('t', 'a'), '{name}')]"),
            format!("[('a', '{}')]", name.chars().map(|c| format!("\\x{:02x}", u32::from(c))).collect::<String>()),
            format!("[('a', '{name}' '')]"),
            format!("{{'names': ['a'], 'formats': ['{name}']}}"),
            name,
        ]
    };
    simple.flat_map(forms)
}

#[test]
fn no_spelling_of_objects_is_a_dtype() {
    for descr in objects() {
        assert!(stored_itemsize(&descr).is_err() && written_itemsize(&descr).is_err(), "{descr}");
    }
    for descr in ["|O", "O8", "object", "[('a', [('b', '|O')])]"] {
        assert_eq!(stored_itemsize(descr), Err(OBJECTS), "{descr}");
    }
}

#[test]
fn a_dtype_has_the_bytes_that_numpy_says() {
    for (descr, itemsize) in [
        ("|b1", 1),
        (">i2", 2),
        ("=f8", 8),
        ("<f16", 16),
        ("<c32", 32),
        ("|S7", 7),
        ("|S2147483647", 2_147_483_647),
        ("<U3", 12),
        ("<U536870911", 2_147_483_644),
        ("|V5", 5),
        ("<M8", 8),
        (">m8[D]", 8),
        ("<m8[2147483647as]", 8),
        ("<M8[0D]", 8),
        ("[('a', '<f4')]", 4),
        ("[('a', '<f4', (2,)), ('b', '|u1')]", 9),
        ("[('a', '<f4', ())]", 4),
        ("[('a', '<f4', (0,)), ('b', '|i1')]", 1),
        ("[('a', [('b', '<f4'), ('c', '|S2')], (2, 3))]", 36),
        ("[('a', (('<f4', (2,)), (3,)), (4,))]", 96),
        ("[('x', '|u1'), ('', '|V3'), ('y', '>u4'), ('', '|V1')]", 9),
        ("[('a', '|S0'), ('b', []), ('c', [('x', '|S0')], (2,)), ('d', '<f4')]", 4),
        ("[(('title', 'a'), '<f4'), ((5, 'b'), '<f4'), (((True, b'x', -1.5), 'c'), '|u1')]", 9),
        ("[('it\\'s', '<f4'), (\"it's\\x00\", '<f4'), ('\\ud800\\n\\U0010ffff', '<f4')]", 12),
        ("[ ( 'a' , '<f4' , ( 1 , 2 , ) ) , ]", 8),
    ] {
        assert_eq!(stored_itemsize(descr), Ok(itemsize), "{descr}");
    }
    assert_eq!(written_itemsize("[('\u{3b1}', '<f4', (2L,))]"), Ok(8));
    assert_eq!(written_itemsize("|V0"), Ok(0));
}

/// What NumPy doesn't write, or what can't be stored.
const REFUSED: &[&str] = &[
    "",
    "f8",
    "<f3",
    "<f08",
    "<f",
    "<b2",
    "<i16",
    "<c4",
    "|S",
    "|S-1",
    "|S+1",
    "|S 1",
    "|S1 ",
    "|S01",
    "|T16",
    "|S2147483648",
    "<U536870912",
    "<M4",
    "<M8[",
    "<M8[]",
    "<M8[B]",
    "<M8[D",
    "<M8[-1D]",
    "<M8[01D]",
    "<M8[2147483648D]",
    "<M8[D]x",
    "<M8[7D/3]",
    "<f4, <f4",
    "2<f4",
    "nonsense",
    " <f4",
    "<f4\0",
    "(2,)<f4",
    "[",
    "[]",
    "[]]",
    "[(]",
    "[()]",
    "[('a')]",
    "[('a',)]",
    "[('a', '<f4'",
    "[('a', '<f4')",
    "[('a', '<f4')] ",
    " [('a', '<f4')]",
    "[('a', '<f4')], 'fortran_order': True, 'x': [1]",
    "[('a' '<f4')]",
    "[('a', 'f4')]",
    "[('a', <f4)]",
    "[(a, '<f4')]",
    "['<f4']",
    "[('a', '<f4', 2)]",
    "[('a', '<f4', (2))]",
    "[('a', '<f4', (-1,))]",
    "[('a', '<f4', (2147483648,))]",
    "[('a', '<f4', (1000000, 1000000))]",
    "[('a', '<f4', (2L,))]",
    "[('a', '<f4', (2,), 3)]",
    "[('a', '|S0', (2,))]",
    "[('a', ('<f4', (0,)), (2,)), ('b', '|u1')]",
    "[('a', '|S2147483647'), ('b', '|S2147483647')]",
    "[('a', '<f4'), ('a', '<f4')]",
    "[(('a', 'a'), '<f4')]",
    "[(('b', 'a'), '<f4'), ('b', '<f4')]",
    "[(('', 'a'), '<f4')]",
    "[(('t', 'a', 'b'), '<f4')]",
    "[((f(), 'a'), '<f4')]",
    "[(('a'), '<f4')]",
    "[((01, 'a'), '<f4')]",
    "[((-, 'a'), '<f4')]",
    "[('\\N{DIGIT ONE}', '<f4')]",
    "[('\\U00110000', '<f4')]",
    "[('a\\', '<f4')]",
    "[('a', '<f\\ud8004')]",
    "[('a', '<f4') for a in b]",
    "[('a', __import__('os'))]",
    "[('a\u{3b1}', '<f4')]",
    "[('a', '<f4')#]",
];

#[test]
fn what_numpy_does_not_write_is_no_dtype() {
    for descr in REFUSED {
        assert!(stored_itemsize(descr).is_err(), "{descr}");
    }
    let nested = |lists: usize| format!("{}'<f4'{}", "[('a', ".repeat(lists), ")]".repeat(lists));
    assert_eq!(stored_itemsize(&nested(100)), Ok(4));
    assert!(stored_itemsize(&nested(101)).is_err() && stored_itemsize(&"[(".repeat(1 << 20)).is_err());
}

fn simple_dtypes() -> impl Strategy<Value = (String, u64)> {
    let fixed =
        prop::sample::select(vec![("|b1", 1), (">i2", 2), ("<u8", 8), ("=f4", 4), ("<c16", 16), ("<M8[25s]", 8)]);
    let sized = (prop::sample::select(vec![("|S", 1), ("|V", 1), ("<U", 4)]), 1..40_u64);
    prop_oneof![
        fixed.prop_map(|(descr, itemsize)| (format!("'{descr}'"), itemsize)),
        sized.prop_map(|((head, unit), count)| (format!("'{head}{count}'"), unit * count)),
    ]
}

fn dtypes() -> impl Strategy<Value = (String, u64)> {
    simple_dtypes().prop_recursive(4, 30, 5, |inner| {
        let field = (inner, prop::collection::vec(1..4_u64, 0..3));
        prop::collection::vec(field, 1..5).prop_map(|fields| {
            let size = fields.iter().map(|((_, size), shape)| size * shape.iter().product::<u64>()).sum();
            let texts: Vec<_> = (0..).zip(&fields).map(|(n, ((text, _), shape))| shaped(n, text, shape)).collect();
            (format!("[{}]", texts.join(", ")), size)
        })
    })
}

fn shaped(n: usize, format: &str, shape: &[u64]) -> String {
    match shape {
        [] => format!("('f{n}', {format})"),
        [axis] => format!("('f{n}', {format}, ({axis},))"),
        axes => format!("('f{n}', {format}, ({}))", axes.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

proptest! {
    #[test]
    fn a_structure_has_the_bytes_of_its_fields((literal, itemsize) in dtypes(), at in any::<prop::sample::Index>()) {
        let descr = literal.trim_matches('\'');
        prop_assert_eq!(stored_itemsize(descr), Ok(itemsize), "{}", descr);
        // Nothing is a dtype that is cut off.
        let cut = &descr[..at.index(descr.len())];
        prop_assert!(descr.starts_with('<') || descr.starts_with('|') || stored_itemsize(cut).is_err(), "{}", cut);
    }

    #[test]
    fn any_text_has_a_length_or_none(text in "\\PC*", descr in "[<>|=(\\[][\\]\\[()'\", <>|=0-9OfSUVMm\\\\xa]{0,30}") {
        for text in [text, descr] {
            prop_assert!(written_itemsize(&text).is_ok() || stored_itemsize(&text).is_err());
        }
    }
}
