//! The bare function beside those that need the bucket too.

use std::sync::Arc;

use ringfence_aws::S3Blobs;
use ringfence_ports::Blobs;

fn main() -> Result<(), lambda_http::Error> {
    // As the port, so that nothing of it is left out.
    ringfence_cold_start::run(|aws, clock, random| {
        S3Blobs::from_env(aws, clock, random).map(|blobs| Arc::new(blobs) as Arc<dyn Blobs>)
    })
}
