//! One transaction on the store file: rows in, rows out, sealed on the way.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Transaction, params};
use twinkey_core::{Record, SecretId, SecretValue, StoreError, VersionId};

use crate::database::sql;
use crate::state::State;
use crate::vault::{Root, Vault, corrupt};

/// One transaction.
pub(crate) struct Ledger<'a> {
    transaction: Transaction<'a>,
    vault: &'a Vault,
    root: Root,
    now: DateTime<Utc>,
}

impl<'a> Ledger<'a> {
    /// Reads the root, so that all else can be checked against it.
    pub(crate) fn open(
        transaction: Transaction<'a>,
        vault: &'a Vault,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let sealed: Vec<u8> = transaction
            .query_row("SELECT root FROM store", [], |row| row.get(0))
            .map_err(sql)?;
        let root = vault.open_json(&vault.root_place(), &sealed, || {
            "the list of secrets".into()
        })?;
        Ok(Self {
            transaction,
            vault,
            root,
            now,
        })
    }

    /// The store's clock, in whole milliseconds, the same all through the transaction.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    pub(crate) fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().map_err(sql)
    }

    pub(crate) fn secrets(&self) -> Vec<SecretId> {
        self.root.generations.keys().cloned().collect()
    }

    /// The state of a secret that must exist.
    pub(crate) fn state(&self, secret: &SecretId) -> Result<State, StoreError> {
        self.find_state(secret)?
            .ok_or_else(|| StoreError::NoSecret(secret.clone()))
    }

    /// The state of a secret, if there is one.
    pub(crate) fn find_state(&self, secret: &SecretId) -> Result<Option<State>, StoreError> {
        let what = || format!("the state of secret {secret}");
        let row = self.blob(
            "SELECT state FROM secret WHERE name = ?1",
            params![secret.as_str()],
        )?;
        match (self.root.generations.get(secret), row) {
            (None, None) => Ok(None),
            (Some(generation), Some(sealed)) => {
                let place = self.vault.state_place(secret, *generation);
                self.vault.open_json(&place, &sealed, what).map(Some)
            }
            (Some(_), None) => Err(corrupt(what(), "it was deleted from the file")),
            (None, Some(_)) => Err(corrupt(what(), "the store never wrote it")),
        }
    }

    /// Writes a state as the latest, without the versions that nobody can ask for any more.
    pub(crate) fn save_state(
        &mut self,
        secret: &SecretId,
        mut state: State,
    ) -> Result<(), StoreError> {
        state.check_labels()?;
        for id in state.prune(self.now) {
            self.transaction
                .execute(
                    "DELETE FROM version WHERE name = ?1 AND id = ?2",
                    params![secret.as_str(), id.as_str()],
                )
                .map_err(sql)?;
        }
        let generation = self.root.generations.entry(secret.clone()).or_default();
        *generation += 1;
        let place = self.vault.state_place(secret, *generation);
        let sealed = self.vault.seal_json(&place, &state)?;
        self.transaction
            .execute(
                "INSERT INTO secret (name, state) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET state = excluded.state",
                params![secret.as_str(), sealed],
            )
            .map_err(sql)?;
        let root = self.vault.seal_json(&self.vault.root_place(), &self.root)?;
        self.transaction
            .execute("UPDATE store SET root = ?1", params![root])
            .map_err(sql)?;
        Ok(())
    }

    /// The value of a version that the state says has one.
    pub(crate) fn value(
        &self,
        secret: &SecretId,
        id: &VersionId,
    ) -> Result<SecretValue, StoreError> {
        let what = || format!("version {id} of secret {secret}");
        let sealed = self
            .blob(
                "SELECT value FROM version WHERE name = ?1 AND id = ?2",
                params![secret.as_str(), id.as_str()],
            )?
            .ok_or_else(|| corrupt(what(), "its value was deleted from the file"))?;
        let place = self.vault.row_place("value", secret, id);
        let plain = self.vault.open(&place, &sealed, what)?;
        let text = std::str::from_utf8(&plain).map_err(|_| corrupt(what(), "it is no text"))?;
        Ok(SecretValue::new(text.to_owned()))
    }

    pub(crate) fn insert_value(
        &self,
        secret: &SecretId,
        id: &VersionId,
        value: &SecretValue,
    ) -> Result<(), StoreError> {
        let place = self.vault.row_place("value", secret, id);
        let sealed = self.vault.seal(&place, value.expose().as_bytes())?;
        self.transaction
            .execute(
                "INSERT INTO version (name, id, value) VALUES (?1, ?2, ?3)",
                params![secret.as_str(), id.as_str(), sealed],
            )
            .map_err(sql)?;
        Ok(())
    }

    /// The record of one rotation, if there is one.
    pub(crate) fn record(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Option<Record>, StoreError> {
        let row = self.blob(
            "SELECT record FROM record WHERE name = ?1 AND token = ?2",
            params![secret.as_str(), token.as_str()],
        )?;
        row.map(|sealed| self.open_record(secret, token, &sealed))
            .transpose()
    }

    /// All records of a secret, in the order in which their rotations began.
    pub(crate) fn records(&self, secret: &SecretId) -> Result<Vec<Record>, StoreError> {
        let mut statement = self
            .transaction
            .prepare_cached("SELECT token, record FROM record WHERE name = ?1 ORDER BY number")
            .map_err(sql)?;
        let rows = statement
            .query_map(params![secret.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(sql)?
            .collect::<Result<Vec<(String, Vec<u8>)>, _>>()
            .map_err(sql)?;
        let open = |(token, sealed): &(String, Vec<u8>)| {
            let token = VersionId::parse(token.as_str()).map_err(|_| {
                corrupt(format!("a record of secret {secret}"), "its token is none")
            })?;
            self.open_record(secret, &token, sealed)
        };
        rows.iter().map(open).collect()
    }

    pub(crate) fn save_record(&self, record: &Record) -> Result<(), StoreError> {
        let place = self
            .vault
            .row_place("record", &record.secret, &record.token);
        let sealed = self.vault.seal_json(&place, record)?;
        self.transaction
            .execute(
                "INSERT INTO record (name, token, record) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name, token) DO UPDATE SET record = excluded.record",
                params![record.secret.as_str(), record.token.as_str(), sealed],
            )
            .map_err(sql)?;
        Ok(())
    }

    fn open_record(
        &self,
        secret: &SecretId,
        token: &VersionId,
        sealed: &[u8],
    ) -> Result<Record, StoreError> {
        let place = self.vault.row_place("record", secret, token);
        let what = || format!("the record of rotation {token} of secret {secret}");
        self.vault.open_json(&place, sealed, what)
    }

    fn blob(
        &self,
        query: &str,
        keys: impl rusqlite::Params,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.transaction
            .prepare_cached(query)
            .and_then(|mut statement| statement.query_row(keys, |row| row.get(0)).optional())
            .map_err(sql)
    }
}
