//! Flags and files put together.

use super::*;

fn load(flags: &Flags, text: &str) -> Result<Config, String> {
    Config::load(flags, |_| Ok(text.to_owned()))
}

fn own() -> Flags {
    Flags { config: Some("dir/b.yml".into()), ..Flags::default() }
}

fn prometheus() -> Flags {
    Flags { prometheus_config: Some("p.yml".into()), ..Flags::default() }
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let mut flags = own();
    let text = "data: from-file\nretention: {time: 1d}\nweb_config: web.yml\nbearer_tokens_file: /abs/t\n";
    assert_eq!(load(&flags, text).map(|config| config.data), Ok("from-file".into()));
    flags.data = Some("from-flag".into());
    let config = load(&flags, text).expect("good");
    assert_eq!(config.data, PathBuf::from("from-flag"));
    assert_eq!(config.retention_time, Some(Millis(86_400_000)));
    assert_eq!(config.query_timeout, Millis(120_000));
    assert_eq!(config.web_config, Some("dir/web.yml".into()), "beside the file");
    assert_eq!(config.bearer_tokens_file, Some("/abs/t".into()));
}

#[test]
fn scraping_comes_from_one_place() {
    let both = Flags { config: own().config, ..prometheus() };
    let error = load(&both, "scrape_configs: []\n").expect_err("two places");
    assert_eq!(
        error,
        "dir/b.yml: line 1, column 1: scrape_configs: is given although --prometheus-config is: keep one of the two"
    );
    let one = load(&prometheus(), "scrape_configs: []\nrule_files: []\n").expect("good");
    let scrape = one.scrape.expect("scrape");
    assert!(scrape.prometheus);
    assert_eq!(scrape.unused[0].to_string(), "line 2, column 1: rule_files: is not used by Binnacle");
}

#[test]
fn otlp_of_a_prometheus_file_is_carried_over() {
    let text = "otlp: {translation_strategy: NoTranslation, promote_resource_attributes: [a], promote_scope_metadata: true}";
    let mut flags = prometheus();
    let got = load(&flags, text).expect("good").translation;
    assert_eq!(got.strategy, "NoTranslation".parse().expect("a strategy"));
    assert!(got.promote_scope_metadata && got.promote_resource_attributes == ["a"]);
    flags.otlp_translation_strategy = Some("UnderscoreEscapingWithSuffixes".into());
    let got = load(&flags, text).expect("good").translation;
    assert_eq!(got.strategy, "UnderscoreEscapingWithSuffixes".parse().expect("a strategy"));
}

#[test]
fn mistakes_name_file_line_field_and_fix() {
    for (flags, text, expected) in [
        (
            own(),
            "dat: x\n",
            &["dir/b.yml: line 1, column 1: dat: there is no such key: did you mean data?"][..],
        ),
        (
            own(),
            "data: x\ndoors:\n  lokki: 3100\n",
            &["dir/b.yml: line 3, column 3: doors.lokki: there is no such door: use ui, "],
        ),
        (
            own(),
            "port_offset: 65000\n",
            &["dir/b.yml: line 1, column 1: port_offset: door ui would listen above port 65535: lower it"],
        ),
        (
            own(),
            "scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: []\n",
            &[
                "dir/b.yml: line 3, column 3: scrape_configs[0].kubernetes_sd_configs: is not supported by Binnacle: remove it",
            ],
        ),
        (
            own(),
            "otlp: {translation_strategy: X}\n",
            &[
                "dir/b.yml: line 1, column 8: otlp.translation_strategy: unsupported: OTLP translation strategy \"X\": use ",
            ],
        ),
        (
            prometheus(),
            "globl: {}\nscrape_configs:\n- job_name: a\n  scrape_intervall: 5s\n  static_configs: [{lables: {}}]\n  \
             relabel_configs:\n  - sorce_labels: [a]\n",
            &[
                "p.yml: line 1, column 1: globl: there is no such key: did you mean global?",
                "p.yml: line 4, column 3: scrape_configs[0].scrape_intervall: there is no such key: did you mean scrape_interval?",
                "p.yml: line 5, column 21: scrape_configs[0].static_configs[0].lables: there is no such key: did you mean labels?",
                "p.yml: line 7, column 5: scrape_configs[0].relabel_configs[0].sorce_labels: there is no such key: did you mean source_labels?",
            ],
        ),
    ] {
        let error = load(&flags, text).expect_err(text);
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{error}");
        assert!(lines.iter().zip(expected).all(|(line, begin)| line.starts_with(begin)), "{error}");
    }
}
