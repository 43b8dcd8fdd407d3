//! `otlp` of Prometheus' configuration: how OTLP metrics become series. Reading bodies is `wire`'s.

use super::ConfigError;
use serde::Deserialize;
use wire::otlp::MetricsTranslation;

/// `otlp`.
#[expect(clippy::struct_excessive_bools, reason = "the shape of Prometheus' configuration")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OtlpConfig {
    /// `UnderscoreEscapingWithSuffixes` when absent.
    pub translation_strategy: Option<String>,
    /// Resource attributes that become labels of every series.
    pub promote_resource_attributes: Vec<String>,
    /// All of them do, but the ignored ones.
    pub promote_all_resource_attributes: bool,
    /// Exceptions from promoting all.
    pub ignore_resource_attributes: Vec<String>,
    /// `service.*` stay in `target_info`.
    pub keep_identifying_resource_attributes: bool,
    /// Histograms become native ones with custom bounds.
    pub convert_histograms_to_nhcb: bool,
    /// The scope becomes `otel_scope_*` labels.
    pub promote_scope_metadata: bool,
}

impl OtlpConfig {
    /// The switches as the decoder takes them.
    ///
    /// # Errors
    /// For a strategy that does not exist, and attributes both promoted by name and all together.
    pub fn translation(&self) -> Result<MetricsTranslation, ConfigError> {
        let fail = |field: &str, message: String| ConfigError { field: format!("otlp.{field}"), message };
        if self.promote_all_resource_attributes && !self.promote_resource_attributes.is_empty() {
            let message = "goes without promote_all_resource_attributes: keep one of the two".into();
            return Err(fail("promote_resource_attributes", message));
        }
        if !self.promote_all_resource_attributes && !self.ignore_resource_attributes.is_empty() {
            let message = "needs promote_all_resource_attributes: true".into();
            return Err(fail("ignore_resource_attributes", message));
        }
        let promoted = names("promote_resource_attributes", &self.promote_resource_attributes)?;
        let ignored = names("ignore_resource_attributes", &self.ignore_resource_attributes)?;
        let strategy = self.translation_strategy.as_deref().filter(|name| !name.is_empty());
        let strategy = strategy.map(str::parse).transpose();
        let strategy =
            strategy.map_err(|error: wire::WireError| fail("translation_strategy", error.to_string()))?;
        Ok(MetricsTranslation {
            strategy: strategy.unwrap_or_default(),
            promote_resource_attributes: promoted,
            promote_all_resource_attributes: self.promote_all_resource_attributes,
            ignore_resource_attributes: ignored,
            keep_identifying_resource_attributes: self.keep_identifying_resource_attributes,
            convert_histograms_to_nhcb: self.convert_histograms_to_nhcb,
            promote_scope_metadata: self.promote_scope_metadata,
        })
    }
}

/// The attributes of an `otlp` list without the blanks around them, each once.
fn names(list: &str, written: &[String]) -> Result<Vec<String>, ConfigError> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in written.iter().enumerate() {
        let fail =
            |message: &str| ConfigError { field: format!("otlp.{list}[{at}]"), message: message.into() };
        match name.trim() {
            "" => return Err(fail("is empty: name an attribute, or remove it")),
            name if names.iter().any(|known| known == name) => {
                return Err(fail("stands in the list twice: remove one"));
            }
            name => names.push(name.to_owned()),
        }
    }
    Ok(names)
}
