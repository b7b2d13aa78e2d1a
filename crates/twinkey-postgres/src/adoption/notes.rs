//! What stops no rotation, and yet a person should know.

use crate::adoption::look::Look;
use crate::adoption::report::TwinState;
use crate::mark::Mark;

pub(crate) fn notes(look: &Look) -> Vec<String> {
    let all = [
        taken_over(look),
        replaced_comment(look),
        own_grants(look),
        clone_of_another(look),
        no_inherit(look),
        user_mappings(look),
    ];
    all.into_iter().flatten().collect()
}

fn taken_over(look: &Look) -> Option<String> {
    let twin = &look.standing.twin;
    (look.standing.twin_is == TwinState::OfAnotherTool).then(|| {
        format!("{twin} gets a new password by the first rotation, unless it is in AWSCURRENT now: whoever logs in with its present one must read the secret instead")
    })
}

fn replaced_comment(look: &Look) -> Option<String> {
    let twin = look.role(&look.standing.twin)?;
    let comment = twin.comment.as_ref().filter(|it| !Mark::is_one(it))?;
    let replaced = look.standing.twin_is == TwinState::OfAnotherTool;
    replaced.then(|| {
        format!(
            "the comment on {} makes room for the mark: {comment}",
            twin.name
        )
    })
}

/// A session has the rights of the role that it acts as.
fn own_grants(look: &Look) -> Option<String> {
    if !look.standing.has_twin() {
        return None;
    }
    let twin = &look.standing.twin;
    let grants = look.databases.iter().flat_map(|it| &it.grants);
    let own = grants.filter(|it| it.role == *twin && it.privilege != "CONNECT");
    let mut objects: Vec<&str> = own.map(|it| it.object.as_str()).collect();
    objects.sort_unstable();
    objects.dedup();
    (!objects.is_empty()).then(|| {
        format!(
            "{twin} has been granted rights of its own, which it does not use while it acts as {}: on {}",
            look.standing.owner,
            objects.join(", ")
        )
    })
}

fn clone_of_another(look: &Look) -> Option<String> {
    let name = &look.username;
    let stripped = name.strip_suffix(crate::document::CLONE)?;
    let member = look.role(name)?.may_act_as.iter().any(|it| it == stripped);
    let unnamed = look.standing.twin_is == TwinState::Missing && look.standing.original == *name;
    (unnamed && member).then(|| {
        format!(
            "{name} looks like the twin of {stripped} by another tool: if it is, add \"twin\": \"{stripped}\" and \"owner\": \"{stripped}\" to the document"
        )
    })
}

/// Until it acts as the owner, an open session of the original has the owner's rights by inheritance.
fn no_inherit(look: &Look) -> Option<String> {
    let original = &look.standing.original;
    let concerned = look.standing.has_third_owner()
        && look.snapshot.major_version < 16
        && look.held(original).is_some_and(|held| !held.inherits);
    concerned.then(|| {
        format!(
            "{original} is NOINHERIT: its sessions that are open now lose what is handed over; end them afterwards"
        )
    })
}

fn user_mappings(look: &Look) -> Option<String> {
    let givers = look.givers();
    let owned = look.databases.iter().flat_map(|it| &it.owned);
    let mut mappings = owned
        .filter(|it| it.kind == "user mapping" && givers.contains(&it.role.as_str()))
        .flat_map(|it| it.names.iter().map(String::as_str))
        .peekable();
    mappings.peek()?;
    let names: Vec<&str> = mappings.collect();
    Some(format!(
        "user mappings are not handed over, because they may hold passwords; {} needs its own: {}",
        look.standing.owner,
        names.join(", ")
    ))
}
