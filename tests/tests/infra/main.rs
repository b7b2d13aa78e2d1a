//! What the templates in infra/ give the functions is what they need: the real `bootstrap` under the rights of its role.

mod moto_rights;
mod rights;
mod schedules;
mod story;
