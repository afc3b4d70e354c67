//! A translator that is a program: a text a line in, a text a line out.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::direction::Direction;
use super::error::TranslationError;
use crate::progress::Progress;

/// The end of what a program said of its failure, in characters.
const SAID: usize = 300;

/// How often a running program is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Translate `lines`, none of which has a line break. Where the program answers another number of lines, halves are asked
/// until the line that it breaks is alone; what it says to that is its translation.
///
/// # Errors
/// The program cannot be started or failed, or the user interrupted.
pub fn translate(
    command: &[String],
    direction: Direction<'_>,
    lines: &[&str],
    progress: &dyn Progress,
) -> Result<Vec<String>, TranslationError> {
    let words: Vec<String> = command.iter().map(|word| direction.put_into(word)).collect();
    let said = run(&words, &(lines.join("\n") + "\n"), progress)?;
    let answers: Vec<String> = said.lines().map(|line| line.trim().to_owned()).collect();
    let line = || words.join(" ");
    match (lines.len(), answers.len()) {
        (asked, answered) if asked == answered => Ok(answers),
        (0 | 1, answered) if answered > 0 => Ok(vec![answers.join(" ").trim().to_owned()]),
        (asked @ (0 | 1), answered) => Err(TranslationError::Lines { line: line(), asked, answered }),
        (asked, _) => {
            let (first, second) = lines.split_at(asked / 2);
            let mut both = translate(command, direction, first, progress)?;
            both.extend(translate(command, direction, second, progress)?);
            Ok(both)
        }
    }
}

/// What the program says to `input`.
fn run(words: &[String], input: &str, progress: &dyn Progress) -> Result<String, TranslationError> {
    let Some((program, arguments)) = words.split_first() else {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it has no name");
        return Err(TranslationError::NotStarted { program: String::new(), source });
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| TranslationError::NotStarted { program: program.clone(), source })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // All three at once: a program that waits for its output to be read reads no more input.
    let (status, output, errors) = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that ends early says so by its status.
            stdin.map(|mut pipe| pipe.write_all(input.as_bytes()))
        });
        let output = scope.spawn(move || read(stdout));
        let errors = scope.spawn(move || read(stderr));
        let status = wait(&mut child, progress);
        (status, output.join().unwrap_or_default(), errors.join().unwrap_or_default())
    });
    let status = status?;
    if !status.success() {
        let errors = errors.trim();
        let skipped = errors.chars().count().saturating_sub(SAID);
        return Err(TranslationError::Failed {
            line: words.join(" "),
            status: status.to_string(),
            said: errors.chars().skip(skipped).collect(),
        });
    }
    Ok(output)
}

fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // What was read before a pipe broke is all that there is; the status says whether that is a failure.
    let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Wait for the end; an interruption ends the program.
fn wait(child: &mut Child, progress: &dyn Progress) -> Result<std::process::ExitStatus, TranslationError> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if progress.interrupted() => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(TranslationError::Interrupted);
            }
            Ok(None) => std::thread::sleep(PAUSE),
            Err(source) => return Err(TranslationError::NotStarted { program: String::new(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn by(script: &str, lines: &[&str]) -> Result<Vec<String>, TranslationError> {
        let command = ["sh", "-c", script, "{from}-{to}"].map(str::to_owned);
        translate(&command, Direction { from: "en", to: "es" }, lines, &Silent)
    }

    #[test]
    fn a_program_gets_a_text_a_line_and_the_languages() {
        let found = by("sed \"s/^/$0: /\"", &["one", "two"]).unwrap();
        assert_eq!(found, ["en-es: one", "en-es: two"]);
        // More than a pipe holds, from a program that answers before it has read all.
        let long = vec!["a text of some length, again and again"; 20_000];
        assert_eq!(by("cat", &long).unwrap(), long);
    }

    #[test]
    fn a_text_that_breaks_the_lines_is_asked_alone() {
        let breaks = "sed 's/two/two\\nhalves/'";
        assert_eq!(by(breaks, &["one", "two", "three"]).unwrap(), ["one", "two halves", "three"]);
        let swallows = "sed '/two/d'";
        let error = by(swallows, &["one", "two", "three"]).unwrap_err();
        assert!(matches!(error, TranslationError::Lines { asked: 1, answered: 0, .. }), "{error}");
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_is_named() {
        let error = by("cat; echo no such pair >&2; exit 3", &["one"]).unwrap_err();
        assert!(error.to_string().contains("no such pair") && error.to_string().contains('3'), "{error}");
        let command = ["no-such-translator".to_owned()];
        let direction = Direction { from: "en", to: "es" };
        let error = translate(&command, direction, &["one"], &Silent).unwrap_err();
        assert!(error.to_string().contains("no-such-translator"), "{error}");
        assert!(translate(&[], direction, &["one"], &Silent).is_err());
    }
}
