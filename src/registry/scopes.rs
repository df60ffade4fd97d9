//! Which worlds the rows of the table of mitigators are for, where several say the same.
use crate::data::Target;
use crate::domain::Domain;
use crate::population::{Promise, World};

/// Whether inputs are vertices of the cube, labels are numbers, and no polynomial over a finite field is promised.
pub(super) fn fourier_heavy(world: &World) -> bool {
    matches!(world.domain, Domain::Cube { .. })
        && !matches!(world.target, Target::Classes(_))
        && !over_a_field(world)
}

/// Whether labels are real, inputs uniform on a known body, and no other truth than an affine one is promised.
pub(super) fn affine_on_a_body(world: &World) -> bool {
    world.target == Target::Real && world.domain.body().is_some() && !curved(world)
}

/// Whether a polynomial over a finite field is promised, of which no least coefficient is.
pub(super) fn over_a_field(world: &World) -> bool {
    matches!(world.promise, Promise::LowDegree { .. })
}

/// Whether the promised truth need not be affine.
pub(super) fn curved(world: &World) -> bool {
    match world.promise {
        Promise::Polynomial { degree, .. } => degree > 1,
        Promise::Characters { .. } => true,
        _ => false,
    }
}
