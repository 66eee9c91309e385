//! The formats of JSON Schema against examples of their standards, the calendar and a count of leap seconds.
use penstock_automata::{format, ParseErrorKind, RegexId, Regexes};

fn matches(regexes: &mut Regexes, mut term: RegexId, text: &str) -> bool {
    for character in text.chars() {
        term = regexes.step(term, character as u32).expect("no limit");
    }
    regexes.is_nullable(term)
}

fn check(name: &str, good: &[&str], bad: &[&str]) {
    let mut regexes = Regexes::new();
    let term = format(&mut regexes, name).unwrap().expect("a known format");
    assert_eq!(regexes.is_live(term), Ok(true), "{name}");
    for text in good {
        assert!(matches(&mut regexes, term, text), "{text:?} is a {name}");
    }
    for text in bad {
        assert!(!matches(&mut regexes, term, text), "{text:?} is no {name}");
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    let mut regexes = Regexes::new();
    let date = format(&mut regexes, "date").unwrap().unwrap();
    for year in [0, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9996, 9999] {
        let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
        for month in 0..14 {
            let days = match month {
                1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
                4 | 6 | 9 | 11 => 30,
                2 if leap => 29,
                2 => 28,
                _ => 0,
            };
            for day in 0..40 {
                let text = format!("{year:04}-{month:02}-{day:02}");
                assert_eq!(matches(&mut regexes, date, &text), (1..=days).contains(&day), "{text}");
            }
        }
    }
}

#[test]
fn leap_seconds_end_a_day_of_universal_time() {
    let mut regexes = Regexes::new();
    let time = format(&mut regexes, "time").unwrap().unwrap();
    for sign in [1i32, -1] {
        for offset in (0..24 * 60).step_by(7) {
            for local in [
                0,
                1,
                29,
                30,
                59,
                720,
                779,
                1380,
                1410,
                1438,
                1439,
                (1439 + sign * offset).rem_euclid(1440),
            ] {
                let universal = (local - sign * offset).rem_euclid(1440);
                let sign = if sign == 1 { '+' } else { '-' };
                let (h, m, oh, om) = (local / 60, local % 60, offset / 60, offset % 60);
                let text = format!("{h:02}:{m:02}:60{sign}{oh:02}:{om:02}");
                assert_eq!(matches(&mut regexes, time, &text), universal == 1439, "{text}");
            }
        }
    }
}

#[test]
fn times_and_durations() {
    check(
        "time",
        &["08:30:06Z", "08:30:06z", "23:59:60Z", "15:59:60.9-08:00", "12:00:00.52+23:59"],
        &[
            "08:30:06",
            "24:00:00Z",
            "00:60:00Z",
            "00:00:61Z",
            "8:3:6Z",
            "22:59:60Z",
            "12:00:00.Z",
            "01:02:03+24:00",
        ],
    );
    check(
        "date-time",
        &[
            "1963-06-19T08:30:06.283185Z",
            "1998-12-31t23:59:60z",
            "2020-02-29T00:00:00-00:00",
        ],
        &[
            "1998-12-31T23:58:60Z",
            "1990-02-31T15:59:59Z",
            "1963-06-19 08:30:06Z",
            "2021-02-29T00:00:00Z",
            "2020-02-29",
        ],
    );
    check(
        "duration",
        &["P4DT12H30M5S", "P1Y", "P1M", "PT1M", "P2W", "PT0S", "P1Y2M3DT4H"],
        &["P", "PT", "4D", "P1YT", "P2D1Y", "P1Y2W", "P1D2H", "PT1D", "P1", "P1Y3D"],
    );
}

#[test]
fn addresses_and_names() {
    check(
        "email",
        &[
            "joe.bloggs@example.com",
            "te~st@x",
            "\"joe \\\" bloggs\"@example.com",
            "a@[127.0.0.1]",
            "a@[IPv6:::1]",
            "a@[tag:x]",
        ],
        &[
            "2962",
            ".test@x",
            "te..st@x",
            "a@",
            "@a",
            "a@b_c",
            "joe bloggs@x.y",
            "a@[127.0.0.300]",
            "a@[IPv6:1]",
        ],
    );
}

#[test]
fn hosts() {
    let label = "a".repeat(63);
    let long = [label.as_str(); 4].join(".");
    check(
        "hostname",
        &["www.example.com", "a", "1host", "a--b.com", &label, &long[..253]],
        &[
            "",
            ".",
            "a.",
            "-a",
            "a-",
            "a_b",
            "\u{212a}a",
            "ab--c",
            &format!("a{label}"),
            &long,
        ],
    );
    check(
        "ipv4",
        &["192.168.0.1", "0.0.0.0", "255.255.255.255"],
        &["256.1.1.1", "01.1.1.1", "1.1.1", "1.1.1.1.1", "1.1.1.1 "],
    );
    check(
        "ipv6",
        &[
            "::",
            "::1",
            "1::",
            "::abef",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1::8",
            "1:2::7:8",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "1::1.2.3.4",
        ],
        &[
            "",
            ":",
            ":::",
            "1",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1::2::3",
            "12345::",
            "1:2:3:4:5:6:7:8::",
            "::1.2.3",
            "::1%eth0",
            "1:2:3:4:5:6:7:1.2.3.4",
            ":1",
        ],
    );
    check(
        "uuid",
        &["2EB8AA08-aa98-11EA-b4AA-73b441d16380"],
        &[
            "2eb8aa08aa9811eab4aa73b441d16380",
            "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380",
            "",
        ],
    );
}

#[test]
fn resources_and_pointers() {
    let uris = [
        "http://foo.bar/?baz=qux#quux",
        "ldap://[2001:db8::7]/c=GB?one",
        "mailto:a@b.c",
        "urn:x:y",
        "a:",
        "file:///etc",
        "http://u:p@h:80/%7e",
        "x://[v1.a:b]",
    ];
    let relative = ["", "//foo.bar/x", "/abc", "abc", "#f", "?q", "./a:b", "a@b/c:d"];
    let neither = [
        "\\\\WINDOWS\\share",
        "http://a b",
        "http:// x",
        ":// x",
        "a%2",
        "http://[::x]",
        "%:",
        "a:#b#c",
        "\u{e9}x",
        "1a:b",
    ];
    check("uri", &uris, &[&relative[..], &neither[..]].concat());
    check("uri-reference", &[&uris[..], &relative[..]].concat(), &neither);
    check(
        "iri",
        &["http://\u{192}\u{f8}\u{f8}.\u{df}\u{e5}r/?\u{2202}\u{e9}=\u{e000}#\u{3c0}"],
        &["/abc", "http://\u{e000}", "http://a b", "x:\u{fffe}"],
    );
    check(
        "iri-reference",
        &["/\u{e2}\u{3c0}\u{3c0}", "#\u{192}r\u{e4}g", ""],
        &["\\\\W", "#\u{e000}", "a:b:c d"],
    );
    check(
        "uri-template",
        &["http://x/{term:1}/{term}", "", "{+a.b,c*}", "a'b\u{1F600}", "{%41}"],
        &["{", "{}", "}", "{a,,b}", "{v:0}", "{v:10000}", "a b", "{a..b}"],
    );
    check(
        "json-pointer",
        &["", "/", "/foo//bar~0/~1", "/\0\u{1F600}"],
        &["a", "#/a", "/~", "/~2"],
    );
    check(
        "relative-json-pointer",
        &["1", "0/foo", "120#", "0//"],
        &["", "/a", "-1", "01#", "0##", "1#/a", "0/~2"],
    );
}

#[test]
fn other_names_are_annotations_or_refused() {
    let mut regexes = Regexes::new();
    assert_eq!(format(&mut regexes, "color"), Ok(None));
    for name in ["regex", "idn-hostname", "idn-email"] {
        let error = format(&mut regexes, name).unwrap_err();
        assert!(
            matches!(error.kind, ParseErrorKind::Unsupported(feature) if feature.contains(name)),
            "{error}"
        );
    }
}
