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
    let pieces = Pieces::new(regexes)?;
    // West of Greenwich, local time and offset add up to 23:59; east of it, local time is one minute short of the offset.
    let west = [
        pieces.hours(regexes, 24, '-', |hour| 23 - hour),
        pieces.minutes(regexes, 60, '-', |minute| 59 - minute),
    ];
    parts.push(regexes.and(&west));
    let east = [
        pieces.hours(regexes, 24, '+', |hour| hour),
        pieces.minutes(regexes, 59, '+', |minute| minute + 1),
    ];
    parts.push(regexes.and(&east));
    let next_hour = (0..24).map(|hour| pieces.time(regexes, &format!("{hour:02}:59"), &format!("+{:02}:00", (hour + 1) % 24)));
    let next_hour: Vec<RegexId> = next_hour.collect();
    parts.push(regexes.or(&next_hour));
    Ok(regexes.or(&parts))
}

/// What the times with second 60 are put together from. They are 191 forms: to parse them would cost a millisecond.
struct Pieces {
    /// `:60`, with a fraction or without.
    second: RegexId,
    /// Any two digits of a minute; what a minute is is said by the other half of an *and*.
    minute: RegexId,
    hour: RegexId,
}

impl Pieces {
    fn new(regexes: &mut Regexes) -> Result<Pieces, ParseError> {
        Ok(Pieces {
            second: parse(regexes, ":60(?:\\.[0-9]+)?", Dialect::Ecma)?,
            minute: parse(regexes, "[0-5][0-9]", Dialect::Ecma)?,
            hour: parse(regexes, "[0-2][0-9]", Dialect::Ecma)?,
        })
    }

    /// The time `local` with second 60, at an offset.
    fn time(&self, regexes: &mut Regexes, local: &str, offset: &str) -> RegexId {
        let (local, offset) = (regexes.literal(local), regexes.literal(offset));
        regexes.concat_all(&[local, self.second, offset])
    }

    /// Times whose hour fits that of their offset; the minutes are free.
    fn hours(&self, regexes: &mut Regexes, count: u32, sign: char, partner: impl Fn(u32) -> u32) -> RegexId {
        let colon = regexes.literal(":");
        let forms = (0..count).map(|hour| {
            let local = regexes.literal(&format!("{hour:02}:"));
            let offset = regexes.literal(&format!("{sign}{:02}", partner(hour)));
            regexes.concat_all(&[local, self.minute, self.second, offset, colon, self.minute])
        });
        let forms: Vec<RegexId> = forms.collect();
        regexes.or(&forms)
    }

    /// Times whose minute fits that of their offset; the hours are free.
    fn minutes(&self, regexes: &mut Regexes, count: u32, sign: char, partner: impl Fn(u32) -> u32) -> RegexId {
        let sign = regexes.literal(&sign.to_string());
        let forms = (0..count).map(|minute| {
            let local = regexes.literal(&format!(":{minute:02}"));
            let offset = regexes.literal(&format!(":{:02}", partner(minute)));
            regexes.concat_all(&[self.hour, local, self.second, sign, self.hour, offset])
        });
        let forms: Vec<RegexId> = forms.collect();
        regexes.or(&forms)
    }
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
