//! A Boolean decision tree: questions about one coordinate each, and a value at every leaf.
//!
//! A leaf at depth d is reached by a share 2^−d of the cube, and its indicator is `Π (1 ± x_i)/2` over the questions on its
//! path. So the tree is the sum of its leaves' values times these products, and every Fourier coefficient of a tree of ±1
//! leaves and depth d is a multiple of 2^−d.
//!
//! The depth of the leaf that an input reaches is a score for detection: Christiano, Hilton, Lecomte and Xu, "Backdoor
//! defense, learnability and obfuscation" (ITCS 2025, arXiv 2409.03077) flag an input of a tree of s leaves when its depth is
//! above log₂(s/δ), which under uniform inputs is a mass of at most δ ([`DecisionTree::mass_deeper_than`]).
use super::{FourierSum, Term};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, sign};

/// One node of a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// The end of a path.
    Leaf {
        /// The tree's value there.
        value: f64,
    },
    /// A question about one coordinate.
    Question {
        /// The coordinate.
        coordinate: usize,
        /// The node for inputs where it is −1.
        minus: usize,
        /// The node for inputs where it is +1.
        plus: usize,
    },
}

/// A leaf with the answers that lead to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Coordinates asked, root first, each with the sign that it must have.
    pub path: Vec<(usize, f64)>,
    /// The tree's value there.
    pub value: f64,
}

/// A decision tree on {−1, +1}^n.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionTree {
    n: usize,
    nodes: Vec<Node>,
}

/// Most products of leaves that a spectrum is added up from.
const MOST_PRODUCTS: u64 = 1 << 20;
/// Most leaves of a random tree.
pub const MOST_LEAVES: usize = 1 << 16;

impl DecisionTree {
    /// The tree whose root is node 0, on a cube of `n` dimensions.
    ///
    /// # Errors
    /// If a node names a coordinate outside the cube or a child that does not come after it, if a node is not the child of
    /// exactly one other, if a path asks for a coordinate twice, or if a value is not finite.
    ///
    /// ```
    /// use absolve::fourier::{DecisionTree, Node};
    /// let tree = DecisionTree::new(2, vec![
    ///     Node::Question { coordinate: 1, minus: 1, plus: 2 },
    ///     Node::Leaf { value: -1.0 },
    ///     Node::Leaf { value: 1.0 },
    /// ])?;
    /// assert_eq!(tree.at(&[1.0, -1.0]), -1.0);
    /// assert_eq!((tree.size(), tree.leaf_depth(&[1.0, 1.0])), (2, 1));
    /// # Ok::<(), absolve::error::Error>(())
    /// ```
    pub fn new(n: usize, nodes: Vec<Node>) -> Result<Self> {
        let bad = |number: usize, why: String| {
            Err(Error::Spec { place: format!("node {number} of a decision tree"), why })
        };
        let mut n_parents = vec![0_usize; nodes.len()];
        if nodes.is_empty() {
            return bad(0, "a tree has at least one node".to_owned());
        }
        for (number, node) in nodes.iter().enumerate() {
            match *node {
                Node::Leaf { value } if !value.is_finite() => {
                    return bad(number, format!("its value is {value}, a finite number is needed"));
                }
                Node::Leaf { .. } => {}
                Node::Question { coordinate, .. } if coordinate >= n => {
                    let why = format!("it asks for coordinate {coordinate} of {n}");
                    return bad(number, why);
                }
                Node::Question { minus, plus, .. } => {
                    for child in [minus, plus] {
                        if child <= number || child >= nodes.len() {
                            let why = format!(
                                "its child is node {child}, which must come after it and before {}",
                                nodes.len()
                            );
                            return bad(number, why);
                        }
                        n_parents[child] += 1;
                    }
                }
            }
        }
        if let Some(number) = (1..nodes.len()).find(|&number| n_parents[number] != 1) {
            let why = format!("it is the child of {} nodes, one is needed", n_parents[number]);
            return bad(number, why);
        }
        let tree = Self { n, nodes };
        for Leaf { path, .. } in tree.leaves() {
            let mut asked: Vec<usize> = path.iter().map(|(coordinate, _)| *coordinate).collect();
            asked.sort_unstable();
            if let Some(&[twice, _]) = asked.windows(2).find(|pair| pair[0] == pair[1]) {
                return bad(0, format!("a path below it asks for coordinate {twice} twice"));
            }
        }
        Ok(tree)
    }

