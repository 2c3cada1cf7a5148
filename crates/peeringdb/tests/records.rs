//! A JSON object becomes a record and the same object again, whatever is in it.

use pm_peeringdb::{Alteration, Exported, Kind, Namespace, NoId, Record, Status, Value, parse, to_json};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

/// A record of which every field is as the API sends it.
fn usual(namespace: Namespace) -> Map<String, Json> {
    let mut map = object(json!({
        "id": 7, "created": "2010-07-29T00:00:00Z", "updated": "2024-02-29T23:59:59Z", "status": "ok"
    }));
    for field in namespace.fields() {
        map.insert(field.name.to_owned(), fitting(field.kind));
    }
    map
}

fn fitting(kind: Kind) -> Json {
    match kind {
        Kind::Integer => json!(64500),
        Kind::Boolean => json!(true),
        Kind::Float => json!(-0.127_758),
        Kind::Text => json!("Zürich 東京 \u{1f600}"),
        Kind::Time => json!("2021-09-22T00:06:59Z"),
        Kind::Json => json!([{"service": "website", "identifier": "https://example.net"}]),
        Kind::Ipv4 => json!("192.0.2.1"),
        Kind::Ipv6 => json!("2001:db8::1"),
        Kind::Prefix => json!("2001:db8::/64"),
        Kind::Mac => json!("00:00:5e:00:53:AF"),
    }
}

fn read(namespace: Namespace, map: &Map<String, Json>) -> Record {
    let record = parse(namespace, map.clone()).unwrap();
    assert_eq!(record.values.len(), namespace.fields().len());
    assert_eq!(&to_json(namespace, &record), map);
    let exported = serde_json::to_value(Exported { namespace, record: &record }).unwrap();
    assert_eq!(exported, Json::Object(map.clone()));
    record
}

#[test]
fn usual_records_fit() {
    for namespace in Namespace::ALL {
        let record = read(namespace, &usual(namespace));
        assert_eq!((record.id, &record.status), (7, &Status::Ok));
        assert_eq!(record.updated.timestamp(), 1_709_251_199);
        assert_eq!((record.extra, record.alterations), (None, vec![]), "{namespace}");
        assert!(record.values.iter().all(|value| *value != Value::Null), "{namespace}");
    }
}

#[test]
fn null_fits_every_field_that_is_always_sent() {
    for namespace in Namespace::ALL {
        let mut map = usual(namespace);
        for field in namespace.fields().iter().filter(|field| !field.optional) {
            map.insert(field.name.to_owned(), Json::Null);
        }
        let record = read(namespace, &map);
        assert_eq!((record.extra, record.alterations), (None, vec![]), "{namespace}");
    }
}

#[test]
fn a_field_may_be_left_out_or_null() {
    let fields = Namespace::ALL
        .into_iter()
        .flat_map(|namespace| namespace.fields().iter().map(move |field| (namespace, field)));
    for (namespace, field) in fields {
        let mut map = usual(namespace);
        map.remove(field.name);
        let absent = read(namespace, &map);
        assert_eq!(absent.values[namespace.position(field.name).unwrap()], Value::Null);
        map.insert(field.name.to_owned(), Json::Null);
        let null = read(namespace, &map);
        let (expected_absent, expected_null) = if field.optional {
            (None, Some(object(json!({field.name: null}))))
        } else {
            (Some(object(json!({"_absent": [field.name]}))), None)
        };
        assert_eq!(
            (absent.extra, null.extra),
            (expected_absent, expected_null),
            "{namespace} {}",
            field.name
        );
    }
}

