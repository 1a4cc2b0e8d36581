//! Logging in and staying so, as browsers and programs see it.

mod csrf;
mod idle;
mod links;
mod login;
mod pages;
mod second_factor;
mod setting_up;
mod world;
