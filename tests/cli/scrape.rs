//! `pipeline collect scrape` against a site on the loopback interface.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::project::{Finished, Project};

/// A site of activities, and the paths that it was asked for.
struct Site {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `slow`: each answer takes that long.
    fn serve(slow: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, own) = (asked.clone(), host.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heard, own) = (heard.clone(), own.clone());
                std::thread::spawn(move || serve(stream, &heard, &own, slow));
            }
        });
        Self { host, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    fn paths(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn serve(stream: TcpStream, asked: &Mutex<Vec<String>>, host: &str, slow: Duration) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    let mut known = false;
    let mut path = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap().to_owned();
        }
        known |= line.to_ascii_lowercase().starts_with("if-none-match");
        if line.trim().is_empty() {
            break;
        }
        line.clear();
    }
    asked.lock().unwrap().push(path.clone());
    std::thread::sleep(slow);
    let (status, kind, body) = answer(&path, host, known);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nETag: \"1\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn answer(path: &str, host: &str, known: bool) -> (&'static str, &'static str, String) {
    let html = "text/html; charset=utf-8";
    match path {
        "/robots.txt" => ("200 OK", "text/plain", "User-agent: *\nDisallow: /private/\n".into()),
        "/sitemap.xml" => {
            let page = |n: u32| format!("<url><loc>http://{host}/activity/{n}</loc></url>");
            let pages: String = (1..=4).map(page).collect();
            ("200 OK", "application/xml", format!("<urlset>{pages}</urlset>"))
        }
        "/reserved" => (
            "200 OK",
            html,
            "<meta name=tdm-reservation content=1><h1>Ours</h1><p class=ages>3 to 4</p>".into(),
        ),
        "/bare" => ("200 OK", html, "<title>Bare</title><p>Nothing of ages here.</p>".into()),
        _ if known => ("304 Not Modified", html, String::new()),
        _ => match path.strip_prefix("/activity/") {
            Some(number) => ("200 OK", html, activity(number)),
            None => ("404 Not Found", html, String::new()),
        },
    }
}

fn activity(number: &str) -> String {
    format!(
        r#"<html><head><link rel="license" href="https://creativecommons.org/licenses/by/4.0/">
<script type="application/ld+json">{{"@type": "HowTo", "name": "Shake spoon {number}", "totalTime": "PT{number}0M",
"step": [{{"@type": "HowToStep", "text": "Shake the spoon with the baby in hall {number}."}},
{{"@type": "HowToStep", "text": "Listen &amp; laugh."}}]}}</script></head>
<body><p class="ages">For ages 1 to 2</p></body></html>"#
    )
}

fn project(site: &Site, sources: &str) -> Project {
    let project = Project::small();
    let host = &site.host;
    let config = format!(
        r#"
[collect.scrape]
{sources}
allow_hosts = ["{host}"]
requests_per_second = 10
[collect.scrape.columns]
title = {{ from = ["howto.name", "title"], required = true }}
how_to_play = {{ from = ["howto.step.text"] }}
duration_mins = {{ from = ["howto.totalTime"], number = "minutes" }}
age_min = {{ from = ["css.ages"], number = "first", required = true }}
age_max = {{ from = ["css.ages"], number = "last" }}
[collect.scrape.constants]
cost = "free"
[collect.scrape.css]
ages = {{ selector = ".ages" }}
"#
    );
    let toml = project.read("pipeline.toml") + &config;
    project.write("pipeline.toml", toml);
    project
}

