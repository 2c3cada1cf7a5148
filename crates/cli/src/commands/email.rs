//! `email` and `export-template`: rendering without a router.

use std::sync::Arc;

use clap::Subcommand;
use pm_store::objects::secrets::Keyring;
use pm_tasks::render;
use pm_tasks::{Clock as _, SystemClock};
use serde_json::json;

use super::peeringdb::parse_asn;
use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum EmailCommand {
    /// Render an e-mail; nothing is sent
    Render {
        /// Name or number of the stored e-mail template
        name: String,
        /// The autonomous system it is written to; with --network, the own one it is written from
        #[arg(long = "as", value_name = "ASN", value_parser = parse_asn)]
        asn: i64,
        /// The network in PeeringDB it is written to
        #[arg(long, value_name = "ASN", value_parser = parse_asn)]
        network: Option<i64>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Render an export template over the objects it is for
    Render {
        /// Name or number of the stored export template
        name: String,
    },
}

pub(crate) async fn email(shared: &Shared, output: &Output, command: EmailCommand) -> anyhow::Result<u8> {
    let EmailCommand::Render { name, asn, network } = command;
    let (loaded, store) = app::open(shared, output).await?;
    let keyring = Arc::new(Keyring::empty());
    let mail =
        render::email(&store, &loaded.config, &keyring, SystemClock.now(), &name, asn, network).await?;
    store.close().await;
    for warning in &mail.warnings {
        output.warning(warning);
    }
    if output.json {
        output.json(&mail)?;
    } else {
        output.octets(&format!("Subject: {}\n\n{}", mail.subject, mail.body));
    }
    Ok(EXIT_OK)
}

pub(crate) async fn export(shared: &Shared, output: &Output, command: ExportCommand) -> anyhow::Result<u8> {
    let ExportCommand::Render { name } = command;
    let (loaded, store) = app::open(shared, output).await?;
    let keyring = Arc::new(Keyring::empty());
    let rendering = render::export(&store, &loaded.config, &keyring, SystemClock.now(), &name).await?;
    store.close().await;
    for warning in &rendering.warnings {
        output.warning(warning);
    }
    if output.json {
        output.json(
            &json!({ "text": rendering.text, "input": rendering.input, "warnings": rendering.warnings }),
        )?;
    } else {
        output.octets(&rendering.text);
    }
    Ok(EXIT_OK)
}