#[test]
fn what_does_not_fit_is_kept_beside_the_nearest_value() {
    let address = |text: &str| Value::Address(text.parse().unwrap());
    let prefix = |text: &str| Value::Prefix(text.parse().unwrap());
    let time = |text: &str| Value::Time(text.parse().unwrap());
    let cases = [
        (Namespace::Netixlan, "is_rs_peer", json!("yes"), Value::Null),
        (Namespace::Netixlan, "is_rs_peer", json!(1), Value::Null),
        (Namespace::Netixlan, "speed", json!(9_223_372_036_854_775_808_u64), Value::Null),
        (Namespace::Netixlan, "speed", json!(1e30), Value::Null),
        (Namespace::Netixlan, "speed", json!(1000.0), Value::Null),
        (Namespace::Netixlan, "speed", json!("1000"), Value::Null),
        (Namespace::Netixlan, "speed", json!([1000]), Value::Null),
        (Namespace::Netixlan, "ipaddr4", json!("2001:db8::1"), Value::Null),
        (Namespace::Netixlan, "ipaddr4", json!("192.0.2.01"), Value::Null),
        (Namespace::Netixlan, "ipaddr4", json!("192.0.2.1/24"), Value::Null),
        (Namespace::Netixlan, "ipaddr4", json!(""), Value::Null),
        (Namespace::Netixlan, "ipaddr6", json!("192.0.2.1"), Value::Null),
        (Namespace::Netixlan, "ipaddr6", json!("2001:DB8:0::1"), address("2001:db8::1")),
        (Namespace::Ixpfx, "prefix", json!("192.0.2.1/24"), prefix("192.0.2.0/24")),
        (Namespace::Ixpfx, "prefix", json!("2001:DB8::/64"), prefix("2001:db8::/64")),
        (Namespace::Ixpfx, "prefix", json!("192.0.2.0"), Value::Null),
        (Namespace::Ixpfx, "prefix", json!("192.0.2.0/33"), Value::Null),
        (Namespace::Ixlan, "arp_sponge", json!("0000.5e00.5301"), Value::Null),
        (Namespace::Ixlan, "arp_sponge", json!("é:00:5e:00:53:01"), Value::Null),
        (Namespace::Org, "latitude", json!(52), Value::Float(52.0)),
        (Namespace::Org, "latitude", json!("52.3"), Value::Null),
        (Namespace::Org, "social_media", json!("none"), Value::Null),
        (Namespace::Org, "name", json!({"en": "name"}), Value::Null),
        (Namespace::Net, "poc_updated", json!("2024-02-30T00:00:00Z"), Value::Null),
        (Namespace::Net, "poc_updated", json!("2024-02-29"), Value::Null),
        (Namespace::Net, "poc_updated", json!("9999-12-31T23:59:59-01:00"), Value::Null),
        (Namespace::Net, "poc_updated", json!("2016-12-31T23:59:60Z"), time("2016-12-31T23:59:60Z")),
        (Namespace::Net, "poc_updated", json!("2024-02-29T01:02:03.25Z"), time("2024-02-29T01:02:03.25Z")),
        (Namespace::Net, "poc_updated", json!("2024-02-29T01:02:03+01:00"), time("2024-02-29T00:02:03Z")),
        (Namespace::Net, "poc_updated", json!("2024-02-29t01:02:03z"), time("2024-02-29T01:02:03Z")),
    ];
    for (namespace, field, sent, nearest) in cases {
        let mut map = usual(namespace);
        map.insert(field.to_owned(), sent.clone());
        let record = read(namespace, &map);
        assert_eq!(record.values[namespace.position(field).unwrap()], nearest, "{field} {sent}");
        assert_eq!(record.extra, Some(object(json!({field: sent}))));
        assert!(
            matches!(&record.alterations[..], [Alteration::KeptAsSent { field: named, .. }] if named == field),
            "{:?}",
            record.alterations
        );
    }
}

#[test]
fn records_without_usable_times_or_status_are_kept() {
    let cases = [
        ("created", json!(null)),
        ("updated", json!("soon")),
        ("status", json!(3)),
        ("status", json!(null)),
        ("status", json!(["deleted"])),
    ];
    for (key, sent) in cases {
        let mut map = usual(Namespace::Org);
        map.insert(key.to_owned(), sent.clone());
        let record = read(Namespace::Org, &map);
        assert_eq!((record.alterations.len(), &record.status), (1, &Status::Ok), "{key}");
        assert_eq!(record.extra, Some(object(json!({key: sent}))));
        map.remove(key);
        let record = read(Namespace::Org, &map);
        assert_eq!(record.alterations.len(), 1, "{key}");
        assert_eq!(record.extra, Some(object(json!({"_absent": [key]}))));
        match key {
            "created" => assert_eq!(record.created.timestamp(), 0),
            "updated" => assert_eq!(record.updated.timestamp(), 0),
            _ => {
                assert_eq!(
                    (record.status, &record.alterations[..]),
                    (Status::Ok, &[Alteration::NoStatus][..])
                );
            }
        }
    }
}

