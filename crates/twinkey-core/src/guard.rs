//! Where a rotation stands, read from the labels: the protocol's guard.

use crate::{Description, RotationFailure, Stage, VersionId};

/// Where a rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// AWSPENDING is on its version, which has no value yet.
    Empty,
    /// AWSPENDING is on its version, whose value is stored: values come with a slot label.
    Stored,
    /// AWSCURRENT is on its version: nothing is left to do.
    Published,
}

/// Reads the position from the labels, in the order of the vendor's rotation templates:
/// rotation on, token known, done already, turn come.
pub(crate) fn position(
    description: &Description,
    token: &VersionId,
) -> Result<Position, RotationFailure> {
    if !description.rotation_enabled {
        return Err(RotationFailure::RotationOff);
    }
    whereabouts(description, token)
}

/// The same, whether or not rotation is on.
pub(crate) fn whereabouts(
    description: &Description,
    token: &VersionId,
) -> Result<Position, RotationFailure> {
    if description.carries(token, &Stage::Current) {
        return Ok(Position::Published);
    }
    if !description.carries(token, &Stage::Pending) {
        return Err(RotationFailure::OutOfOrder(
            "AWSPENDING is not on this rotation's version: it has ended or was abandoned".into(),
        ));
    }
    Ok(match description.slot(token) {
        Some(_) => Position::Stored,
        None => Position::Empty,
    })
}
