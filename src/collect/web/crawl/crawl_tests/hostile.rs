//! Redirects, traps and pages that mean harm.

use super::setting::*;

#[test]
fn redirects_are_checked_at_each_step() {
    let site = Site::serve(|asked| {
        let port = asked.headers["host"].rsplit(':').next().unwrap_or_default();
        match asked.path.as_str() {
            "/robots.txt" => Reply::text("User-agent: *\nDisallow: /no/\n"),
            "/good" => Reply::moved("/better"),
            "/better" => Reply::moved("/best"),
            "/loop" => Reply::moved("/loop2"),
            "/loop2" => Reply::moved("/loop"),
            "/self" => Reply::moved("/self"),
            "/metadata" => Reply::moved("http://169.254.169.254/latest/meta-data/"),
            "/inside" => Reply::moved(&format!("http://inside.test:{port}/secret")),
            "/other-port" => Reply::moved("http://127.0.0.1:1/other"),
            "/file" => Reply::moved("file:///etc/passwd"),
            "/user" => Reply::moved(&format!("http://me:pw@127.0.0.1:{port}/named")),
            "/forbidden" => Reply::moved("/no/page"),
            "/nowhere" => Reply::with("301 Moved Permanently", &[], ""),
            path if path.starts_with("/far") => Reply::moved(&format!("{path}x")),
            _ => page("best"),
        }
    });
    let crawl = Crawl::of(&[&site]);
    let paths = [
        "/good",
        "/loop",
        "/self",
        "/metadata",
        "/inside",
        "/other-port",
        "/file",
        "/user",
        "/forbidden",
        "/nowhere",
        "/far",
    ];
    let (frontier, _) = crawl.pages(&site, &paths);
    assert_eq!(titles(&frontier), BTreeMap::from([("/best".to_owned(), "best".to_owned())]));
    assert!(reason(&frontier, "/loop2").starts_with("redirects in a loop"));
    assert!(reason(&frontier, "/self").starts_with("redirects in a loop"));
    assert_eq!(
        reason(&frontier, "/latest/meta-data/"),
        "host 169.254.169.254 is at 169.254.169.254, which is link-local"
    );
    let inside = reason(&frontier, "/secret");
    assert_eq!(inside, "host inside.test is at 127.0.0.1, which is loopback");
    assert_eq!(reason(&frontier, "/other"), "host 127.0.0.1 is at 127.0.0.1, which is loopback");
    assert_eq!(reason(&frontier, "/etc/passwd"), "scheme file is neither http nor https");
    assert_eq!(reason(&frontier, "/named"), "address carries a user name or password");
    assert_eq!(reason(&frontier, "/no/page"), "robots.txt forbids it");
    assert_eq!(reason(&frontier, "/nowhere"), "redirect leads nowhere: it has no Location");
    assert_eq!(reason(&frontier, "/farxxxxx"), "redirected more than 5 times");
    let paths: HashSet<String> = site.paths().into_iter().collect();
    for never in ["/secret", "/no/page", "/named"] {
        assert!(!paths.contains(never), "{never} was asked");
    }
    assert_eq!(paths.len(), site.paths().len(), "nothing is asked twice");
    assert!(site.asked().iter().all(|asked| asked.headers["host"] == site.host()));
}

#[test]
fn an_endless_calendar_ends() {
    let site = open_site(|path| {
        let month: u64 = path.trim_start_matches("/month/").parse().unwrap_or(0);
        let more = format!("<a href='/month/{}'>next</a><a href='{path}/day/x/y'>day</a>", month + 1);
        Reply::html(format!(
            "<title>{month}</title><p class=body>x</p>{more}<a href='http://169.254.1.1/'>z</a>"
        ))
    });
    let mut crawl = Crawl::of(&[&site]);
    crawl.settings.max_depth = 8;
    crawl.settings.skip = vec!["/day/x/y/day/x/y/day/x/y/day".to_owned()];
    let (frontier, summary) = crawl.pages(&site, &["/month/0"]);
    assert_eq!(summary.stop, Stop::Finished);
    assert!(frontier.entries().iter().all(|entry| entry.found.depth <= 8));
    assert!(site.paths().len() < 60, "{}", site.paths().len());
    let mut crawl = Crawl::of(&[&site]);
    (crawl.settings.max_depth, crawl.settings.max_pages_a_host) = (1_000_000, 12);
    let (_, summary) = crawl.pages(&site, &["/month/0"]);
    assert_eq!((summary.stop, summary.asked), (Stop::Pages, 12));
    assert!(summary.left > 0);
}

#[test]
fn bombs_slow_pages_and_cut_pages_are_refused() {
    let site = open_site(|path| match path {
        "/bomb" => Reply::with(
            "200 OK",
            &[("Content-Type", "text/html"), ("Content-Encoding", "gzip")],
            // Whoever unzips it all comes to a broken end instead of the limit.
            zip(&vec![b' '; 50_000_000]).split_last_chunk::<8>().map(|(body, _)| body.to_vec()).unwrap(),
        ),
        "/zipped" => Reply::with(
            "200 OK",
            &[("Content-Type", "text/html"), ("Content-Encoding", "gzip")],
            zip(b"<title>zipped</title><p class=body>x"),
        ),
        "/large" => Reply::html(vec![b' '; 200_001]),
        "/brotli" => Reply::with("200 OK", &[("Content-Type", "text/html"), ("Content-Encoding", "br")], "x"),
        "/picture" => Reply::with("200 OK", &[("Content-Type", "image/png")], "x"),
        "/untyped" => Reply::with("200 OK", &[], "<title>x</title>"),
        "/deep" => Reply::html("<div>".repeat(30_000)),
        "/empty" => Reply::html(""),
        "/gone" => Reply::missing(),
        _ => Reply::Cut,
    });
    let crawl = Crawl::of(&[&site]);
    let paths =
        ["/bomb", "/zipped", "/large", "/brotli", "/picture", "/untyped", "/deep", "/empty", "/gone", "/cut"];
    let (frontier, _) = crawl.pages(&site, &paths);
    assert_eq!(titles(&frontier).into_keys().collect::<Vec<_>>(), ["/zipped"]);
    for (path, expected) in [
        ("/bomb", "page has more than 200000 bytes"),
        ("/large", "page has more than 200000 bytes"),
        ("/brotli", "content encoding \"br\" cannot be undone"),
        ("/picture", "content type \"image/png\" is not what was asked for"),
        ("/untyped", "content type \"\" is not what was asked for"),
        ("/deep", "markup is not parsed: more than"),
        ("/empty", "column title is missing: nothing in recipe.name"),
        ("/gone", "server answered 404"),
        ("/cut", "connection failed: "),
    ] {
        assert!(reason(&frontier, path).starts_with(expected), "{path}: {}", reason(&frontier, path));
    }
    let slow = open_site(|_| Reply::Drip);
    let mut crawl = Crawl::of(&[&slow]);
    crawl.fetch.timeout_s = 0.5;
    let (frontier, _) = crawl.pages(&slow, &["/slow"]);
    assert_eq!(reason(&frontier, "/slow"), "no whole answer within 1 seconds");
}
