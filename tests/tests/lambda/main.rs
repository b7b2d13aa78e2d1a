//! The rotation function end to end: the real `bootstrap`, Secrets Manager's protocol, a real database over TLS.

mod admins;
mod by_hand;
mod cost;
mod deadlines;
mod deliveries;
mod events;
mod killed;
mod leaks;
mod moto_drives;
mod readers;
mod requests;
mod schedule;
mod watch;
