//! Which text a scraper wants, by its `Accept`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4, the default.
    Prometheus,
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// OpenMetrics if the client names it and prefers nothing else.
    pub fn wanted(accept: Option<&str>) -> Format {
        let Some(accept) = accept else { return Format::Prometheus };
        let (mut open, mut plain) = (0.0_f32, 0.0_f32);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let (mut quality, mut known) = (1.0, true);
            for (name, value) in parts.filter_map(|part| part.split_once('=')) {
                match name.trim() {
                    "q" => quality = value.trim().parse().unwrap_or(0.0),
                    "version" => {
                        known = ["1.0.0", "0.0.1", "0.0.4"].contains(&value.trim().trim_matches('"'))
                    }
                    _ => {}
                }
            }
            match kind.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" if known => open = open.max(quality),
                "text/plain" | "text/*" if known => plain = plain.max(quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain { Format::OpenMetrics } else { Format::Prometheus }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_what_it_wants_most() {
        let check = |accept: &str, expected| assert_eq!(Format::wanted(Some(accept)), expected, "{accept}");
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                          q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        check(prometheus, Format::OpenMetrics);
        check("application/openmetrics-text", Format::OpenMetrics);
        check(
            "text/plain;q=0.5, Application/OpenMetrics-Text; version=\"1.0.0\"; q=0.6",
            Format::OpenMetrics,
        );
        check("application/openmetrics-text;q=0.4,text/plain;q=0.5", Format::Prometheus);
        check("application/openmetrics-text;version=2.0.0", Format::Prometheus);
        check("application/openmetrics-text;q=0", Format::Prometheus);
        check("text/html,*/*;q=0.8", Format::Prometheus);
        check("", Format::Prometheus);
        assert_eq!(Format::wanted(None), Format::Prometheus);
    }
}
