//! Both kinds of GitHub's keys, over real HTTP, at a GitHub of our own on loopback. What judges that one stands in
//! `tests/` at the top.

mod contract;
mod crashes;
mod deploy_keys;
mod frozen;
mod refusals;
mod scene;
mod tokens;
mod world;
