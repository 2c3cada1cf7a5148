//! Templates of webhooks: over the context alone, with small limits.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use pm_config::Config;
use pm_render::{Environment, Limits, Source, Templates, World};

use super::context::Context;
use crate::render::{settings, undefined};

/// Steps that a template of a webhook may take.
const FUEL: u64 = 1_000_000;
/// Octets that it may make.
const OUTPUT: usize = 4 << 20;

/// Renders one template of a webhook; `what` names it in the error.
///
/// # Errors
/// What is wrong with the template: never a text that could be sent.
pub(super) fn render(
    config: &Config,
    what: &str,
    text: &str,
    context: &Context,
    now: DateTime<Utc>,
) -> Result<String, String> {
    let world = Arc::new(World::new(HashMap::new()));
    let limits = Limits { fuel: FUEL, output: OUTPUT, recursion: 20 };
    let environment =
        Environment::new(Arc::clone(&world), Templates::of(&world), settings(config), limits, now);
    let source = Source {
        name: what.to_owned(),
        text: text.to_owned(),
        trim: false,
        lstrip: false,
        undefined: undefined(config, text),
    };
    environment
        .render_values(context, &source)
        .map(|rendered| rendered.text)
        .map_err(|error| error.to_string())
}
