//! Answers are read whatever their layout; broken ones are told from good ones, and nothing makes the reader
//! panic.

use std::io::{self, Read};

use pm_peeringdb::{
    Alteration, Contents, Namespace, ReadError, Record, SinkClosed, Status, Value, read, to_json,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn read_all(text: &[u8]) -> Result<(Vec<Record>, Contents), ReadError> {
    read_from(text)
}

fn read_from(reader: impl Read) -> Result<(Vec<Record>, Contents), ReadError> {
    let mut records = Vec::new();
    let contents = read(Namespace::Net, reader, &mut |mut batch| {
        assert!(!batch.is_empty());
        records.append(&mut batch);
        Ok(())
    })?;
    assert_eq!(contents.records, records.len() as u64);
    Ok((records, contents))
}

/// Gives a few bytes at a time, interrupted now and then.
struct Trickle<'a> {
    text: &'a [u8],
    interrupted: bool,
}

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = self.text.len().min(into.len()).min(3);
        into[..length].copy_from_slice(&self.text[..length]);
        self.text = &self.text[length..];
        Ok(length)
    }
}

#[test]
fn every_layout_of_an_answer_is_read() {
    let layouts = [
        r#"{"meta": {"generated": 1753333333.5}, "data": [{"id": 1}, {"id": 2}]}"#,
        r#"{"data":[{"id":1},{"id":2}],"meta":{"generated":1753333333.5}}"#,
        "\r\n{ \"new\" : [ {\"a\":\"]}\\\"\"} ] ,\t\"data\" : [ {\"id\" : 1} , {\"id\" : 2} ] ,\"meta\":{\"generated\":1753333333.5}, \"n\":1 }\n\n",
        r#"[{"id": 1}, {"id": 2}]"#,
        r#"{"d\u0061ta": [{"\u0069d": 1}, {"id": 2}], "meta": {"generated": 1753333333.5}}"#,
    ];
    for layout in layouts {
        for (records, contents) in [
            read_all(layout.as_bytes()).unwrap(),
            read_from(Trickle { text: layout.as_bytes(), interrupted: false }).unwrap(),
        ] {
            assert_eq!(records.iter().map(|record| record.id).collect::<Vec<_>>(), [1, 2], "{layout}");
            assert_eq!(contents.bytes, layout.len() as u64);
            let expected = (!layout.starts_with('[')).then_some(1_753_333_333_500);
            assert_eq!(contents.generated.map(|time| time.timestamp_millis()), expected);
        }
    }
}

#[test]
fn an_empty_list_is_an_answer() {
    for text in ["[]", r#"{"data": [ ], "meta": {}}"#, r#"{"meta": {"generated": "now"}, "data": []}"#] {
        let (records, contents) = read_all(text.as_bytes()).unwrap();
        assert_eq!((records, contents.generated, contents.unusable), (vec![], None, vec![]));
    }
}

