//! The stand-ins for vendors' routers from the other side: NAPALM's own drivers and ncclient do with them what they do with
//! routers. So a mistake that our drivers and the stand-ins share would show. `scripts/test` installs both into `target/napalm`.
//!
//! What these clients cannot do here, and why:
//!
//! * NAPALM's `iosxr_netconf` knows no commit that must be confirmed (it raises `NotImplementedError`); ncclient does that.
//! * Its texts go into XML as they are: a candidate with `&` is refused by NAPALM itself, before anything is sent.
//! * NAPALM's `junos` undoes a change no more once it is confirmed: it goes back by one commit, and that is the confirmation.
//! * NAPALM's `eos` cannot confirm over another connection: the name of its session is in the object that made it.
//! * NAPALM's `junos` and `iosxr_netconf` take any host key, so that host keys are not looked at here.
//! * ncclient's own operations for Junos ask for what the stand-in refuses as well as Junos does without `rfc-compliant`
//!   (`get-config`); Junos's operations are sent as they are.

mod bridge;
mod client;
mod eos;
mod iosxr;
mod junos;

const PASSWORD: &str = "Planted-1";