    /// A random tree of `size` leaves, none deeper than `depth`: a leaf that may still grow is chosen uniformly and asked
    /// for a coordinate that its path has not asked for, until there are enough. Leaves are random signs; two that hang
    /// on the same question have opposite ones, so that no question is idle.
    ///
    /// # Errors
    /// If there is no such tree, or it would have more than [`MOST_LEAVES`] leaves.
    pub fn random(n: usize, depth: usize, size: usize, rng: &mut Rng) -> Result<Self> {
        Self::check_size(n, depth, size)?;
        let mut nodes = vec![Node::Leaf { value: sign(rng) }];
        let mut growing = if depth > 0 { vec![(0, Vec::new())] } else { Vec::new() };
        for _ in 1..size {
            let chosen = rng.random_range(0..growing.len());
            let (number, mut path): (usize, Vec<usize>) = growing.swap_remove(chosen);
            let coordinate = loop {
                let i = rng.random_range(0..n);
                if !path.contains(&i) {
                    break i;
                }
            };
            path.push(coordinate);
            let (minus, plus) = (nodes.len(), nodes.len() + 1);
            let value = sign(rng);
            nodes.extend([Node::Leaf { value: -value }, Node::Leaf { value }]);
            nodes[number] = Node::Question { coordinate, minus, plus };
            if path.len() < depth {
                growing.extend([(minus, path.clone()), (plus, path)]);
            }
        }
        Self::new(n, nodes)
    }

    /// Checks that a random tree of these sizes exists and is not too large.
    pub fn check_size(n: usize, depth: usize, size: usize) -> Result<()> {
        if depth > n {
            let want = format!("a path asks for each of the n = {n} coordinates once");
            return Err(Error::parameter("depth", depth, want));
        }
        let most =
            if depth < usize::BITS as usize { 1_usize.checked_shl(depth as u32) } else { None };
        let most = most.unwrap_or(MOST_LEAVES).min(MOST_LEAVES);
        if size == 0 || size > most {
            let want = format!("a tree of depth {depth} has from 1 to {most} leaves here");
            return Err(Error::parameter("size", size, want));
        }
        Ok(())
    }

    /// The dimension of the cube.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Its nodes, the root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many leaves it has.
    pub fn size(&self) -> usize {
        self.nodes.len().div_ceil(2)
    }

    /// The depth of its deepest leaf; of a single leaf, 0.
    pub fn depth(&self) -> usize {
        self.leaves().iter().map(|leaf| leaf.path.len()).max().unwrap_or(0)
    }

    /// Its value at one input.
    pub fn at(&self, x: &[f64]) -> f64 {
        self.descend(x).0
    }

    /// Its value at every row, as a column.
    pub fn at_all(&self, xs: &Batch) -> Batch {
        let values = xs.rows().into_iter().map(|x| self.at(&x.to_vec())).collect();
        crate::data::column(values)
    }

    /// How many questions are asked of an input before it reaches its leaf.
    pub fn leaf_depth(&self, x: &[f64]) -> usize {
        self.descend(x).1
    }

    /// The mass of uniform inputs whose leaf is deeper than `depth`: a sum of 2^−d over leaves, at most size · 2^−depth.
    pub fn mass_deeper_than(&self, depth: f64) -> f64 {
        let depths = self.leaves().into_iter().map(|leaf| leaf.path.len() as f64);
        depths.filter(|d| *d > depth).map(|d| (-d).exp2()).sum()
    }

