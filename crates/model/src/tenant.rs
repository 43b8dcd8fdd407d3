//! Who a record, a query or an action belongs to.

use std::fmt;
use std::sync::Arc;

/// Longest accepted tenant name, in bytes.
pub const TENANT_BYTES_MAX: usize = 150;

/// A tenant name: what `X-Scope-OrgID` carries, or [`Tenant::default`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

/// Why a tenant name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tenant ID {0:?} is not valid: use 1 to 150 characters of a-z A-Z 0-9 ! - _ . * ' ( ), not . or ..")]
pub struct TenantError(String);

impl Default for Tenant {
    /// The tenant of requests that name none; Loki's and Mimir's single-tenant name.
    fn default() -> Self {
        Self(Arc::from("fake"))
    }
}

impl Tenant {
    /// Checks the characters Loki, Mimir and Tempo allow; the name is a directory name in the store.
    ///
    /// # Errors
    /// When the name is empty, too long, `.`, `..` or holds another character.
    pub fn new(name: &str) -> Result<Self, TenantError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!-_.*'()".contains(&b);
        let fits = !name.is_empty() && name.len() <= TENANT_BYTES_MAX && name != "." && name != "..";
        if fits && name.bytes().all(allowed) {
            return Ok(Self(name.into()));
        }
        Err(TenantError(name.chars().take(TENANT_BYTES_MAX).collect()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_directory_are_refused() {
        for bad in ["", ".", "..", "a/b", "a\0", "é"] {
            assert!(Tenant::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Tenant::new("team-a").map(|t| t.to_string()), Ok("team-a".into()));
    }
}
