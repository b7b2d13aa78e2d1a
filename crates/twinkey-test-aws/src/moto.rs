//! moto: somebody else's idea of AWS, in a process of its own.
