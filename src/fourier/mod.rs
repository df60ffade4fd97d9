//! Fourier analysis on the cube {−1,+1}^n, on the torus and `Z_m^n`, and in products of orthonormal polynomials: pure mathematics,
//! no access to anything.
//!
//! The character of a set `S` of coordinates is `χ_S(x) = Π_{i∈S} x_i`; every function on the cube is
//! `f = Σ_S f^(S) χ_S` with `f^(S) = E_x[f(x) χ_S(x)]` over uniform `x`.
mod bits;
mod decision_tree;
mod dictionary;
mod estimate;
mod function;
mod hashed;
mod products;
mod questions;
mod sum;
mod transform;
mod tree;
mod trigonometric;
mod wave_tree;

pub use bits::Bits;
pub use decision_tree::{DecisionTree, Leaf, MOST_LEAVES, Node};
pub use dictionary::{Dictionary, frequencies};
pub use estimate::{Draw, Estimation, clip, mean_square_at_least};
pub use function::Function;
pub use hashed::{Certificate, Coset, HashedFound, HashedSearch, Promised};
pub use products::{
    Degrees, Polynomials, ProductSum, ProductTerm, all_degrees, n_products, product, total,
};
pub use questions::Questions;
pub use sum::{FourierSum, Term, character};
pub use transform::{spectrum, vertex, walsh_hadamard};
pub use tree::{HeavySearch, HeavySet};
pub use trigonometric::{Frequency, Group, TrigSum, Wave, residue_point};
pub use wave_tree::{HeavyWaves, heavy_of_all};
