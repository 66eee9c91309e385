//! The formats of JSON Schema, as terms over the decoded characters of a string.
//!
//! Each is its standard's grammar written as a regular expression. Two are narrower than their standard where it is not
//! regular: `hostname` has no label with `--` at its third place (so no internationalised `xn--` label, whose validity is a
//! question of the decoded text), and neither have the hosts that build on it.
mod resource;
mod time;

use crate::parse::{parse, Dialect, ParseError, ParseErrorKind};
use crate::regex::{RegexId, Regexes};
use crate::template::Template;
use std::sync::OnceLock;

pub(crate) const IPV4: &str =
    "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}";
/// RFC 5321 `dot-string`.
const DOT_STRING: &str = "[\\w!#$%&'*+\\-/=?^`{|}~]+(?:\\.[\\w!#$%&'*+\\-/=?^`{|}~]+)*";
/// RFC 5321 `quoted-string`.
const QUOTED_STRING: &str = r#""(?:[ !#-\[\]-~]|\\[ -~])*""#;
const DOMAIN: &str = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*";
const JSON_POINTER: &str = "(?:/(?:[^~/]|~[01])*)*";

/// The formats that are languages.
const NAMES: [&str; 16] = [
    "date-time",
    "date",
    "time",
    "duration",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
];

/// The texts of a format; `Ok(None)` for a name that is none of ours: an annotation, as the specification says.
///
/// Cost: up to a millisecond for the first use in a process, some 50 us after that; equal formats of one arena are one term.
///
/// # Errors
/// `regex`, `idn-hostname` and `idn-email` are refused by name: they are not regular.
pub fn format(regexes: &mut Regexes, name: &str) -> Result<Option<RegexId>, ParseError> {
    static TEMPLATES: [OnceLock<Option<Template>>; NAMES.len()] = [const { OnceLock::new() }; NAMES.len()];
    let Some(at) = NAMES.iter().position(|known| *known == name) else {
        return match name {
            "regex" => Err(refusal("format `regex`")),
            "idn-hostname" => Err(refusal("format `idn-hostname`")),
            "idn-email" => Err(refusal("format `idn-email`")),
            _ => Ok(None),
        };
    };
    let template = TEMPLATES[at].get_or_init(|| {
        let mut regexes = Regexes::new();
        let term = build(&mut regexes, name).ok()?;
        Template::of(&regexes, term)
    });
    match template {
        Some(template) => Ok(Some(regexes.copy_of(template))),
        None => build(regexes, name).map(Some),
    }
}

/// The term of one of [`NAMES`].
fn build(regexes: &mut Regexes, name: &str) -> Result<RegexId, ParseError> {
    let pattern = match name {
        "duration" => time::duration(),
        "uri" | "uri-reference" | "iri" | "iri-reference" => resource::identifier(name),
        "uri-template" => resource::template(),
        "email" => email(),
        "hostname" => hostname(),
        "ipv4" => IPV4.into(),
        "ipv6" => ipv6(),
        "uuid" => "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}".into(),
        "json-pointer" => JSON_POINTER.into(),
        "relative-json-pointer" => format!("(?:0|[1-9][0-9]*)(?:#|{JSON_POINTER})"),
        _ => return time::term(regexes, name),
    };
    parse(regexes, &pattern, Dialect::Ecma)
}

fn refusal(feature: &'static str) -> ParseError {
    ParseError {
        code: "unsupported_format",
        message: format!("{feature} is not a regular language; drop it, or give a `pattern`"),
        offset: 0,
        kind: ParseErrorKind::Unsupported(feature),
    }
}

/// RFC 1123 with the length limits of RFC 1035.
fn hostname() -> String {
    let label = "(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    format!("(?=.{{1,253}}$){label}(?:\\.{label})*")
}

/// RFC 4291, section 2.2, without a zone.
pub(crate) fn ipv6() -> String {
    let group = "[0-9A-Fa-f]{1,4}";
    let last = format!("(?:{group}:{group}|{IPV4})");
    let mut forms = vec![format!("(?:{group}:){{6}}{last}")];
    // `::` stands for at least one group: `before` groups in front of it, the rest behind it.
    for behind in (0..6).rev() {
        let before = 5 - behind;
        let head = head_groups(group, before);
        forms.push(format!("{head}::(?:{group}:){{{behind}}}{last}"));
    }
    forms.push(format!("{}::{group}", head_groups(group, 6)));
    forms.push(format!("{}::", head_groups(group, 7)));
    format!("(?:{})", forms.join("|"))
}

/// Up to `count` groups.
fn head_groups(group: &str, count: usize) -> String {
    match count {
        0 => String::new(),
        _ => format!("(?:(?:{group}:){{0,{}}}{group})?", count - 1),
    }
}

/// RFC 5321 `Mailbox`.
fn email() -> String {
    let literal = format!(
        "\\[(?:{IPV4}|[Ii][Pp][Vv]6:{}|(?![Ii][Pp][Vv]6:)[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+)\\]",
        ipv6()
    );
    format!("(?:{DOT_STRING}|{QUOTED_STRING})@(?:{DOMAIN}|{literal})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_format_is_the_term_that_building_it_gives() {
        for name in NAMES {
            let mut regexes = Regexes::new();
            // Other terms first, so that parts have other numbers than in the template.
            for pattern in ["[0-9]+", "[Zz]|x", "(?:[0-9]{2}:)*"] {
                parse(&mut regexes, pattern, Dialect::Ecma).expect("a pattern");
            }
            let copied = format(&mut regexes, name).expect("no error").expect("a format");
            let built = build(&mut regexes, name).expect("no error");
            assert_eq!(copied, built, "{name}");
        }
    }

    #[test]
    fn formats_that_repeat_no_assertion_have_templates() {
        let has_none = |name: &&str| {
            let mut regexes = Regexes::new();
            let term = build(&mut regexes, name).expect("no error");
            Template::of(&regexes, term).is_none()
        };
        let without: Vec<&str> = NAMES.into_iter().filter(has_none).collect();
        assert_eq!(without, ["hostname"]);
    }
}
