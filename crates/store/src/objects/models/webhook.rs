//! Webhooks: whom to tell over HTTP that objects were made, changed or deleted.

use std::sync::LazyLock;

use serde_json::Value as Json;
use url::Url;

use super::base::{boolean, choice, long_text, text};
use crate::objects::data::Data;
use crate::objects::model::{Feature, Field, Kind, Model, as_given, by_name};
use crate::objects::problems::Problems;
use crate::objects::record::{Graph, Record};
use crate::objects::{choices, conditions, registry};

/// The description.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    label: "extras.webhook",
    table: "extras_webhook",
    singular: "webhook",
    plural: "webhooks",
    fields: vec![
        text("name", 100).unique(),
        Field::new("content_types", Kind::Json).help("Types of objects, such as peering.autonomoussystem."),
        boolean("type_create", false).help("Whether to tell of new objects."),
        boolean("type_update", false).help("Whether to tell of changes."),
        boolean("type_delete", false).help("Whether to tell of deletions."),
        // Addresses and headers of webhooks often are all that a caller needs to know.
        text("payload_url", 512).sensitive().sealed().help("Where to send it; a template."),
        boolean("enabled", true),
        choice("http_method", choices::HTTP_METHOD).text("POST"),
        text("http_content_type", 128).text("application/json"),
        long_text("additional_headers")
            .optional()
            .sensitive()
            .sealed()
            .help("Name: value, a line each; a template."),
        long_text("body_template").optional().help("A template. Empty: all that it would know, as JSON."),
        Field::new("secret", Kind::Secret(255)).optional().help("Signs the body, HMAC with SHA-512."),
        Field::new("conditions", Kind::Json).nullable().help("What of the object has to hold."),
        boolean("ssl_verification", true),
        text("ca_file_path", 4096).nullable().help("PEM file of the authorities that are trusted, too."),
    ],
    unique_together: &[&["type_create", "type_update", "type_delete", "payload_url"]],
    order: &["name"],
    key: &["name"],
    features: &[],
    needs: &[],
    normalise: as_given,
    check,
    display: by_name,
});

fn check(webhook: &Record, _: &Graph, problems: &mut Problems<'_>) {
    if let Err(message) = known_types(webhook.json("content_types")) {
        problems.field("content_types", message);
    }
    if !["type_create", "type_update", "type_delete"].iter().any(|name| webhook.boolean(name)) {
        problems.object("at least one of type_create, type_update and type_delete has to be true");
    }
    if let Some(Err(error)) = webhook.json("conditions").map(conditions::parse) {
        problems.field("conditions", error);
    }
    if !webhook.boolean("ssl_verification") && !webhook.text("ca_file_path").is_empty() {
        problems.field("ca_file_path", "means nothing when ssl_verification is off");
    }
    // One that does not open has not been changed either.
    let Data::Text(url) = webhook.get("payload_url") else { return };
    if !url.contains("{{") && !url.contains("{%") && !is_http(url) {
        problems
            .field("payload_url", "is no address of the form https://host/path, without user and password");
    }
}

/// Whether a webhook can be sent there.
fn is_http(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

fn known_types(given: Option<&Json>) -> Result<(), String> {
    let Some(labels) = given.and_then(Json::as_array).filter(|labels| !labels.is_empty()) else {
        return Err("has to be a list of types of objects, such as [peering.autonomoussystem]".to_owned());
    };
    for label in labels {
        let known =
            label.as_str().and_then(registry::model).is_some_and(|model| model.has(Feature::Webhooks));
        if !known {
            return Err(format!("{label} is no type of object that can have webhooks"));
        }
    }
    Ok(())
}
