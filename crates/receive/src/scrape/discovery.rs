//! Where targets come from: written in the configuration, in files, answered by HTTP, or looked up in DNS.
//!
//! A source that fails keeps what it found before; the failure is logged and counted.

use super::client::{Ask, ClientSettings, Fetcher};
use super::config::{Bad, DnsSdConfig, FileSdConfig, HttpSdConfig, ScrapeConfig, StaticConfig};
use super::dns::{Found, Kind, RESOLV_CONF, Resolver};
use super::job::check_labels;
use super::relabel::LabelMap;
use crate::yaml::{Document, Mistake, redact_url};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Targets of one source.
pub const TARGETS_PER_SOURCE_MAX: usize = 100_000;
/// Longest answer of an HTTP source.
const HTTP_SD_BYTES_MAX: u64 = 64 << 20;
/// Longest time an HTTP source may take.
const HTTP_SD_SECONDS_MAX: u64 = 30;
/// Files are looked at this often, even when `refresh_interval` is longer.
const FILE_POLL: Duration = Duration::from_secs(5);
const FILE_REFRESH: Duration = Duration::from_mins(5);
const HTTP_REFRESH: Duration = Duration::from_mins(1);
const DNS_REFRESH: Duration = Duration::from_secs(30);

/// Targets that share labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// Each with at least `__address__`.
    pub(crate) targets: Vec<LabelMap>,
    /// On all of them, unless a target has its own.
    pub(crate) labels: LabelMap,
}

/// A source of targets.
#[derive(Clone, Debug)]
pub(crate) enum Discovery {
    Static(Vec<Group>),
    File { files: Vec<PathBuf>, every: Duration },
    Http { url: String, settings: Arc<ClientSettings>, every: Duration },
    Dns { names: Vec<String>, records: Records, every: Duration },
}

/// What is looked up in DNS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Records {
    /// Addresses, by the system's resolver.
    Address { v6: bool, port: u16 },
    /// Names with a port of their own, or this one.
    Named { kind: Kind, port: u16 },
}

impl Discovery {
    /// The sources of a job.
    pub(crate) fn of_job(config: &ScrapeConfig) -> Result<Vec<Self>, Bad> {
        let mut all = Vec::new();
        if !config.static_configs.is_empty() {
            all.push(Self::Static(config.static_configs.iter().map(|group| group_of(group, [])).collect()));
        }
        for (at, file) in config.file_sd_configs.iter().enumerate() {
            all.push(of_files(file).map_err(|message| (format!("file_sd_configs[{at}].files"), message))?);
        }
        for (at, http) in config.http_sd_configs.iter().enumerate() {
            let field = format!("http_sd_configs[{at}]");
            all.push(of_http(http).map_err(|(inner, message)| (format!("{field}.{inner}"), message))?);
        }
        for (at, dns) in config.dns_sd_configs.iter().enumerate() {
            all.push(
                of_dns(dns).map_err(|(inner, message)| (format!("dns_sd_configs[{at}].{inner}"), message))?,
            );
        }
        Ok(all)
    }

    /// How often to ask again; `None` when the answer never changes.
    pub(crate) fn every(&self) -> Option<Duration> {
        match self {
            Self::Static(_) => None,
            Self::File { every, .. } | Self::Http { every, .. } | Self::Dns { every, .. } => Some(*every),
        }
    }

    /// The name of the configuration's list it stands in.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Static(_) => "static_configs",
            Self::File { .. } => "file_sd_configs",
            Self::Http { .. } => "http_sd_configs",
            Self::Dns { .. } => "dns_sd_configs",
        }
    }

    /// What there is now.
    pub(crate) async fn find(&self) -> Result<Vec<Group>, String> {
        let groups = match self {
            Self::Static(groups) => groups.clone(),
            Self::File { files, .. } => {
                let files = files.clone();
                let read = platform::task::blocking("file-discovery", move || read_files(&files)).await;
                read.unwrap_or_else(|| Err("reading was interrupted".into()))?
            }
            Self::Http { url, settings, .. } => fetch(url, settings).await?,
            Self::Dns { names, records, .. } => look_up(names, *records).await?,
        };
        let found: usize = groups.iter().map(|group| group.targets.len()).sum();
        if found > TARGETS_PER_SOURCE_MAX {
            return Err(format!("{found} targets, more than {TARGETS_PER_SOURCE_MAX}"));
        }
        Ok(groups)
    }
}

