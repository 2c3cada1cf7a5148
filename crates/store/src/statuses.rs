//! What a session's status comes to. Above it stand the group of a direct session, the connection and the exchange of one at an
//! exchange, and the router; what is shut or at work on there is so for the session. Templates see the same
//! (`inherited_status`); whoever judges a router by its sessions looks here.

use crate::polls::SessionKind;

/// What is to become of a session on its router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// It is to go: disabled, or on its way out.
    Leaves,
    /// It is worked on, so it may be down. It is to stay in the configuration, or to come back.
    MayGoDown,
    /// It was asked for, or is being prepared. A router that has it already has it from elsewhere.
    NotYet,
    /// It is to be up.
    Stays,
}

impl Wish {
    /// Of the status that [`inherited`] gives.
    pub fn of(status: &str) -> Self {
        match status {
            "disabled" | "decommissioning" | "decommissioned" => Self::Leaves,
            "pre-maintenance" | "maintenance" | "post-maintenance" => Self::MayGoDown,
            "requested" | "provisioning" => Self::NotYet,
            _ => Self::Stays,
        }
    }

    /// Whether the router should have it. A session that is only asked for need not be there, nor one that is to go.
    pub const fn is_wanted(self) -> bool {
        matches!(self, Self::Stays | Self::MayGoDown)
    }
}

/// The SQL expression for the status of a session `s` with what stands above it, after the join of
/// [`SessionKind::connection`].
pub(crate) const fn inherited(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Direct => {
            "CASE WHEN s.status = 'disabled' THEN s.status ELSE COALESCE(\
             (SELECT above.status FROM peering_bgpgroup above WHERE above.id = s.bgp_group_id \
             AND above.status IN ('disabled', 'maintenance')), \
             (SELECT above.status FROM devices_router above WHERE above.id = s.router_id \
             AND above.status IN ('pre-maintenance', 'maintenance', 'post-maintenance')), s.status) END"
        }
        SessionKind::Ixp => {
            "CASE WHEN s.status = 'disabled' OR c.status = 'disabled' THEN 'disabled' ELSE COALESCE(\
             (SELECT above.status FROM peering_internetexchange above WHERE above.id = c.internet_exchange_point_id \
             AND above.status IN ('disabled', 'pre-maintenance', 'maintenance', 'post-maintenance')), \
             (SELECT above.status FROM devices_router above WHERE above.id = c.router_id \
             AND above.status IN ('pre-maintenance', 'maintenance', 'post-maintenance')), \
             CASE WHEN c.status IN ('pre-maintenance', 'maintenance', 'post-maintenance') THEN c.status END, s.status) END"
        }
    }
}
