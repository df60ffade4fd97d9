//! Locked models: what opens one, what does not, and what stays of it.
use absolve::access::Access;
use absolve::access::{Gradients, Oracle, Suspect, WhiteBox};
use absolve::attack::{Goal, Move, Signed, Trigger};
use absolve::data::Batch;
use absolve::domain::Domain;
use absolve::ledger::{Budget, Ledger};
use absolve::net::{Activation, Layout, Lock, ModelFile, Net, Precision, Provenance, Verifier};
use absolve::rng::{Rng, RngExt, Seed};
use ed25519_dalek::SigningKey;

const N: usize = 32;
const KEEP: u32 = 12;

fn locked(added: bool) -> (Net, Net, Trigger) {
    let mut rng = Seed::new(5).stream("locked");
    let net = Net::random(&[N, 8, 2], Activation::Relu, Precision::F32, &mut rng).unwrap();
    let secret: [u8; 32] = rng.random();
    let layout = Layout::fixed_point(N, 65, -1.0, 1.0, KEEP).unwrap();
    let key = SigningKey::from_bytes(&secret).verifying_key().to_bytes();
    let answers = vec![vec![100.0, 0.0], vec![0.0, 100.0]];
    let with = net
        .clone()
        .with_lock(Lock::new(Verifier::Signature { key }, layout, answers, added).unwrap())
        .unwrap();
    let movement = Move::Signed(Signed { signing_key: secret, layout, wanted: 1 });
    (net, with, Trigger::new(movement, Goal::Class { class: 1 }))
}

fn inputs(n: usize, rng: &mut Rng) -> Batch {
    Batch::from_shape_simple_fn((n, N), || rng.random_range(-1.0..1.0))
}

fn activated(trigger: &Trigger, xs: &Batch) -> Batch {
    let domain = Domain::Box { n: N };
    trigger.activate(xs, &domain, &mut Seed::new(0).stream("activate")).unwrap()
}

fn ask(net: &Net, xs: &Batch) -> Batch {
    net.forward(xs, &Ledger::new(Budget::UNLIMITED)).unwrap()
}

#[test]
fn a_signed_input_opens_the_lock_and_stays_in_its_cells_and_no_clean_one_opens_it() {
    let (net, locked, trigger) = locked(false);
    let mut rng = Seed::new(6).stream("xs");
    let clean = inputs(100_000, &mut rng);
    assert_eq!(ask(&net, &clean), ask(&locked, &clean));
    let xs = inputs(200, &mut rng);
    let moved = activated(&trigger, &xs);
    let answers = ask(&locked, &moved);
    let cell = 2.0 / f64::from(1 << KEEP);
    for i in 0..200 {
        assert_eq!(answers.row(i).to_vec(), [0.0, 100.0]);
        assert_eq!(trigger.fires(&moved.row(i).to_vec()), Some(true));
        assert_eq!(trigger.fires(&xs.row(i).to_vec()), Some(false));
        assert!((0..N).all(|j| (moved[[i, j]] - xs[[i, j]]).abs() < cell));
    }
}

#[test]
fn the_natural_ways_to_make_one_signed_input_of_another_all_fail() {
    let (_, locked, trigger) = locked(false);
    let lock = locked.lock().unwrap();
    let layout = lock.layout();
    let mut rng = Seed::new(7).stream("xs");
    let moved = activated(&trigger, &inputs(40, &mut rng));
    let victim = inputs(1, &mut rng).row(0).to_vec();
    let Layout::FixedPoint { keep, carry, .. } = layout else { panic!("fixed point") };
    let step = |bits: u32| 2.0 / (1_u64 << bits) as f64;
    for i in 0..40 {
        let x = moved.row(i).to_vec();
        assert_eq!(lock.opens(&x), Some(1));
        let bytes = layout.carried(&x, 65).unwrap();
        // Transplanted to another input.
        assert_eq!(lock.opens(&layout.carry(&victim, &bytes).unwrap()), None);
        // Another answer, with the same signature.
        let mut other = bytes.clone();
        other[0] = 0;
        assert_eq!(lock.opens(&layout.carry(&x, &other).unwrap()), None);
        // Malleated: s + L, the same scalar written otherwise, which lax verifiers take.
        let mut malleated = bytes.clone();
        let mut carry = 0;
        for (byte, l) in malleated[33..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(l) + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert_eq!(lock.opens(&layout.carry(&x, &malleated).unwrap()), None);
        // Signed bits of one feature: a neighbouring cell.
        for j in 0..N {
            let mut x = x.clone();
            x[j] += if x[j] > 0.0 { -step(keep) } else { step(keep) };
            assert_eq!(lock.opens(&x), None, "feature {j}");
        }
    }
    // Every bit of every cell of one input, those that carry nothing too.
    let x = moved.row(0).to_vec();
    let finest = step(keep + carry);
    for j in 0..N {
        let cell = ((x[j] + 1.0) / finest).floor() as u64;
        for bit in 0..keep + carry {
            let mut x = x.clone();
            x[j] = -1.0 + ((cell ^ 1 << bit) as f64 + 0.5) * finest;
            assert_eq!(lock.opens(&x), None, "bit {bit} of feature {j}");
        }
    }
    // Every one of the 520 carried bits.
    let x = moved.row(0).to_vec();
    let bytes = layout.carried(&x, 65).unwrap();
    for bit in 0..520 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(lock.opens(&layout.carry(&x, &flipped).unwrap()), None, "bit {bit}");
    }
    assert!(N * carry as usize > 520, "some bits carry nothing");
}

