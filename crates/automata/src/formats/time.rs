//! RFC 3339: dates with their calendar, times with leap seconds, durations.
use crate::parse::{parse, Dialect, ParseError};
use crate::regex::{RegexId, Regexes};

/// A year, month and day that exist; the 29th of February in leap years only.
fn date() -> String {
    let long = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])";
    let short = "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)";
    let february = "02-(?:0[1-9]|1[0-9]|2[0-8])";
    let leap = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
    format!("(?:[0-9]{{4}}-(?:{long}|{short}|{february})|{leap}-02-29)")
}

const OFFSET: &str = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";

pub(super) fn term(regexes: &mut Regexes, name: &str) -> Result<RegexId, ParseError> {
    let date = parse(regexes, &date(), Dialect::Ecma)?;
    if name == "date" {
        return Ok(date);
    }
    let time = time(regexes)?;
    if name == "time" {
        return Ok(time);
    }
    let between = parse(regexes, "[Tt]", Dialect::Ecma)?;
    Ok(regexes.concat_all(&[date, between, time]))
}

fn time(regexes: &mut Regexes) -> Result<RegexId, ParseError> {
    let plain = format!("(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?{OFFSET}");
    let mut parts = vec![parse(regexes, &plain, Dialect::Ecma)?];
    parts.push(parse(regexes, "23:59:60(?:\\.[0-9]+)?[Zz]", Dialect::Ecma)?);
    // West of Greenwich, local time and offset add up to 23:59; east of it, local time is one minute short of the offset.
    let west = [
        leap(regexes, 24, "hour", '-', |h| 23 - h)?,
        leap(regexes, 60, "minute", '-', |m| 59 - m)?,
    ];
    parts.push(regexes.and(&west));
    let same_hour = leap(regexes, 24, "hour", '+', |h| h)?;
    let next_minute = leap(regexes, 59, "minute", '+', |m| m + 1)?;
    parts.push(regexes.and(&[same_hour, next_minute]));
    let next_hour: Vec<String> = (0..24)
        .map(|hour| format!("{hour:02}:59:60(?:\\.[0-9]+)?\\+{:02}:00", (hour + 1) % 24))
        .collect();
    parts.push(parse(regexes, &next_hour.join("|"), Dialect::Ecma)?);
    Ok(regexes.or(&parts))
}

/// Times with second 60 whose hour (or minute) fits the hour (or minute) of their offset; the other one is free.
fn leap(
    regexes: &mut Regexes,
    count: u32,
    unit: &str,
    sign: char,
    partner: impl Fn(u32) -> u32,
) -> Result<RegexId, ParseError> {
    let form = |value: u32| {
        let other = partner(value);
        match unit {
            "hour" => format!("{value:02}:[0-5][0-9]:60(?:\\.[0-9]+)?\\{sign}{other:02}:[0-5][0-9]"),
            _ => format!("[0-2][0-9]:{value:02}:60(?:\\.[0-9]+)?\\{sign}[0-2][0-9]:{other:02}"),
        }
    };
    let forms: Vec<String> = (0..count).map(form).collect();
    parse(regexes, &forms.join("|"), Dialect::Ecma)
}

/// RFC 3339, appendix A.
pub(super) fn duration() -> String {
    let second = "[0-9]+S";
    let minute = format!("[0-9]+M(?:{second})?");
    let hour = format!("[0-9]+H(?:{minute})?");
    let time = format!("T(?:{hour}|{minute}|{second})");
    let day = "[0-9]+D";
    let month = format!("[0-9]+M(?:{day})?");
    let year = format!("[0-9]+Y(?:{month})?");
    format!("P(?:(?:{day}|{month}|{year})(?:{time})?|{time}|[0-9]+W)")
}
