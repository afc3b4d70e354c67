//! Tests of whole crawls against sites on the loopback interface; time stands still but for what the crawl sleeps.

mod going_on;
mod hostile;
mod pages;
mod polite;
mod setting;
