//! Runs that go on, and runs that come again.

use super::setting::*;

#[test]
fn an_unchanged_page_is_not_sent_again_and_keeps_its_row() {
    let fails = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let fails_now = fails.clone();
    let site = Site::serve(move |asked| match asked.path.as_str() {
        "/robots.txt" => Reply::missing(),
        _ if fails_now.load(Ordering::SeqCst) => Reply::Cut,
        _ if asked.headers.get("if-none-match").is_some_and(|tag| tag == "\"7\"") => {
            Reply::with("304 Not Modified", &[], "")
        }
        _ => {
            let headers = [("Content-Type", "text/html"), ("ETag", "\"7\"")];
            Reply::with("200 OK", &headers, "<title>seven</title><p class=body>x")
        }
    });
    let mut crawl = Crawl::of(&[&site]);
    crawl.settings.revisit = true;
    let first = crawl.pages(&site, &["/a"]).1;
    assert_eq!((first.rows, first.unchanged), (1, 0));
    let (frontier, second) = crawl.pages(&site, &["/a"]);
    assert_eq!((second.rows, second.unchanged, second.asked), (1, 1, 1));
    assert_eq!(titles(&frontier)["/a"], "seven");
    drop(frontier);
    fails.store(true, Ordering::SeqCst);
    let (frontier, third) = crawl.pages(&site, &[]);
    assert_eq!((third.rows, titles(&frontier)["/a"].as_str()), (1, "seven"));
    assert!(crawl.notes().contains("its row of an earlier run stays"));
    drop(frontier);
    fails.store(false, Ordering::SeqCst);
    crawl.mapping.constants.insert("source".into(), "web".into());
    let (frontier, fourth) = crawl.pages(&site, &[]);
    assert_eq!(fourth.unchanged, 0, "other rules need the page itself");
    assert_eq!(frontier.candidates().next().unwrap().row["source"], "web");
}

#[test]
fn a_killed_run_asks_nothing_twice() {
    let site = open_site(|path| {
        let number: u32 = path.trim_start_matches('/').parse().unwrap_or(0);
        let links: String = (1..=3).map(|n| format!("<a href='/{}'>x</a>", number * 3 + n)).collect();
        Reply::html(format!("<title>{number}</title><p class=body>x</p>{links}"))
    });
    let mut crawl = Crawl::of(&[&site]);
    crawl.settings.max_depth = 2;
    let mut starts = 0;
    loop {
        crawl.listener = Listener { stop_after: Some(3), ..Listener::default() };
        let (frontier, summary) = crawl.pages(&site, &["/0"]);
        starts += 1;
        drop(frontier);
        // What a kill in the middle of a line leaves behind.
        let journal = crawl.folder.path().join("frontier.jsonl");
        let mut bytes = std::fs::read(&journal).unwrap();
        bytes.extend_from_slice(b"{\"line\":\"done\",\"url\":\"http");
        std::fs::write(&journal, bytes).unwrap();
        match summary.stop {
            Stop::Interrupted => assert!(starts < 20),
            stop => {
                assert_eq!((stop, summary.rows), (Stop::Finished, 13));
                break;
            }
        }
    }
    assert!(starts >= 4);
    let paths = site.paths();
    assert_eq!((paths.len(), paths.into_iter().collect::<HashSet<_>>().len()), (13, 13));
}

#[test]
fn the_limit_of_time_leaves_the_rest_for_the_next_start() {
    let site = open_site(page);
    let mut crawl = Crawl::of(&[&site]);
    crawl.settings.max_seconds = 2.5;
    let (_, summary) = crawl.pages(&site, &["/a", "/b", "/c", "/d"]);
    assert_eq!((summary.stop, summary.rows, summary.left), (Stop::Seconds, 2, 2));
    let (_, summary) = crawl.pages(&site, &[]);
    assert_eq!((summary.stop, summary.rows), (Stop::Finished, 4));
}
