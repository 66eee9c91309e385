//! Patterns against two other engines: `regex` (Rust syntax) and `fancy-regex` (with lookahead).
use penstock_automata::{parse, parse_search, Dialect, ParseErrorKind, RegexId, Regexes};

/// A small deterministic source of choices.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % bound as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn text(&mut self, pieces: &[&str], length: usize) -> String {
        let length = self.below(length + 1);
        (0..length).map(|_| self.pick(pieces)).collect()
    }

    /// A pattern over the letters `a`, `b`, a blank and a line feed.
    fn pattern(&mut self, depth: usize, lookahead: bool) -> String {
        let atoms = [
            "a", "b", " ", ".", "[ab]", "[^a]", r"\w", r"\W", "\\n", "^", "$", r"\b", r"\B", "", "(?m:^)", "(?m:$)",
        ];
        if depth == 0 {
            return self.pick(&atoms).to_string();
        }
        let (one, two) = (self.pattern(depth - 1, lookahead), self.pattern(depth - 1, lookahead));
        let choices = if lookahead { 9 } else { 7 };
        match self.below(choices) {
            0 | 1 => format!("{one}{two}"),
            2 => format!("(?:{one}|{two})"),
            3 => format!("(?:{one})*"),
            4 => format!("(?:{one})+{two}"),
            5 => format!("(?:{one})?{two}"),
            6 => format!("(?:{one}){{1,2}}"),
            7 => format!("(?={one}){two}"),
            _ => format!("(?!{one}){two}"),
        }
    }
}

fn matches(regexes: &mut Regexes, mut term: RegexId, text: &str) -> bool {
    for character in text.chars() {
        term = regexes.step(term, character as u32).expect("no limit");
    }
    regexes.is_nullable(term)
}

#[test]
fn random_patterns_agree_with_the_regex_crate() {
    let mut random = Random(1);
    for round in 0..1500 {
        let pattern = random.pattern(1 + round % 4, false);
        let mut regexes = Regexes::new();
        let whole = parse(&mut regexes, &pattern, Dialect::Rust).unwrap();
        let found = parse_search(&mut regexes, &pattern, Dialect::Rust).unwrap();
        let search = regex::Regex::new(&pattern).unwrap();
        let anchored = regex::Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap();
        for _ in 0..20 {
            let text = random.text(&["a", "b", " ", "\n"], 6);
            assert_eq!(
                matches(&mut regexes, found, &text),
                search.is_match(&text),
                "{pattern:?} in {text:?}"
            );
            assert_eq!(
                matches(&mut regexes, whole, &text),
                anchored.is_match(&text),
                "{pattern:?} is {text:?}"
            );
        }
    }
}

#[test]
fn random_lookaheads_agree_with_a_backtracking_engine() {
    let mut random = Random(7);
    let mut compared = 0;
    for round in 0..1500 {
        let pattern = random.pattern(1 + round % 4, true);
        let mut regexes = Regexes::new();
        let whole = parse(&mut regexes, &pattern, Dialect::Rust).unwrap();
        let found = parse_search(&mut regexes, &pattern, Dialect::Rust).unwrap();
        // It refuses to repeat some assertions.
        let Ok(search) = fancy_regex::Regex::new(&pattern) else {
            continue;
        };
        let anchored = fancy_regex::Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap();
        compared += 1;
        for _ in 0..15 {
            let text = random.text(&["a", "b", " ", "\n"], 5);
            let expected = (search.is_match(&text), anchored.is_match(&text));
            let (Ok(in_text), Ok(is_text)) = expected else {
                continue;
            };
            assert_eq!(matches(&mut regexes, found, &text), in_text, "{pattern:?} in {text:?}");
            assert_eq!(matches(&mut regexes, whole, &text), is_text, "{pattern:?} is {text:?}");
        }
    }
    assert!(compared > 500, "only {compared} patterns were compared");
}

