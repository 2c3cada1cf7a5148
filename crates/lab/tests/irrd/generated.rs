//! Invented registries.

use pm_lab::irrd::World;

#[test]
fn a_seed_fixes_every_object() {
    let text = |seed| World::generate(0.01, seed).to_rpsl().to_owned();
    assert!(text(7) == text(7));
    assert!(text(7) != text(8));
}

#[test]
fn worlds_of_any_size_are_rpsl_with_all_sources() {
    for (scale, seed) in [(0.0, 1), (0.001, 2), (0.02, 3), (0.1, 4)] {
        let world = World::generate(scale, seed);
        assert_eq!(world.sources(), ["NTTCOM", "RADB", "RIPE", "ARIN", "APNIC", "ALTDB"]);
        assert_eq!(world.peers().len(), 200);
        let again = World::from_rpsl(world.to_rpsl()).unwrap();
        assert_eq!(again.objects(), world.objects());
        assert!(again.to_rpsl() == world.to_rpsl());
    }
}
