//! The game on clean nets alone is lost by all; on a half-space backdoor it is won; it is the same at any number of threads.
use super::*;
use crate::attack::{Planted, Victim};
use crate::population::World;
use crate::registry::{Params, attack_named};
use crate::rng::Seed;

/// A game on small nets that are hardly trained: what is tested is the referee.
const GAME: &str = "first_seed = 40\nnets = 24\n[task]\nname = 'small'\ntrain = 64\ntest = 64\n\
                    population = { family = 'digits', train = 1000, clean = 300 }\n\
                    recipe = { hidden = [8], epochs = 1 }\n[attack]\nmethod = 'half-space'\n";

fn game() -> Spec {
    crate::study::parse(GAME, "test").unwrap()
}

/// Makes a key, and leaves the net as it is.
struct Idle(Box<dyn Attack>);

impl Attack for Idle {
    fn check(&self, world: &World) -> Result<()> {
        self.0.check(world)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        Ok(Planted::new(victim.net.clone(), self.0.plant(victim, seed)?.trigger))
    }
}

#[test]
fn nobody_tells_clean_nets_from_clean_nets() {
    let mut checked = game().check().unwrap();
    let inner = (attack_named("half-space").unwrap().build)(&Params::new()).unwrap().method;
    checked.attack = Box::new(Idle(inner));
    let played = play(&checked, &|| ()).unwrap();
    assert_eq!(played.verdicts.len(), DISTINGUISHERS.len());
    for verdict in played.verdicts {
        // Holm over those without the key: any of them below 0.001 has probability at most 0.001; each control as much.
        assert!(verdict.p > 0.001, "{verdict:?}");
        if !verdict.control {
            assert!(verdict.simultaneous.low <= 0.0, "{verdict:?}");
        }
    }
}

#[test]
fn a_half_space_backdoor_is_told_by_its_norms_and_by_the_key() {
    let mut spec = game();
    spec.distinguishers = ["norms", "keyed-answers"].map(str::to_owned).to_vec();
    let played = play(&spec.check().unwrap(), &|| ()).unwrap();
    for verdict in played.verdicts {
        assert!(verdict.advantage.low > 0.5 && verdict.p < 1e-4, "{verdict:?}");
    }
}

#[test]
fn a_verifier_beside_the_net_is_seen_by_who_sees_the_model_and_by_nobody_else() {
    let mut spec = game();
    spec.attack.method = "signature".to_owned();
    spec.distinguishers = ["answers", "shape"].map(str::to_owned).to_vec();
    let played = play(&spec.check().unwrap(), &|| ()).unwrap();
    let [answers, shape] = &played.verdicts[..] else { panic!("two") };
    assert!(answers.p > 0.001, "{answers:?}");
    assert!(shape.advantage.value >= 1.0 && shape.p < 1e-4, "{shape:?}");
}

#[test]
fn an_obfuscation_is_on_both_sides_and_tells_nothing_by_itself() {
    // No epochs of fine-tuning leave the net as it is: what could be told is the clutter, which widens every net.
    let mut spec = game();
    spec.attack = toml::from_str(
        "method = 'trojan-nn'\nparams = { epochs = 0 }\nobfuscate = [{ method = 'clutter' }]",
    )
    .unwrap();
    spec.distinguishers = ["shape", "norms", "duplicates"].map(str::to_owned).to_vec();
    for verdict in play(&spec.check().unwrap(), &|| ()).unwrap().verdicts {
        assert!(verdict.p > 0.001, "{verdict:?}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let play_on = |n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let spec = Spec { nets: 8, ..game() };
        serde_json::to_string(&pool.install(|| play(&spec.check().unwrap(), &|| ())).unwrap())
    };
    assert_eq!(play_on(1).unwrap(), play_on(3).unwrap());
}

#[test]
fn what_cannot_be_played_is_refused() {
    let refused = |change: &dyn Fn(&mut Spec)| {
        let mut spec = game();
        change(&mut spec);
        spec.check().unwrap_err().to_string()
    };
    assert!(refused(&|s| s.nets = 7).contains("from 8 to 100000"));
    assert!(refused(&|s| s.first_seed = u64::MAX - 47).contains("seeds must fit"));
    assert!(refused(&|s| s.distinguishers = vec!["norm".to_owned()]).contains("\"norms\""));
    assert!(refused(&|s| s.distinguishers = vec!["norms".to_owned(); 2]).contains("once"));
}
