//! The `access` key.

use std::fmt;

use peerlet_core::Seed;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::BuildError;
use crate::access::{ACCESS_OVERHEAD, ACCESS_QUEUE, Access, AccessClass, P2P_2006, WORLD_2020};
use crate::units::{Rate, Size};

/// Of [`Access`]: rates for all peers, or classes of peers.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// How fast packets leave a peer; at once where it is left out.
    #[serde(default)]
    pub up: Option<Rate>,
    /// How fast packets come into a peer; at once where it is left out.
    #[serde(default)]
    pub down: Option<Rate>,
    /// The classes of peers, where they have different rates.
    #[serde(default)]
    pub classes: Option<ClassesConfig>,
    /// How many bytes wait before a link at most: [`ACCESS_QUEUE`].
    #[serde(default = "queue")]
    pub queue: Size,
    /// How many bytes each message is charged besides its own: [`ACCESS_OVERHEAD`].
    #[serde(default = "overhead")]
    pub overhead: u32,
}

const fn queue() -> Size {
    ACCESS_QUEUE
}

const fn overhead() -> u32 {
    ACCESS_OVERHEAD
}

/// Classes of access: those of a stock list, or a list of one's own.
#[derive(Clone, PartialEq, Debug)]
pub enum ClassesConfig {
    /// [`WORLD_2020`].
    World2020,
    /// [`P2P_2006`].
    P2p2006,
    /// One's own.
    Own(Vec<ClassConfig>),
}

/// One class of access.
#[derive(Clone, Copy, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassConfig {
    /// How many peers are of this class, in relation to the others'.
    pub share: u32,
    /// How fast packets leave a peer; at once where it is left out.
    #[serde(default)]
    pub up: Option<Rate>,
    /// How fast packets come into a peer; at once where it is left out.
    #[serde(default)]
    pub down: Option<Rate>,
}

impl<'de> Deserialize<'de> for ClassesConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClassesConfig, D::Error> {
        struct Classes;

        impl<'de> Visitor<'de> for Classes {
            type Value = ClassesConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"world-2020\", \"p2p-2006\", or a list of classes, as [{ share = 20, up = \
                     \"1 Mbit/s\", down = \"5 Mbit/s\" }]",
                )
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ClassesConfig, E> {
                match name {
                    "world-2020" => Ok(ClassesConfig::World2020),
                    "p2p-2006" => Ok(ClassesConfig::P2p2006),
                    _ => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<ClassesConfig, A::Error> {
                let list = de::value::SeqAccessDeserializer::new(seq);
                Vec::deserialize(list).map(ClassesConfig::Own)
            }
        }

        deserializer.deserialize_any(Classes)
    }
}

impl AccessConfig {
    /// The layer, whose classes are sampled from this seed.
    pub(super) fn build(&self, seed: Seed) -> Result<Access, BuildError> {
        let AccessConfig { up, down, classes, queue, overhead } = self;
        let has_rates = up.is_some() || down.is_some();
        let classes = match classes {
            Some(_) if has_rates => return Err(BuildError::Access { has_both: true }),
            None if !has_rates => return Err(BuildError::Access { has_both: false }),
            None => vec![AccessClass { share: 1, up: *up, down: *down }],
            Some(ClassesConfig::World2020) => WORLD_2020.to_vec(),
            Some(ClassesConfig::P2p2006) => P2P_2006.to_vec(),
            Some(ClassesConfig::Own(own)) => own
                .iter()
                .map(|&ClassConfig { share, up, down }| AccessClass { share, up, down })
                .collect(),
        };
        if classes.iter().all(|class| class.share == 0) {
            return Err(BuildError::Shares("class of access"));
        }
        Ok(Access::new(classes, *queue, *overhead, seed))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{read, refused};
    use super::*;

    fn access(json: &str, expected: Expect) {
        let config: AccessConfig = read(json);
        let built = config.build(Seed::new(1));
        expected.assert_eq(&built.map_or_else(|e| e.to_string(), |_| "built".to_owned()));
    }

    #[test]
    fn access_is_rates_or_classes() {
        access(
            r#"{ "up": "20 Mbit/s", "down": "50 Mbit/s", "queue": "64 KiB" }"#,
            expect!["built"],
        );
        access(r#"{ "classes": "world-2020" }"#, expect!["built"]);
        access(r#"{ "classes": "p2p-2006" }"#, expect!["built"]);
        access(
            r#"{ "classes": [{ "share": 1, "up": "1 MB/s" }, { "share": 3 }] }"#,
            expect!["built"],
        );
        for json in [r#"{ "queue": "64 KiB" }"#, r#"{ "up": "1 MB/s", "classes": "p2p-2006" }"#] {
            access(
                json,
                expect!["access is either rates or classes; give `up` and `down`, or `classes`"],
            );
        }
        access(
            r#"{ "classes": [{ "share": 0 }] }"#,
            expect!["no class of access has a share; give at least one"],
        );
        refused::<AccessConfig>(
            r#"{ "up": "0 Mbit/s" }"#,
            expect![
                "at `0 Mbit/s` nothing would ever pass; give at least 1 bit/s, or leave the \
                 limit out"
            ],
        );
        refused::<AccessConfig>(
            r#"{ "classes": "world" }"#,
            expect![[
                "invalid value: string \"world\", expected \"world-2020\", \"p2p-2006\", or a \
                 list of classes, as [{ share = 20, up = \"1 Mbit/s\", down = \"5 Mbit/s\" }]"
            ]],
        );
    }
}