#[test]
fn a_whole_number_of_seconds_is_a_time() {
    let (_, contents) = read_all(br#"{"meta": {"generated": 1753333333}, "data": []}"#).unwrap();
    assert_eq!(contents.generated.unwrap().timestamp(), 1_753_333_333);
    for generated in [
        "-1e300",
        "1e300",
        "9223372036854775807",
        "-9223372036854775808",
        "null",
        "[]",
        "1e999",
        r#""\ud800""#,
    ] {
        let text = format!(r#"{{"meta": {{"generated": {generated}}}, "data": []}}"#);
        assert_eq!(read_all(text.as_bytes()).unwrap().1.generated, None);
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    let texts = [
        "<html><body>Sign in</body></html>",
        "null",
        "\"data\"",
        "{}",
        r#"{"message": "maintenance"}"#,
        r#"{"data": {"id": 1}}"#,
        r#"{"data": null}"#,
        r#"{"data": [], "data": []}"#,
        r#"{"data": []} {}"#,
        "[{\"id\": 1},]",
        "[{\"id\": 1} {\"id\": 2}]",
        "[{\"id\": 1}}",
        "[{\"id\": 1]]",
        "[{\"id\": 01}]",
        "[{'id': 1}]",
        "[{\"id\": NaN}]",
        "[nul]",
        "[\"a\u{1}\"]",
        "{data: []}",
        "{\"data\"; []}",
        "]",
        "[}]",
    ];
    for text in texts {
        match read_all(text.as_bytes()) {
            Err(ReadError::Malformed { at, .. }) => assert!(at <= text.len() as u64),
            other => panic!("{text}: {other:?}"),
        }
    }
    let Err(ReadError::Malformed { excerpt, .. }) = read_all(texts[0].as_bytes()) else { panic!() };
    assert_eq!(excerpt, texts[0]);
}

#[test]
fn a_cut_is_noticed_wherever_it_is() {
    let text = r#" {"meta": {"generated": 1.5}, "data": [{"id": 1, "name": "a\"\\"}, {"id": 2}, 3, "x"]}"#
        .as_bytes();
    for end in 0..text.len() {
        match read_all(&text[..end]) {
            Err(ReadError::Cut { bytes }) => assert_eq!(bytes, end as u64),
            other => panic!("{end}: {other:?}"),
        }
    }
    read_all(text).unwrap();
}

#[test]
fn one_bad_element_does_not_cost_the_others() {
    let long = format!("{{\"id\": \"\u{7f}{}\"}}", "5".repeat(5000));
    let elements = [
        r#"{"id": 1}"#,
        r#"{"id": "2", "updated": "2024-02-29T00:00:00Z", "name": "no number"}"#,
        "[3]",
        "null",
        r#"{"id": 1e999, "updated": "2024-02-29T00:00:00Z", "info_prefixes4": 1e999}"#,
        &long,
        r#"{"name": "no id"}"#,
        r#"{"id": 8}"#,
    ];
    let (records, contents) = read_all(format!("[{}]", elements.join(",")).as_bytes()).unwrap();
    assert_eq!(records.iter().map(|record| record.id).collect::<Vec<_>>(), [1, 8]);
    let unusable = &contents.unusable;
    assert_eq!(unusable.iter().map(|unusable| unusable.position).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(unusable[0].updated.unwrap().timestamp(), 1_709_164_800);
    assert_eq!(unusable[0].excerpt, elements[1]);
    assert_eq!(unusable[3].why, "its id is no whole number of 64 bits");
    assert_eq!(unusable[3].updated, unusable[0].updated);
    assert_eq!(unusable[4].excerpt, format!("{{\"id\": \" {}", "5".repeat(191)));
}

#[test]
fn a_value_that_cannot_be_held_is_kept_as_text() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let text = format!(
        r#"[{{"id": 1, "asn": 64500, "name": 1e400, "info_prefixes4": -1e400 , "social_media": {deep},
        "new": {{"a": [1e400, "\u0000"]}}, "_absent": 1e400, "created": 1e400, "status": 1e400, "aka": "\ud800",
        "updated": "2024-02-29T00:00:00Z"}}, {{"id": 2, "updated": 1e400}}]"#
    );
    let (records, contents) = read_all(text.as_bytes()).unwrap();
    assert_eq!(contents.unusable, []);
    let record = &records[0];
    let value = |field| &record.values[Namespace::Net.position(field).unwrap()];
    assert_eq!(*value("asn"), Value::Integer(64500));
    assert_eq!(*value("aka"), Value::Text("\u{fffd}".to_owned()));
    for field in ["name", "info_prefixes4", "social_media"] {
        assert_eq!(*value(field), Value::Null);
    }
    assert_eq!((record.updated.timestamp(), &record.status), (1_709_164_800, &Status::Ok));
    assert_eq!(record.created.timestamp(), 0);
    let expected = json!({
        "id": 1, "asn": 64500, "name": "1e400", "info_prefixes4": "-1e400", "social_media": deep,
        "new": r#"{"a": [1e400, "\u0000"]}"#, "_absent": "1e400", "created": "1e400", "status": "1e400",
        "aka": "\u{fffd}", "updated": "2024-02-29T00:00:00Z",
    });
    assert_eq!(Json::Object(to_json(Namespace::Net, record)), expected);
    for field in ["name", "info_prefixes4", "social_media", "new", "_absent", "created", "status"] {
        let kept = Alteration::KeptAsText { field: field.to_owned() };
        assert_eq!(record.alterations.iter().filter(|told| **told == kept).count(), 1, "{field}");
    }
    assert!(record.alterations.contains(&Alteration::TextRepaired));
    assert_eq!(
        record.alterations.iter().find(|told| told.to_string().starts_with("name")).unwrap().to_string(),
        "name kept as text: a number in it is out of range, or it is nested too deep"
    );
    assert_eq!(records[1].updated.timestamp(), 0);
}

