//! What pages, sitemaps and archives give.

use super::setting::*;

#[test]
fn good_pages_of_each_kind() {
    let site = open_site(|path| match path {
        "/json" => Reply::html(
            r#"<link rel=license href="https://creativecommons.org/licenses/by/4.0/">
            <script type="application/ld+json">{"@type": "Recipe", "name": </script>
            <script type="application/ld+json">{"@graph": [{"@type": "Recipe", "name": "Soup", "recipeIngredient": ["peas", "salt"]}]}</script>"#,
        ),
        "/microdata" => Reply::html(
            r#"<div itemscope itemtype="https://schema.org/HowTo"><b itemprop=name>Tie a knot</b></div><p class=body>So</p>"#,
        ),
        "/text" => Reply::html(format!(
            "<title>Fox</title><article><p>{}</p></article>",
            "The fox sleeps. ".repeat(30)
        )),
        _ => page("css"),
    });
    let crawl = Crawl::of(&[&site]);
    let (frontier, summary) = crawl.pages(&site, &["/json", "/microdata", "/text", "/css", "/css#again"]);
    let found: Vec<(&str, &str, &str)> = frontier
        .candidates()
        .map(|c| (c.row["title"].as_str(), c.provenance.how.as_str(), c.provenance.licence.as_str()))
        .collect();
    let by = "https://creativecommons.org/licenses/by/4.0/";
    let expected = [
        ("Soup", "json-ld Recipe", by),
        ("Tie a knot", "css, microdata HowTo", "unknown"),
        ("Fox", "main text", "unknown"),
        ("css", "css, main text", "unknown"),
    ];
    assert_eq!(found, expected);
    assert_eq!(frontier.candidates().next().unwrap().row["body"], "peas; salt");
    assert_eq!(frontier.candidates().next().unwrap().provenance.fetched, "2023-11-14T22:13:21Z");
    assert_eq!((summary.stop, summary.rows, summary.asked, summary.left), (Stop::Finished, 4, 4, 0));
    assert!(crawl.problems.lock().unwrap()[0].starts_with("ld+json block 1: "));
    let agent = format!("pipeline/{}", env!("CARGO_PKG_VERSION"));
    assert!(site.asked().iter().all(|asked| asked.headers["user-agent"] == agent));
}

#[test]
fn pages_in_every_encoding() {
    let body = |text: &str, meta: &str| format!("{meta}<title>{text}</title><p class=body>{text}</p>");
    let site = open_site(move |path| {
        let latin = encoding_rs::WINDOWS_1252.encode(&body("Crème brûlée à la façade", "")).0.into_owned();
        let russian = "Мороженое из свежей клубники";
        let bare = [("Content-Type", "text/html")];
        match path {
            "/latin-1" => Reply::with("200 OK", &[("Content-Type", "text/html; charset=ISO-8859-1")], latin),
            "/windows-1251" => {
                let page = body(russian, "<meta charset=windows-1251>");
                Reply::with("200 OK", &bare, encoding_rs::WINDOWS_1251.encode(&page).0.into_owned())
            }
            "/wrong" => Reply::html(encoding_rs::WINDOWS_1251.encode(&body(russian, "")).0.into_owned()),
            _ => Reply::with("200 OK", &[("Content-Type", "text/html; charset=latin1")], body(russian, "")),
        }
    });
    let crawl = Crawl::of(&[&site]);
    let (frontier, _) = crawl.pages(&site, &["/latin-1", "/windows-1251", "/wrong", "/utf-8-as-latin"]);
    let titles: Vec<String> = frontier.candidates().map(|c| c.row["title"].clone()).collect();
    let russian = "Мороженое из свежей клубники";
    assert_eq!(titles, ["Crème brûlée à la façade", russian, russian, russian]);
    assert_eq!(crawl.problems.lock().unwrap().iter().filter(|p| p.starts_with("says it is")).count(), 2);
}

#[test]
fn sitemaps_in_sitemaps() {
    let site = Site::serve(|asked| {
        let host = &asked.headers["host"];
        let xml = [("Content-Type", "application/xml")];
        let list = |tag: &str, paths: &[&str]| -> String {
            paths.iter().map(|path| format!("<{tag}><loc>http://{host}{path}</loc></{tag}>")).collect()
        };
        match asked.path.as_str() {
            "/robots.txt" => {
                Reply::text(&format!("Sitemap: http://{host}/named.xml\nSitemap: http://other.test/x.xml\n"))
            }
            "/index.xml" => {
                let inside = list("sitemap", &["/a.xml.gz", "/index.xml", "/nested1.xml"]);
                Reply::with("200 OK", &xml, format!("<sitemapindex>{inside}</sitemapindex>"))
            }
            "/a.xml.gz" => {
                let far = "<url><loc>http://other.test/far</loc></url>";
                let map = format!("<urlset>{}{far}</urlset>", list("url", &["/p1", "/p2"]));
                Reply::with("200 OK", &[("Content-Type", "application/octet-stream")], zip(map.as_bytes()))
            }
            "/named.xml" => Reply::with("200 OK", &xml, format!("<urlset>{}", list("url", &["/p3"]))),
            path if path.starts_with("/nested") => {
                let next = format!("{}1.xml", path.trim_end_matches(".xml"));
                Reply::with(
                    "200 OK",
                    &xml,
                    format!("<sitemapindex>{}</sitemapindex>", list("sitemap", &[&next])),
                )
            }
            path => page(path),
        }
    });
    let mut crawl = Crawl::of(&[&site]);
    crawl.settings.robots_sitemaps = true;
    let (frontier, summary) =
        crawl.run(&Sources { sitemaps: vec![site.url("/index.xml")], ..Sources::default() });
    assert_eq!(titles(&frontier).into_keys().collect::<Vec<_>>(), ["/p1", "/p2", "/p3"]);
    assert!(site.paths().contains(&"/nested111.xml".to_owned()));
    assert!(!site.paths().contains(&"/nested1111.xml".to_owned()), "three deep at most");
    assert_eq!(summary.dropped_links, 2, "another host's page, and the fourth level");
}

#[test]
fn archives_need_no_network() {
    let site = open_site(|_| page("asked"));
    let crawl = Crawl::of(&[&site]);
    let archive = crawl.folder.path().join("pages.warc.gz");
    let records = [
        response("https://far.test/a", "<title>one</title><p class=body>x"),
        response("https://far.test/a", "<title>later</title><p class=body>x"),
        response(&site.url("/b"), "<title>two</title><p class=body>x"),
        response("https://far.test/c", "<p class=body>no title"),
    ];
    let bytes: Vec<u8> = records.iter().flat_map(|record| zip(record)).collect();
    std::fs::write(&archive, &bytes[..bytes.len() - 4]).unwrap();
    let mut sources = listed(&site, &["/b", "not an address"]);
    sources.archives = vec![archive, Path::new("/none.warc").to_owned()];
    let (frontier, summary) = crawl.run(&sources);
    assert_eq!(
        titles(&frontier),
        BTreeMap::from([("/a", "one"), ("/b", "two")].map(|(p, t)| (p.into(), t.into())))
    );
    assert!(site.asked().is_empty(), "a listed page that is archived is there");
    assert_eq!(frontier.candidates().next().unwrap().provenance.fetched, "2025-02-03T04:05:06Z");
    assert!(reason(&frontier, "/c").starts_with("column title is missing"));
    assert_eq!(summary.archived, 3);
    assert_eq!(summary.faults.len(), 3, "{:?}", summary.faults);
    drop(frontier);
    let again = crawl.run(&sources).1;
    assert_eq!((again.rows, site.asked().len()), (2, 0));
}
