//! What all pictures of the page share: the outer element, escaping, and the colours that follow the page's theme.
//!
//! Colours are CSS variables that `page.html` defines for light, dark and print; an SVG inside the page may use them.
use std::fmt::Write as _;

use kuva::backend::svg::SvgBackend;
use kuva::prelude::Theme;
use kuva::render::render::{Primitive, Scene};

/// The colour of text and axes.
pub(super) const INK: &str = "var(--ink)";

/// The colour of what should stand back: grids, frames, leaders.
pub(super) const LINE: &str = "var(--line)";

/// A picture as one element: it scales down to the page, and says in words what it shows.
pub(super) fn framed(width: f64, height: f64, label: &str, body: &str) -> String {
    let mut out = String::with_capacity(body.len() + 256);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         fill=\"{INK}\">{body}</svg>",
        escaped(label)
    );
    out
}

/// What kuva drew, in our frame: its own opening tag has neither a role nor a size that adapts.
///
/// Its clipping goes. Kuva numbers clip paths by a counter of the whole process, so that the same plot would come out
/// with other bytes the second time; and they cut markers at 0 and 100% in half. Our axes hold all of the data.
pub(super) fn from_kuva(mut scene: Scene, label: &str) -> String {
    scene.defs.clear();
    let clips = |p: &Primitive| matches!(p, Primitive::ClipStart { .. } | Primitive::ClipEnd);
    scene.elements.retain(|primitive| !clips(primitive));
    let drawn = SvgBackend.render_scene(&scene);
    let inner = drawn.find('>').map_or("", |end| &drawn[end + 1..]);
    let body = inner.trim_end().strip_suffix("</svg>").unwrap_or(inner);
    framed(scene.width, scene.height, label, body)
}

/// Kuva's chrome in the page's colours, on no background of its own.
pub(super) fn theme() -> Theme {
    Theme {
        background: "none".into(),
        axis_color: INK.into(),
        grid_color: LINE.into(),
        tick_color: INK.into(),
        text_color: INK.into(),
        legend_bg: "none".into(),
        legend_border: "none".into(),
        ..Theme::light()
    }
}

/// A user's text for a kuva label: a pair of dollar signs would be set as mathematics.
pub(super) fn plain(text: &str) -> String {
    text.replace('$', "\\$")
}

/// Text as it may stand between tags and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_cannot_be_left_through_its_label() {
        let svg = framed(10.4, 20.0, "a\"><b", "<g/>");
        assert!(svg.contains("aria-label=\"a&quot;&gt;&lt;b\" viewBox=\"0 0 10 20\""), "{svg}");
        assert!(svg.ends_with("<g/></svg>"));
    }
}
