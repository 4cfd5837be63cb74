//! An overlay at an instant, as GraphML, GEXF or DOT.

use std::fmt::{self, Write};

use peerlet_core::Time;

use crate::run_folder::{LinkChanges, LinkState};

/// A format of graphs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GraphFormat {
    /// GraphML: networkx, igraph, yEd, Gephi.
    GraphMl,
    /// GEXF 1.3: Gephi, networkx.
    Gexf,
    /// DOT: Graphviz.
    Dot,
}

/// The links of one peerlet at an instant.
#[derive(Debug)]
pub struct Snapshot {
    /// The instant of the observation.
    pub time: Time,
    /// The peerlet.
    pub peerlet: String,
    kinds: Vec<String>,
    state: LinkState,
}

/// Why there is no snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A line is not one of `links.jsonl`: its number, and the error.
    Line(usize, String),
    /// The file has no such observation.
    None(String),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Line(line, why) => write!(f, "line {line}: {why}; run it again"),
            SnapshotError::None(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// The last observation at this instant or before, in a text of `links.jsonl`; of the peerlet
    /// of this name, or the only one.
    ///
    /// # Errors
    /// Says what is wrong with the text, or that there is no such observation.
    pub fn read(
        text: &str,
        peerlet: Option<&str>,
        at: Option<Time>,
    ) -> Result<Snapshot, SnapshotError> {
        let mut found: Option<Snapshot> = None;
        let mut names: Vec<String> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let changes: LinkChanges = serde_json::from_str(line)
                .map_err(|error| SnapshotError::Line(number + 1, error.to_string()))?;
            if !names.contains(&changes.peerlet) {
                names.push(changes.peerlet.clone());
            }
            let time = Time::from_nanos(changes.time);
            let is_meant = peerlet.is_none_or(|name| *name == changes.peerlet);
            if !is_meant || at.is_some_and(|at| time > at) {
                continue;
            }
            let of = changes.peerlet.clone();
            let snapshot = found.get_or_insert_with(|| Snapshot {
                time,
                peerlet: of,
                kinds: Vec::new(),
                state: LinkState::default(),
            });
            if snapshot.peerlet == changes.peerlet {
                snapshot.time = time;
                snapshot.state.apply(&changes);
                snapshot.kinds = changes.kinds;
            }
        }
        let why = match found {
            _ if names.is_empty() => "it has no observation".to_owned(),
            _ if peerlet.is_none() && names.len() > 1 => {
                format!("it has the links of {}; name one by --links", names.join(", "))
            }
            Some(snapshot) => return Ok(snapshot),
            None if peerlet.is_some_and(|name| !names.iter().any(|one| one == name)) => {
                format!("it has the links of {} only", names.join(", "))
            }
            None => "its first observation is later".to_owned(),
        };
        Err(SnapshotError::None(why))
    }

    /// The graph as a text. Nodes are named by their seats.
    pub fn write(&self, format: GraphFormat) -> String {
        let mut out = String::new();
        let written = match format {
            GraphFormat::GraphMl => self.graphml(&mut out),
            GraphFormat::Gexf => self.gexf(&mut out),
            GraphFormat::Dot => self.dot(&mut out),
        };
        written.expect("a text takes all");
        out
    }

    /// The links, each with its kind in words.
    fn links(&self) -> impl Iterator<Item = (u32, u32, &str)> {
        self.state.links.iter().map(|(from, to, kind)| {
            (*from, *to, self.kinds.get(usize::from(*kind)).map_or("", String::as_str))
        })
    }

    fn graphml(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n\
             <key id=\"kind\" for=\"edge\" attr.name=\"kind\" attr.type=\"string\"/>\n\
             <key id=\"position\" for=\"node\" attr.name=\"position\" attr.type=\"double\"/>\n\
             <key id=\"time\" for=\"graph\" attr.name=\"time\" attr.type=\"double\"/>\n\
             <graph id=\"{}\" edgedefault=\"directed\">\n\
             <data key=\"time\">{}</data>",
            escaped(&self.peerlet),
            self.time.as_secs_f64()
        )?;
        for node in &self.state.nodes {
            match self.state.positions.get(node) {
                None => writeln!(out, "<node id=\"{node}\"/>")?,
                Some(at) => {
                    writeln!(out, "<node id=\"{node}\"><data key=\"position\">{at}</data></node>")?
                }
            }
        }
        for (from, to, kind) in self.links() {
            let kind = escaped(kind);
            writeln!(
                out,
                "<edge source=\"{from}\" target=\"{to}\"><data key=\"kind\">{kind}</data></edge>"
            )?;
        }
        writeln!(out, "</graph>\n</graphml>")
    }

    fn gexf(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <gexf xmlns=\"http://gexf.net/1.3\" version=\"1.3\">\n\
             <meta><description>{} at {} s</description></meta>\n\
             <graph mode=\"static\" defaultedgetype=\"directed\">\n\
             <attributes class=\"edge\"><attribute id=\"0\" title=\"kind\" type=\"string\"/>\
             </attributes>\n\
             <attributes class=\"node\"><attribute id=\"0\" title=\"position\" type=\"double\"/>\
             </attributes>\n<nodes>",
            escaped(&self.peerlet),
            self.time.as_secs_f64()
        )?;
        for node in &self.state.nodes {
            let position =
                self.state.positions.get(node).map(|at| {
                    format!("<attvalues><attvalue for=\"0\" value=\"{at}\"/></attvalues>")
                });
            let position = position.unwrap_or_default();
            writeln!(out, "<node id=\"{node}\" label=\"{node}\">{position}</node>")?;
        }
        writeln!(out, "</nodes>\n<edges>")?;
        for (id, (from, to, kind)) in self.links().enumerate() {
            let kind = escaped(kind);
            writeln!(
                out,
                "<edge id=\"{id}\" source=\"{from}\" target=\"{to}\"><attvalues>\
                 <attvalue for=\"0\" value=\"{kind}\"/></attvalues></edge>"
            )?;
        }
        writeln!(out, "</edges>\n</graph>\n</gexf>")
    }

    fn dot(&self, out: &mut String) -> std::fmt::Result {
        let quoted =
            |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        writeln!(out, "digraph {} {{", quoted(&self.peerlet))?;
        self.state.nodes.iter().try_for_each(|node| writeln!(out, "  {node};"))?;
        for (from, to, kind) in self.links() {
            writeln!(out, "  {from} -> {to} [kind={}];", quoted(kind))?;
        }
        writeln!(out, "}}")
    }
}

