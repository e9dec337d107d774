//! Every document fits `docs/cli.schema.json`.

use std::fs;

use serde_json::Value;

use crate::support::Scene;
use crate::usage::READING;

pub(crate) fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.schema.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the schema")).expect("JSON")
}

/// Checks a value by the parts of the schema language that the schema uses: `$ref`, `type`, `required`, `properties`,
/// `items`, `const`, `enum`.
pub(crate) fn check(value: &Value, rule: &Value, root: &Value, place: &str) {
    if let Some(name) = rule["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("a definition");
        assert!(root["$defs"][name].is_object(), "{name}");
        return check(value, &root["$defs"][name], root, place);
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    match &rule["type"] {
        Value::String(kind) => assert!(is(kind), "{place}: {value} is no {kind}"),
        Value::Array(kinds) => {
            assert!(
                kinds.iter().any(|kind| is(kind.as_str().expect("a kind"))),
                "{place}: {value} is none of {kinds:?}"
            );
        }
        _ => {}
    }
    if !rule["const"].is_null() {
        assert_eq!(*value, rule["const"], "{place}");
    }
    if let Some(all) = rule["enum"].as_array() {
        assert!(all.contains(value), "{place}: {value}");
    }
    if let Some(fields) = value.as_object() {
        for name in rule["required"].as_array().into_iter().flatten() {
            assert!(fields.contains_key(name.as_str().expect("a name")), "{place}: {name} is missing in {value}");
        }
        for (name, value) in fields {
            let rule = &rule["properties"][name];
            // A field that a command adds has to be added to the schema.
            assert!(rule.is_object() || is_open(place), "{place}: `{name}` isn't in the schema");
            check(value, rule, root, &format!("{place}.{name}"));
        }
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        check(item, &rule["items"], root, &format!("{place}[{at}]"));
    }
}

/// Whether fields are allowed at `place` that the schema doesn't name: only values, sources, arguments and reasons may
/// have any.
fn is_open(place: &str) -> bool {
    ["value", "results", "sources", "arguments", "reasons"].iter().any(|open| place.contains(open))
}

/// The definition for a command.
fn definition(arguments: &[&str]) -> &'static str {
    match arguments {
        [] => "summary",
        ["ls", .., "--steps"] => "ls_steps",
        ["ls", .., "--entries"] => "ls_entries",
        ["ls", first, ..] if first.starts_with("frozen") => "ls_entries",
        ["ls", ..] => "ls",
        ["show", ..] => "show",
        ["diff", ..] => "diff",
        ["why", ..] => "why",
        ["tree", ..] => "tree",
        ["table", ..] => "table",
        ["stats", ..] => "stats",
        ["report", ..] => "report",
        ["verify", ..] => "verify",
        ["gc" | "rm", ..] => "plan",
        ["doctor"] => "doctor",
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_schema_takes_every_document_that_it_defines() {
    let schema = schema();
    let taken: Vec<_> = schema["anyOf"].as_array().expect("a list").iter().map(|rule| rule["$ref"].clone()).collect();
    let definitions = schema["$defs"].as_object().expect("definitions").iter();
    let documents = definitions.filter(|(_, rule)| rule["properties"]["schema"].is_object());
    let names: Vec<_> = documents.map(|(name, _)| Value::from(format!("#/$defs/{name}"))).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(taken.contains(&name), "{name} isn't in `anyOf`");
    }
}

#[test]
fn documents_are_as_the_schema_says() {
    let (scene, schema) = (Scene::new(), schema());
    for arguments in READING {
        let document = scene.json(arguments);
        let name = definition(arguments);
        assert_eq!(document["schema"], 1, "{arguments:?}");
        check(&document, &schema["$defs"][name], &schema, name);
    }
}

#[test]
fn documents_of_what_changes_are_as_the_schema_says() {
    let (scene, schema) = (Scene::new(), schema());
    for (arguments, name) in [
        (&["pin", "paper", "frozen fit@1"][..], "pin"),
        (&["pin", "paper"], "pin"),
        (&["pin"], "pins"),
        (&["unpin", "paper"], "pin"),
        (&["export", "frozen mapped@1", "-o", "out.tar"], "export"),
        (&["export", "frozen mapped@1", "--npy", "out.npy"], "export"),
        (&["import", "out.tar", "--dry-run"], "import"),
        (&["import", "out.tar"], "import"),
        (&["hash", "out.npy"], "hash"),
        (&["bench", "--largest", "1"], "bench"),
        (&["rm", "frozen fit@1", "--yes"], "plan"),
        (&["gc", "--max-items", "5", "--yes"], "plan"),
        (&["verify", "--repair", "--yes"], "verify"),
        (&["stats", "--reset", "--yes"], "reset"),
        (&["clear", "--yes"], "clear"),
    ] {
        let document = scene.json(arguments);
        assert_eq!(document["schema"], 1, "{arguments:?}");
        check(&document, &schema["$defs"][name], &schema, name);
    }
}

#[test]
fn entries_are_found_by_any_argument_and_by_the_digest_of_an_array() {
    let scene = Scene::new();
    let of = |conditions: &[&str]| {
        let lists = conditions.iter().flat_map(|condition| ["--where", condition]).collect::<Vec<_>>();
        let list = scene.json(&[&["ls"][..], &lists].concat());
        let names = list["functions"].as_array().expect("a list").iter().map(|it| it["name"].to_string());
        names.collect::<Vec<_>>()
    };
    assert!(of(&["*=1"]).contains(&"\"frozen fit\"".to_owned()));
    assert_eq!(of(&["outcome=1"]), ["\"frozen fit\""]);
    assert_eq!((of(&["*~no such text"]).len(), of(&["*=1", "*~no such text"]).len()), (0, 0));
    assert_eq!(scene.run(&["export", "frozen mapped@1", "--npy", "x.npy"]).code, 0);
    let digest = scene.run(&["hash", "x.npy"]).stdout[..32].to_owned();
    assert_eq!(of(&[&format!("x={digest}")]), ["\"frozen sum\""]);
    assert_eq!(of(&[&format!("*={digest}")]), ["\"frozen sum\""]);
    let other = format!("{}{}", if digest.starts_with('0') { '1' } else { '0' }, &digest[1..]);
    assert!(of(&[&format!("*={other}")]).is_empty());
}

#[test]
fn build_steps_are_listed_with_the_state_of_their_targets() {
    use ndarray::Array1;
    use ndcache::make::NpyFile;
    #[ndcache::cache]
    fn step(n: usize) -> Array1<f64> {
        Array1::zeros(n)
    }
    let (scene, schema) = (Scene::new(), schema());
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    for n in [1, 2, 3] {
        memory.make(step::call(n), NpyFile::new(scene.root().join(format!("{n}.npy")))).expect("made");
    }
    drop(memory);
    fs::remove_file(scene.root().join("1.npy")).expect("removed");
    fs::remove_file(scene.root().join("2.npy")).expect("removed");
    fs::write(scene.root().join("2.npy"), "another").expect("written");
    let record = scene.cache().join("m/0123456789abcdef.record");
    fs::write(&record, "nonsense").expect("written");
    let document = scene.json(&["ls", "--steps"]);
    check(&document, &schema["$defs"]["ls_steps"], &schema, "ls_steps");
    let states: Vec<_> =
        document["steps"].as_array().expect("a list").iter().map(|step| step["state"].clone()).collect();
    assert_eq!(
        (states, &document["unreadable"]),
        (vec!["missing".into(), "changed".into(), "there".into()], &1.into())
    );
    assert_eq!(document["steps"][2]["arguments"][0]["text"], "3");
    assert_eq!(document["steps"][2]["bytes"], fs::metadata(scene.root().join("3.npy")).expect("its state").len());
    assert_eq!(scene.run(&["ls", "step", "--steps", "--jsonl"]).stdout.lines().count(), 3);
    assert_eq!(scene.run(&["ls", "nothing", "--steps", "--jsonl"]).stdout.lines().count(), 0);
    let shown = scene.run(&["ls", "--steps", "--sort", "size", "-n", "1"]);
    assert!(shown.stdout.contains("/data/3.npy") && shown.stdout.lines().count() == 2, "{shown:?}");
    assert!(shown.stderr.contains("1 can't be read"), "{shown:?}");
}

#[test]
fn keys_that_are_being_computed_are_listed() {
    use std::sync::{Barrier, LazyLock};
    static TURNS: LazyLock<[Barrier; 2]> = LazyLock::new(|| [Barrier::new(2), Barrier::new(2)]);
    #[ndcache::cache(code = "version", version = 1)]
    fn waits(n: u64) -> u64 {
        for turn in TURNS.iter() {
            turn.wait();
        }
        n
    }
    let scene = Scene::new();
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    std::thread::scope(|scope| {
        let computed = scope.spawn(|| memory.eval(waits::call(5)));
        TURNS[0].wait();
        let document = scene.json(&["doctor"]);
        let computing = document["computing"].as_array().expect("a list").clone();
        TURNS[1].wait();
        assert_eq!(computed.join().expect("a value"), 5);
        let key = memory.entry(&waits::call(5)).expect("a look").expect("an entry").key().to_string();
        assert_eq!(computing.len(), 1, "{document}");
        let digits = computing[0]["digits"].as_str().expect("digits");
        let (any, rest) = digits.trim_start_matches('[').split_once(']').expect("both");
        assert!(any.contains(&key[..1]) && key[1..].starts_with(rest), "{digits} {key}");
        assert_eq!(computing[0]["process"], std::process::id());
    });
    assert_eq!(scene.json(&["doctor"])["computing"].as_array().map(Vec::len), Some(0));
}

#[test]
fn lines_of_lists_are_the_items_of_documents() {
    let scene = Scene::new();
    for (arguments, field) in
        [(&["ls"][..], "functions"), (&["ls", "frozen fit"], "entries"), (&["table", "frozen fit"], "rows")]
    {
        let document = scene.json(arguments);
        let run = scene.run(&[arguments, &["--jsonl"]].concat());
        let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(document[field], Value::from(lines), "{arguments:?}");
    }
    for field in ["key", "function", "arguments", "bytes", "duration_ns", "created", "used"] {
        let run = scene.run(&["ls", "frozen fit", "--jsonl"]);
        let first: Value = serde_json::from_str(run.stdout.lines().next().expect("a line")).expect("JSON");
        assert!(!first[field].is_null(), "{field}");
    }
}

#[test]
fn sums_of_documents_agree() {
    let scene = Scene::new();
    let (summary, ls) = (scene.json(&[]), scene.json(&["ls"]));
    let sum = |list: &Value, field: &str| {
        list.as_array().expect("a list").iter().map(|it| it[field].as_u64().expect("a number")).sum::<u64>()
    };
    for field in ["entries", "bytes"] {
        let expected = summary[field].as_u64().expect("a number");
        assert_eq!(sum(&ls["functions"], field), expected);
    }
}

#[ndcache::cache]
fn cubed(n: u64) -> u64 {
    n * n * n
}

#[test]
fn hits_of_two_programs_are_counted_exactly() {
    const FOLDER: &str = "NDCACHE_CLI_TEST_FOLDER";
    let eval = |memory: &ndcache::Memory, n: u64| assert_eq!(memory.eval(cubed::call(n)), n * n * n);
    if let Some(folder) = std::env::var_os(FOLDER) {
        let memory = ndcache::Memory::open(folder).expect("a cache");
        (0..1000).for_each(|n| eval(&memory, n % 10));
        return;
    }
    let scene = Scene::new();
    fs::remove_dir_all(scene.cache()).expect("removed");
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    (0..10).for_each(|n| eval(&memory, n));
    drop(memory);
    let program = || {
        let mut program = std::process::Command::new(std::env::current_exe().expect("this program"));
        program.args(["--exact", "documents::hits_of_two_programs_are_counted_exactly"]).env(FOLDER, scene.cache());
        program.stdout(std::process::Stdio::null()).spawn().expect("it runs")
    };
    for mut program in [program(), program()] {
        assert!(program.wait().expect("its end").success());
    }
    let stats = scene.json(&["stats"]);
    let counts = ["hits", "repeats", "misses", "faults"].map(|field| stats[field].as_u64());
    assert_eq!(counts, [Some(20), Some(1980), Some(10), Some(0)], "{stats}");
    let runs = scene.json(&["stats", "--by", "run"]);
    assert_eq!(runs["groups"].as_array().map(Vec::len), Some(3), "{runs}");
}

#[test]
fn hits_write_counts_down_once_a_minute_at_most() {
    let scene = Scene::new();
    let lines = || {
        let log = fs::read_to_string(scene.cache().join("s/log")).unwrap_or_default();
        log.lines().filter(|line| !line.is_empty()).count()
    };
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    assert_eq!(memory.eval(cubed::call(3)), 27);
    drop(memory);
    assert_eq!(lines(), 1);
    // In a process that only hits, the clock is looked at once a second to see whether a minute is over.
    let memory = ndcache::Memory::open(scene.cache()).expect("a cache");
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_millis(2500) {
        assert_eq!(memory.eval(cubed::call(3)), 27);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(lines(), 1, "nothing was written meanwhile");
    drop(memory);
    assert_eq!(lines(), 2);
}

#[test]
fn counts_are_those_of_the_calls() {
    use ndcache::Memory;
    #[ndcache::cache]
    fn double(n: u64) -> u64 {
        2 * n
    }
    let scene = Scene::new();
    std::fs::remove_dir_all(scene.cache()).expect("removed");
    for _ in 0..2 {
        let memory = Memory::open(scene.cache()).expect("a cache");
        for n in 0..10 {
            assert_eq!(memory.eval(double::call(n)), 2 * n);
            assert_eq!(memory.eval(double::call(n)), 2 * n);
        }
    }
    let stats = scene.json(&["stats"]);
    let of = |field: &str| stats[field].as_u64();
    // The first memory computed each key and then hit it, the second hit each key twice. The first hit of a key in this
    // process counts as a hit, later ones as repeats.
    assert_eq!(of("misses"), Some(10), "{stats}");
    assert_eq!(of("hits").zip(of("repeats")).map(|(hits, repeats)| hits + repeats), Some(30), "{stats}");
    assert_eq!(stats["functions"][0]["name"], double::function().path());
    let why = scene.json(&["why", double::function().path()]);
    check(&why, &schema()["$defs"]["why"], &schema(), "why");
    let logged = why["logged"].as_array().expect("a list");
    assert!(logged.iter().any(|miss| miss["reason"].as_str().is_some_and(|it| it == "other arguments")), "{why}");
    assert!(scene.run(&["why", "double"]).stdout.starts_with("logged    "));
    for by in ["function", "day", "run", "host", "reason"] {
        let run = scene.run(&["stats", "--by", by]);
        assert!(run.code == 0 && run.stdout.lines().count() >= 2, "{run:?}");
        check(&scene.json(&["stats", "--by", by, "--run", "last"]), &schema()["$defs"]["stats"], &schema(), "stats");
    }
    assert_eq!(scene.json(&[])["week_misses"], 10);
    let mut later = scene.command();
    later.args(["stats", "--since", "1d"]).env("SOURCE_DATE_EPOCH", "4102444800");
    let later = scene.told(later.output().expect("the program runs"));
    assert!(later.stderr.contains("nothing was recorded within 1d"), "{later:?}");
    assert_eq!(scene.run(&["stats", "--run", "ffff"]).code, 1);
    assert_eq!(scene.run(&["stats", "--reset"]).code, 2, "nobody was asked");
    assert_eq!(scene.run(&["stats", "--reset", "--yes"]).code, 0);
    assert!(scene.json(&["stats"])["hits"].is_null());
    let summary = scene.json(&[]);
    assert!(summary["week_hits"].is_null() && summary["week_spent_ns"].is_null(), "{summary}");
    check(&summary, &schema()["$defs"]["summary"], &schema(), "summary");
}

#[test]
fn runs_are_told_as_they_began_with_their_hosts() {
    let scene = Scene::new();
    fs::create_dir_all(scene.cache().join("s")).expect("a folder");
    let line = |run: &str, host: &str, from: u64| {
        let hit = r#""f":{"frozen fit":{"hit":1,"saved":1000000000}}"#;
        let to = from + 60;
        format!(r#"{{"v":1,"run":"{run}","host":"{host}","from":{from}000000000,"to":{to}000000000,{hit}}}"#) + "\n"
    };
    // The run that comes first has the higher digits, and has written twice.
    let log = [
        line("ffff222233334444", "node-2", 1_795_950_000),
        line("0000111122223333", "node-1", 1_796_036_400),
        line("ffff222233334444", "node-2", 1_796_037_000),
    ];
    fs::write(scene.cache().join("s/log"), log.concat()).expect("written");
    let shown = scene.run(&["stats", "--by", "run"]).stdout;
    let rows: Vec<Vec<_>> = shown.lines().skip(1).map(|line| line.split_whitespace().take(4).collect()).collect();
    assert_eq!(rows[0], ["ffff2222", "2026-11-29", "11:00", "node-2"], "{shown}");
    assert_eq!(rows[1], ["00001111", "2026-11-30", "11:00", "node-1"], "{shown}");
    let runs = scene.json(&["stats", "--by", "run"]);
    check(&runs, &schema()["$defs"]["stats"], &schema(), "stats");
    let groups = runs["groups"].as_array().expect("a list").iter();
    let told: Vec<_> = groups.map(|run| (run["from"].as_str(), run["host"].as_str(), run["hits"].as_u64())).collect();
    let first = (Some("2026-11-29T11:00:00Z"), Some("node-2"), Some(2));
    assert_eq!(told, [first, (Some("2026-11-30T11:00:00Z"), Some("node-1"), Some(1))]);
    // A narrow terminal leaves out the host rather than the time, which says more of a run.
    let (_, narrow) = scene.terminal_of(40, &["stats", "--by", "run", "--color", "never"], "");
    assert!(narrow.contains("ffff2222  2026-11-29 11:00") && !narrow.contains("node-2"), "{narrow}");
}
