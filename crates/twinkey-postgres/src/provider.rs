//! The provider: what the engine asks, answered by a Postgres server.

use std::sync::Arc;

use async_trait::async_trait;
use twinkey_core::{
    Borrow, Choose, DocumentError, Fence, IamTokens, InUse, KeyLabel, LastLook, Listing, Origin,
    Provider, ProviderError, Random, Ready, Retired, RetiredKey, Retiring, SecretAddress,
    SecretValue, Verdict, escape_control,
};

use crate::admin;
use crate::adoption::Adoption;
use crate::change::Change;
use crate::connect_error::ConnectError;
use crate::connection::Connector;
use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::failed_login::{FailedLogin, Whose};
use crate::mark::Mark;
use crate::pair::{Pairing, default_twin, mark_missing};
use crate::probe;
use crate::rights;
use crate::server_answer::{Refused, ServerAnswer};
use crate::session::{Session, StatementError};
use crate::sessions;
use crate::settings::Settings;
use crate::snapshot::{Role, Snapshot};
use crate::statement::{self, attributes};
use crate::turn::{Seen, Turns};

/// Rotates the passwords of pairs of login roles. Clones share what was set up once.
#[derive(Clone)]
pub struct PostgresProvider {
    connector: Arc<Connector>,
    borrow: Arc<dyn Borrow>,
}

impl PostgresProvider {
    /// `borrow` reads admin secrets; it is asked for nothing but the names in `masterarn`.
    #[must_use]
    pub fn new(settings: Settings, borrow: Arc<dyn Borrow>) -> Self {
        Self {
            connector: Arc::new(Connector::new(settings)),
            borrow,
        }
    }

    /// With a source of tokens for admins that log in by IAM. Without one, they are refused.
    #[must_use]
    pub fn with_iam(self, iam: Arc<dyn IamTokens>) -> Self {
        Self {
            connector: Arc::new(self.connector.with_iam(iam)),
            ..self
        }
    }

    /// The adoption of what a document names, before its first rotation or any later one. The document
    /// must be Postgres's.
    pub fn adoption(
        &self,
        value: &SecretValue,
        address: SecretAddress,
    ) -> Result<Adoption, DocumentError> {
        let connector = Arc::clone(&self.connector);
        Adoption::new(connector, Arc::clone(&self.borrow), value, address)
    }

    pub(crate) async fn admin(&self, secret: &PostgresSecret) -> Result<Session, PostgresError> {
        admin::open(&self.connector, self.borrow.as_ref(), secret).await
    }

    async fn look(
        &self,
        secret: &PostgresSecret,
        address: &SecretAddress,
    ) -> Result<Ready<PostgresSecret>, PostgresError> {
        let clone = secret.clone_name();
        let names: Vec<&str> = [secret.username(), &clone]
            .into_iter()
            .chain(secret.stripped_name())
            .chain(secret.twin())
            .chain(secret.owner())
            .collect();
        let session = self.admin(secret).await?;
        let snapshot = Snapshot::take(&session, secret.username(), &names).await;
        let snapshot = snapshot.map_err(doing("looking at the roles"))?;
        let completed = complete(secret, &snapshot, address)?;
        if completed.ends_sessions() {
            rights::check_ending(&snapshot)?;
        }
        let replaced = completed
            .twin()
            .filter(|twin| snapshot.role(twin).is_some());
        let in_use = match replaced {
            Some(role) => sessions_of(&session, role).await?,
            None => None,
        };
        session.close().await;
        Ok(Ready {
            secret: completed,
            in_use,
        })
    }

    async fn enter(&self, secret: &PostgresSecret) -> Result<Entry, PostgresError> {
        let cause = match self.connector.open(&secret.login()).await {
            Ok(session) => return Ok(Entry::Open(session)),
            Err(cause) => cause,
        };
        if let ConnectError::Answer(answer) = &cause
            && let Some(refused) = answer.refusal()
        {
            return Ok(Entry::Refused(refused, answer.clone()));
        }
        Err(refused_to(secret, cause))
    }

    async fn log_in(&self, secret: &PostgresSecret) -> Result<Verdict, PostgresError> {
        let session = match self.enter(secret).await? {
            Entry::Open(session) => session,
            Entry::Refused(_, answer) => {
                return Ok(Verdict::Refused {
                    reason: answer.to_string(),
                });
            }
        };
        let verdict = identify(&session, secret).await;
        session.close().await;
        verdict
    }