/// A text in XML.
fn escaped(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    plain.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use peerlet_core::SECOND;

    use super::*;

    const LINES: &str = "{\"time\":1000000000,\"peerlet\":\"ring\",\"kinds\":[\"a<b\"],\
        \"joined\":[0,1],\"added\":[[0,1,0]],\"positions\":[[1,0.5]]}\n\
        {\"time\":2000000000,\"peerlet\":\"ring\",\"kinds\":[\"a<b\"],\"left\":[1],\
        \"removed\":[[0,1,0]]}\n";

    #[test]
    fn formats() {
        let at = Some(Time::ZERO + SECOND);
        let graph = Snapshot::read(LINES, None, at).expect("it is right");
        let text = [GraphFormat::GraphMl, GraphFormat::Gexf, GraphFormat::Dot]
            .map(|format| graph.write(format))
            .concat();
        expect_test::expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <graphml xmlns="http://graphml.graphdrawing.org/xmlns">
            <key id="kind" for="edge" attr.name="kind" attr.type="string"/>
            <key id="position" for="node" attr.name="position" attr.type="double"/>
            <key id="time" for="graph" attr.name="time" attr.type="double"/>
            <graph id="ring" edgedefault="directed">
            <data key="time">1</data>
            <node id="0"/>
            <node id="1"><data key="position">0.5</data></node>
            <edge source="0" target="1"><data key="kind">a&lt;b</data></edge>
            </graph>
            </graphml>
            <?xml version="1.0" encoding="UTF-8"?>
            <gexf xmlns="http://gexf.net/1.3" version="1.3">
            <meta><description>ring at 1 s</description></meta>
            <graph mode="static" defaultedgetype="directed">
            <attributes class="edge">
            <attribute id="0" title="kind" type="string"/></attributes>
            <attributes class="node">
            <attribute id="0" title="position" type="double"/></attributes>
            <nodes>
            <node id="0" label="0"></node>
            <node id="1" label="1">
            <attvalues>
            <attvalue for="0" value="0.5"/></attvalues></node>
            </nodes>
            <edges>
            <edge id="0" source="0" target="1">
            <attvalues>
            <attvalue for="0" value="a&lt;b"/></attvalues></edge>
            </edges>
            </graph>
            </gexf>
            digraph "ring" {
              0;
              1;
              0 -> 1 [kind="a<b"];
            }
        "#]]
        // Broken before attributes.
        .assert_eq(&text.replace("><att", ">\n<att"));
        let last = Snapshot::read(LINES, Some("ring"), None).expect("it is right");
        assert_eq!(last.write(GraphFormat::Dot), "digraph \"ring\" {\n  0;\n}\n");
    }

    #[test]
    fn refusals() {
        let check = |text: &str, peerlet: Option<&str>, at: u64, expected: &str| {
            let at = Some(Time::ZERO + SECOND * at);
            let error = Snapshot::read(text, peerlet, at).expect_err("it is wrong").to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("", None, 1, "it has no observation");
        check(LINES, None, 0, "its first observation is later");
        check(LINES, Some("chord"), 1, "it has the links of ring only");
        let two = format!("{LINES}{}", LINES.replace("ring", "chord"));
        check(&two, None, 9, "it has the links of ring, chord; name one");
        check(&LINES[..50], None, 1, "line 1");
    }
}
