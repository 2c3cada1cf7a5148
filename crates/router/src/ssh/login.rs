//! Every way to log in, one after another.

use std::fmt::Write as _;
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Interactive};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, decode_secret_key};
use secrecy::ExposeSecret;

use super::Credentials;
use super::host_keys::Verifier;
use crate::{Error, Step};

/// How often a server may ask questions in one interactive login.
const ROUNDS: usize = 5;

struct Login<'a> {
    handle: &'a mut Handle<Verifier>,
    host: &'a str,
    credentials: &'a Credentials,
    /// Whether signatures with SHA-1 may be made.
    legacy: bool,
    /// What was tried, for the message.
    tried: Vec<String>,
    /// What the router says it takes; `None` until it was asked.
    offered: Option<Vec<MethodKind>>,
}

pub(super) async fn login(
    handle: &mut Handle<Verifier>,
    host: &str,
    credentials: &Credentials,
    legacy: bool,
) -> Result<(), Error> {
    let mut login = Login { handle, host, credentials, legacy, tried: Vec::new(), offered: None };
    if login.agent().await? || login.keys().await? || login.password().await? || login.interactive().await? {
        return Ok(());
    }
    let mut tried = if login.tried.is_empty() {
        "there are no credentials".to_owned()
    } else {
        format!("tried {}", login.tried.join(", "))
    };
    if let Some(offered) = &login.offered {
        let names: Vec<&str> = offered.iter().map(Into::into).collect();
        let _ = write!(tried, "; the router takes {}", names.join(", "));
    }
    Err(Error::Login { host: host.to_owned(), user: credentials.user.clone(), tried })
}

impl Login<'_> {
    fn lost(&self, error: &russh::Error) -> Error {
        Error::Lost { host: self.host.to_owned(), step: Step::Login, message: error.to_string() }
    }

    fn is_offered(&self, method: MethodKind) -> bool {
        self.offered.as_ref().is_none_or(|offered| offered.contains(&method))
    }

    /// Whether that was it; else what the router takes is noted.
    fn settled(&mut self, result: &AuthResult) -> Result<bool, Error> {
        match result {
            AuthResult::Success => Ok(true),
            AuthResult::Failure { remaining_methods, .. } => {
                if self.handle.is_closed() {
                    self.tried.push("then the router closed the connection".to_owned());
                    return Err(Error::Login {
                        host: self.host.to_owned(),
                        user: self.credentials.user.clone(),
                        tried: self.tried.join(", "),
                    });
                }
                self.offered = Some(remaining_methods.iter().copied().collect());
                Ok(false)
            }
        }
    }

    /// The hash for signatures with an RSA key. Very old servers know SHA-1 alone (`None`), and do not say so.
    async fn rsa_hash(&mut self) -> Result<Option<HashAlg>, Error> {
        let known = self.handle.best_supported_rsa_hash().await.map_err(|error| self.lost(&error))?.flatten();
        if known.is_none() && !self.legacy {
            self.tried.push("(signing with SHA-2, as the argument legacy_algorithms is not set)".to_owned());
            return Ok(Some(HashAlg::Sha512));
        }
        Ok(known)
    }

    async fn agent(&mut self) -> Result<bool, Error> {
        let Some(path) = &self.credentials.agent else { return Ok(false) };
        let identities = async {
            let mut agent = AgentClient::connect_uds(path).await?;
            let identities = agent.request_identities().await?;
            Ok::<_, russh::keys::Error>((agent, identities))
        };
        let (mut agent, identities) = match identities.await {
            Ok(found) => found,
            Err(error) => {
                self.tried.push(format!("the agent at {}, which does not answer: {error}", path.display()));
                return Ok(false);
            }
        };
        for identity in identities {
            let AgentIdentity::PublicKey { key, comment } = identity else { continue };
            if !self.is_offered(MethodKind::PublicKey) {
                break;
            }
            let hash = if key.algorithm().is_rsa() { self.rsa_hash().await? } else { None };
            self.tried.push(format!("the agent's key {comment}"));
            let user = self.credentials.user.clone();
            match self.handle.authenticate_publickey_with(user, key, hash, &mut agent).await {
                Ok(result) => {
                    if self.settled(&result)? {
                        return Ok(true);
                    }
                }
                Err(error) => self.tried.push(format!("which the agent did not sign with: {error}")),
            }
        }
        Ok(false)
    }

    async fn keys(&mut self) -> Result<bool, Error> {
        for key in &self.credentials.keys {
            if !self.is_offered(MethodKind::PublicKey) {
                break;
            }
            let passphrase = key.passphrase.as_ref().map(ExposeSecret::expose_secret);
            let key = match decode_secret_key(key.text.expose_secret(), passphrase) {
                Ok(key) => key,
                Err(error) => {
                    self.tried.push(format!("a private key that cannot be read: {error}"));
                    continue;
                }
            };
            self.tried.push(format!("the key {}", key.public_key().fingerprint(HashAlg::Sha256)));
            let hash = if key.algorithm().is_rsa() { self.rsa_hash().await? } else { None };
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            let result = self.handle.authenticate_publickey(self.credentials.user.clone(), key).await;
            let result = result.map_err(|error| self.lost(&error))?;
            if self.settled(&result)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn password(&mut self) -> Result<bool, Error> {
        let Some(password) = &self.credentials.password else { return Ok(false) };
        if !self.is_offered(MethodKind::Password) {
            return Ok(false);
        }
        self.tried.push("the password".to_owned());
        let result =
            self.handle.authenticate_password(self.credentials.user.clone(), password.expose_secret()).await;
        let result = result.map_err(|error| self.lost(&error))?;
        self.settled(&result)
    }

    /// The password as the answer to whatever is asked without echo.
    async fn interactive(&mut self) -> Result<bool, Error> {
        let Some(password) = &self.credentials.password else { return Ok(false) };
        if !self.is_offered(MethodKind::KeyboardInteractive) {
            return Ok(false);
        }
        self.tried.push("the password when asked for it".to_owned());
        let user = self.credentials.user.clone();
        let mut answer = self.handle.authenticate_keyboard_interactive_start(user.clone(), None).await;
        for _ in 0..ROUNDS {
            let prompts = match answer.map_err(|error| self.lost(&error))? {
                Interactive::Success => return Ok(true),
                Interactive::Failure { .. } => return Ok(false),
                Interactive::InfoRequest { prompts, .. } => prompts,
            };
            let replies = prompts
                .iter()
                .map(|prompt| if prompt.echo { user.clone() } else { password.expose_secret().to_owned() })
                .collect();
            answer = self.handle.authenticate_keyboard_interactive_respond(replies).await;
        }
        Ok(false)
    }
}
