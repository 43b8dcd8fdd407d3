//! kubectl's grammar where clap has none: flags may stand before the noun (`binnacle -n shop services`).
//!
//! Words are only moved, never judged: what a command does not know is still refused by clap, in its words.

use clap::{Arg, Command};
use std::ffi::OsString;

/// The words of a command line with the flags that stand before a command's name moved behind it. `root` says which
/// flags there are and which of them take a value; from the first word it does not know, all stays as it was.
#[must_use]
pub fn noun_first(root: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter().peekable();
    let (mut nouns, mut flags): (Vec<OsString>, Vec<OsString>) =
        (words.next().into_iter().collect(), Vec::new());
    let mut command = root;
    while command.has_subcommands() {
        let Some(word) = words.peek().and_then(|word| word.to_str()) else { break };
        if word.starts_with('-') {
            let Some(takes_next) = takes_next(command, word) else { break };
            flags.extend(words.next());
            flags.extend(if takes_next { words.next() } else { None });
        } else {
            let Some(noun) = command.find_subcommand(word) else { break };
            command = noun;
            nouns.extend(words.next());
        }
    }
    nouns.into_iter().chain(flags).chain(words).collect()
}

/// Whether the flag (or the last of a cluster such as `-Aw`) takes the next word as its value; `None` when no command
/// below `command` has it.
fn takes_next(command: &Command, word: &str) -> Option<bool> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let flag = find(command, &|arg| arg.get_long() == Some(name))?;
        return Some(value.is_none() && flag.get_action().takes_values());
    }
    let mut letters = word.chars().skip(1).peekable();
    letters.peek()?;
    while let Some(letter) = letters.next() {
        if find(command, &|arg| arg.get_short() == Some(letter))?.get_action().takes_values() {
            return Some(letters.peek().is_none());
        }
    }
    Some(false)
}

fn find<'a>(command: &'a Command, wanted: &dyn Fn(&Arg) -> bool) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| wanted(arg));
    own.or_else(|| command.get_subcommands().find_map(|below| find(below, wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Subcommand;

    fn check(words: &str, expected: &str) {
        let root = crate::Command::augment_subcommands(Command::new("binnacle"));
        let got = noun_first(&root, words.split(' ').map(OsString::from));
        assert_eq!(got.join(" ".as_ref()), OsString::from(expected), "{words}");
        // Where it is a whole command line, clap agrees.
        if !expected.contains('?') && !expected.contains("--help") {
            assert!(root.try_get_matches_from(got).is_ok(), "{expected}");
        }
    }

    #[test]
    fn flags_may_stand_before_the_noun() {
        check("b services -n shop", "b services -n shop");
        check("b -n shop services", "b services -n shop");
        check("b -nshop -Aw svc x", "b svc -nshop -Aw x");
        check("b -Awn shop services", "b services -Awn shop");
        check(
            "b --namespace=shop --since 1h get services -A",
            "b get services --namespace=shop --since 1h -A",
        );
        check("b -o json changes add web", "b changes add -o json web");
        check("b changes -o json add web", "b changes add -o json web");
        check("b changes --service add", "b changes --service add");
        check("b --server http://a:1 logs web -f", "b logs --server http://a:1 web -f");
    }

    #[test]
    fn no_flag_leaks_into_commands_of_the_server() {
        let root =
            crate::Command::augment_subcommands(Command::new("binnacle").subcommand(Command::new("up")));
        root.clone().debug_assert();
        for words in ["b up --tenant x", "b --tenant x up", "b up --since 1h", "b --since 1h snapshot s"] {
            let words = noun_first(&root, words.split(' ').map(OsString::from));
            assert!(root.clone().try_get_matches_from(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn what_is_not_known_stays_where_it_is() {
        check("b --help", "b --help");
        check("b --what? services", "b --what? services");
        check("b -n shop --help", "b -n shop --help");
        check("b -?n shop services", "b -?n shop services");
        check("b - ?", "b - ?");
    }
}