#[test]
fn classes_agree_with_the_regex_crate() {
    let patterns = [
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        r"\p{L}",
        r"\P{Greek}",
        r"[[:alpha:]_-]",
        r"[a-z&&[^aeiou]]",
        r"[]a]",
        r"[^\]\n]",
        r"[\w--\d]",
        r"[a-c~~b-d]",
        r"(?i)k",
        r"(?i)[^s]",
        r"(?i)\u{17F}",
        r"(?i:[a-z])",
        r"\x41",
        r"\x{1F600}",
        r"[a&&b]",
        r"\pN",
        r"[\x00-\x1F]",
        r"(?s).",
        r".",
        r"\.",
        r"(?x) a # comment",
        r"\p{Emoji}",
        r"[a[^b]]",
    ];
    let characters: Vec<char> = (0u32..0x2F00)
        .chain(0xFE00..0x10000)
        .chain(0x1F000..0x1FB00)
        .filter_map(char::from_u32)
        .collect();
    for pattern in patterns {
        let mut regexes = Regexes::new();
        let term = parse(&mut regexes, pattern, Dialect::Rust).unwrap();
        let expected = regex::Regex::new(&format!(
            r"\A(?:{pattern}{})\z",
            if pattern.contains('#') { "\n" } else { "" }
        ))
        .unwrap();
        for character in &characters {
            let text = character.to_string();
            assert_eq!(
                matches(&mut regexes, term, &text),
                expected.is_match(&text),
                "{pattern} on {text:?}"
            );
        }
    }
}

fn check(dialect: Dialect, pattern: &str, good: &[&str], bad: &[&str]) {
    let mut regexes = Regexes::new();
    let term = parse(&mut regexes, pattern, dialect).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for text in good {
        assert!(matches(&mut regexes, term, text), "{pattern} should match {text:?}");
    }
    for text in bad {
        assert!(!matches(&mut regexes, term, text), "{pattern} should not match {text:?}");
    }
}

#[test]
fn ecma_means_what_it_says() {
    let ecma = |pattern, good: &[&str], bad: &[&str]| check(Dialect::Ecma, pattern, good, bad);
    ecma(r"\d\w", &["1a", "0_"], &["\u{0660}a", "1\u{e9}"]);
    ecma(r"\s", &["\u{feff}", "\u{a0}", "\u{2028}", "\u{3000}"], &["\u{85}", "\u{1c}"]);
    ecma(".", &["a", "\u{1F600}", "\u{85}"], &["\n", "\r", "\u{2028}"]);
    ecma(r"\uD83D\uDE00|\u{1F601}", &["\u{1F600}", "\u{1F601}"], &["\u{1F602}"]);
    ecma(r"a{,2}|x{|y{1", &["a{,2}", "x{", "y{1"], &["aa", ""]);
    ecma(r"]}\-\_\a", &["]}-_a"], &[]);
    ecma(r"[]|a", &["a"], &["]", ""]);
    ecma(r"[^]", &["a", "\n"], &[""]);
    ecma(r"[\w-.]", &["a", "-", "."], &["/"]);
    ecma(r"[\b]\cJ\0\x4a\101", &["\u{8}\n\0JA"], &[]);
    ecma(r"(?<year>\d{4})-\2", &["2026-\u{2}"], &[]);
    ecma(r"(?:a)\k\8", &["ak8"], &[]);
    ecma(r"((?!ab).)*", &["", "ba", "aac"], &["ab", "cabc"]);
    ecma(r"(?=.*\d)(?=.*[a-z]).{4,}", &["abc1", "1bcde"], &["abcd", "1234", "a1"]);
    ecma(r"(^a|b$|c)*", &["acb", "a", "", "ccc"], &["ba", "aab", "ca"]);
    ecma(r"\p{Script=Greek}\P{Lu}\p{ASCII}", &["\u{3b1}ba"], &["aba", "\u{3b1}Ba"]);
}

