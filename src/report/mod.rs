//! Figures to text and HTML, for people. Nothing is computed here.

mod ablation;
mod against;
mod chart;
mod collect;
mod comparison;
mod curve;
mod curve_section;
mod explanation;
mod filters;
mod html;
mod runs;
mod scored;
mod table;
mod terminal;
mod thorough;
mod thresholds;
mod tuning;
mod validation;

pub use ablation::ablation_text;
pub use against::against_text;
pub use chart::MapPoint;
pub use collect::{accepted_text, answered_text, review_text, scraped_text, worth_text};
pub use comparison::comparison_text;
pub use curve::curve_text;
pub use curve_section::with_curve;
pub use explanation::explanation_text;
pub use html::{Explained, Mistake, ReportInput, report_html};
pub use runs::runs_text;
pub use scored::scored_text;
pub use table::Table;
pub use terminal::summary;
pub use thorough::thorough_text;
pub use tuning::tuning_text;
pub use validation::{found_share, validation_text};