#[test]
fn pages_become_candidates_with_where_they_come_from() {
    let site = Site::serve(Duration::ZERO);
    let (map, more) =
        (site.url("/sitemap.xml"), ["/private/x", "/bare", "/reserved", "/gone"].map(|p| site.url(p)));
    let project = project(&site, &format!("sitemaps = [{map:?}]\nlists = [\"pages.txt\"]"));
    project.write("pages.txt", format!("# more\n{}\n", more.join("\n")));
    let found = project.json(&["collect", "scrape"]);
    assert_eq!(
        (&found["stop"], &found["rows"], &found["new"]),
        (&"finished".into(), &4.into(), &4.into()),
        "{found}"
    );
    let refused =
        serde_json::json!({"robots.txt": 1, "lacks a column": 1, "mining reserved": 1, "status": 1});
    assert_eq!(found["refused"], refused);
    assert!(!site.paths().contains(&"/private/x".to_owned()));

    let rows = project.csv("data/candidates/small/scraped-1.csv");
    let row = rows.iter().find(|row| row["_origin"] == site.url("/activity/3")).unwrap();
    assert_eq!(row["title"], "Shake spoon 3");
    assert_eq!(row["how_to_play"], "Shake the spoon with the baby in hall 3. Listen & laugh.");
    assert_eq!(
        [&row["age_min"], &row["age_max"], &row["duration_mins"], &row["cost"]],
        ["1", "2", "30", "free"]
    );
    assert_eq!(
        [&row["_kind"], &row["_licence"]],
        ["scraped", "https://creativecommons.org/licenses/by/4.0/"]
    );
    assert_eq!(row["_recipe"].len(), 64);

    // What is done is not asked again; what is as it was gives no second row.
    let again = project.json(&["collect", "scrape"]);
    assert_eq!((&again["new"], &again["file"]), (&0.into(), &serde_json::Value::Null), "{again}");
    assert!(site.paths().iter().all(|path| !path.starts_with("/activity")), "asked again");
    let again = project.json(&["collect", "scrape", "--again"]);
    assert_eq!((&again["new"], &again["unchanged"]), (&0.into(), &4.into()), "{again}");

    // They pass the gate like any other.
    let review = project.json(&["collect", "review"]);
    assert_eq!(review["batches"][0]["candidates"], 4, "{review}");
    let text = project.run(&["collect", "scrape", "--quiet"]).out();
    assert!(text.contains("no row: lacks a column 1, mining reserved 1, robots.txt 1, status 1\n"), "{text}");
    assert!(text.contains("/bare: column age_min is missing: nothing in css.ages"), "{text}");
}

#[test]
fn what_cannot_be_asked_is_said_before_anything_is() {
    let site = Site::serve(Duration::ZERO);
    let page = site.url("/activity/1");
    let wrong = |project: &Project, code: i32, said: &str| {
        let done = project.run(&["collect", "scrape", "--quiet"]);
        assert_eq!(done.code(), code, "{}", done.err());
        assert!(done.err().contains(said), "{}", done.err());
    };
    let nothing = project(&site, "");
    wrong(&nothing, 3, "collect.scrape.pages is not set");
    let project = project(&site, &format!("pages = [{page:?}]"));
    project.configure("cost = \"free\"", "costs = \"free\"");
    wrong(
        &project,
        3,
        "collect.scrape.constants names `costs`, which is none of the columns that the config reads",
    );
    project.configure("costs = \"free\"", "cost = \"free\"");
    project.configure("\"howto.step.text\"", "\"howto\"");
    wrong(&project, 3, "collect.scrape.columns.how_to_play.from is \"howto\"");
    project.configure("\"howto\"", "\"howto.step.text\"");
    project.configure("selector = \".ages\"", "selector = \"..\"");
    wrong(&project, 3, "collect.scrape.css.ages.selector is \"..\"");
    project.configure("selector = \"..\"", "selector = \".ages\"");
    assert!(site.paths().is_empty());

    // Loopback is not on the public internet.
    project.configure(&format!("allow_hosts = [{:?}]", site.host), "allow_hosts = []");
    let done = project.run(&["collect", "scrape", "--quiet"]);
    assert_eq!(done.code(), 4, "{}", done.err());
    assert!(done.out().contains("127.0.0.1, which is loopback"), "{}", done.out());
    assert!(site.paths().is_empty());
}

#[test]
fn a_stopped_run_keeps_what_it_has_and_goes_on() {
    let site = Site::serve(Duration::from_millis(150));
    let pages: Vec<String> = (1..=30).map(|n| site.url(&format!("/activity/{n}"))).collect();
    let project = project(&site, &format!("pages = {pages:?}"));
    let command = |args: &[&str]| {
        let mut command = project.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let child = command(&["collect", "scrape", "--json"]).spawn().unwrap();
    let record = project.path("data/candidates/small/pages/frontier.jsonl");
    let rows = || fs::read_to_string(&record).unwrap_or_default().matches("\"outcome\":\"row\"").count();
    for _ in 0..1000 {
        if rows() >= 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // A second run at the same time is told so and changes nothing.
    let second = project.run(&["collect", "scrape", "--quiet"]);
    assert_eq!(second.code(), 6, "{}", second.err());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let done = Finished(child.wait_with_output().unwrap());
    assert_eq!(done.code(), 130, "{}", done.err());
    let before = project.csv("data/candidates/small/scraped-1.csv").len();
    assert!((3..30).contains(&before), "{before}");
    let found = project.json(&["collect", "scrape"]);
    assert_eq!((&found["rows"], &found["new"]), (&30.into(), &(30 - before).into()), "{found}");
    let mut asked = site.paths();
    asked.retain(|path| path.starts_with("/activity"));
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!((asked.len(), all), (30, 30), "a page was asked twice");
}
