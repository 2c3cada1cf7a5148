//! What a line asks for, or why it is refused, in the words of IRRd 4.

use std::time::Duration;

use super::expand::Families;

/// The text behind `F`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// One question or command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query<'a> {
    /// `!!`: keep the connection open.
    KeepOpen,
    /// `!n`: who asks.
    Client,
    /// `!v`
    Version,
    /// `!t`: how long a connection may be idle.
    Timeout(Duration),
    /// `!s-*`, which does nothing.
    AllSources,
    /// `!s-lc`
    ListSources,
    /// `!s`
    Select(&'a str),
    /// `!e-lc`
    ListExcluded,
    /// `!e`
    Exclude(&'a str),
    /// `!g`, `!6`
    Routes(u32, Families),
    /// `!a`, `!a4`, `!a6`
    SetRoutes(&'a str, Families),
    /// `!i`
    Members(&'a str),
    /// `!i…,1`
    AllMembers(&'a str),
    /// `!j`
    Serials(&'a str),
    /// `!J`
    Status(&'a str),
    /// `!m`: class and key.
    Object(&'a str, &'a str),
    /// Whatever does not begin with `!`; the flags and words of RIPE's server.
    Ripe(&'a str),
}

impl<'a> Query<'a> {
    /// Reads a line without blanks at its ends. `!q` never gets here.
    pub(crate) fn parse(line: &'a str) -> Result<Self, Refusal> {
        if line.contains('\0') {
            return refuse("Queries may not contain null bytes");
        }
        let Some(command) = without_agent(line).strip_prefix('!') else { return Ok(Self::Ripe(line)) };
        let Some(letter) = command.chars().next() else { return refuse("Missing IRRD command") };
        let parameter = &command[letter.len_utf8()..];
        if "tg6ijmnors".contains(letter) && parameter.is_empty() {
            return refuse(&format!("Missing parameter for {letter} query"));
        }
        match letter {
            '!' => Ok(Self::KeepOpen),
            'n' => Ok(Self::Client),
            'v' => Ok(Self::Version),
            't' => timeout(parameter),
            's' => Ok(match parameter {
                "-*" => Self::AllSources,
                "-lc" => Self::ListSources,
                list => Self::Select(list),
            }),
            'e' if parameter == "-lc" => Ok(Self::ListExcluded),
            'e' => Ok(Self::Exclude(parameter)),
            'g' => Ok(Self::Routes(as_number(parameter)?, Families::V4)),
            '6' => Ok(Self::Routes(as_number(parameter)?, Families::V6)),
            'a' => set_routes(parameter),
            'i' => Ok(match parameter.strip_suffix(",1") {
                Some(name) => Self::AllMembers(name),
                None => Self::Members(parameter),
            }),
            'j' => Ok(Self::Serials(parameter)),
            'J' => Ok(Self::Status(parameter)),
            'm' => match parameter.split_once(',') {
                Some((class, key)) => Ok(Self::Object(class, key)),
                None => refuse(&format!("Invalid argument for object lookup: {parameter}")),
            },
            other => refuse(&format!("Unrecognised command: {other}")),
        }
    }
}

fn refuse<T>(text: &str) -> Result<T, Refusal> {
    Err(Refusal(text.to_owned()))
}

/// Whois clients put `-V name` before everything; IRRd lets it stand before its own commands too.
fn without_agent(line: &str) -> &str {
    let rest = line.strip_prefix("-V ").and_then(|rest| rest.split_once(' '));
    rest.map(|(_, query)| query).filter(|query| query.starts_with('!')).unwrap_or(line)
}

fn timeout<'a>(parameter: &str) -> Result<Query<'a>, Refusal> {
    match parameter.trim().parse() {
        Ok(seconds @ 1..=1000) => Ok(Query::Timeout(Duration::from_secs(seconds))),
        _ => refuse(&format!("Invalid value for timeout: {parameter}")),
    }
}

fn set_routes(parameter: &str) -> Result<Query<'_>, Refusal> {
    let (name, families) = match parameter.as_bytes().first() {
        Some(b'4') => (&parameter[1..], Families::V4),
        Some(b'6') => (&parameter[1..], Families::V6),
        _ => (parameter, Families::Both),
    };
    if name.is_empty() {
        return refuse("Missing required set name for A query");
    }
    Ok(Query::SetRoutes(name, families))
}

fn as_number(parameter: &str) -> Result<u32, Refusal> {
    let text = parameter.to_uppercase();
    let wrong = |what: &str| Refusal(format!("Invalid AS number {text}: {what}"));
    let digits = text.strip_prefix("AS").ok_or_else(|| wrong("must start with \"AS\""))?;
    let number = python_number(digits).ok_or_else(|| wrong("number part is not numeric"))?;
    number.parse().map_err(|_| wrong("valid range is 0-4294967295"))
}

/// What Python takes for a whole number: with a sign, blanks around it and underscores in it.
fn python_number(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number =
        digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_number.then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        let cases = [
            ("!!", Query::KeepOpen),
            ("!nbgpq4 1.9", Query::Client),
            ("-V whois !v", Query::Version),
            ("!t1000", Query::Timeout(Duration::from_secs(1000))),
            ("!s-*", Query::AllSources),
            ("!s-lc", Query::ListSources),
            ("!sRIPE,radb", Query::Select("RIPE,radb")),
            ("!e", Query::Exclude("")),
            ("!e-lc", Query::ListExcluded),
            ("!gas00065536", Query::Routes(65_536, Families::V4)),
            ("!gAS +65_536", Query::Routes(65_536, Families::V4)),
            ("!6AS4294967295", Query::Routes(u32::MAX, Families::V6)),
            ("!aAS-X", Query::SetRoutes("AS-X", Families::Both)),
            ("!a4AS-X", Query::SetRoutes("AS-X", Families::V4)),
            ("!a6AS1:AS-X", Query::SetRoutes("AS1:AS-X", Families::V6)),
            ("!iAS-X", Query::Members("AS-X")),
            ("!iAS-X,1", Query::AllMembers("AS-X")),
            ("!iAS-X,2", Query::Members("AS-X,2")),
            ("!j-*", Query::Serials("-*")),
            ("!J-*", Query::Status("-*")),
            ("!maut-num,AS1", Query::Object("aut-num", "AS1")),
            ("-V whois AS1", Query::Ripe("-V whois AS1")),
        ];
        for (line, query) in cases {
            assert_eq!(Query::parse(line), Ok(query), "{line}");
        }
    }

    #[test]
    fn refusals_are_worded_as_irrd_does() {
        let cases = [
            ("!", "Missing IRRD command"),
            ("!a", "Missing required set name for A query"),
            ("!a4", "Missing required set name for A query"),
            ("!g", "Missing parameter for g query"),
            ("!i", "Missing parameter for i query"),
            ("!s", "Missing parameter for s query"),
            ("!m", "Missing parameter for m query"),
            ("!masset", "Invalid argument for object lookup: asset"),
            ("!g123", "Invalid AS number 123: must start with \"AS\""),
            ("!gASx", "Invalid AS number ASX: number part is not numeric"),
            ("!6AS1.5", "Invalid AS number AS1.5: number part is not numeric"),
            ("!gAS4294967296", "Invalid AS number AS4294967296: valid range is 0-4294967295"),
            ("!gAS-1", "Invalid AS number AS-1: valid range is 0-4294967295"),
            ("!gAS", "Invalid AS number AS: number part is not numeric"),
            ("!t0", "Invalid value for timeout: 0"),
            ("!t1001", "Invalid value for timeout: 1001"),
            ("!tten", "Invalid value for timeout: ten"),
            ("!foo", "Unrecognised command: f"),
            ("!é", "Unrecognised command: é"),
            ("!qnow", "Unrecognised command: q"),
            ("!iA\0", "Queries may not contain null bytes"),
        ];
        for (line, text) in cases {
            assert_eq!(Query::parse(line), Err(Refusal(text.to_owned())), "{line}");
        }
    }
}