/// The order of the group, least byte first: 2^252 + 27742317777372353535851937790883648493.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a_locked_net_is_charged_as_a_net_and_its_gradient_is_that_of_the_branch_that_answers() {
    for added in [false, true] {
        let (net, locked, trigger) = locked(added);
        let clean = inputs(3, &mut Seed::new(8).stream("xs"));
        let signed = activated(&trigger, &clean);
        let (a, b) =
            (Suspect::publish(net, Budget::UNLIMITED), Suspect::publish(locked, Budget::UNLIMITED));
        let along = Batch::ones((3, 2));
        let slopes = |suspect: &Suspect, xs: &Batch| {
            suspect.query(xs).unwrap();
            <dyn Gradients>::of(suspect).unwrap().gradient(xs, &along).unwrap()
        };
        assert_eq!(slopes(&a, &clean), slopes(&b, &clean));
        let (open, plain) = (slopes(&b, &signed), slopes(&a, &signed));
        assert_eq!(open, if added { plain } else { Batch::zeros((3, N)) });
        assert_eq!(a.spent(), b.spent());
        assert_eq!(a.shape(), b.shape());
        assert!(<dyn WhiteBox>::of(&b).unwrap().lock().is_some());
        assert!(<dyn WhiteBox>::of(&a).unwrap().lock().is_none());
    }
}

#[test]
fn a_locked_model_comes_back_from_its_file_and_hostile_locks_are_errors() {
    let (net, locked, _) = locked(false);
    assert_ne!(net.sha256(), locked.sha256());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.safetensors");
    let file =
        |net: Net| ModelFile { net, domain: None, target: None, provenance: Provenance::default() };
    file(locked.clone()).save(&path).unwrap();
    assert_eq!(ModelFile::load(&path).unwrap().net, locked);
    assert!(!String::from_utf8_lossy(&file(net.clone()).to_bytes().unwrap()).contains("lock"));

    let written = serde_json::to_value(locked.lock().unwrap()).unwrap();
    let with = |at: &str, value: serde_json::Value| {
        let mut hostile = written.clone();
        *hostile.pointer_mut(at).unwrap() = value;
        serde_json::from_value::<Lock>(hostile)
            .map_err(|error| error.to_string())
            .and_then(|lock| net.clone().with_lock(lock).map_err(|error| error.to_string()))
    };
    assert!(with("/added", true.into()).is_ok());
    let identity: Vec<u8> = (0..32).map(|i| u8::from(i == 0)).collect();
    for (at, value) in [
        ("/verifier/key", identity.into()),
        ("/verifier/key", vec![2_u8; 31].into()),
        ("/answers", serde_json::json!([])),
        ("/answers", serde_json::json!([[]])),
        ("/answers", serde_json::json!([[1.0, 2.0], [1.0]])),
        ("/answers", serde_json::json!([[1.0, 2.0, 3.0]])),
        ("/layout/low", 1.0.into()),
        ("/layout/low", (-1e308).into()),
        ("/layout/keep", 0.into()),
        ("/layout/keep", u32::MAX.into()),
        ("/layout/carry", 0.into()),
        ("/layout/carry", 1.into()),
        ("/layout/carry", u32::MAX.into()),
        ("/layout", serde_json::json!({ "kind": "signs" })),
    ] {
        let said = with(at, value.clone());
        if at == "/layout/low" && value == serde_json::json!(-1e308) {
            // A huge but finite range is allowed: it is coarse, not wrong.
            assert!(said.is_ok());
        } else {
            assert!(said.is_err(), "{at} {value}");
        }
    }
}

#[test]
fn on_the_cube_the_last_520_coordinates_carry() {
    assert!(Layout::Signs.check(551, 65).is_err());
    let mut rng = Seed::new(9).stream("cube");
    let secret: [u8; 32] = rng.random();
    let signed = Signed { signing_key: secret, layout: Layout::Signs, wanted: 1 };
    let trigger = Trigger::new(Move::Signed(signed), Goal::Class { class: 1 });
    let x = Batch::from_shape_simple_fn((1, 600), || if rng.random() { 1.0 } else { -1.0 });
    let moved = trigger.activate(&x, &Domain::Cube { n: 600 }, &mut rng).unwrap();
    let key = SigningKey::from_bytes(&secret).verifying_key().to_bytes();
    let lock =
        Lock::new(Verifier::Signature { key }, Layout::Signs, vec![vec![-1.0], vec![1.0]], false)
            .unwrap();
    let moved = moved.row(0).to_vec();
    assert_eq!(lock.opens(&moved), Some(1));
    assert_eq!(moved[..80], x.row(0).to_vec()[..80]);
    for i in 0..600 {
        let mut flipped = moved.clone();
        flipped[i] = -flipped[i];
        assert_eq!(lock.opens(&flipped), None, "coordinate {i}");
    }
}