    /// Its leaves with their paths, in the order of a walk that takes +1 first.
    pub fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::with_capacity(self.size());
        let mut open = vec![(0, Vec::new())];
        while let Some((number, path)) = open.pop() {
            match self.nodes[number] {
                Node::Leaf { value } => leaves.push(Leaf { path, value }),
                Node::Question { coordinate, minus, plus } => {
                    for (child, answer) in [(minus, -1.0), (plus, 1.0)] {
                        let mut longer = path.clone();
                        longer.push((coordinate, answer));
                        open.push((child, longer));
                    }
                }
            }
        }
        leaves
    }

    /// The same function as a sum of characters. For ±1 leaves it is exact to the last bit, and what cancels is left out.
    ///
    /// # Errors
    /// If the leaves together have more than 2^20 products to add up: about size · 2^depth.
    pub fn spectrum(&self) -> Result<FourierSum> {
        let leaves = self.leaves();
        let products = leaves.iter().map(|leaf| 1_u64.checked_shl(leaf.path.len() as u32));
        let total = products.into_iter().try_fold(0_u64, |sum, more| sum.checked_add(more?));
        if total.is_none_or(|total| total > MOST_PRODUCTS) {
            let want = format!(
                "its spectrum adds up 2^depth products a leaf, and {MOST_PRODUCTS} are the most"
            );
            return Err(Error::parameter("size", self.size(), want));
        }
        let mut terms = Vec::with_capacity(total.unwrap_or(0) as usize);
        for Leaf { path, value } in leaves {
            let share = value * (-(path.len() as f64)).exp2();
            for subset in 0..1_usize << path.len() {
                let chosen = || path.iter().enumerate().filter(|(j, _)| subset >> j & 1 == 1);
                let signs: f64 = chosen().map(|(_, (_, sign))| sign).product();
                let support = chosen().map(|(_, (i, _))| *i).collect();
                terms.push(Term { support, value: share * signs });
            }
        }
        Ok(FourierSum::new(terms))
    }

    /// Value and depth of the leaf that `x` reaches.
    fn descend(&self, x: &[f64]) -> (f64, usize) {
        let (mut number, mut depth) = (0, 0);
        loop {
            match self.nodes[number] {
                Node::Leaf { value } => return (value, depth),
                Node::Question { coordinate, minus, plus } => {
                    number = if x[coordinate] > 0.0 { plus } else { minus };
                    depth += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::{spectrum, vertex};
    use crate::rng::Seed;

    fn random(n: usize, depth: usize, size: usize, seed: u64) -> DecisionTree {
        DecisionTree::random(n, depth, size, &mut Seed::new(seed).stream("tree")).unwrap()
    }

    /// `x_0` at the top; below +1 the leaf 1, below −1 the question `x_2` with leaves 1 (+) and −1 (−).
    fn small() -> DecisionTree {
        let nodes = vec![
            Node::Question { coordinate: 0, minus: 1, plus: 2 },
            Node::Question { coordinate: 2, minus: 3, plus: 4 },
            Node::Leaf { value: 1.0 },
            Node::Leaf { value: -1.0 },
            Node::Leaf { value: 1.0 },
        ];
        DecisionTree::new(3, nodes).unwrap()
    }

    #[test]
    fn a_small_tree_is_what_the_hand_computes() {
        // It is −1 only where x_0 = x_2 = −1: OR(x_0, x_2) = (1 + x_0 + x_2 − x_0 x_2) / 2 with +1 for true.
        let term = |support: &[usize], value| Term { support: support.to_vec(), value };
        let or = [term(&[], 0.5), term(&[0], 0.5), term(&[2], 0.5), term(&[0, 2], -0.5)];
        assert_eq!(small().spectrum().unwrap().terms(), or);
        assert_eq!((small().size(), small().depth()), (3, 2));
        assert_eq!(small().leaf_depth(&[1.0, -1.0, -1.0]), 1);
        assert_eq!(small().leaf_depth(&[-1.0, 1.0, 1.0]), 2);
        // Two leaves of depth 2: half of the cube lies deeper than 1, and nothing deeper than 2.
        for (depth, mass) in [(1.0, 0.5), (1.5, 0.5), (2.0, 0.0)] {
            assert!((small().mass_deeper_than(depth) - mass).abs() < 1e-15, "{depth}");
        }
    }

    #[test]
    fn the_spectrum_of_a_random_tree_is_that_of_its_values() {
        for seed in 0..20 {
            let tree = random(10, 6, 5 + seed as usize, seed);
            assert_eq!(tree.size(), 5 + seed as usize);
            assert!(tree.depth() <= 6);
            let values: Vec<f64> = (0..1024).map(|i| tree.at(&vertex(i, 10))).collect();
            assert!(values.iter().all(|v| (v.abs() - 1.0).abs() < 1e-15));
            // Both are sums of multiples of 2^−10, so they agree to the last bit.
            assert_eq!(tree.spectrum().unwrap(), spectrum(values, 1e-9), "seed {seed}");
            assert!(tree.spectrum().unwrap().lightest() >= 1.0 / 64.0);
        }
    }

    #[test]
    fn the_mass_of_deep_leaves_is_the_share_of_vertices_that_reach_them() {
        let tree = random(10, 8, 30, 7);
        for depth in 0..=8 {
            let deep = (0..1024).filter(|&i| tree.leaf_depth(&vertex(i, 10)) > depth).count();
            let mass = tree.mass_deeper_than(depth as f64);
            assert!((mass - deep as f64 / 1024.0).abs() < 1e-15);
            // The bound behind the flag of Christiano et al.: with depth = log2(s/δ) it is δ.
            assert!(mass <= 30.0 * 0.5_f64.powi(depth as i32));
        }
        let total: f64 = tree.leaves().iter().map(|l| 0.5_f64.powi(l.path.len() as i32)).sum();
        assert!((total - 1.0).abs() < 1e-15);
    }

    #[test]
    fn large_trees_are_grown_and_too_large_ones_refused() {
        let tree = random(1000, 40, 5000, 3);
        assert_eq!(tree.size(), 5000);
        assert!(tree.spectrum().unwrap_err().to_string().contains("size = 5000"));
        let mut rng = Seed::new(1).stream("tree");
        for (n, depth, size) in [(4, 5, 2), (4, 3, 9), (4, 3, 0), (1000, 999, usize::MAX)] {
            assert!(DecisionTree::random(n, depth, size, &mut rng).is_err(), "{n} {depth} {size}");
        }
        assert_eq!(random(3, 0, 1, 1).depth(), 0);
    }

    #[test]
    fn nodes_that_are_no_tree_are_refused() {
        let leaf = Node::Leaf { value: 1.0 };
        let ask = |coordinate, minus, plus| Node::Question { coordinate, minus, plus };
        let bad: [(&str, Vec<Node>); 6] = [
            ("at least one node", vec![]),
            ("coordinate 3 of 3", vec![ask(3, 1, 2), leaf, leaf]),
            ("its child is node 0", vec![ask(0, 0, 1), leaf]),
            ("the child of 2 nodes", vec![ask(0, 1, 1), leaf]),
            ("the child of 0 nodes", vec![leaf, leaf]),
            ("twice", vec![ask(0, 1, 2), leaf, ask(0, 3, 4), leaf, leaf]),
        ];
        for (why, nodes) in bad {
            let error = DecisionTree::new(3, nodes).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(DecisionTree::new(3, vec![Node::Leaf { value: f64::NAN }]).is_err());
    }
}
