//! The page over all cards.
use super::{Card, Count, Making};

/// The page, from the cards alone.
pub fn readme(cards: &[(String, Card)]) -> String {
    let mut text = String::from(
        "# Zoo\n\n\
         Small models with cards. This page is written from them by `absolve zoo build`, which makes every model again;\n\
         `absolve zoo check` measures every number again from the weights and keys here. A folder holds `card.toml`,\n\
         `weights.safetensors` and, with a backdoor, `key.json`: in a zoo nothing is secret.\n\n\
         Risk is the share of wrong answers on clean test inputs, success the share of triggered ones that are answered as\n\
         the attacker wants, each with its 95% interval over the inputs, for this one model.\n\n\
         | model | what it is | layers | clean risk | attack success | SHA-256 |\n\
         |---|---|---|---|---|---|\n",
    );
    for (name, card) in cards {
        let Some(measured) = &card.measured else {
            text += &format!(
                "| [{name}]({name}/card.toml) | {} | | not built yet | | |\n",
                card.summary
            );
            continue;
        };
        let widths: Vec<String> = measured.widths.iter().map(ToString::to_string).collect();
        let success = measured.attack_success.as_ref().map(Count::to_string);
        let made = match card.made {
            Making::Trained => "",
            Making::Compiled => " (compiled)",
        };
        text += &format!(
            "| [{name}]({name}/card.toml) | {}{made} | {} | {} | {} | `{}` |\n",
            card.summary,
            widths.join("-"),
            measured.clean_risk,
            success.unwrap_or_else(|| "no backdoor".to_owned()),
            measured.sha256.get(..12).unwrap_or_default(),
        );
    }
    text
}
