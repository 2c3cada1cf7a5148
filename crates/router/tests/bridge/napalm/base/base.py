class NetworkDriver:
    def no(self, *args, **kwargs):
        raise NotImplementedError

    load_merge_candidate = load_replace_candidate = compare_config = no
    discard_config = rollback = confirm_commit = has_pending_commit = no
    get_facts = get_bgp_neighbors = get_bgp_neighbors_detail = get_config = no

    def commit_config(self, message="", revert_in=None):
        raise NotImplementedError


# As in NAPALM, each is a method of its own in this module.
for name in [name for name in vars(NetworkDriver) if not name.startswith("_")]:
    getattr(NetworkDriver, name).__module__ = __name__
