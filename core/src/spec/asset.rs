//! Assets: the tables and files that DAGs make and wait for.

use serde::{Deserialize, Serialize};

/// A thing that tasks make and DAGs wait for, named by its URI: `bigquery://shop/orders`, `gs://crm/clean/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asset(String);

impl Asset {
    /// The asset with this URI.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self(uri.into())
    }

    /// Its URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.0
    }
}

/// Which assets have to change before a DAG runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetExpr {
    /// This one.
    Asset(Asset),
    /// Every one of these.
    All(Vec<AssetExpr>),
    /// Any of these.
    Any(Vec<AssetExpr>),
}

impl From<Asset> for AssetExpr {
    fn from(asset: Asset) -> Self {
        Self::Asset(asset)
    }
}

impl From<&Asset> for AssetExpr {
    fn from(asset: &Asset) -> Self {
        Self::Asset(asset.clone())
    }
}

impl AssetExpr {
    /// Runs once every one of these has changed since the last run.
    #[must_use]
    pub fn all<E: Into<Self>>(parts: impl IntoIterator<Item = E>) -> Self {
        Self::All(parts.into_iter().map(Into::into).collect())
    }

    /// Runs as soon as any of these changes.
    #[must_use]
    pub fn any<E: Into<Self>>(parts: impl IntoIterator<Item = E>) -> Self {
        Self::Any(parts.into_iter().map(Into::into).collect())
    }

    /// The assets it names.
    #[must_use]
    pub fn assets(&self) -> Vec<&Asset> {
        match self {
            Self::Asset(asset) => vec![asset],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::assets).collect(),
        }
    }

    /// Whether the condition holds, given which assets have changed since the last run.
    pub fn holds(&self, changed: &impl Fn(&Asset) -> bool) -> bool {
        match self {
            Self::Asset(asset) => changed(asset),
            Self::All(parts) => !parts.is_empty() && parts.iter().all(|part| part.holds(changed)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(changed)),
        }
    }
}

impl std::fmt::Display for AssetExpr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |f: &mut std::fmt::Formatter<'_>, word: &str, parts: &[Self]| {
            write!(f, "{word} of (")?;
            for (index, part) in parts.iter().enumerate() {
                write!(f, "{}{part}", if index == 0 { "" } else { ", " })?;
            }
            write!(f, ")")
        };
        match self {
            Self::Asset(asset) => f.write_str(asset.uri()),
            Self::All(parts) => list(f, "all", parts),
            Self::Any(parts) => list(f, "any", parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_nest_and_an_empty_one_never_holds() {
        let (a, b, c) = (Asset::new("a"), Asset::new("b"), Asset::new("c"));
        let expr = AssetExpr::all([AssetExpr::from(&a), AssetExpr::any([&b, &c])]);
        assert!(expr.holds(&|asset| asset == &a || asset == &c));
        assert!(!expr.holds(&|asset| asset == &b || asset == &c));
        assert!(!AssetExpr::All(Vec::new()).holds(&|_| true));
        assert_eq!(expr.to_string(), "all of (a, any of (b, c))");
    }
}
