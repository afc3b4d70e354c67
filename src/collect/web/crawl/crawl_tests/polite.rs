//! What is asked of a host, and when.

use super::setting::*;

#[test]
fn robots_txt_is_kept_to_and_asked_once_a_day() {
    let clock = Arc::new(StillClock::new());
    let (times, clock_of_site) = (Arc::new(Mutex::new(Vec::new())), clock.clone());
    let times_of_site = times.clone();
    let site = Site::serve(move |asked| {
        times_of_site.lock().unwrap().push(clock_of_site.elapsed().as_secs());
        match asked.path.as_str() {
            "/robots.txt" => Reply::text("User-agent: pipeline\nCrawl-delay: 7\nDisallow: /private/\n"),
            path => page(path),
        }
    });
    let crawl = Crawl { clock, ..Crawl::of(&[&site]) };
    let (frontier, summary) = crawl.pages(&site, &["/a", "/private/x", "/b"]);
    assert_eq!(titles(&frontier).into_keys().collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(reason(&frontier, "/private/x"), "robots.txt forbids it");
    assert_eq!(summary.refused, BTreeMap::from([("robots.txt".to_owned(), 1)]));
    assert_eq!(site.paths(), ["/a", "/b"]);
    let pauses: Vec<u64> = times.lock().unwrap().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [7, 7]);
    drop(frontier);
    crawl.pages(&site, &["/c"]);
    assert_eq!(site.asked().iter().filter(|asked| asked.path == "/robots.txt").count(), 1);
    crawl.clock.sleep(std::time::Duration::from_secs(86_401));
    crawl.pages(&site, &["/d"]);
    assert_eq!(site.asked().iter().filter(|asked| asked.path == "/robots.txt").count(), 2);
}

#[test]
fn a_long_crawl_delay_is_cut_and_that_is_said() {
    let site = with_robots("User-agent: *\nCrawl-delay: 3600\n", |_| page("x"));
    let crawl = Crawl::of(&[&site]);
    let (_, summary) = crawl.pages(&site, &["/a", "/b"]);
    assert_eq!(summary.rows, 2);
    assert!((120..200).contains(&crawl.clock.elapsed().as_secs()), "{:?}", crawl.clock.elapsed());
    assert!(
        crawl.notes().contains("asks for 3600 seconds between requests; 60 are kept to"),
        "{}",
        crawl.notes()
    );
}

#[test]
fn a_host_whose_robots_txt_cannot_be_had_is_left_alone() {
    let site = Site::serve(|asked| match asked.path.as_str() {
        "/robots.txt" => Reply::with("503 Service Unavailable", &[], ""),
        _ => page("x"),
    });
    let crawl = Crawl::of(&[&site]);
    let (frontier, summary) = crawl.pages(&site, &["/a", "/b"]);
    assert!(site.paths().is_empty());
    let reason = "its robots.txt: server answered 503".to_owned();
    assert_eq!(summary.left_alone, [LeftAlone { host: site.host(), reason, left: 2 }]);
    assert!(crawl.notes().contains("is left alone in this run"));
    drop(frontier);
    let again = crawl.pages(&site, &[]).1;
    assert_eq!((again.left, site.asked().len()), (2, 2), "the next run asks again");
}

#[test]
fn a_host_that_says_later_is_asked_later() {
    let times = Arc::new(AtomicUsize::new(0));
    let counter = times.clone();
    let site = open_site(move |path| match path {
        "/busy" if counter.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::with("429 Too Many Requests", &[("Retry-After", "90")], "")
        }
        "/always" => Reply::with("503 Service Unavailable", &[("Retry-After", "2")], ""),
        path => page(path),
    });
    let crawl = Crawl::of(&[&site]);
    let (frontier, summary) = crawl.pages(&site, &["/busy", "/other", "/always"]);
    assert_eq!(
        site.paths(),
        ["/busy", "/busy", "/other", "/always", "/always", "/always"],
        "the whole host waits"
    );
    assert!((90..110).contains(&crawl.clock.elapsed().as_secs()), "{:?}", crawl.clock.elapsed());
    assert_eq!(summary.rows, 2);
    assert_eq!(reason(&frontier, "/always"), "server answered 503 and asked to come later, 3 times");

    let closed = open_site(|_| Reply::with("429 Too Many Requests", &[("Retry-After", "86400")], ""));
    let crawl = Crawl::of(&[&closed]);
    let (_, summary) = crawl.pages(&closed, &["/a", "/b"]);
    assert_eq!(closed.paths(), ["/a"]);
    assert!(summary.left_alone[0].reason.contains("asked for 86400 seconds"), "{:?}", summary.left_alone);
}

#[test]
fn a_host_that_fails_and_fails_is_left_alone() {
    let site = open_site(|_| Reply::with("500 Internal Server Error", &[], ""));
    let paths: Vec<String> = (0..9).map(|n| format!("/{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (_, summary) = Crawl::of(&[&site]).pages(&site, &paths);
    assert_eq!((site.paths().len(), summary.left), (5, 4));
    assert_eq!(summary.left_alone[0].reason, "5 requests in a row failed");
}

#[test]
fn hosts_are_asked_at_once_and_each_one_at_a_time() {
    let slow = |_: &str| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        page("x")
    };
    let (a, b) = (open_site(slow), open_site(slow));
    let mut crawl = Crawl::of(&[&a, &b]);
    crawl.settings.hosts_at_once = 6;
    let paths: Vec<String> = (0..6).map(|n| format!("/{n}")).collect();
    let pages = paths.iter().flat_map(|path| [a.url(path), b.url(path)]).collect();
    let (frontier, summary) = crawl.run(&Sources { pages, ..Sources::default() });
    assert_eq!((frontier.candidates().count(), summary.asked), (12, 12));
    assert_eq!((a.most_open(), b.most_open()), (1, 1));
}
