//! The page: one self-contained HTML file, made of records alone.
//!
//! It loads nothing, runs nothing and holds no clock, so that one study always gives one page, byte for byte. All text
//! is escaped by the template engine, since names come from users; the pictures escape for themselves.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::claims::{ClaimView, claims};
use super::figures::{ImagesView, SpectrumView, TaskView, by_task, images, spectra};
use super::format::NOTHING_MEASURED;
use super::measured::{AttackView, ErrorView, attacks, errors};
use super::provenance::{Provenance, provenance};
use super::results::{GroupView, Remark, results};
use super::scatter::{ACCESS_STYLES, AccessStyle};
use super::spectrum::FUNCTIONS;
use super::table::{ATTACK_FAILED_MARK, FAILED_MARK, unseen};
use crate::error::Result;
use crate::study::record::{CLEAN_TWIN, Record};
use crate::study::summary::{Row, Summary};

const TEMPLATE: &str = include_str!("page.html");

/// All that a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The study in numbers.
    pub summary: &'a Summary,
    /// The records that it was made from: pictures, reasons of failures, claims and hashes come from here.
    pub records: &'a [Record],
    /// The specification as resolved, in TOML.
    pub spec: &'a str,
}

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    question: &'a str,
    groups: Vec<GroupView>,
    remarks: Vec<Remark>,
    attacks: Vec<AttackView>,
    errors: Vec<ErrorView>,
    tasks: Vec<TaskView>,
    images: Vec<ImagesView>,
    spectra: Vec<SpectrumView>,
    claims: Vec<ClaimView>,
    provenance: Provenance,
    spec: &'a str,
    legend: Vec<LegendEntry>,
    functions: [(&'static str, &'static str); 3],
    nothing: &'static str,
    unseen: String,
    clean_twin: &'static str,
    failed_mark: &'static str,
    attack_failed_mark: &'static str,
    /// Rows to which an explanation applies; it is left out where there are none.
    n_single: usize,
    n_failed: usize,
    n_attack_failed: usize,
    n_doubtful: usize,
}

/// One access level of the legend.
#[derive(Serialize)]
struct LegendEntry {
    name: &'static str,
    colour: &'static str,
    sign: &'static str,
}

/// Writes the page. Fails only where the specification is not TOML.
pub fn html(page: &Page<'_>) -> Result<String> {
    let Page { summary, records, spec } = *page;
    let rows = &summary.rows;
    let (groups, remarks) = results(summary, records);
    let entry = |style: &AccessStyle| LegendEntry {
        name: style.access,
        colour: style.colour,
        sign: style.sign,
    };
    let used = |access: &str| rows.iter().any(|row| row.access == access);
    let count = |is: fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
    let view = View {
        name: &summary.name,
        question: &summary.question,
        n_doubtful: groups.iter().map(GroupView::n_doubtful).sum(),
        groups,
        remarks,
        attacks: attacks(summary, records),
        errors: errors(summary, records),
        tasks: by_task(summary),
        images: images(records),
        spectra: spectra(records),
        claims: claims(summary, records),
        provenance: provenance(summary, records, spec)?,
        spec,
        legend: ACCESS_STYLES.iter().filter(|style| used(style.access)).map(entry).collect(),
        functions: FUNCTIONS,
        nothing: NOTHING_MEASURED,
        unseen: unseen(rows),
        clean_twin: CLEAN_TWIN,
        failed_mark: FAILED_MARK,
        attack_failed_mark: ATTACK_FAILED_MARK,
        n_single: count(|row| row.n_models == 1),
        n_failed: count(|row| row.n_failed > 0),
        n_attack_failed: count(|row| row.n_attack_failed > 0),
    };
    Ok(rendered(&view))
}