#[test]
fn what_is_kept_can_be_read_again() {
    for depth in 120..135 {
        let text =
            format!(r#"[{{"id": 1, "asn": 1e400, "new": {}{}}}]"#, "[".repeat(depth), "]".repeat(depth));
        let (records, _) = read_all(text.as_bytes()).unwrap();
        let extra = records[0].extra.as_ref().unwrap();
        let stored = serde_json::to_string(extra).unwrap();
        assert_eq!(serde_json::from_str::<Json>(&stored).unwrap(), Json::Object(extra.clone()), "{depth}");
    }
}

#[test]
fn what_is_shown_of_broken_input_is_short_and_has_no_control_characters() {
    let broken = format!("[{{\"id\": 1}}\0\u{1b}[2J\u{9b}\r\n{}", "é".repeat(1000));
    let Err(error) = read_all(broken.as_bytes()) else { panic!() };
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    let ReadError::Malformed { excerpt, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*excerpt, format!("  [2J   {}", "é".repeat(192)));

    let (_, contents) = read_all(b"[[1,\n\t\r2]]").unwrap();
    assert_eq!(contents.unusable[0].excerpt, "[1,   2]");
}

#[test]
fn halves_of_characters_are_replaced_and_told() {
    let mut text = br#"[{"id": 1, "name": "a\ud800", "aka": "\ud83d\ude00"}, {"id": 2, "name": ""#.to_vec();
    text.extend_from_slice(b"\xff\xfe\"}]");
    let (records, contents) = read_all(&text).unwrap();
    assert_eq!(contents.unusable, []);
    let at = |field| Namespace::Net.position(field).unwrap();
    assert_eq!(records[0].values[at("name")], Value::Text("a\u{fffd}".to_owned()));
    assert_eq!(records[0].values[at("aka")], Value::Text("\u{1f600}".to_owned()));
    assert_eq!(records[1].values[at("name")], Value::Text("\u{fffd}\u{fffd}".to_owned()));
    assert!(records.iter().all(|record| record.alterations.contains(&Alteration::TextRepaired)));
}

#[test]
fn a_list_of_anything_else_is_refused_early() {
    let text = format!("[{}", "1,".repeat(10_001));
    assert!(matches!(read_all(text.as_bytes()), Err(ReadError::Malformed { .. })));
}

#[test]
fn the_last_of_equal_keys_counts() {
    let (records, _) = read_all(br#"[{"id": 1, "asn": "x", "z": 1, "asn": 5, "z": 2, "id": 9}]"#).unwrap();
    let json = to_json(Namespace::Net, &records[0]);
    assert_eq!(Json::Object(json), json!({"id": 9, "asn": 5, "z": 2}));
    assert_eq!(records[0].values[Namespace::Net.position("asn").unwrap()], Value::Integer(5));
    let (records, _) =
        read_all(br#"[{"id": 1e400, "asn": 1e400, "id": 9, "name": "x", "asn": 5, "name": 1e400}]"#).unwrap();
    let json = to_json(Namespace::Net, &records[0]);
    assert_eq!(Json::Object(json), json!({"id": 9, "asn": 5, "name": "1e400"}));
}

#[test]
fn records_come_in_batches() {
    let list = |count: i64, notes: usize| {
        let records: Vec<_> = (0..count).map(|id| json!({"id": id, "notes": "n".repeat(notes)})).collect();
        let mut sizes = Vec::new();
        let text = serde_json::to_vec(&records).unwrap();
        read(Namespace::Net, text.as_slice(), &mut |batch| {
            sizes.push(batch.len());
            Ok(())
        })
        .unwrap();
        sizes
    };
    assert_eq!(list(1100, 0), [500, 500, 100]);
    assert_eq!(list(5, 600_000), [2, 2, 1]);
}

#[test]
fn reading_ends_when_nobody_takes_the_records() {
    let text = format!("[{}", r#"{"id": 1},"#.repeat(2000));
    let mut batches = 0;
    let result = read(Namespace::Net, text.as_bytes(), &mut |_| {
        batches += 1;
        Err(SinkClosed)
    });
    assert!(matches!(result, Err(ReadError::SinkClosed(SinkClosed))));
    assert_eq!(batches, 1);
}

/// Everything that reading `text` gives people to read.
fn shown(text: &[u8]) -> String {
    match read_all(text) {
        Ok((records, contents)) => {
            let told = records.iter().flat_map(|record| &record.alterations).map(ToString::to_string);
            let unusable = contents.unusable.into_iter().flat_map(|one| [one.why, one.excerpt]);
            told.chain(unusable).collect()
        }
        Err(error) => error.to_string(),
    }
}

/// A valid answer with some bytes replaced, removed or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let text = br#"{"meta": {"generated": 1.5}, "data": [{"id": 1, "asn": 64500, "name": "a\u0000\"\\ \ud83d\ude00", "social_media": [{"a": null}], "info_unicast": true, "updated": "2024-02-29T00:00:00Z", "new": -1.5e3}, {"id": 2}]}"#;
    let change = (
        any::<prop::sample::Index>(),
        0..4_u8,
        prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), Just(b'}')],
    );
    proptest::collection::vec(change, 1..6).prop_map(|changes| {
        let mut text = text.to_vec();
        for (at, change, byte) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match change {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => {
                    text.remove(at);
                }
                _ => text.truncate(at.max(1)),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let record = |before: &[u8], after: &[u8]| [before, text.as_slice(), after].concat();
        for text in [text.clone(), record(b"[{\"id\":1,\"name\":\"", b"\"}]"), record(b"[{\"", b"\":1e400,\"id\":1}]")] {
            prop_assert!(!shown(&text).contains(char::is_control));
        }
    }

    #[test]
    fn broken_answers_are_survived_and_not_misread(text in mutated()) {
        let ours = read_all(&text);
        // Whatever another parser takes, this one takes too.
        if let Ok(json) = serde_json::from_slice::<Json>(&text)
            && let Some(list) = json.get("data").and_then(Json::as_array)
            && !String::from_utf8_lossy(&text).contains("data\": [], \"data")
        {
            let (records, contents) = ours.unwrap();
            prop_assert_eq!(records.len() + contents.unusable.len(), list.len());
        }
    }
}