#[test]
fn a_status_that_is_not_known_is_not_taken_for_another() {
    for text in ["retired", "OK", ""] {
        let mut map = usual(Namespace::Org);
        map.insert("status".to_owned(), json!(text));
        let record = read(Namespace::Org, &map);
        assert_eq!((record.status, record.alterations), (Status::Other(text.to_owned()), vec![]));
    }
}

#[test]
fn alterations_can_be_shown() {
    let mut map = usual(Namespace::Org);
    map.insert(format!("\u{1b}[2J\n\0{}", "x".repeat(1000)), json!(1));
    let record = parse(Namespace::Org, map).unwrap();
    assert_eq!(
        record.alterations[0].to_string(),
        format!(" [2J {} held NUL characters, which were removed", "x".repeat(195))
    );
    let mut map = usual(Namespace::Org);
    map.insert("status".to_owned(), Json::Null);
    let record = parse(Namespace::Org, map).unwrap();
    assert_eq!(record.alterations[0].to_string(), "status kept as sent: no text, the record counts as live");
}

#[test]
fn unknown_keys_are_kept_even_those_that_look_like_ours() {
    let mut map = usual(Namespace::Carrierfac);
    map.remove("name");
    for key in ["_absent", "__absent", "__absent_", "absent", "", "ix_id", "Name"] {
        map.insert(key.to_owned(), json!([key]));
    }
    let record = read(Namespace::Carrierfac, &map);
    assert_eq!(record.extra.unwrap()["_absent"], json!(["name"]));
    assert_eq!(record.alterations, []);
}

#[test]
fn nul_characters_are_removed_and_told() {
    let mut map = usual(Namespace::Net);
    map.insert("notes".to_owned(), json!("a\0b\0"));
    map.insert("social_media".to_owned(), json!([{"ser\0vice": ["\0x"]}]));
    map.insert("new\0".to_owned(), json!(1));
    let record = parse(Namespace::Net, map).unwrap();
    let clear = to_json(Namespace::Net, &record);
    assert_eq!(clear["notes"], json!("ab"));
    assert_eq!(clear["social_media"], json!([{"service": ["x"]}]));
    assert_eq!(record.extra, Some(object(json!({"new": 1}))));
    let removed = |field: &str| Alteration::NulRemoved { field: field.to_owned() };
    assert_eq!(record.alterations.len(), 3);
    assert!(
        ["notes", "social_media", "new"].iter().all(|field| record.alterations.contains(&removed(field)))
    );
}

#[test]
fn a_record_needs_a_whole_number_as_id() {
    for id in [json!(null), json!("7"), json!(7.0), json!(18_446_744_073_709_551_615_u64), json!([7])] {
        let mut map = usual(Namespace::Poc);
        map.insert("id".to_owned(), id);
        assert_eq!(parse(Namespace::Poc, map), Err(NoId::NoInteger));
    }
    let mut map = usual(Namespace::Poc);
    map.remove("id");
    assert_eq!(parse(Namespace::Poc, map), Err(NoId::Absent));
}

#[test]
fn fields_and_references_agree() {
    for namespace in Namespace::ALL {
        assert_eq!(namespace.as_str().parse(), Ok(namespace));
        assert_eq!(serde_json::to_value(namespace).unwrap(), json!(namespace.as_str()));
        for parent in namespace.parents() {
            let field = namespace.fields()[namespace.position(parent.field).unwrap()];
            assert_eq!(field.kind, Kind::Integer, "{namespace}.{}", field.name);
            assert!(!(parent.required && field.optional), "{namespace}.{}", field.name);
            assert!(parent.to < namespace, "{namespace} comes before its parent {}", parent.to);
        }
        let mut names: Vec<_> = namespace.fields().iter().map(|field| field.name).collect();
        names.extend(["id", "status", "created", "updated"]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), namespace.fields().len() + 4, "{namespace}");
    }
}

