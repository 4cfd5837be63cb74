//! The `loss` key.

use std::fmt;

use peerlet_core::Seat;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::BuildError;
use crate::loss::{Gilbert, Loss, LossModel};
use crate::probability::Probability;

/// Of [`Loss`]: a loss model on the way out of each peer, or models for several ways.
#[derive(Clone, PartialEq, Debug)]
pub struct LossConfig {
    /// On the way out of each peer.
    pub up: LossModel,
    /// On the way into each peer.
    pub down: LossModel,
    /// On the way from one peer to another, instead of `up`.
    pub links: Vec<LinkConfig>,
}

/// A loss model on the way from one peer to another.
#[derive(Clone, Copy, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// The sender's seat.
    pub from: u32,
    /// The receiver's seat.
    pub to: u32,
    /// The model.
    pub loss: LossModel,
}

const NO_LOSS: LossModel = LossModel::Independent(Probability::NEVER);

impl From<LossModel> for LossConfig {
    fn from(up: LossModel) -> LossConfig {
        LossConfig { up, down: NO_LOSS, links: Vec::new() }
    }
}

impl LossConfig {
    /// The layer, for this many peers.
    pub(super) fn build(&self, peers: u32) -> Result<Loss, BuildError> {
        let mut loss = Loss::up(self.up).and_down(self.down);
        for (i, link) in self.links.iter().enumerate() {
            let ends = [("from", link.from), ("to", link.to)];
            if let Some((end, seat)) = ends.into_iter().find(|(_, seat)| *seat >= peers) {
                return Err(BuildError::Seat { link: i, end, seat, peers });
            }
            loss = loss.and_link(Seat(link.from), Seat(link.to), link.loss);
        }
        Ok(loss)
    }
}

/// The parameters of bursts.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct GilbertConfig {
    mean: f64,
    burst: f64,
}

const LOSS_HINT: &str = "give a number from 0 to 1, or { gilbert = { mean = 0.005, burst = 3 } }";

fn independent<E: de::Error>(value: f64) -> Result<LossModel, E> {
    let probability = Probability::new(value).map_err(|e| E::custom(format!("loss: {e}")))?;
    Ok(LossModel::Independent(probability))
}

fn gilbert<'de, A: MapAccess<'de>>(map: &mut A) -> Result<LossModel, A::Error> {
    let GilbertConfig { mean, burst } = map.next_value()?;
    Gilbert::new(mean, burst).map(LossModel::Gilbert).map_err(de::Error::custom)
}

impl<'de> Deserialize<'de> for LossModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LossModel, D::Error> {
        struct LossVisitor;

        impl<'de> Visitor<'de> for LossVisitor {
            type Value = LossModel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the probability of loss, a number from 0 to 1, or a loss model")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<LossModel, E> {
                independent(value)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<LossModel, E> {
                independent(value as f64)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<LossModel, E> {
                independent(value as f64)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LossModel, A::Error> {
                match map.next_key::<String>()?.as_deref() {
                    Some("gilbert") => gilbert(&mut map),
                    other => Err(unknown_model(other)),
                }
            }
        }

        deserializer.deserialize_any(LossVisitor)
    }
}

fn unknown_model<E: de::Error>(model: Option<&str>) -> E {
    match model {
        Some(model) => E::custom(format!("no loss model is `{model}`; {LOSS_HINT}")),
        None => E::custom(format!("loss says nothing; {LOSS_HINT}")),
    }
}

impl<'de> Deserialize<'de> for LossConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LossConfig, D::Error> {
        deserializer.deserialize_any(LossVisitor)
    }
}

struct LossVisitor;

impl<'de> Visitor<'de> for LossVisitor {
    type Value = LossConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the probability of loss, a number from 0 to 1, or a loss model")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<LossConfig, E> {
        independent(value).map(LossConfig::from)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<LossConfig, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<LossConfig, E> {
        self.visit_f64(value as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LossConfig, A::Error> {
        let (mut loss, mut is_empty) = (LossConfig::from(NO_LOSS), true);
        while let Some(key) = map.next_key::<String>()? {
            is_empty = false;
            match key.as_str() {
                "gilbert" => loss.up = gilbert(&mut map)?,
                "up" => loss.up = map.next_value()?,
                "down" => loss.down = map.next_value()?,
                "links" => loss.links = map.next_value()?,
                other => return Err(unknown_model(Some(other))),
            }
        }
        if is_empty { Err(unknown_model(None)) } else { Ok(loss) }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::{read, refused};
    use super::*;

    #[test]
    fn loss_is_a_number_or_models() {
        let model = |p| LossModel::Independent(Probability::new(p).unwrap());
        for (json, p) in [("0", 0.0), ("1", 1.0), ("0.05", 0.05)] {
            assert_eq!(read::<LossConfig>(json), LossConfig::from(model(p)));
        }
        let bursts = LossModel::Gilbert(Gilbert::new(0.005, 3.0).unwrap());
        let gilbert = r#"{ "gilbert": { "mean": 0.005, "burst": 3 } }"#;
        assert_eq!(read::<LossConfig>(gilbert), LossConfig::from(bursts));
        let ways = r#"{ "up": 0.01, "down": { "gilbert": { "mean": 0.005, "burst": 3 } },
                        "links": [{ "from": 1, "to": 2, "loss": 0.5 }] }"#;
        let links = vec![LinkConfig { from: 1, to: 2, loss: model(0.5) }];
        let expected = LossConfig { up: model(0.01), down: bursts, links };
        assert_eq!(read::<LossConfig>(ways), expected);
        assert!(expected.build(3).is_ok());
        expect!["there is no seat 2; 2 peers have the seats 0 to 1"]
            .assert_eq(&expected.build(2).unwrap_err().to_string());
    }

    #[test]
    fn what_is_no_loss_is_refused() {
        let loss = refused::<LossConfig>;
        loss("1.5", expect!["loss: 1.5 is no probability; give a number from 0 to 1"]);
        loss("-1", expect!["loss: -1 is no probability; give a number from 0 to 1"]);
        loss(r#"{ "gilbert": { "mean": 0.005 } }"#, expect!["missing field `burst`"]);
        loss(
            r#"{ "gilbert": { "mean": 0.005, "burst": 0.2 } }"#,
            expect!["a `burst` of 0.2 packets is none; give the mean length, 1 or more"],
        );
        loss(
            r#"{ "gilbret": {} }"#,
            expect![
                "no loss model is `gilbret`; give a number from 0 to 1, or { gilbert = { mean = \
                 0.005, burst = 3 } }"
            ],
        );
        loss(
            "{}",
            expect![
                "loss says nothing; give a number from 0 to 1, or { gilbert = { mean = 0.005, \
                 burst = 3 } }"
            ],
        );
        loss(
            "true",
            expect![
                "invalid type: boolean `true`, expected the probability of loss, a number from 0 \
                 to 1, or a loss model"
            ],
        );
    }
}
