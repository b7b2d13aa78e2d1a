//! Rotating what is due, against the strict fake.

mod deadline;
mod region;
mod report;
mod stuck;
mod ticks;
