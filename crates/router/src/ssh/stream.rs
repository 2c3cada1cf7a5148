//! A channel that stays open, for a protocol of its own.

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};

use super::{Bounds, Ssh};
use crate::{Error, Step};
use tokio::time::timeout;

/// What is at the other end of the channel.
#[derive(Clone, Copy)]
pub(crate) enum Service<'a> {
    /// A subsystem by its name.
    Subsystem(&'a str),
    /// A program by its command.
    Program(&'a str),
    /// What a person meets who logs in, at a terminal of this many columns.
    Terminal(u32),
}

/// A channel in both directions.
pub(crate) struct Stream {
    host: String,
    answers: ChannelReadHalf,
    questions: ChannelWriteHalf<Msg>,
}

impl Ssh {
    /// Opens a channel to a service; `None` if the router does not have it.
    pub(crate) async fn open(&self, bounds: Bounds, service: Service<'_>) -> Result<Option<Stream>, Error> {
        timeout(bounds.time, self.open_unbounded(bounds.step, service)).await.map_err(|_| Error::Timeout {
            host: self.host.clone(),
            step: bounds.step,
            limit: bounds.time,
        })?
    }

    async fn open_unbounded(&self, step: Step, service: Service<'_>) -> Result<Option<Stream>, Error> {
        let lost =
            |error: russh::Error| Error::Lost { host: self.host.clone(), step, message: error.to_string() };
        let channel = self.handle.channel_open_session().await.map_err(lost)?;
        let (mut answers, questions) = channel.split();
        match service {
            Service::Subsystem(name) => questions.request_subsystem(true, name).await,
            Service::Program(command) => questions.exec(true, command).await,
            Service::Terminal(columns) => {
                questions.request_pty(false, "vt100", columns, 1000, 0, 0, &[]).await.map_err(lost)?;
                questions.request_shell(true).await
            }
        }
        .map_err(lost)?;
        loop {
            match answers.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure | ChannelMsg::Close | ChannelMsg::Eof) => return Ok(None),
                Some(_) => {}
                None => {
                    return Err(Error::Lost {
                        host: self.host.clone(),
                        step,
                        message: "closed by the router".into(),
                    });
                }
            }
        }
        Ok(Some(Stream { host: self.host.clone(), answers, questions }))
    }
}

impl Stream {
    /// Sends octets. When this is dropped in the middle, a part of them is sent.
    pub(crate) async fn send(&self, step: Step, octets: Vec<u8>) -> Result<(), Error> {
        self.questions.data_bytes(octets).await.map_err(|error| self.lost(step, error.to_string()))
    }

    /// The next octets that come. Nothing is lost when this is dropped in the middle.
    pub(crate) async fn receive(&mut self, step: Step) -> Result<Vec<u8>, Error> {
        loop {
            match self.answers.wait().await {
                Some(ChannelMsg::Data { data }) => return Ok(data.to_vec()),
                Some(ChannelMsg::Eof | ChannelMsg::Close) | None => {
                    return Err(self.lost(step, "closed by the router".into()));
                }
                Some(_) => {}
            }
        }
    }

    fn lost(&self, step: Step, message: String) -> Error {
        Error::Lost { host: self.host.clone(), step, message }
    }
}
