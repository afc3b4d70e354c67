//! An OpenAI-compatible endpoint on loopback that says what a test makes it say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The prompts that an endpoint was asked, in the order in which they came.
#[derive(Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn prompts(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// An endpoint that answers with what `reply` makes of a request's number, counted from 0, and its prompt; its address, and what it was
/// asked.
pub fn endpoint(reply: impl Fn(usize, &str) -> String + Send + Sync + 'static) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (asked, reply) = (Asked::default(), Arc::new(reply));
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            let (log, reply) = (log.clone(), Arc::clone(&reply));
            std::thread::spawn(move || answer(stream, &log, &*reply));
        }
    });
    (url, asked)
}

fn answer(mut stream: TcpStream, log: &Asked, reply: &dyn Fn(usize, &str) -> String) {
    let asked: Value = serde_json::from_str(&body(&mut stream)).unwrap();
    let prompt = asked["messages"][1]["content"].as_str().unwrap();
    let number = {
        let mut log = log.0.lock().unwrap();
        log.push(prompt.to_owned());
        log.len() - 1
    };
    let said = json!({
        "choices": [{
            "message": { "role": "assistant", "content": reply(number, prompt) },
            "finish_reason": "stop"
        }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 50 }
    })
    .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        said.len()
    );
    stream.write_all((head + &said).as_bytes()).unwrap();
}

fn body(stream: &mut TcpStream) -> String {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut part).unwrap();
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap().lines().next().unwrap().to_owned();
            if body.len() >= length.parse().unwrap() {
                return body.to_owned();
            }
        }
    }
}
