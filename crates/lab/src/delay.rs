//! A stretch of wire: what goes in comes out later, in order, and only so much fits in.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

/// What a piece takes up besides its bytes.
const OVERHEAD: usize = 64;

/// The other end is gone.
#[derive(Debug)]
pub(crate) struct Cut;

/// Where bytes go in.
#[derive(Debug)]
pub(crate) struct Entrance {
    room: Arc<Semaphore>,
    most: usize,
    pieces: mpsc::UnboundedSender<Piece>,
}

/// Where they come out.
#[derive(Debug)]
pub(crate) struct Exit {
    pieces: mpsc::UnboundedReceiver<Piece>,
}

/// Some bytes on their way. They take up room until this is dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    /// When it is to come out.
    pub(crate) due: Instant,
    _room: OwnedSemaphorePermit,
}

/// A stretch that holds so many bytes.
pub(crate) fn stretch(most: usize) -> (Entrance, Exit) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Entrance { room: Arc::new(Semaphore::new(most)), most, pieces: sender }, Exit { pieces: receiver })
}

impl Entrance {
    /// Says that nothing follows. That takes its time, too.
    pub(crate) async fn end(self, due: Instant) -> Result<(), Cut> {
        self.put(Bytes::new(), due).await
    }

    /// Puts bytes in, as soon as there is room. Bytes that are more than the whole stretch holds go in in parts.
    pub(crate) async fn send(&self, mut bytes: Bytes, due: Instant) -> Result<(), Cut> {
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(self.most / 4));
            self.put(part, due).await?;
        }
        Ok(())
    }

    async fn put(&self, bytes: Bytes, due: Instant) -> Result<(), Cut> {
        let size = u32::try_from(bytes.len() + OVERHEAD).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Cut)?;
        self.pieces.send(Piece { bytes, due, _room: room }).map_err(|_| Cut)
    }
}

impl Exit {
    /// The next piece, when it is due; none when the entrance is gone and everything came out.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        let piece = self.pieces.recv().await?;
        if piece.due > Instant::now() {
            sleep_until(piece.due).await;
        }
        Some(piece)
    }
}