fn group_of<const N: usize>(config: &StaticConfig, meta: [(&str, &str); N]) -> Group {
    let address = |target: &String| LabelMap::from([("__address__".to_owned(), target.clone())]);
    let mut labels: LabelMap = config.labels.clone();
    labels.extend(meta.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Group { targets: config.targets.iter().map(address).collect(), labels }
}

fn of_files(config: &FileSdConfig) -> Result<Discovery, String> {
    if config.files.is_empty() {
        return Err("is empty: name at least one file".into());
    }
    for file in &config.files {
        let known =
            file.extension().is_some_and(|end| ["json", "yml", "yaml"].iter().any(|known| end == *known));
        if !known {
            return Err(format!("{} does not end in .json, .yml or .yaml: rename it", file.display()));
        }
        if file.parent().is_some_and(|dir| dir.to_string_lossy().contains('*')) {
            return Err(format!("{}: only the last part of a path may hold *", file.display()));
        }
    }
    let refresh = config.refresh_interval.map_or(FILE_REFRESH, |every| Duration::from_millis(every.ms));
    Ok(Discovery::File {
        files: config.files.clone(),
        every: refresh.clamp(Duration::from_secs(1), FILE_POLL),
    })
}

fn of_http(config: &HttpSdConfig) -> Result<Discovery, Bad> {
    if !config.url.starts_with("http://") && !config.url.starts_with("https://") {
        return Err(("url".into(), format!("{:?} is not an http or https URL", redact_url(&config.url))));
    }
    let every =
        config.refresh_interval.map_or(HTTP_REFRESH, |every| Duration::from_millis(every.ms.max(1_000)));
    Ok(Discovery::Http {
        url: config.url.clone(),
        settings: Arc::new(ClientSettings::of_discovery(config)?),
        every,
    })
}

fn of_dns(config: &DnsSdConfig) -> Result<Discovery, Bad> {
    if config.names.is_empty() {
        return Err(("names".into(), "is empty: write the names to look up".into()));
    }
    let kind = config.kind.as_deref().unwrap_or("SRV").to_ascii_uppercase();
    let port = config
        .port
        .ok_or_else(|| ("port".to_owned(), format!("is missing: {kind} records carry none, write it")));
    let records = match kind.as_str() {
        "A" => Records::Address { v6: false, port: port? },
        "AAAA" => Records::Address { v6: true, port: port? },
        "MX" => Records::Named { kind: Kind::Mx, port: port? },
        "NS" => Records::Named { kind: Kind::Ns, port: port? },
        "SRV" => Records::Named { kind: Kind::Srv, port: 0 },
        _ => {
            return Err((
                "type".into(),
                format!("{kind:?} is none of SRV, A, AAAA, MX and NS: write one of them"),
            ));
        }
    };
    let every =
        config.refresh_interval.map_or(DNS_REFRESH, |every| Duration::from_millis(every.ms.max(1_000)));
    Ok(Discovery::Dns { names: config.names.clone(), records, every })
}

fn read_files(files: &[PathBuf]) -> Result<Vec<Group>, String> {
    let mut groups = Vec::new();
    for file in files.iter().flat_map(|pattern| expand(pattern)) {
        let at = |error: String| format!("{}: {error}", file.display());
        let text = platform::files::read_text(&file).map_err(|error| at(error.to_string()))?;
        let configs: Vec<StaticConfig> = if file.extension().is_some_and(|end| end == "json") {
            serde_json::from_str(&text).map_err(|error| at(error.to_string()))?
        } else {
            let document = Document::parse(&text).map_err(|mistake| at(mistake.to_string()))?;
            document.read(&[]).map_err(|mistakes| at(first(&mistakes)))?.0
        };
        for config in &configs {
            check_labels(&config.labels).map_err(at)?;
            groups.push(group_of(config, [("__meta_filepath", &*file.to_string_lossy())]));
        }
    }
    Ok(groups)
}

fn first(mistakes: &[Mistake]) -> String {
    mistakes.first().map(ToString::to_string).unwrap_or_default()
}

/// The files that `pattern` names; a plain path names itself, whether it exists or not.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains(['*', '?']) {
        return vec![pattern.to_owned()];
    }
    let dir = pattern.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = platform::files::list(dir).unwrap_or_default();
    files.retain(|file| {
        file.file_name().is_some_and(|file| wildcard(name.as_bytes(), file.to_string_lossy().as_bytes()))
    });
    files
}

