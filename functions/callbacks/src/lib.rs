//! The `callbacks` function: the delivery log, and what people do with callbacks: test, pause, resume,
//! resend, replay.

mod callbacks;
mod deliveries;
mod job;
mod operational_events;
mod problem;

ringfence_http::routes! {
    callbacks::list::get,
    callbacks::test::post,
    callbacks::pause::post,
    callbacks::resume::post,
    callbacks::replay::post,
    deliveries::list::get,
    deliveries::one::get,
    deliveries::resend::post,
    job::get,
    operational_events::get,
}
