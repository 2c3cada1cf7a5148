//! What one daemon alone does, or must not.

use super::*;

/// The rules in the manual are those of the lab.
pub fn sudo_allows_no_more(lab: &Lab, commands: &[&str]) {
    for command in commands {
        let said = lab.on("router", &format!("su netops -c 'sudo -n {command}' 2>&1"));
        assert!(said.contains("password is required"), "{command}: {said}");
    }
}

/// A commit that BIRD does not take is not undone by undoing the one before it.
pub async fn bird_undoes_nothing_else(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap().expose().to_owned();
    let changed = with_new(router.kind(), &text);
    let change = commit(&router, &changed, 60).await.unwrap();
    router.confirm(&change).await.unwrap();
    lab.on("router", "touch /etc/bird/more.conf");
    let with_more = ConfigText::new(format!("{changed}include \"/etc/bird/more.conf\";\n"));
    let candidate = router.loader(How::Replace).unwrap().load(&with_more).await.unwrap();
    lab.on("router", "rm /etc/bird/more.conf");
    let refused = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    assert!(has(&router.neighbors().await.unwrap(), NEW));
    assert_eq!(router.running_config().await.unwrap().expose(), changed);
    assert_eq!(router.pending().await.unwrap(), None);
    router.roll_back(&change).await.unwrap();
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// Routes that cannot be counted, or not in time, are not no routes, and the neighbours are known all the same.
pub async fn openbgpd_does_not_show_its_routes(lab: &Lab) {
    let router = lab.connect_reading(READ).await;
    lab.on("router", "cp /usr/sbin/bgpctl /mnt/bgpctl && install -m 755 /dev/null /mnt/instead && mount --bind /mnt/instead /usr/sbin/bgpctl");
    for (instead, said) in [("exit 1", "could not be counted"), ("exec sleep 20", "longer than 8 s")] {
        let program =
            format!("#!/bin/sh\ncase \"$*\" in *rib*) {instead} ;; esac\nexec /mnt/bgpctl \"$@\"\n");
        lab.on("router", &format!("cat >/mnt/instead <<'X'\n{program}X"));
        let neighbors = router.neighbors().await.unwrap();
        assert_eq!(neighbors.neighbors.len(), 5);
        let good = neighbors.get("default", address(GOOD4)).unwrap().prefixes.get(&Family::Ipv4).unwrap();
        assert_eq!((good.received, good.accepted), (Some(20), None), "{instead}");
        assert!(neighbors.left_out.iter().any(|one| one.contains(said)), "{:?}", neighbors.left_out);
    }
    lab.on("router", "umount /usr/sbin/bgpctl");
    assert_eq!(router.neighbors().await.unwrap().left_out, Vec::<String>::new());
}

/// What fails once is tried again until what was there is there.
pub async fn openbgpd_cannot_replace_its_file(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap().expose().to_owned();
    let change = commit(&router, &with_new(router.kind(), &text), 20).await.unwrap();
    // A directory where the new file would be written.
    lab.on("router", "mkdir /etc/bgpd.conf.new");
    let log = format!("{}/restore.log", change.id);
    let begun = Instant::now();
    while !lab.on("router", &format!("cat {log}")).contains("bgpd.conf") {
        assert!(begun.elapsed().as_secs() < 90, "the timer does nothing");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(has(&router.neighbors().await.unwrap(), NEW));
    lab.on("router", "rm -r /etc/bgpd.conf.new");
    wait_until(&router, "the timer undoes the change", 60, |all| !has(all, NEW)).await;
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    nothing_waits(&router).await;

    // Nor when it commits, and what was there cannot be put back: that is tried until it can.
    let loader = router.loader(How::Replace).unwrap();
    let candidate = loader.load(&ConfigText::new(with_new(router.kind(), &text))).await.unwrap();
    lab.on("router", "mkdir /etc/bgpd.conf.new");
    let refused = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(refused.to_string().contains("still being undone"), "{refused}");
    assert!(router.pending().await.unwrap().is_some());
    lab.on("router", "rm -r /etc/bgpd.conf.new");
    nothing_waits(&router).await;
    assert!(!has(&router.neighbors().await.unwrap(), NEW));
    assert_eq!(router.running_config().await.unwrap().expose(), text);
}

/// `GoBGP` takes over what it can and says nothing of the rest: it is asked for what it has.
pub async fn gobgp_says_nothing(lab: &Lab) {
    let router = lab.connect().await;
    let text = router.running_config().await.unwrap().expose().to_owned();

    // One neighbour is changed, and one is written in another way.
    let one = text.replace("64509", "64599").replace("\"192.0.2.10\"", "'192.0.2.10' # shut");
    let change = commit(&router, &one, 60).await.unwrap();
    router.confirm(&change).await.unwrap();
    let neighbors = router.neighbors().await.unwrap();
    assert_eq!(neighbors.get("default", address("192.0.2.9")).unwrap().remote_as, Some(64599));
    router.roll_back(&change).await.unwrap();

    // Of several that are changed at once, it changes the first.
    let several =
        text.replace("Nobody there", "Nobody").replace("description = \"Shut\"", "description = \"Down\"");
    let refused = commit(&router, &several, 60).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    assert!(refused.to_string().contains("the description of neighbour 192.0.2."), "{refused}");
    assert_eq!(router.running_config().await.unwrap().expose(), text);
    assert_eq!(router.pending().await.unwrap(), None);
    let neighbors = router.neighbors().await.unwrap();
    let nobody = neighbors.get("default", address("192.0.2.9")).unwrap();
    assert_eq!(nobody.description.as_deref(), Some("Nobody there"));
    // Nor does it take over another AS of its own.
    let refused = commit(&router, &text.replacen("64500", "64501", 1), 60).await.unwrap_err();
    assert!(refused.to_string().contains("its own AS"), "{refused}");

    // Who comes by himself, from a range, is not in the configuration.
    let range = "\n[[peer-groups]]\n  [peer-groups.config]\n    peer-group-name = \"range\"\n    peer-as = 4200000004\n\
                 [[dynamic-neighbors]]\n  [dynamic-neighbors.config]\n    prefix = \"192.0.2.4/32\"\n    peer-group = \"range\"\n";
    let with_range = format!("{text}{range}");
    let change = commit(&router, &with_range, 60).await.unwrap();
    router.confirm(&change).await.unwrap();
    let neighbors = wait_until(&router, "one came by himself", 120, |all| is_up(all, NEW)).await;
    assert_eq!(neighbors.left_out, Vec::<String>::new());
    let change = commit(&router, &with_range.replace("Nobody there", "Nobody"), 60).await.unwrap();
    router.roll_back(&change).await.unwrap();
}

/// A part with a line that the daemon refuses leaves nothing behind, although FRR takes line by line.
pub async fn frr_takes_a_part(lab: &Lab) {
    let router = lab.connect().await;
    let loader = router.loader(How::Merge).unwrap();
    let before = router.running_config().await.unwrap();
    let good =
        "router bgp 64500\n neighbor 192.0.2.4 remote-as 4200000004\n neighbor 192.0.2.4 description New\n";
    // A peer group that does not exist is found by the daemon alone.
    let bad = format!("{good} neighbor 192.0.2.5 peer-group nowhere\n");
    let candidate = loader.load(&ConfigText::new(bad)).await.unwrap();
    let refused = candidate.commit(Duration::from_mins(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    assert_eq!(router.running_config().await.unwrap(), before);

    let candidate = loader.load(&ConfigText::new(good)).await.unwrap();
    assert_eq!(
        candidate.diff().text(),
        " router bgp 64500\n+neighbor 192.0.2.4 remote-as 4200000004\n+neighbor 192.0.2.4 description New\n"
    );
    let change = candidate.commit(Duration::from_mins(1)).await.unwrap();
    assert!(has(&router.neighbors().await.unwrap(), NEW));
    // Not on the disk before it is confirmed.
    assert!(!lab.on("router", "cat /etc/frr/frr.conf").contains(NEW));
    router.confirm(&change).await.unwrap();
    assert!(lab.on("router", "cat /etc/frr/frr.conf").contains(NEW));
    router.roll_back(&change).await.unwrap();
    assert_eq!(router.running_config().await.unwrap(), before);
}
