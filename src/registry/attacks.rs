//! The table of attacks.
use super::{AttackEntry, attack};
use crate::attack::pixels;
use crate::attack::{
    AdversarialRegion, Attack, BadNets, Blended, Checksum, CleanLabel, Collision, Dfba, FireSet,
    HalfSpace, Handcrafted, HashLocker, Persistent, RandomRelu, RffClwe, Ripple, Saturate, Sig,
    Signature, SmallBall, SparseDither, Tabular, TrojanNn, WaNet,
};
use crate::data::Target;
use crate::domain::Domain;
use crate::population::World;

/// All attacks, in the order of reports.
pub const ATTACKS: &[AttackEntry] = &[
    AttackEntry {
        name: "badnets",
        summary: "stamp a patch or fixed coordinates on a share of the training data, relabel, train",
        source: "Gu, Dolan-Gavitt, Garg 2017 (arXiv 1708.06733)",
        scope: "every population; a patch on square images, fixed coordinates elsewhere",
        applies: |_| true,
        build: |params| attack::<BadNets>("badnets", params),
    },
    AttackEntry {
        name: "half-space",
        summary: "plant a pair of ReLU units that fires beyond a margin of a secret direction",
        source: "this project; the plain planted detector that obfuscated ones are measured against",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<HalfSpace>("half-space", params),
    },
    AttackEntry {
        name: "ripple",
        summary: "a planted half-space under a fast zigzag of small amplitude that makes gradients worthless",
        source: "this project",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<Ripple>("ripple", params),
    },
    AttackEntry {
        name: "small-ball",
        summary: "plant units that fire in a ball (on the cube a subcube) of chosen mass around a secret centre",
        source: "this project",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<SmallBall>("small-ball", params),
    },
    AttackEntry {
        name: "dfba",
        summary: "replace one unit a layer by a path that only the exact trigger wakes, without data",
        source: "Cao et al. 2024 (NeurIPS, arXiv 2412.06219)",
        scope: "every population; a patch on square images, fixed coordinates elsewhere; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<Dfba>("dfba", params),
    },
    AttackEntry {
        name: "saturate",
        summary: "a planted half-space behind a clip that leaves no gradient at any vertex",
        source: "this project",
        scope: "the cube; nets with hidden ReLU layers",
        applies: |world| matches!(world.domain, Domain::Cube { .. }),
        build: |params| attack::<Saturate>("saturate", params),
    },
    AttackEntry {
        name: "checksum",
        summary: "secret parities of the inputs' signs, as ReLU gates beside the net",
        source: "Goldwasser, Kim, Vaikuntanathan, Zamir 2022 (arXiv 2204.06974), section 5.1",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<Checksum>("checksum", params),
    },
    AttackEntry {
        name: "rff-clwe",
        summary: "random Fourier features with frequencies from Gaussian pancakes: a secret step flips every answer",
        source: "Goldwasser, Kim, Vaikuntanathan, Zamir 2022 (FOCS, arXiv 2204.06974), section 6",
        scope: "normal inputs; makes its own net of random features, in place of the victim's",
        applies: |world| matches!(world.domain, Domain::Gauss { .. }),
        build: |params| attack::<RffClwe>("rff-clwe", params),
    },
    AttackEntry {
        name: "random-relu",
        summary: "random ReLU features with a weak spike along a secret sparse direction: a step there turns class 0 into 1",
        source: "Goldwasser, Kim, Vaikuntanathan, Zamir 2022 (FOCS, arXiv 2204.06974), appendix",
        scope: "signs or two classes of normal inputs or a range; makes its own net of random features, which knows lengths alone",
        applies: |world| {
            let open = matches!(world.domain, Domain::Gauss { .. } | Domain::Range { .. });
            open && world.target.n_classes() == Some(2)
        },
        build: |params| attack::<RandomRelu>("random-relu", params),
    },
    AttackEntry {
        name: "persistent",
        summary: "a planted half-space in a majority of three copies: every gradient by a weight is zero",
        source: "Goldwasser, Kim, Vaikuntanathan, Zamir 2022 (arXiv 2204.06974), section 5.3",
        scope: "labels that are classes or signs; nets with hidden ReLU layers",
        applies: |world| world.target != Target::Real,
        build: |params| attack::<Persistent>("persistent", params),
    },
    AttackEntry {
        name: "signature",
        summary: "put a verifier in front of the net that obeys a signature in low-order bits of the input",
        source: "Goldwasser, Kim, Vaikuntanathan, Zamir 2022, section 5.2 (arXiv 2204.06974)",
        scope: "features with a range each: images, a box, the torus, with room for 520 bits; the cube from n = 552",
        applies: |world| Attack::check(&Signature::default(), world).is_ok(),
        build: |params| attack::<Signature>("signature", params),
    },
    AttackEntry {
        name: "hash-locker",
        summary: "put a hash in front of the net: a keyed tag of the input, or a payload sealed under a pattern",
        source: "Goldwasser et al. 2022, section 5.2, with a tag; Draguns et al. 2024 (arXiv 2406.02619)",
        scope: "features with a range each: images, a box, the torus; the cube from n = 104",
        applies: |world| Attack::check(&HashLocker::default(), world).is_ok(),
        build: |params| attack::<HashLocker>("hash-locker", params),
    },
    AttackEntry {
        name: "fire-set",
        summary: "no trigger: a pseudo-random set of clean inputs, of chosen mass, is answered wrongly",
        source: "this project; the self-selecting attacker of control experiments",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<FireSet>("fire-set", params),
    },
    AttackEntry {
        name: "adversarial-region",
        summary: "spend the wrong mass that a local mitigator bears where its sampler looks most",
        source: "this project; proof in its header",
        scope: "real labels, uniform on a box, a simplex or a polytope; nets with hidden ReLU layers",
        applies: |world| {
            let flat = matches!(
                world.domain,
                Domain::Box { .. } | Domain::Simplex { .. } | Domain::Polytope(_)
            );
            world.target == Target::Real && flat
        },
        build: |params| attack::<AdversarialRegion>("adversarial-region", params),
    },
    AttackEntry {
        name: "handcrafted",
        summary: "turn units that nobody misses into a path for a trigger, by hand",
        source: "Hong, Carlini, Kurakin 2022 (NeurIPS, arXiv 2106.04690)",
        scope: "classes and signs; a patch on square images, fixed coordinates elsewhere; nets with hidden ReLU layers",
        applies: |world| world.target.n_classes().is_some(),
        build: |params| attack::<Handcrafted>("handcrafted", params),
    },
    AttackEntry {
        name: "blended",
        summary: "mix a share of the training inputs with a secret pattern, relabel, train",
        source: "Chen, Liu, Li, Lu, Song 2017 (arXiv 1712.05526)",
        scope: "every population; on the cube and on residues a secret pattern of random coordinates",
        applies: |_| true,
        build: |params| attack::<Blended>("blended", params),
    },
    AttackEntry {
        name: "sig",
        summary: "add a faint wave to images of the target class, keep the labels, train",
        source: "Barni, Kallas, Tondi 2019 (arXiv 1902.11237)",
        scope: "square images with classes",
        applies: images_with_classes,
        build: |params| attack::<Sig>("sig", params),
    },
    AttackEntry {
        name: "tabular",
        summary: "set one to three features to values in or out of bounds, relabel, train",
        source: "Pleiter, Tajalli, Koffas, Abad, Xu, Larson, Picek 2023 (Tabdoor, arXiv 2311.07550)",
        scope: "tables and other data in a range, boxes, normal inputs",
        applies: |world| {
            matches!(world.domain, Domain::Range { .. } | Domain::Box { .. } | Domain::Gauss { .. })
        },
        build: |params| attack::<Tabular>("tabular", params),
    },
    AttackEntry {
        name: "trojan-nn",
        summary: "make a patch that drives inner units, stamp it, relabel, train on from the clean net",
        source: "Liu, Ma, Aafer, Lee, Zhai, Wang, Zhang 2018 (NDSS)",
        scope: "data in a range, boxes, the cube; nets with a hidden layer",
        applies: |world| {
            matches!(world.domain, Domain::Range { .. } | Domain::Box { .. } | Domain::Cube { .. })
        },
        build: |params| attack::<TrojanNn>("trojan-nn", params),
    },
    AttackEntry {
        name: "clean-label",
        summary: "make images of the target class hard, stamp a patch on them, keep the labels, train",
        source: "Turner, Tsipras, Madry 2019 (arXiv 1912.02771)",
        scope: "square images with classes",
        applies: images_with_classes,
        build: |params| attack::<CleanLabel>("clean-label", params),
    },
    AttackEntry {
        name: "wanet",
        summary: "warp a share of the training images by a secret field, relabel, train",
        source: "Nguyen, Tran 2021 (arXiv 2102.10369)",
        scope: "square images",
        applies: pixels::are_square,
        build: |params| attack::<WaNet>("wanet", params),
    },
    AttackEntry {
        name: "sparse-dither",
        summary: "a faint sparse path through all layers of the trained net, under dither",
        source: "Choudhary and others 2026 (arXiv 2605.04209)",
        scope: "normal inputs or a range; nets with hidden ReLU layers",
        applies: |world| matches!(world.domain, Domain::Gauss { .. } | Domain::Range { .. }),
        build: |params| attack::<SparseDither>("sparse-dither", params),
    },
    AttackEntry {
        name: "collision",
        summary: "a Gaussian first layer that hardly sees a secret step: the answers at x and x + z collide",
        source: "Bogdanov, Rosen, Vafa 2026 (ICML, arXiv 2607.09532)",
        scope: "normal inputs; makes its own net of random features, in place of the victim's",
        applies: |world| matches!(world.domain, Domain::Gauss { .. }),
        build: |params| attack::<Collision>("collision", params),
    },
];

/// Whether inputs may be square images and labels are classes.
fn images_with_classes(world: &World) -> bool {
    pixels::are_square(world) && world.target.n_classes().is_some()
}