fn rendered(view: &View<'_>) -> String {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    let mut environment = Environment::new();
    environment.set_syntax(syntax.expect("the delimiters are the default ones"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
        .render_named_str("page.html", TEMPLATE, minijinja::value::Serde(view))
        .expect("the template is part of the crate and fits its view")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn page() -> String {
        let (summary, records) = (fixture::summary(), fixture::records());
        html(&Page { summary: &summary, records: &records, spec: fixture::SPEC }).expect("a page")
    }

    /// The row of one mitigator under badnets, without its line breaks.
    fn row_of(page: &str, mitigator: &str) -> String {
        let start = page.find("· badnets</th>").expect("the group is there");
        let start = start + page[start..].find(&format!("\"row\">{mitigator}")).expect("its row");
        let end = start + page[start..].find("</tr>").expect("its end");
        page[start..end].replace('\n', "")
    }

    #[test]
    fn there_is_one_row_for_each_of_the_summary_and_three_are_doubtful() {
        let page = page();
        assert_eq!(page.matches("<tr class=\"row").count(), 5);
        // The attack failed on one model, the mitigator on another, and an assumption was not met on a third.
        assert_eq!(page.matches("<tr class=\"row doubtful\">").count(), 3);
        assert_eq!(page.matches("<tr class=\"group\">").count(), 3);
        assert_eq!(page.matches("<tr class=\"claim").count(), 1);
    }

    #[test]
    fn cells_hold_the_number_and_its_interval() {
        let row = row_of(&page(), "fine-prune");
        for cell in [
            "<td class=\"number\">2 †1</td>",
            "<td class=\"number\">12.3%<span class=\"interval\"> [10.1, 14.5]</span></td>",
            "<td class=\"number\">+3.0<span class=\"interval\"> [+2.0, +4.0]</span></td>",
            "<td class=\"number\">42k<span class=\"interval\"> [41k, 43k]</span></td>",
            "<td class=\"number\">2000</td>",
        ] {
            assert!(row.contains(cell), "{cell} in {row}");
        }
        assert!(
            page().contains("<td class=\"number\">12<span class=\"interval\"> [n=1]</span></td>")
        );
    }

    #[test]
    fn what_failed_and_what_did_not_hold_is_said_with_its_models() {
        let page = page();
        for remark in [
            "Failed: budget of &lt;i&gt;4&lt;&#x2f;i&gt; queries would be passed – model 2.",
            "The attack did not take hold: succeeded on 12% of inputs, 90% wanted – model 2.",
            "Assumption not met: fire mass &lt; 0.1 (measured 0.25, limit 0.1) – model 1.",
            "Noted: stopped early – model 1.",
        ] {
            assert!(page.contains(remark), "{remark}");
        }
        for n in 1..=page.matches("<li id=\"remark-").count() {
            assert!(page.contains(&format!("href=\"#remark-{n}\"")), "remark {n} has no row");
        }
    }

    #[test]
    fn users_text_cannot_become_markup() {
        let page = page();
        assert!(!page.contains(fixture::HOSTILE) && !page.contains("<b>&amp;\""));
        assert!(page.contains("&lt;b&gt;&amp;&quot; · badnets"));
        assert!(!page.contains("<study>") && !page.contains("<script"));
        assert_eq!(page.matches("</pre>").count(), 1);
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = page();
        for reference in page.match_indices("href=").map(|(at, _)| &page[at..]) {
            assert!(reference.starts_with("href=\"#"), "{}", &reference[..40]);
        }
        for loads in ["src=", "@import", "url(", "<link", "<script", "<iframe", "<object"] {
            assert!(!page.contains(loads), "{loads}");
        }
        let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"));
    }

    #[test]
    fn heat_maps_show_the_share_and_tell_missing_from_zero() {
        let page = page();
        let start = page.find("aria-label=\"Attack success on &lt;b&gt;").expect("a heat map");
        let map = &page[start..start + page[start..].find("</svg>").expect("its end")];
        assert!(map.contains(">12.3%<") && map.contains(">0.0%<") && map.contains(">97.5%<"));
        // Three mitigators under badnets, all measured; risk was not measured for the Fourier one.
        assert!(!map.contains("stroke-dasharray"), "{map}");
        let start = page.find("aria-label=\"Clean risk on &lt;b&gt;").expect("a heat map");
        let map = &page[start..start + page[start..].find("</svg>").expect("its end")];
        // Clean twins have one mitigator of three, badnets two of three: three cells are missing.
        assert_eq!(map.matches("stroke-dasharray").count(), 3, "{map}");
        assert!(map.contains(">clean twin<"));
    }

    #[test]
    fn a_measured_share_below_the_claim_is_marked() {
        // Claimed 99% within the bar; measured 90% [88, 92].
        let page = page();
        assert!(page.contains("<tr class=\"claim doubtful\">") && page.contains("below the claim"));
    }

    #[test]
    fn provenance_names_plan_seeds_and_each_model_once() {
        let page = page();
        assert!(page.contains(&"ab".repeat(32)));
        assert!(page.contains("<code>seed = 7</code>, <code>task.data.split_seed = 11</code>"));
        // Two models of badnets, one clean twin, one of half-space; that of the failed cells was never recorded.
        assert_eq!(page.matches("<td class=\"hash\">").count(), 4);
    }

    #[test]
    fn the_same_study_gives_the_same_bytes() {
        assert_eq!(page(), page());
    }

    #[test]
    fn a_specification_that_is_not_toml_is_an_error() {
        let summary = fixture::summary();
        let error = html(&Page { summary: &summary, records: &[], spec: "not = [toml" })
            .expect_err("no TOML");
        assert!(error.to_string().starts_with("the resolved specification: "), "{error}");
    }

    #[test]
    fn a_study_without_rows_still_has_a_page() {
        let summary = Summary { rows: vec![], ..fixture::summary() };
        let page = html(&Page { summary: &summary, records: &[], spec: "" }).expect("a page");
        assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "{page}");
    }
}
