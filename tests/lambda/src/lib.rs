//! A [Lambda Runtime API] of the tests' own: starts a function's binary as Lambda does, hands it the
//! events of `events/<function>/`, and compares what it answers.
//!
//! [Lambda Runtime API]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

mod aws;
mod function;
mod http;
mod samples;

pub use aws::Aws;
pub use function::{Function, Outcome};
pub use samples::{Expected, Sample, check, sample};
