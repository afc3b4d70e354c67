//! Statements by which the owner of a page keeps it from being mined: the TDM Reservation Protocol (W3C community group report,
//! 2024), as a header or a `<meta>`, and `noai` among the words for robots.

/// The statement `name: value`, a header or a `<meta>`, if it keeps the page from being mined. `agent` is the name that it may
/// speak to beside all robots.
pub fn reservation(name: &str, value: &str, agent: &str) -> Option<String> {
    let name = name.trim().to_ascii_lowercase();
    let reserves = match name.as_str() {
        "tdm-reservation" => value.trim() == "1",
        "x-robots-tag" => {
            // The words may be for one robot: `X-Robots-Tag: other: noindex`.
            let (robot, words) = value.split_once(':').unwrap_or((agent, value));
            robot.trim().eq_ignore_ascii_case(agent) && has_noai(words)
        }
        "robots" => has_noai(value),
        _ => name.eq_ignore_ascii_case(agent) && has_noai(value),
    };
    reserves.then(|| format!("{name}: {:.100}", value.trim()))
}

fn has_noai(words: &str) -> bool {
    words.split(',').any(|word| word.trim().eq_ignore_ascii_case("noai"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reserves_and_what_does_not() {
        for (name, value) in [
            ("TDM-Reservation", "1"),
            ("tdm-reservation", " 1 "),
            ("X-Robots-Tag", "noindex, NoAI"),
            ("x-robots-tag", "pipeline: noai"),
            ("robots", "noai"),
            ("Pipeline", "follow,noai"),
        ] {
            assert!(reservation(name, value, "pipeline").is_some(), "{name}: {value}");
        }
        for (name, value) in [
            ("tdm-reservation", "0"),
            ("x-robots-tag", "other: noai"),
            ("robots", "noindex, noaim"),
            ("description", "noai"),
            ("otherbot", "noai"),
        ] {
            assert_eq!(reservation(name, value, "pipeline"), None, "{name}: {value}");
        }
        assert_eq!(reservation("Robots", " noai ", "x").as_deref(), Some("robots: noai"));
    }
}