/// Whether `text` matches `pattern` of literal bytes, `*` and `?`. Linear in the product of their lengths.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = retry else { return false };
                retry = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

async fn fetch(url: &str, settings: &ClientSettings) -> Result<Vec<Group>, String> {
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    let timeout_s = HTTP_SD_SECONDS_MAX as f64;
    let ask =
        Ask { url, accept: "application/json", compressed: true, timeout_s, bytes_max: HTTP_SD_BYTES_MAX };
    let mut fetcher = Fetcher::default();
    let answer =
        tokio::time::timeout(Duration::from_secs(HTTP_SD_SECONDS_MAX), fetcher.get(settings, &ask)).await;
    let answer = answer.map_err(|_| format!("no answer within {HTTP_SD_SECONDS_MAX} s"))?;
    let answer = answer.map_err(|error| error.to_string())?;
    let configs: Vec<StaticConfig> =
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    for config in &configs {
        check_labels(&config.labels)?;
    }
    Ok(configs.iter().map(|config| group_of(config, [("__meta_url", &redact_url(url))])).collect())
}

async fn look_up(names: &[String], records: Records) -> Result<Vec<Group>, String> {
    let mut groups = Vec::new();
    for name in names {
        let targets = match records {
            Records::Address { v6, port } => addresses(name, port, v6).await?,
            Records::Named { kind, port } => named(name, kind, port).await?,
        };
        let labels = LabelMap::from([("__meta_dns_name".to_owned(), name.clone())]);
        groups.push(Group { targets, labels });
    }
    Ok(groups)
}

async fn addresses(name: &str, port: u16, v6: bool) -> Result<Vec<LabelMap>, String> {
    let found = platform::net::resolve(&format!("{name}:{port}")).await;
    let mut found = found.map_err(|error| format!("could not resolve {name:?}: {error}"))?;
    found.retain(|address| address.is_ipv6() == v6);
    found.sort();
    found.dedup();
    Ok(found
        .iter()
        .map(|address| LabelMap::from([("__address__".to_owned(), address.to_string())]))
        .collect())
}

async fn named(name: &str, kind: Kind, port: u16) -> Result<Vec<LabelMap>, String> {
    let resolver = Resolver::system().map_err(|error| format!("{RESOLV_CONF}: {error}"))?;
    let found = resolver.look_up(name, kind).await?;
    Ok(found.into_iter().map(|record| labels_of(record, kind, port)).collect())
}

fn labels_of(record: Found, kind: Kind, port: u16) -> LabelMap {
    let port = record.port.unwrap_or(port);
    let address = format!("{}:{port}", record.target.trim_end_matches('.'));
    let mut labels = LabelMap::from([("__address__".to_owned(), address)]);
    let meta = match kind {
        Kind::Srv => {
            labels.insert("__meta_dns_srv_record_port".to_owned(), port.to_string());
            "__meta_dns_srv_record_target"
        }
        Kind::Mx => "__meta_dns_mx_record_target",
        Kind::Ns => "__meta_dns_ns_record_target",
    };
    labels.insert(meta.to_owned(), record.target);
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        for (pattern, name, expected) in [
            ("*.json", "a.json", true),
            ("*.json", "a.yml", false),
            ("a*b*.yml", "axxbyy.yml", true),
            ("a*b*.yml", "axx.yml", false),
            ("a?.yml", "ab.yml", true),
            ("a?.yml", "a.yml", false),
            ("*", "", true),
        ] {
            assert_eq!(wildcard(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
