//! New rows from elsewhere, and none of it on trust: candidates with their provenance, and the gate that they pass.

mod against_model;
mod candidates;
mod gate;
mod language_model;
mod people;
mod review;
mod scraped;
mod web;

pub use against_model::AgainstModel;
pub use candidates::{CandidateRow, LICENCE, ORIGIN, Provenance, write_candidates};
pub use gate::{
    Against, AlikeSettings, Among, Batch, Candidate, Columns, Diversity, DiversityFigures, DiversitySettings,
    Gate, GateError, GateSettings, Judged, LanguageSettings, OpinionSettings, PersonalAction,
    PersonalSettings, Probabilities, Reason, Reference, SchemaSettings, Skipped, TellSettings, Tells,
    UnsafeSettings, Vectors, Verdict, WordLimits, diversity,
};
pub use language_model::{
    Asking, Attribute, Budget, Class, Classified, Client, CollectError, Counts, Ended, EndpointSettings,
    Estimate, Example, Failure, Field, Finished, Generation, Kept, Key, Labels, Limits,
    Origin as ModelOrigin, Paraphrases, Planned, Prices, Prompts, RealTime, Source, Task, Tokens, Unlabelled,
};
pub use people::{
    Annotator, AnswerFile, Answered, AskAgain, AskSettings, DawidSkene, Merged, Pair, PeopleError, TaskRow,
    Tasks, Votes, accuracies, ask_again, merge, pairs, read_answers,
};
pub use review::{ACCEPTED, Accepted, DOUBTFUL, REFUSED, Review, Reviewed, ReviewedBatch};
pub use scraped::{NoRow, Scraped};
pub use web::{
    Around, Clock, Collector, CrawlSettings, FetchSettings, Frontier, LeftAlone, Mapping, Outcome, Sources,
    Stop, Summary, WallClock, WebError, read_list,
};
