//! The changes of PeeringDB that importers stumble over, one function each. All of them happen in life, or could.
//!
//! A case picks its rows itself, among live ones that no other case of the same advance has taken. It says `None` if
//! the world has no fitting rows, which is possible in very small ones.

mod arrival;
mod identity;
mod lifecycle;
mod values;

use super::advance::Period;

/// One awkward case.
#[derive(Clone, Copy)]
pub struct Case {
    /// What the case is called, as in `/lab/advance?case=NAME`.
    pub name: &'static str,
    apply: fn(&mut Period<'_>) -> Option<()>,
}

impl Case {
    /// The case of this name.
    pub fn named(name: &str) -> Option<Self> {
        CASES.iter().find(|case| case.name == name).copied()
    }

    pub(super) fn apply(self, period: &mut Period<'_>) -> Option<()> {
        (self.apply)(period)
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$(Case { name: stringify!($name), apply: $module::$name }),*]
    };
}

/// Every case, in the order in which an awkward day has them. Those that must be the newest change come last.
pub const CASES: &[Case] = cases![
    arrival::same_second_as_newest,
    arrival::net_of_absent_org,
    arrival::netixlan_of_absent_net,
    arrival::poc_of_absent_net,
    arrival::children_before_parents,
    lifecycle::org_merged,
    lifecycle::ix_deleted,
    lifecycle::unseen_row_deleted,
    lifecycle::net_deleted_children_ok,
    lifecycle::row_undeleted,
    lifecycle::campus_pending,
    lifecycle::fac_in_unlisted_campus,
    identity::nets_exchange_names,
    identity::nets_rotate_asns,
    identity::asn_reused_old_first,
    identity::asn_reused_new_first,
    identity::prefix_moved_by_edit,
    identity::prefix_moved_old_first,
    identity::prefix_moved_new_first,
    identity::prefixes_exchanged,
    identity::netfac_recreated_old_first,
    identity::netfac_recreated_new_first,
    identity::addresses_exchanged,
    identity::address_moved_old_first,
    identity::address_moved_new_first,
    values::ipaddr4_null,
    values::both_addresses_null,
    values::net_side_set,
    values::ix_side_set,
    values::ix_side_absent,
    values::contact_hidden,
    values::new_enum_values,
    values::ix_name_of_90,
    values::seven_decimals,
    values::website_without_scheme,
    values::bad_email,
    values::huge_notes,
    values::nul_in_text,
    values::number_out_of_range,
    values::negative_number,
    values::name_null,
    values::ipv6_in_ipaddr4,
    values::bad_prefix,
    values::yes_for_boolean,
    values::mtu_1492,
    values::unknown_field,
    values::number_for_text,
    values::text_for_number,
    values::list_for_text,
    lifecycle::ix_deletion_is_newest,
    lifecycle::deletion_is_newest,
];
