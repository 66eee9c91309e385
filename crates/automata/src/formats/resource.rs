//! RFC 3986 (URI), RFC 3987 (IRI) and RFC 6570 (URI templates).
use super::ipv6;

/// RFC 3987 `ucschar`, as the inside of a class.
const UCSCHAR: &str = "\\u{A0}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFEF}\\u{10000}-\\u{1FFFD}\\u{20000}-\\u{2FFFD}\
\\u{30000}-\\u{3FFFD}\\u{40000}-\\u{4FFFD}\\u{50000}-\\u{5FFFD}\\u{60000}-\\u{6FFFD}\\u{70000}-\\u{7FFFD}\\u{80000}-\\u{8FFFD}\
\\u{90000}-\\u{9FFFD}\\u{A0000}-\\u{AFFFD}\\u{B0000}-\\u{BFFFD}\\u{C0000}-\\u{CFFFD}\\u{D0000}-\\u{DFFFD}\\u{E1000}-\\u{EFFFD}";
/// RFC 3987 `iprivate`, which only a query may hold.
const IPRIVATE: &str = "\\u{E000}-\\u{F8FF}\\u{F0000}-\\u{FFFFD}\\u{100000}-\\u{10FFFD}";
const PERCENT: &str = "%[0-9A-Fa-f]{2}";
const SUB_DELIMITERS: &str = "!$&'()*+,;=";

/// `uri`, `uri-reference`, `iri` or `iri-reference`.
pub(super) fn identifier(name: &str) -> String {
    let international = name.starts_with("iri");
    let unreserved = format!("A-Za-z0-9._~\\-{}", if international { UCSCHAR } else { "" });
    let private = if international { IPRIVATE } else { "" };
    let of = |more: &str| format!("(?:[{unreserved}{SUB_DELIMITERS}{more}]|{PERCENT})");
    let (character, fragment) = (of(":@"), of(":@/?"));
    let query = of(&format!(":@/?{private}"));
    let authority = {
        let future = format!("[Vv][0-9A-Fa-f]+\\.[A-Za-z0-9._~\\-{SUB_DELIMITERS}:]+");
        let host = format!("(?:\\[(?:{}|{future})\\]|{}*)", ipv6(), of(""));
        format!("//(?:{}*@)?{host}(?::[0-9]*)?(?:/{character}*)*", of(":"))
    };
    let rest = format!("(?:/{character}*)*");
    let absolute = format!("/(?:{character}+{rest})?");
    let tail = format!("(?:\\?{query}*)?(?:#{fragment}*)?");
    let full = format!("[A-Za-z][A-Za-z0-9+.\\-]*:(?:{authority}|{absolute}|{character}+{rest}|){tail}");
    if !name.ends_with("reference") {
        return full;
    }
    // The first segment of a relative path holds no colon, or it would be a scheme.
    format!("(?:{full}|(?:{authority}|{absolute}|{}+{rest}|){tail})", of("@"))
}

/// RFC 6570; the apostrophe is a literal, as erratum 6937 says.
pub(super) fn template() -> String {
    let literal = format!("(?:[!#-$&'(-;=?-\\[\\]_a-z~{UCSCHAR}{IPRIVATE}]|{PERCENT})");
    let letter = format!("(?:[A-Za-z0-9_]|{PERCENT})");
    let variable = format!("{letter}(?:\\.?{letter})*(?::[1-9][0-9]{{0,3}}|\\*)?");
    format!("(?:{literal}|\\{{[+#./;?&=,!@|]?{variable}(?:,{variable})*\\}})*")
}
