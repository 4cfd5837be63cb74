//! The configuration of the layers around a model.

use std::fmt;

use peerlet_core::{Duration, Seed};
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};

use super::{AccessConfig, BuildError, LossConfig};
use crate::corrupt::Corrupt;
use crate::distribution::Distribution;
use crate::duplicate::Duplicated;
use crate::jitter::{Jitter, Reorder};
use crate::layer::{Layer, Layers};
use crate::model::Model;
use crate::per::{Per, PerPair};
use crate::probability::Probability;

/// All layers that a scenario puts around its model.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LayersConfig {
    /// The `jitter` key.
    pub jitter: Option<JitterConfig>,
    /// The `reorder` key.
    pub reorder: Option<ReorderConfig>,
    /// The `duplicate` key: how probable it is that a message arrives twice.
    pub duplicate: Option<Probability>,
    /// The `corrupt` key.
    pub corrupt: Option<CorruptConfig>,
    /// The `loss` key.
    pub loss: Option<LossConfig>,
    /// The `access` key.
    pub access: Option<AccessConfig>,
}

impl LayersConfig {
    /// Puts the layers around a model, for this many peers. From the inside out: jitter,
    /// reordering, duplication, corruption, loss, access links. Those that do nothing are left out.
    ///
    /// # Errors
    /// Says which layer cannot be built, and why.
    pub fn wrap(
        &self,
        model: Box<dyn Model>,
        seed: Seed,
        peers: u32,
    ) -> Result<Box<dyn Model>, BuildError> {
        let mut inside: Vec<Box<dyn Layer>> = Vec::new();
        if let Some(JitterConfig { distribution, per }) = &self.jitter {
            let table =
                distribution.table().map_err(|why| BuildError::from(why).within("jitter"))?;
            let jitter = Box::new(Jitter { extra: table });
            inside.push(match per {
                Per::Message => jitter,
                Per::Pair => {
                    let seed = seed.named("jitter").named("pair");
                    Box::new(PerPair { inner: jitter as Box<dyn Layer>, seed })
                }
            });
        }
        if let Some(ReorderConfig { probability, by }) = self.reorder
            && !probability.is_zero()
        {
            inside.push(Box::new(Reorder { probability, by }));
        }
        let mut model = around(model, inside);
        if let Some(probability) = self.duplicate.filter(|probability| !probability.is_zero()) {
            model = Box::new(Duplicated { inner: model, probability });
        }
        let mut outside: Vec<Box<dyn Layer>> = Vec::new();
        if let Some(CorruptConfig { probability, bits }) = self.corrupt
            && !probability.is_zero()
        {
            outside.push(Box::new(Corrupt { probability, bits }));
        }
        if let Some(config) = &self.loss {
            let loss = config.build(peers).map_err(|why| why.within("loss"))?;
            if !loss.is_none() {
                outside.push(Box::new(loss));
            }
        }
        if let Some(config) = &self.access {
            let access = config.build(seed.named("access")).map_err(|why| why.within("access"))?;
            outside.push(Box::new(access));
        }
        Ok(around(model, outside))
    }
}

fn around(model: Box<dyn Model>, layers: Vec<Box<dyn Layer>>) -> Box<dyn Model> {
    if layers.is_empty() { model } else { Box::new(Layers::around(model, layers)) }
}

/// Of [`Jitter`]: a distribution, or a duration for all times between zero and that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct JitterConfig {
    /// Where the times are sampled.
    pub distribution: Distribution,
    /// Whether each message samples its own, or each pair once. Each message.
    pub per: Per,
}

impl<'de> Deserialize<'de> for JitterConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JitterConfig, D::Error> {
        deserializer.deserialize_any(JitterVisitor)
    }
}

struct JitterVisitor;

