//! The wire format of an ONNX file, checked before the parser sees it.
//!
//! The parser trusts a length that a field claims, and recurses into graphs inside graphs. This walk follows the same
//! fields and holds them to the bytes that are there: every length ends within its message, packed numbers are whole, no
//! graph lies in another, and there are no more fields than any perceptron needs. Then the parser allocates no more than
//! a small multiple of the file, and its depth is bounded.

/// More fields than the file of any multi-layer perceptron has.
const MOST_FIELDS: usize = 1 << 18;
/// Most bytes of packed integers, which take more room once read. Here they are only ever shapes.
const MOST_PACKED: usize = 1 << 12;

#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// A message whose fields hold no messages that the parser reads.
    Leaf,
}

/// What the parser takes a field with a length for.
enum Content {
    Nested(Message),
    Fixed(usize),
    Varints,
    Bytes,
    Refused(&'static str),
}

impl Message {
    fn content(self, field: u64) -> Content {
        use Content::{Bytes, Fixed, Nested, Refused, Varints};
        match (self, field) {
            (Self::Model, 7) => Nested(Self::Graph),
            (Self::Model, 8 | 14) | (Self::Tensor, 13) | (Self::Shape, 1) => Nested(Self::Leaf),
            (Self::Graph, 1) => Nested(Self::Node),
            (Self::Graph | Self::Attribute, 5) => Nested(Self::Tensor),
            (Self::Graph, 11..=13) => Nested(Self::ValueInfo),
            (Self::Graph, 15) => Refused("sparse initializers"),
            (Self::Node, 5) => Nested(Self::Attribute),
            (Self::Attribute, 6 | 11) => Refused("a graph inside a node (If, Loop or Scan)"),
            (Self::Tensor, 4) => Fixed(4),
            (Self::Tensor, 10) => Fixed(8),
            (Self::Tensor, 5 | 7) => Varints,
            (Self::ValueInfo, 2) => Nested(Self::Type),
            (Self::Type, 1) => Nested(Self::TensorType),
            (Self::Type, 4) => Refused("a sequence of tensors"),
            (Self::TensorType, 2) => Nested(Self::Shape),
            _ => Bytes,
        }
    }
}

/// Checks that `bytes` can be handed to the parser; the error is a fragment that says why not.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut left = MOST_FIELDS;
    walk(bytes, Message::Model, &mut left)
}

fn walk(mut bytes: &[u8], message: Message, left: &mut usize) -> Result<(), String> {
    const CUT: &str = "not a whole ONNX file: it is cut short, or a length in it is wrong";
    while !bytes.is_empty() {
        *left = left.checked_sub(1).ok_or_else(|| {
            format!("it has more than {MOST_FIELDS} fields, far more than a multi-layer perceptron needs")
        })?;
        let tag = varint(&mut bytes).ok_or(CUT)?;
        match tag & 7 {
            0 => drop(varint(&mut bytes).ok_or(CUT)?),
            1 => drop(split(&mut bytes, 8).ok_or(CUT)?),
            5 => drop(split(&mut bytes, 4).ok_or(CUT)?),
            2 => {
                let length = varint(&mut bytes).and_then(|n| usize::try_from(n).ok()).ok_or(CUT)?;
                let inside = split(&mut bytes, length).ok_or(CUT)?;
                match message.content(tag >> 3) {
                    Content::Nested(nested) => walk(inside, nested, left)?,
                    Content::Fixed(size) if inside.len() % size != 0 => return Err(CUT.to_owned()),
                    Content::Varints if inside.len() > MOST_PACKED => {
                        return Err(
                            "it holds a large tensor of integers, which no layer here uses"
                                .to_owned(),
                        );
                    }
                    Content::Varints => {
                        let mut inside = inside;
                        while !inside.is_empty() {
                            varint(&mut inside).ok_or(CUT)?;
                        }
                    }
                    Content::Refused(what) => {
                        return Err(format!("it holds {what}, which is not read"));
                    }
                    Content::Fixed(_) | Content::Bytes => {}
                }
            }
            _ => {
                return Err(
                    "not an ONNX file: it has a field of a kind that ONNX does not use".to_owned()
                );
            }
        }
    }
    Ok(())
}

/// Takes a varint off the front: at most ten bytes of seven bits, and at most 64 bits in all.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for i in 0..10 {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(first & 0x7f);
        if i == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Takes `n` bytes off the front.
fn split<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_length_beyond_its_message_is_refused_however_large() {
        // Field 7 (the graph) that claims two bytes and has them; then one, and then 2^63, which it has not.
        assert_eq!(check(&[0x3a, 2, 0x08, 1]), Ok(()));
        assert!(check(&[0x3a, 2, 0x08]).is_err());
        let mut moon = vec![0x3a];
        moon.extend([0x80; 9]);
        moon.push(1);
        assert!(check(&moon).is_err());
        // Inside the graph, a node that claims more than the graph has, though the file would have it.
        assert!(check(&[0x3a, 2, 0x0a, 1, 0x08, 1]).is_err());
    }

    #[test]
    fn graphs_inside_graphs_and_endless_varints_are_refused() {
        // Attribute field 6 inside a node inside a graph.
        assert!(
            check(&[0x3a, 6, 0x0a, 4, 0x2a, 2, 0x32, 0]).unwrap_err().contains("If, Loop or Scan")
        );
        assert!(check(&[0xff; 64]).is_err());
        // A packed list of 64 bit floats that is no multiple of 8 long.
        assert!(check(&[0x3a, 5, 0x2a, 3, 0x52, 1, 0]).is_err());
    }

    #[test]
    fn more_fields_than_a_perceptron_needs_are_refused() {
        assert!(check(&[0x08, 1].repeat(super::MOST_FIELDS)).is_ok());
        assert!(check(&[0x08, 1].repeat(super::MOST_FIELDS + 1)).unwrap_err().contains("fields"));
    }
}