#[test]
fn real_pages_fit() {
    #[expect(clippy::disallowed_methods, reason = "the one setting of this test")]
    let Some(folder) = std::env::var_os("EXTRA_CASES") else {
        println!("skipped: EXTRA_CASES not set");
        return;
    };
    let pages = std::path::Path::new(&folder).join("peeringdb/pages");
    let mut records = 0;
    for page in std::fs::read_dir(pages).unwrap() {
        let path = page.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let namespace: Namespace = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let text = std::fs::read(&path).unwrap();
        let mut page: Json = serde_json::from_slice(&text).unwrap();
        let mut read = Vec::new();
        let contents = pm_peeringdb::read(namespace, text.as_slice(), &mut |mut batch| {
            read.append(&mut batch);
            Ok(())
        })
        .unwrap();
        assert_eq!((contents.unusable, contents.bytes), (vec![], text.len() as u64));
        assert!(contents.generated.is_some());
        let sent = page["data"].as_array_mut().unwrap();
        assert_eq!(sent.len(), read.len());
        records += read.len();
        for (sent, record) in sent.iter().zip(&read) {
            assert_eq!(Json::Object(to_json(namespace, record)), *sent);
            assert_eq!((&record.extra, &record.alterations), (&None, &vec![]), "{namespace} {}", record.id);
        }
    }
    println!("{records} records");
    assert!(records > 0);
}

fn any_json() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        any::<String>(),
        "[0-9a-f:.]{0,12}(/[0-9]{1,3})?",
        "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|z|[+-][0-9]{2}:[0-9]{2})?",
        "([0-9A-Fa-f]{2}[:-]){5}[0-9a-f]{2}",
        proptest::sample::select(&[
            "",
            "yes",
            "null",
            "ok",
            "deleted",
            "2001:DB8::1",
            "::ffff:192.0.2.1",
            "a\0b"
        ])
        .prop_map(str::to_owned),
        any::<std::net::IpAddr>().prop_map(|address| address.to_string()),
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text.prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(any_key(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "_{0,3}absent", "[a-z\0]{1,4}"]
}

/// What must come back: `json` without NUL characters.
fn without_nul(json: &Json) -> Json {
    match json {
        Json::String(text) => Json::from(text.replace('\0', "")),
        Json::Array(items) => items.iter().map(without_nul).collect(),
        Json::Object(map) => {
            map.iter().map(|(key, item)| (key.replace('\0', ""), without_nul(item))).collect()
        }
        other => other.clone(),
    }
}

fn hostile() -> impl Strategy<Value = (Namespace, Map<String, Json>)> {
    proptest::sample::select(&Namespace::ALL[..]).prop_flat_map(|namespace| {
        let mut keys: Vec<&str> = namespace.fields().iter().map(|field| field.name).collect();
        keys.extend(["status", "created", "updated"]);
        let changed = proptest::collection::btree_map(
            proptest::sample::select(keys),
            proptest::option::weighted(0.9, any_json()),
            0..12,
        );
        let unknown = proptest::collection::btree_map(any_key(), any_json(), 0..3);
        (any::<i64>(), changed, unknown).prop_map(move |(id, changed, unknown)| {
            let mut map = usual(namespace);
            for (key, value) in changed {
                match value {
                    Some(value) => map.insert(key.to_owned(), value),
                    None => map.remove(key),
                };
            }
            map.extend(unknown.into_iter().filter(|(key, _)| key.replace('\0', "") != "id"));
            map.insert("id".to_owned(), Json::from(id));
            (namespace, map)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_comes_back((namespace, map) in hostile()) {
        let record = parse(namespace, map.clone()).unwrap();
        let expected = without_nul(&Json::Object(map.clone()));
        prop_assert_eq!(Json::Object(to_json(namespace, &record)), expected.clone());

        // Read as a whole, and value by value because one of them cannot be held.
        let mut in_pieces = serde_json::to_string(&[&map]).unwrap();
        in_pieces.insert_str(2, r#""beyond": 1e400,"#);
        let mut streamed = Vec::new();
        let contents = pm_peeringdb::read(namespace, in_pieces.as_bytes(), &mut |mut batch| {
            streamed.append(&mut batch);
            Ok(())
        });
        prop_assert_eq!(contents.unwrap().unusable, vec![]);
        let mut sent_back = to_json(namespace, &streamed[0]);
        prop_assert_eq!(sent_back.remove("beyond"), Some(Json::from("1e400")));
        prop_assert_eq!(Json::Object(sent_back), expected.clone());

        let text = serde_json::to_vec(&[&map]).unwrap();
        let mut streamed = Vec::new();
        let contents = pm_peeringdb::read(namespace, text.as_slice(), &mut |mut batch| {
            streamed.append(&mut batch);
            Ok(())
        });
        prop_assert_eq!(contents.unwrap().unusable, vec![]);
        let exported = serde_json::to_string(&Exported { namespace, record: &streamed[0] }).unwrap();
        prop_assert_eq!(serde_json::from_str::<Json>(&exported).unwrap(), expected);
    }
}