impl<'de> Visitor<'de> for JitterVisitor {
    type Value = JitterConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the longest jitter, as \"5ms\", or a distribution, as { exponential = { mean = \
             \"2ms\" } }",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<JitterConfig, E> {
        let max = text.parse().map_err(E::custom)?;
        Ok(JitterConfig {
            distribution: Distribution::Uniform { min: Duration::ZERO, max },
            per: Per::Message,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JitterConfig, A::Error> {
        let (mut distribution, mut per) = (None, Per::Message);
        while let Some(key) = map.next_key::<String>()? {
            if key == "per" {
                per = map.next_value()?;
            } else if distribution.is_some() {
                return Err(de::Error::custom(
                    "two distributions are given for one jitter; leave one out",
                ));
            } else {
                // A distribution is a table of one key, whose value is read by its own rules.
                let name = key.into_deserializer();
                let value = OneDistribution { name: Some(name), map: &mut map };
                distribution = Some(Distribution::deserialize(MapAccessDeserializer::new(value))?);
            }
        }
        match distribution {
            Some(distribution) => Ok(JitterConfig { distribution, per }),
            None => Err(de::Error::custom(
                "jitter has no distribution; give one, as { exponential = { mean = \"2ms\" } }",
            )),
        }
    }
}

/// The entry of a map whose key was read already, as a map of its own.
struct OneDistribution<'a, A, E> {
    name: Option<de::value::StringDeserializer<E>>,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OneDistribution<'_, A, A::Error> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.name.take().map(|name| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Of [`Reorder`].
#[derive(Clone, Copy, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReorderConfig {
    /// How probable it is that a message is held up.
    pub probability: Probability,
    /// The longest time that it is held up. 20 ms: our choice.
    #[serde(default = "held_up")]
    pub by: Duration,
}

fn held_up() -> Duration {
    Duration::from_millis(20)
}

/// Of [`Corrupt`].
#[derive(Clone, Copy, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorruptConfig {
    /// How probable it is that bits of a message are flipped.
    pub probability: Probability,
    /// How many bits are. One.
    #[serde(default = "one")]
    pub bits: u32,
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use peerlet_core::MILLISECOND;

    use super::super::tests::{read, refused};
    use super::*;
    use crate::delay::Constant;

    fn layers(config: &LayersConfig) -> String {
        let inner = Box::new(Constant { delay: MILLISECOND });
        format!("{:?}", config.wrap(inner, Seed::new(1), 10).unwrap())
    }

    #[test]
    fn what_does_nothing_is_no_layer() {
        assert!(layers(&LayersConfig::default()).starts_with("Constant"));
        let none = LayersConfig {
            reorder: Some(read(r#"{ "probability": 0 }"#)),
            duplicate: Some(read("0")),
            corrupt: Some(read(r#"{ "probability": 0 }"#)),
            loss: Some(read("0")),
            ..LayersConfig::default()
        };
        assert!(layers(&none).starts_with("Constant"), "{}", layers(&none));
    }

    #[test]
    fn layers_are_put_around_each_other_in_order() {
        let all = LayersConfig {
            jitter: Some(read(r#""2ms""#)),
            reorder: Some(read(r#"{ "probability": 0.1 }"#)),
            duplicate: Some(read("0.1")),
            corrupt: Some(read(r#"{ "probability": 0.1, "bits": 3 }"#)),
            loss: Some(read("0.1")),
            access: Some(read(r#"{ "up": "1 Mbit/s" }"#)),
        };
        let shown = layers(&all);
        let positions =
            ["Duplicated", "Constant", "Jitter", "Reorder", "Corrupt", "Loss", "Access {"]
                .map(|name| shown.find(name).unwrap_or_else(|| panic!("{name} in {shown}")));
        assert!(positions.is_sorted(), "{shown}");
    }

    #[test]
    fn jitter_is_a_length_or_a_distribution() {
        let JitterConfig { distribution, per } = read(r#""2ms""#);
        let uniform = Distribution::Uniform { min: Duration::ZERO, max: MILLISECOND * 2 };
        assert_eq!((distribution, per), (uniform, Per::Message));
        let JitterConfig { distribution, per } = read(r#"{ "exponential": { "mean": "2ms" } }"#);
        assert_eq!(
            (distribution, per),
            (Distribution::Exponential { mean: MILLISECOND * 2 }, Per::Message)
        );
        for paired in [
            r#"{ "per": "pair", "exponential": { "mean": "2ms" } }"#,
            r#"{ "exponential": { "mean": "2ms" }, "per": "pair" }"#,
        ] {
            assert_eq!(read::<JitterConfig>(paired), JitterConfig { distribution, per: Per::Pair });
        }
        refused::<JitterConfig>(
            r#"{ "per": "pair" }"#,
            expect![[
                r#"jitter has no distribution; give one, as { exponential = { mean = "2ms" } }"#
            ]],
        );
        refused::<JitterConfig>(
            r#"{ "normal": { "mean": "2ms", "sd": "1ms" }, "pareto": {} }"#,
            expect!["two distributions are given for one jitter; leave one out"],
        );
        refused::<JitterConfig>(
            r#""soon""#,
            expect!["`soon` is no duration; write a number and a unit, such as `1.5s`"],
        );
        refused::<JitterConfig>(
            r#"{ "cauchy": {} }"#,
            expect![
                "unknown variant `cauchy`, expected one of `uniform`, `exponential`, `normal`, \
                 `lognormal`, `pareto`"
            ],
        );
    }
}