    /// Whether the password opens the role, even if the role may go no further. An error if nobody looks at it.
    async fn fits(&self, secret: &PostgresSecret) -> Result<bool, PostgresError> {
        match self.enter(secret).await? {
            Entry::Open(session) => {
                session.close().await;
                Ok(true)
            }
            Entry::Refused(Refused::Role, _) => Ok(true),
            Entry::Refused(Refused::Password, _) => Ok(false),
            Entry::Refused(Refused::Unread, answer) => {
                Err(refused_to(secret, ConnectError::Answer(answer)))
            }
        }
    }

    async fn take_away(&self, secret: &PostgresSecret) -> Result<Retired, PostgresError> {
        let clone = secret.clone_name();
        let roles = [secret.username(), secret.twin().unwrap_or(&clone)];
        let session = self.admin(secret).await?;
        let mut turns = Turns::new(&session, roles);
        let taken = loop {
            match self.take_from(&session, secret, roles).await {
                Err(error) => turns.wait_after(error).await?,
                Ok(taken) => break taken,
            }
        };
        session.close().await;
        Ok(taken)
    }

    async fn take_from(
        &self,
        session: &Session,
        secret: &PostgresSecret,
        roles: [&str; 2],
    ) -> Result<Retired, PostgresError> {
        let taken = Snapshot::take(session, secret.username(), &roles).await;
        let snapshot = taken.map_err(doing("looking at the roles"))?;
        // After the look: whoever of ours replaces the password in between changes the mark.
        if !self.fits(secret).await? {
            return Ok(Retired::AlreadyGone);
        }
        let lock_out = statement::lock_out(secret.username());
        let seen = Seen::of(&snapshot, roles);
        seen.change(session, "taking the password away", &lock_out)
            .await?;
        if self.fits(secret).await? {
            return Err(PostgresError::StillAccepted(secret.username().into()));
        }
        Ok(Retired::Refused)
    }

    async fn replace(
        &self,
        pending: &PostgresSecret,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, PostgresError> {
        let change = Change::new(pending, fence, last_look)?;
        let session = self.admin(pending).await?;
        let replaced = change.make_despite_others(&session).await?;
        session.close().await;
        Ok(replaced)
    }
}

#[async_trait]
impl Provider for PostgresProvider {
    type Secret = PostgresSecret;

    fn origin(&self) -> Origin<'_, PostgresSecret> {
        Origin::Chosen(self)
    }

    async fn ready(
        &self,
        current: &PostgresSecret,
        address: &SecretAddress,
    ) -> Result<Ready<PostgresSecret>, ProviderError> {
        Ok(self.look(current, address).await?)
    }

    async fn in_use(&self, secret: &PostgresSecret) -> Result<Option<InUse>, ProviderError> {
        let session = self.admin(secret).await?;
        let in_use = sessions_of(&session, secret.username()).await;
        session.close().await;
        Ok(in_use?)
    }

    async fn verify(&self, secret: &PostgresSecret) -> Result<Verdict, ProviderError> {
        Ok(self.log_in(secret).await?)
    }

    async fn retire(&self, key: Retiring<'_, PostgresSecret>) -> Result<Retired, ProviderError> {
        match key {
            Retiring::Secret(secret) => Ok(self.take_away(secret).await?),
            Retiring::Listed { .. } => Err(PostgresError::NotListed.into()),
        }
    }

    async fn list(
        &self,
        _current: &PostgresSecret,
        _address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        Ok(Listing::FixedSlots)
    }
}

#[async_trait]
impl Choose<PostgresSecret> for PostgresProvider {
    fn choose(
        &self,
        current: &PostgresSecret,
        _label: &KeyLabel,
        random: &mut Random,
    ) -> Result<PostgresSecret, DocumentError> {
        current.successor(random)
    }

