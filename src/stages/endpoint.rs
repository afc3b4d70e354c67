//! The language model of `[collect.model]`.

use super::error::BuildError;
use super::project::Project;
use crate::collect::{Budget, Client, EndpointSettings, Estimate, Kept, Key, Limits, Prices};
use crate::config::ModelConfig;
use crate::counting::{counted, grouped, money};

/// Who is asked, and what it may cost.
pub struct Endpoint {
    pub client: Client,
    pub budget: Budget,
}

/// The endpoint that `model` declares, with nothing spent.
///
/// # Errors
/// Address or name are not declared, or a setting cannot be used.
pub fn endpoint(model: &ModelConfig) -> Result<Endpoint, BuildError> {
    for (key, value, what) in [
        (
            "collect.model.base_url",
            &model.base_url,
            "the address of an endpoint, such as http://127.0.0.1:8080/v1",
        ),
        ("collect.model.name", &model.name, "the name of the model"),
    ] {
        if value.trim().is_empty() {
            return Err(BuildError::NotDeclared { key: key.into(), what: what.into() });
        }
    }
    let limits = Limits {
        requests: model.most_requests.map(|most| most as u64),
        tokens: model.most_tokens.map(|most| most as u64),
        cost: model.most_cost,
    };
    let prices =
        model.prompt_price.zip(model.answer_price).map(|(prompt, completion)| Prices { prompt, completion });
    Ok(Endpoint { client: client(model)?, budget: Budget::new(limits, prices)? })
}

/// What the language model was asked before, and what it said.
pub fn kept(project: &Project) -> Result<Kept, BuildError> {
    Ok(Kept::open(&project.candidates().join("answers"))?)
}

/// Who is asked, with the key of the environment.
fn client(model: &ModelConfig) -> Result<Client, BuildError> {
    let key = std::env::var(&model.key_env).unwrap_or_default();
    Ok(Client::new(EndpointSettings {
        base_url: model.base_url.clone(),
        model: model.name.clone(),
        key: Key::new(&key)?,
        timeout_s: model.timeout_s,
        retries: model.retries as u32,
        max_tokens: model.max_tokens as u32,
        temperature: model.temperature,
        seed: None,
    })?)
}

/// What a run takes at most, for people.
pub fn at_most(estimate: &Estimate) -> String {
    let mut text = format!(
        "at most {}, {} tokens of prompts and {} of answers",
        counted(estimate.requests as usize, "request", "requests"),
        grouped(estimate.tokens.prompt as usize),
        grouped(estimate.tokens.completion as usize)
    );
    if let Some(cost) = estimate.cost {
        text += &format!(", at a cost of {}", money(cost));
    }
    if let Some(limit) = &estimate.passes {
        text += &format!("; it may stop before: {limit}");
    }
    text
}
