//! The command line on AWS end to end: the real `twinkey`, Secrets Manager's protocol, the real `bootstrap`
//! where a rotation needs it, and a real database over TLS.

mod driver;
mod here;
mod kms;
mod leaks;
mod mistakes;
mod reading;
mod rotating;
