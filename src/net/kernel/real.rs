//! The two kinds of numbers, and what a vector of them can do.
use num_traits::{Float, NumAssign};
use pulp::Simd;

/// A number that nets compute in.
pub(in crate::net) trait Real:
    Float + NumAssign + Default + Send + Sync + std::fmt::Debug + 'static
{
    /// Numbers a panel is wide: 64 bytes, whatever the processor's vectors.
    const WIDTH: usize;

    /// A vector of them.
    type Vector<S: Simd>: Copy;

    /// How many make a vector.
    fn lanes<S: Simd>() -> usize;

    /// `slice`, whose length is a multiple of the panel's width, as vectors.
    fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>];

    /// The same, to write.
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>];

    /// `x` in every lane.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;

    /// `a b + c`, rounded once.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// The sum, lane by lane.
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// `max(0, x)`, lane by lane.
    fn relu<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;

    /// The exponential function, in software: the same bits on every machine.
    fn exponential(self) -> Self;

    /// The natural logarithm, likewise.
    fn logarithm(self) -> Self;

    /// The hyperbolic tangent, likewise.
    fn hyperbolic_tangent(self) -> Self;

    /// From 64 bits, rounded.
    fn of(x: f64) -> Self;

    /// In 64 bits.
    fn wide(self) -> f64;
}

/// `n` rounded up to whole panels.
pub(in crate::net) fn padded<T: Real>(n: usize) -> usize {
    n.div_ceil(T::WIDTH) * T::WIDTH
}

/// How far apart rows of `n` numbers lie: whole panels, and an odd number of them. A power of two would put the same
/// column of all rows into a few places of the cache, where they drive each other out.
pub(in crate::net) fn stride<T: Real>(n: usize) -> usize {
    (n.div_ceil(T::WIDTH) | 1) * T::WIDTH
}

macro_rules! real {
    ($t:ty, $width:literal, $vector:ident, $lanes:ident, $as:ident, $as_mut:ident, $splat:ident, $fma:ident, $add:ident, $max:ident,
     $exp:path, $log:path, $tanh:path) => {
        impl Real for $t {
            const WIDTH: usize = $width;
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn vectors<S: Simd>(slice: &[Self]) -> &[S::$vector] {
                S::$as(slice).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [S::$vector] {
                S::$as_mut(slice).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$fma(a, b, c)
            }

            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn relu<S: Simd>(simd: S, x: S::$vector) -> S::$vector {
                simd.$max(simd.$splat(0.0), x)
            }

            fn exponential(self) -> Self {
                $exp(self)
            }

            fn logarithm(self) -> Self {
                $log(self)
            }

            fn hyperbolic_tangent(self) -> Self {
                $tanh(self)
            }

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as Self
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }
        }
    };
}

real!(
    f32,
    16,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_f32s,
    add_f32s,
    max_f32s,
    libm::expf,
    libm::logf,
    libm::tanhf
);
real!(
    f64,
    8,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_f64s,
    add_f64s,
    max_f64s,
    libm::exp,
    libm::log,
    libm::tanh
);