    async fn apply(
        &self,
        pending: &PostgresSecret,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError> {
        Ok(self.replace(pending, fence, last_look).await?)
    }
}

async fn sessions_of(session: &Session, role: &str) -> Result<Option<InUse>, PostgresError> {
    let looked = sessions::look(session, role).await;
    looked.map_err(doing("looking who is connected"))
}

fn refused_to(secret: &PostgresSecret, cause: ConnectError) -> PostgresError {
    let failed = FailedLogin {
        whose: Whose::Consumer,
        address: secret.address().clone(),
        user: secret.username().into(),
        cause,
    };
    failed.into()
}

/// What became of a login.
enum Entry {
    Open(Session),
    Refused(Refused, ServerAnswer),
}

/// Whether the session is the role's, acts as the owner of what consumers create, and can do what the
/// pair's other role can. (P6)
async fn identify(session: &Session, secret: &PostgresSecret) -> Result<Verdict, PostgresError> {
    let names: Vec<&str> = [secret.username()]
        .into_iter()
        .chain(secret.twin())
        .collect();
    let taken = Snapshot::take(session, secret.username(), &names).await;
    let snapshot = taken.map_err(doing("asking as whom we are logged in"))?;
    let (role, acts_as) = (&snapshot.login, &snapshot.acts_as);
    let owner = secret.owner().unwrap_or(acts_as);
    if role != secret.username() || acts_as != owner {
        let reason = format!("the login is {role} and acts as {acts_as}, not as {owner}");
        return Ok(Verdict::Refused {
            reason: escape_control(&reason),
        });
    }
    let pair = |mark: &Mark| names.iter().all(|name| mark.names(name));
    let mut marks = snapshot.marked().filter_map(|(_, text)| Mark::parse(text));
    if names.len() == 2
        && let Some(mark) = marks.find(pair)
    {
        rights::check_equal(&snapshot, &mark, None)?;
    }
    if let Some(probe) = secret.probe() {
        probe::ask(session, probe).await?;
    }
    Ok(Verdict::Accepted)
}

/// Checks what the server said, and fills in the fields of ours.
fn complete(
    current: &PostgresSecret,
    snapshot: &Snapshot,
    address: &SecretAddress,
) -> Result<PostgresSecret, PostgresError> {
    let username = current.username();
    let twin = match current.twin() {
        Some(twin) => twin.to_owned(),
        None => default_twin(snapshot, current, address),
    };
    let found = Pairing::find(snapshot, username, &twin, address);
    match found.map_err(|error| once_ours(error, current, address))? {
        Pairing::Marked(mark) => {
            let roles = [snapshot.existing(username)?, snapshot.existing(&twin)?];
            rights::check_usable(snapshot, &roles)?;
            rights::check_change(snapshot, &roles)?;
            let owner = marked_owner(current, &mark)?;
            for role in roles {
                rights::check_acting(role, owner, current.database())?;
            }
            let original = snapshot.existing(&mark.original)?;
            let owed = snapshot
                .admin()
                .map(|admin| attributes(original, admin, snapshot.major_version));
            rights::check_equal(snapshot, &mark, owed.as_deref())?;
            Ok(current.completed(&twin, owner)?)
        }
        Pairing::First => {
            let original = snapshot.existing(username)?;
            let owner = first_owner(current, original)?;
            rights::check_usable(snapshot, &[original])?;
            let completed = current.completed(&twin, owner)?;
            let acted_as = snapshot.role(owner);
            let acted_as = acted_as.ok_or_else(|| PostgresError::OwnerMissing(owner.into()))?;
            rights::check_creation(snapshot, original, acted_as)?;
            if owner != original.name {
                rights::check_acting_everywhere(original, owner)?;
            }
            Ok(completed)
        }
    }
}

/// A document with both fields of ours has rotated before: then the twin is no stranger, but has
/// lost its mark.
pub(crate) fn once_ours(
    error: PostgresError,
    current: &PostgresSecret,
    address: &SecretAddress,
) -> PostgresError {
    match (&error, current.twin(), current.owner()) {
        (PostgresError::ForeignTwin(_), Some(twin), Some(owner)) => {
            mark_missing([current.username(), twin], owner, address)
        }
        _ => error,
    }
}

/// The owner of a pair that exists: a document that names another one would only be found out
/// by a login with a new password.
pub(crate) fn marked_owner<'a>(
    current: &PostgresSecret,
    mark: &'a Mark,
) -> Result<&'a str, DocumentError> {
    match current.owner() {
        Some(other) if other != mark.owner => Err(DocumentError::new(
            "owner",
            format!("is not what the pair acts as at the server: {}", mark.owner),
        )),
        _ => Ok(&mark.owner),
    }
}

/// The owner of a pair that does not exist yet: as a rule, the original itself.
pub(crate) fn first_owner<'a>(
    current: &'a PostgresSecret,
    original: &'a Role,
) -> Result<&'a str, DocumentError> {
    if let Some(owner) = current.owner() {
        return Ok(owner);
    }
    match original.acts_as(current.database()) {
        Some(other) if other != original.name => Err(DocumentError::new(
            "owner",
            format!("is missing: the role acts as {other} (ALTER ROLE … SET role), so name that"),
        )),
        _ => Ok(&original.name),
    }
}

pub(crate) fn doing(what: &'static str) -> impl FnOnce(StatementError) -> PostgresError {
    move |cause| PostgresError::Statement { doing: what, cause }
}
