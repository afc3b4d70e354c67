//! A graph that is put together node by node, and the file that it becomes.

use prost::Message;

use super::proto::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::export::error::ExportError;

/// IR version of ONNX 1.14 and later.
const IR_VERSION: i64 = 9;
/// Operators: the first opset with LayerNormalization.
const OPSET: i64 = 17;
/// Bytes of weights that a protobuf of less than 2 GiB holds beside everything else.
const MOST_BYTES: usize = (1 << 31) - (1 << 24);

/// Kinds of numbers, by ONNX's numbers for them.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// 32-bit floating point.
    Float = 1,
    /// 64-bit integers.
    Int64 = 7,
    /// True or false.
    Bool = 9,
    /// 64-bit floating point.
    Double = 11,
}

/// A dimension of an input or output.
#[derive(Clone, Copy, Debug)]
pub enum Size<'a> {
    /// So long.
    Fixed(usize),
    /// As long as all that have this name.
    Named(&'a str),
}

/// An attribute of a node.
#[derive(Clone, Copy, Debug)]
pub enum Attribute<'a> {
    /// A number.
    Float(&'a str, f32),
    /// An integer.
    Int(&'a str, i64),
    /// Integers.
    Ints(&'a str, &'a [i64]),
}

/// A graph in the making. Values are known by their names.
#[derive(Default)]
pub struct Graph {
    proto: GraphProto,
    bytes: usize,
}

impl Graph {
    /// An input of the whole graph.
    pub fn input(&mut self, name: &str, kind: Kind, sizes: &[Size<'_>]) -> String {
        self.proto.input.push(value_info(name, kind, sizes));
        name.to_owned()
    }

    /// Let the value `from` be an output of the whole graph, `name`.
    pub fn output(&mut self, from: &str, name: &str, sizes: &[Size<'_>]) {
        self.push("Identity", &[from], name.to_owned(), &[]);
        self.proto.output.push(value_info(name, Kind::Float, sizes));
    }

    /// A weight.
    pub fn floats(&mut self, name: &str, sizes: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, Kind::Float, sizes, bytes)
    }

    /// A number.
    pub fn number(&mut self, value: f32) -> String {
        let name = format!("number_{}", self.proto.initializer.len());
        self.floats(&name, &[], &[value])
    }

    /// A list of integers.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let name = format!("integers_{}", self.proto.initializer.len());
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(&name, Kind::Int64, &[values.len()], bytes)
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) -> String {
        let name = format!("integer_{}", self.proto.initializer.len());
        self.initializer(&name, Kind::Int64, &[], value.to_le_bytes().to_vec())
    }

    fn initializer(&mut self, name: &str, kind: Kind, sizes: &[usize], bytes: Vec<u8>) -> String {
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.proto.initializer.push(TensorProto {
            dims: sizes.iter().map(|&size| size as i64).collect(),
            data_type: Some(kind as i32),
            name: name.to_owned(),
            raw_data: Some(bytes),
        });
        name.to_owned()
    }

    /// What the operator makes of the values `inputs`.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> String {
        let name = format!("{operator}_{}", self.proto.node.len());
        self.push(operator, inputs, name.clone(), attributes);
        name
    }

    /// The `count` greatest of the last axis, the greatest first, and their places.
    pub fn top(&mut self, x: &str, count: &str) -> [String; 2] {
        let values = self.node("TopK", &[x, count], &[]);
        let places = format!("{values}/places");
        if let Some(node) = self.proto.node.last_mut() {
            node.output.push(places.clone());
        }
        [values, places]
    }

    fn push(&mut self, operator: &str, inputs: &[&str], name: String, attributes: &[Attribute<'_>]) {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: format!("{name}/node"),
            op_type: operator.to_owned(),
            attribute: attributes.iter().map(attribute).collect(),
        });
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// The weights do not fit into one file.
    pub fn encode(self, name: &str, metadata: &[(&str, String)]) -> Result<Vec<u8>, ExportError> {
        if self.bytes > MOST_BYTES {
            return Err(ExportError::TooLarge { bytes: self.bytes, limit: MOST_BYTES });
        }
        let of = |(key, value): &(&str, String)| StringStringEntryProto {
            key: (*key).to_owned(),
            value: value.clone(),
        };
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: "pipeline".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: String::new(),
            graph: Some(GraphProto { name: name.to_owned(), ..self.proto }),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
            metadata_props: metadata.iter().map(of).collect(),
        };
        Ok(model.encode_to_vec())
    }
}

fn attribute(of: &Attribute<'_>) -> AttributeProto {
    match *of {
        Attribute::Float(name, value) => {
            AttributeProto { name: name.into(), f: Some(value), r#type: Some(1), ..AttributeProto::default() }
        }
        Attribute::Int(name, value) => {
            AttributeProto { name: name.into(), i: Some(value), r#type: Some(2), ..AttributeProto::default() }
        }
        Attribute::Ints(name, values) => AttributeProto {
            name: name.into(),
            ints: values.to_vec(),
            r#type: Some(7),
            ..AttributeProto::default()
        },
    }
}

fn value_info(name: &str, kind: Kind, sizes: &[Size<'_>]) -> ValueInfoProto {
    let dim = |size: &Size<'_>| DimensionProto {
        value: Some(match *size {
            Size::Fixed(size) => DimensionValue::DimValue(size as i64),
            Size::Named(name) => DimensionValue::DimParam(name.to_owned()),
        }),
    };
    let shape = TensorShapeProto { dim: sizes.iter().map(dim).collect() };
    let tensor_type = TensorTypeProto { elem_type: Some(kind as i32), shape: Some(shape) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_read_as_it_was_written_and_by_the_numbers_of_the_format() {
        let mut graph = Graph::default();
        let x = graph.input("x", Kind::Float, &[Size::Named("batch"), Size::Fixed(2)]);
        let w = graph.floats("w", &[2, 1], &[1.0, -1.0]);
        let y = graph.node("MatMul", &[&x, &w], &[]);
        graph.output(&y, "y", &[Size::Named("batch"), Size::Fixed(1)]);
        let bytes = graph.encode("g", &[("classes", "[]".into())]).unwrap();
        // Field 1, a varint: the IR version; field 2, of length 8: the producer.
        assert_eq!(bytes[..12], [0x08, 9, 0x12, 8, b'p', b'i', b'p', b'e', b'l', b'i', b'n', b'e']);
        let model = ModelProto::decode(&bytes[..]).unwrap();
        assert_eq!(model.opset_import[0].version, Some(17));
        let graph = model.graph.unwrap();
        assert_eq!((graph.node.len(), graph.initializer[0].dims.clone()), (2, vec![2, 1]));
        assert_eq!(graph.node[1].output, ["y"]);
    }

    #[test]
    fn what_fits_into_no_file_is_refused() {
        let graph = Graph { bytes: usize::MAX, ..Graph::default() };
        assert!(matches!(graph.encode("g", &[]), Err(ExportError::TooLarge { .. })));
    }
}