#[test]
fn python_means_what_it_says() {
    let python = |pattern, good: &[&str], bad: &[&str]| check(Dialect::Python, pattern, good, bad);
    python(r"\w+\s", &["\u{e9}1_\u{1c}"], &["a\u{301} "]);
    python(r"[]a]{,2}", &["", "]a", "aa"], &["aaa"]);
    python(r"\Aa\Z(?#comment)", &["a"], &["a\n"]);
    python(r"(?P<name>a)\101\0", &["aA\0"], &[]);
    python(r"(?i)stra\u00dfe", &["STRA\u{1e9e}E"], &["strasse"]);
    python("{a}", &["{a}"], &[]);
}

#[test]
fn refusals_have_a_name_and_a_place() {
    let refusal = |pattern: &str, dialect| parse(&mut Regexes::new(), pattern, dialect).unwrap_err();
    for (pattern, feature) in [
        (r"(?<=a)b", "lookbehind"),
        (r"(?<!a)b", "lookbehind"),
        (r"(a)\1", "backreference"),
        (r"(?<n>a)\k<n>", "backreference"),
    ] {
        assert_eq!(
            refusal(pattern, Dialect::Ecma).kind,
            ParseErrorKind::Unsupported(feature),
            "{pattern}"
        );
    }
    assert_eq!(
        refusal("(?P<n>a)(?P=n)", Dialect::Python).kind,
        ParseErrorKind::Unsupported("backreference")
    );
    assert_eq!(
        refusal("a++", Dialect::Python).kind,
        ParseErrorKind::Unsupported("possessive quantifier")
    );
    for (pattern, offset) in [
        ("ab(", 2),
        ("a)", 1),
        ("[a", 0),
        ("x**", 2),
        ("*", 0),
        ("a{2,1}", 1),
        ("[b-a]", 1),
        (r"a\", 1),
        ("(?y)", 0),
    ] {
        let error = refusal(pattern, Dialect::Ecma);
        assert_eq!((error.kind, error.offset), (ParseErrorKind::Syntax, offset), "{pattern}");
    }
    for pattern in ["(".repeat(100_000), "(?=".repeat(100_000), "(?:a|".repeat(100_000)] {
        assert!(matches!(
            refusal(&pattern, Dialect::Ecma).kind,
            ParseErrorKind::Limit {
                name: "max_regex_nesting",
                ..
            }
        ));
    }
    assert!(matches!(
        refusal(&format!("a{}", "*".repeat(1000)), Dialect::Rust).kind,
        ParseErrorKind::Limit {
            name: "max_regex_nesting",
            ..
        }
    ));
    assert!(matches!(
        refusal("a{2000000}", Dialect::Ecma).kind,
        ParseErrorKind::Limit {
            name: "max_regex_count",
            ..
        }
    ));
}

#[test]
fn long_flat_patterns_are_no_danger() {
    let mut regexes = Regexes::new();
    let term = parse(&mut regexes, &"a?".repeat(20_000), Dialect::Ecma).unwrap();
    assert!(matches(&mut regexes, term, "aaa"));
    let text = "(^a|b)".repeat(5_000);
    parse_search(&mut regexes, &text, Dialect::Ecma).unwrap();
}

/// Every pattern of real schemas is read. The list is optional data: one pattern a line.
#[test]
fn real_patterns_are_read_and_live() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let shared = std::env::var("PENSTOCK_SHARED").unwrap_or("../shared".into());
    let path = std::path::Path::new(root).join(shared).join("prototypes/patterns.txt");
    let Ok(patterns) = std::fs::read_to_string(path) else {
        return;
    };
    let mut regexes = Regexes::new();
    for pattern in patterns.split('\n') {
        let term = parse_search(&mut regexes, pattern, Dialect::Ecma).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(regexes.is_live(term), Ok(true), "{pattern}");
    }
}
