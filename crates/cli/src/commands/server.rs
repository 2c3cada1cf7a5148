//! `server`: answers over HTTP, and the part of it that `worker` and `run` have with `--listen`.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use pm_config::Config;
use pm_store::Store;
use pm_tasks::{Pulse, SystemClock};
use pm_web::Site;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{self, EXIT_OK};
use crate::commands::Shared;
use crate::output::Output;
use crate::service_manager;

/// Where `server` and `run` answer unless they are told otherwise: for this host alone.
pub(crate) const USUAL: &str = "127.0.0.1:8001";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = USUAL)]
    listen: SocketAddr,
}

pub(crate) async fn run(shared: &Shared, output: &Output, arguments: &Arguments) -> anyhow::Result<u8> {
    let (loaded, store) = app::open(shared, output).await?;
    let cancel = CancellationToken::new();
    let watcher = tokio::spawn(app::cancel_on_signal(cancel.clone()));
    let config = Arc::new(loaded.config);
    let door = listen(arguments.listen, &store, &config, Vec::new(), &cancel).await?;
    let telling = service_manager::tell(Vec::new(), cancel.clone());
    door.await?;
    watcher.abort();
    telling.end();
    store.close().await;
    Ok(EXIT_OK)
}

/// Begins to answer, until it is cancelled. `pulses` are those of the loops of this process.
pub(crate) async fn listen(
    address: SocketAddr,
    store: &Store,
    config: &Arc<Config>,
    pulses: Vec<Pulse>,
    cancel: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another with --listen"))?;
    // A port of 0 is one that is free.
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!("answers /health and /metrics on http://{address}");
    let site = Site {
        store: store.clone(),
        config: Arc::clone(config),
        clock: Arc::new(SystemClock),
        pulses,
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(tokio::spawn(pm_web::serve(listener, site, cancel.clone())))
}
